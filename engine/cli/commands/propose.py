"""`engine propose`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.options import detach_option, format_option, root_option, store_option

EPILOG = """\b
Examples:
  engine propose ses_1234 --after 4 '{"message": "All is well.", "tool_calls": [], "done": true}'
  engine propose ses_1234 --after 4 - < decision.json"""


@click.command("propose", epilog=EPILOG)
@click.argument("session_id", metavar="ID")
@click.argument("decision", metavar="DECISION")
@click.option("--after", metavar="SEQ", type=click.IntRange(1), required=True, help="The last event that was read.")
@click.option("--as", "by", metavar="NAME", default="client", help="Who proposes; `client` unless given.")
@detach_option
@format_option("text", "json", "jsonl")
@root_option
@store_option
@asynchronous
async def command(
    session_id: str,
    decision: str,
    after: int,
    by: str,
    detach: bool,
    output_format: str,
    root: Path | None,
    store_url: str,
) -> int:
    """Propose the next step of a session whose planner is a `client`, and drive it on.

    DECISION is JSON, or `-` to read it from standard input: `message`, `tool_calls` (each with `id`, `name` and
    `input`) and `done`.  It is judged, limited and logged as any planner's.
    """
    from engine.cli.console.app import open_app
    from engine.cli.console.detach import check_store_for_worker, leave_to_worker
    from engine.cli.console.drive import drive_on, reachable
    from engine.cli.console.trace_printer import Printer

    raw = _read(decision)
    check_store_for_worker(store_url, detach=detach)
    async with open_app(store_url, printer=Printer("none" if detach else output_format), root=root) as app:
        if not detach:
            await reachable(app, session_id)
        await app.engine.propose(session_id, raw, after, by)
        if detach:
            leave_to_worker(session_id, output_format)
        else:
            app.code = await drive_on(app, session_id)
    return app.exit_code


def _read(decision: str) -> Any:
    from engine.language.value import NotJson, loads

    text = sys.stdin.read() if decision == "-" else decision
    try:
        return loads(text)
    except NotJson as error:
        raise click.UsageError(f"DECISION is not JSON: {error}") from None
