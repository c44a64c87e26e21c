"""`engine --server URL shadow report`."""

from __future__ import annotations

import click

from engine.cli.commands.shadow import show_report
from engine.cli.console.options import format_option
from engine.cli.remote.client import asking, client
from engine.session.exit_code import OK


@click.group("shadow")
def command() -> None:
    """What the bundle in the shadow of the active one would have decided."""


@command.command("report", epilog="Example: engine --server URL shadow report --format json")
@format_option("text", "json")
@asking
def report(output_format: str) -> int:
    """The calls since it was put there that it would have judged otherwise."""
    show_report(client().get("/v1/shadow"), output_format)
    return OK
