"""`engine shadow`: what the bundle in the shadow of the active one would have decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
import trio

from engine.cli.console.options import format_option, store_option
from engine.cli.console.output import counted, say
from engine.cli.console.past_sessions import log_key
from engine.cli.console.trace_printer import line, print_json, table
from engine.session.exit_code import FAILED

if TYPE_CHECKING:
    from engine.ports.deployments import Deployment


@click.group("shadow")
def command() -> None:
    """What the bundle in the shadow of the active one would have decided."""


@command.command("report", epilog="Example: engine shadow report --store sqlite:////var/lib/engine/engine.db")
@format_option("text", "json")
@store_option
def report(output_format: str, store_url: str) -> None:
    """The calls since it was put there that it would have judged otherwise.

    It is put there with `engine --server URL deploy . --shadow`, and decides nothing.
    """
    from engine.bundle.load import load_stored
    from engine.cli.commands.whatif import judge_all
    from engine.language.value import timestamp
    from engine.whatif.acceptance import Acceptance

    shadow, files = trio.run(_found, store_url)
    bundle = load_stored(files).bundle if shadow is not None else None
    if shadow is None or bundle is None:
        say("engine: no bundle judges in the shadow: engine --server URL deploy . --shadow", err=True)
        raise SystemExit(FAILED)
    accepted = Acceptance(())
    done = judge_all(bundle, store_url, shadow.at, None, None)
    told = done.payload(done.rows(accepted), accepted)
    names = ("bundle", "sessions", "erased", "decisions", "table")
    show_report({"since": timestamp(shadow.at)} | {name: told[name] for name in names}, output_format)


async def _found(store_url: str) -> tuple[Deployment | None, Mapping[str, bytes]]:
    """What is in the shadow in a store, and its files."""
    from engine.api.stores import open_store
    from engine.api.trials import trials_now

    async with open_store(store_url, log_key(), make=False) as store:
        shadow = (await trials_now(store.deployments)).shadow
        return shadow, (await store.load_bundle(shadow.bundle) if shadow is not None else None) or {}


def show_report(told: Mapping[str, Any], output_format: str) -> None:
    """Print what a shadow would have judged otherwise."""
    if output_format == "json":
        print_json(told)
        return
    columns = ["rule", "flip", "loosens", "calls", "sessions"]
    cells = [[row[name] for name in columns] for row in told["table"]]
    rows = [[cell if isinstance(cell, str) else line(cell) for cell in row] for row in cells]
    table("what the shadow would have judged otherwise", columns, rows)
    judged = f"{counted(told['decisions'], 'decision')} of {counted(told['sessions'], 'session')}"
    say(f"{judged} since {told['since']}", err=True)
