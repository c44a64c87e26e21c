"""`engine send`."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.console.options import detach_option, format_option, root_option, store_option


@click.command("send", epilog='Example: engine send ses_1234 -m "It is about the payment of last Monday"')
@click.argument("session_id", metavar="ID")
@click.option("-m", "--message", metavar="TEXT", required=True, help="What the user says.")
@detach_option
@format_option("text", "json", "jsonl")
@root_option
@store_option
def command(session_id: str, message: str, detach: bool, output_format: str, root: Path | None, store_url: str) -> None:
    """Send a session a further message of its user, and drive it on.

    While it runs the message waits for the next step; while it waits the reviewer sees it.
    """
    from engine.cli.console.app import App
    from engine.cli.console.detach import act_and_detach
    from engine.cli.console.drive import act_and_drive, reachable

    async def act(work: App) -> str:
        if not detach:
            await reachable(work, session_id)
        await work.engine.send(session_id, message)
        return session_id

    if detach:
        raise SystemExit(act_and_detach(store_url, output_format, act))
    raise SystemExit(act_and_drive(store_url, output_format, act, root=root))
