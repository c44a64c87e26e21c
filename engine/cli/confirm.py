"""`engine confirm`."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.options import format_option, root_option, store_option
from engine.policy.rule import CUSTOMER
from engine.session.reply import Refused


@click.command("confirm", epilog="Example: engine confirm ses_1234 yes")
@click.argument("session_id", metavar="ID")
@click.argument("answer", type=click.Choice(["yes", "no"]))
@format_option("text", "json", "jsonl")
@root_option
@store_option
def command(session_id: str, answer: str, output_format: str, root: Path | None, store_url: str) -> None:
    """Answer a session's oldest question to the customer, and drive it on."""
    from engine.cli.driving import act_and_drive
    from engine.cli.work import Work
    from engine.runtime.errors import NotAllowed

    async def act(work: Work) -> str:
        state = await work.engine.load(session_id)
        asked = [request for request in state.open_requests() if request.groups == (CUSTOMER,)]
        if not asked:
            raise NotAllowed(Refused("nothing_asked", f"session {session_id} asks the customer nothing"))
        return await work.engine.answer(asked[0].id, "approve" if answer == "yes" else "deny", CUSTOMER)

    raise SystemExit(act_and_drive(store_url, output_format, act, root=root))
