"""`engine cancel`."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.console.options import format_option, root_option, store_option
from engine.session.exit_code import FAILED, OK


@click.command("cancel", epilog="Example: engine cancel ses_1234 --as mika")
@click.argument("session_id", metavar="ID")
@click.option("--as", "name", metavar="NAME", default="customer", show_default=True, help="Who cancels.")
@format_option("text", "json", "jsonl")
@root_option
@store_option
def command(session_id: str, name: str, output_format: str, root: Path | None, store_url: str) -> None:
    """End a session: what runs is cancelled after its grace period, what waits never starts."""
    from engine.cli.console.app import App
    from engine.cli.console.drive import act_and_drive

    recorded = False

    async def act(work: App) -> str:
        nonlocal recorded
        await work.engine.cancel(session_id, name)
        recorded = True
        return session_id

    code = act_and_drive(store_url, output_format, act, root=root)
    # a cancelled session is a failure to those who drive it, and to this command what was asked for
    raise SystemExit(OK if recorded and code == FAILED else code)
