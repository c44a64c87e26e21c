"""`engine confirm`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.options import detach_option, format_option, root_option, store_option
from engine.language.value import NotJson, loads
from engine.policy.rule import CUSTOMER
from engine.session.state.inputs import InputRefused

if TYPE_CHECKING:
    from engine.cli.console.app import App


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
@asynchronous
async def command(
    session_id: str,
    answer: str,
    tool: str | None,
    input_: str,
    detach: bool,
    output_format: str,
    root: Path | None,
    store_url: str,
) -> int:
    """Answer a session's oldest question to the customer, and drive it on.

    With --tool the customer says yes before the call is proposed: it counts for this exact call, once.
    """
    from engine.cli.console.app import open_app
    from engine.cli.console.detach import check_store_for_worker, leave_to_worker
    from engine.cli.console.drive import drive_on, reachable
    from engine.cli.console.trace_printer import Printer

    given = _read(input_, answer) if tool is not None else {}
    check_store_for_worker(store_url, detach=detach)
    async with open_app(store_url, printer=Printer("none" if detach else output_format), root=root) as app:
        if not detach:
            await reachable(app, session_id)
        if tool is not None:
            await app.engine.confirm(session_id, tool, given)
        else:
            request_id = await _oldest_question(app, session_id)
            await app.engine.answer(request_id, "approve" if answer == "yes" else "deny", CUSTOMER)
        if detach:
            leave_to_worker(session_id, output_format)
        else:
            app.code = await drive_on(app, session_id)
    return app.exit_code


async def _oldest_question(app: App, session_id: str) -> str:
    """The oldest question to the customer; raises NotAllowed."""
    from engine.runtime.errors import NotAllowed

    state = await app.engine.load(session_id)
    asked = [request for request in state.open_requests() if request.groups == (CUSTOMER,)]
    if not asked:
        raise NotAllowed(InputRefused("nothing_asked", f"session {session_id} asks the customer nothing"))
    return asked[0].id


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
