"""`engine propose`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

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
def command(
    session_id: str,
    decision: str,
    after: int,
    by: str,
    detach: bool,
    output_format: str,
    root: Path | None,
    store_url: str,
) -> None:
    """Propose the next step of a session whose planner is a `client`, and drive it on.

    DECISION is JSON, or `-` to read it from standard input: `message`, `tool_calls` (each with `id`, `name` and
    `input`) and `done`.  It is judged, limited and logged as any planner's.
    """
    from engine.cli.console.app import App
    from engine.cli.console.detach import act_and_detach
    from engine.cli.console.drive import act_and_drive, reachable

    raw = _read(decision)

    async def act(work: App) -> str:
        if not detach:
            await reachable(work, session_id)
        await work.engine.propose(session_id, raw, after, by)
        return session_id

    if detach:
        raise SystemExit(act_and_detach(store_url, output_format, act))
    raise SystemExit(act_and_drive(store_url, output_format, act, root=root))


def _read(decision: str) -> Any:
    from engine.language.value import NotJson, loads

    text = sys.stdin.read() if decision == "-" else decision
    try:
        return loads(text)
    except NotJson as error:
        raise click.UsageError(f"DECISION is not JSON: {error}") from None
