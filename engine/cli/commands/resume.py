"""`engine resume`."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.options import format_option, root_option, store_option


@click.command("resume", epilog="Example: engine resume ses_1234")
@click.argument("session_id", metavar="ID")
@click.option("--no-wait", is_flag=True, help="Fail at once if another process drives it.")
@format_option("text", "json", "jsonl")
@root_option
@store_option
@asynchronous
async def command(session_id: str, no_wait: bool, output_format: str, root: Path | None, store_url: str) -> int:
    """Drive a session on: after a crash, an answer, or a time-out of a question.

    If another process drives it, wait until that one lets go.  Exits as `run` does.
    """
    from engine.cli.console.app import open_app
    from engine.cli.console.drive import drive_on
    from engine.cli.console.trace_printer import Printer

    async with open_app(store_url, printer=Printer(output_format), root=root) as app:
        app.code = await drive_on(app, session_id, wait=not no_wait)
    return app.exit_code
