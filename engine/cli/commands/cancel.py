"""`engine cancel`."""

from __future__ import annotations

from pathlib import Path

import click

from engine.access.principal import CUSTOMER
from engine.access.rights import Right
from engine.cli.console.actor import ActorClaim, actor_of, actor_option
from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.options import format_option, root_option, store_option
from engine.session.exit_code import FAILED, OK


@click.command("cancel", epilog="Example: engine cancel ses_1234 --as mika")
@click.argument("session_id", metavar="ID")
@actor_option
@format_option("text", "json", "jsonl")
@root_option
@store_option
@asynchronous
async def command(session_id: str, claim: ActorClaim, output_format: str, root: Path | None, store_url: str) -> int:
    """End a session: what runs is cancelled after its grace period, what waits never starts.

    The customer ends it unless somebody is named.
    """
    from engine.cli.console.app import open_app, tell_foreseen
    from engine.cli.console.drive import drive_on
    from engine.cli.console.trace_printer import Printer

    async with open_app(store_url, printer=Printer(output_format), root=root) as app:
        who = CUSTOMER
        if claim.name is not None or await app.store.access.tokens():
            who = (await actor_of(app, claim, Right.CANCEL, "cancel", session_id, session_id)).name
        await app.engine.cancel(session_id, who)
        try:
            app.code = await drive_on(app, session_id)
        except Exception as error:
            # that it is to end is recorded, whoever drives it: what keeps this process from it is told
            app.code = tell_foreseen(error)
    # a cancelled session is a failure to those who drive it, and to this command what was asked for
    return OK if app.exit_code == FAILED else app.exit_code
