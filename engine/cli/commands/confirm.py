"""`engine confirm`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.cli.console.options import detach_option, format_option, root_option, store_option
from engine.language.value import NotJson, loads
from engine.policy.rule import CUSTOMER
from engine.session.state.inputs import InputRefused


@click.command(
    "confirm",
    epilog="""\b
Examples:
  engine confirm ses_1234 yes
  engine confirm ses_1234 yes --tool cancel_order --input '{"order_id": "o-1"}'""",
)
@click.argument("session_id", metavar="ID")
@click.argument("answer", type=click.Choice(["yes", "no"]))
@click.option("--tool", metavar="NAME", help="Say yes beforehand, to a call of this tool.")
@click.option("--input", "input_", metavar="JSON", default="{}", help="The input of that call, exactly.")
@detach_option
@format_option("text", "json", "jsonl")
@root_option
@store_option
def command(
    session_id: str,
    answer: str,
    tool: str | None,
    input_: str,
    detach: bool,
    output_format: str,
    root: Path | None,
    store_url: str,
) -> None:
    """Answer a session's oldest question to the customer, and drive it on.

    With --tool the customer says yes before the call is proposed: it counts for this exact call, once.
    """
    from engine.cli.console.app import App
    from engine.cli.console.detach import act_and_detach
    from engine.cli.console.drive import act_and_drive, reachable
    from engine.runtime.errors import NotAllowed

    given = _read(input_, answer) if tool is not None else {}

    async def act(work: App) -> str:
        if not detach:
            await reachable(work, session_id)
        if tool is not None:
            await work.engine.confirm(session_id, tool, given)
            return session_id
        state = await work.engine.load(session_id)
        asked = [request for request in state.open_requests() if request.groups == (CUSTOMER,)]
        if not asked:
            raise NotAllowed(InputRefused("nothing_asked", f"session {session_id} asks the customer nothing"))
        return await work.engine.answer(asked[0].id, "approve" if answer == "yes" else "deny", CUSTOMER)

    if detach:
        raise SystemExit(act_and_detach(store_url, output_format, act))
    raise SystemExit(act_and_drive(store_url, output_format, act, root=root))


def _read(text: str, answer: str) -> dict[str, Any]:
    """The input that is confirmed; raises click.UsageError."""
    if answer != "yes":
        raise click.UsageError("only a yes can be given beforehand")
    try:
        found = loads(text)
    except NotJson as error:
        raise click.UsageError(f"--input: {error}") from None
    if not isinstance(found, dict):
        raise click.UsageError("--input takes an object")
    return found
