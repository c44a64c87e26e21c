"""`engine send`."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.options import detach_option, format_option, root_option, store_option


@click.command("send", epilog='Example: engine send ses_1234 -m "It is about the payment of last Monday"')
@click.argument("session_id", metavar="ID")
@click.option("-m", "--message", metavar="TEXT", required=True, help="What the user says.")
@detach_option
@format_option("text", "json", "jsonl")
@root_option
@store_option
@asynchronous
async def command(
    session_id: str, message: str, detach: bool, output_format: str, root: Path | None, store_url: str
) -> int:
    """Send a session a further message of its user, and drive it on.

    While it runs the message waits for the next step; while it waits the reviewer sees it.
    """
    from engine.cli.console.app import open_app
    from engine.cli.console.detach import check_store_for_worker, leave_to_worker
    from engine.cli.console.drive import drive_on, reachable
    from engine.cli.console.trace_printer import Printer

    check_store_for_worker(store_url, detach=detach)
    async with open_app(store_url, printer=Printer("none" if detach else output_format), root=root) as app:
        if not detach:
            await reachable(app, session_id)
        await app.engine.send(session_id, message)
        if detach:
            leave_to_worker(session_id, output_format)
        else:
            app.code = await drive_on(app, session_id)
    return app.exit_code
