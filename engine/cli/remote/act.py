"""`engine --server URL run`, `send`, `confirm` and `cancel`."""

from __future__ import annotations

from typing import Any

import click

from engine.cli.console.assignments import assignments
from engine.cli.console.options import detach_option, format_option
from engine.cli.console.trace_printer import Printer
from engine.cli.remote.client import Client, ServiceProblem, asking, client, part
from engine.cli.remote.follow import follow, leave
from engine.language.value import NotJson, loads
from engine.session.exit_code import FAILED, OK
from engine.session.state.state import Status

_ALL_TEXT = {"type": "string"}


@click.command("run", epilog='Example: engine --server URL run --agent support-triage -m "..." --set tenant=acme')
@click.argument("bundle", metavar="", required=False)
@click.option("--agent", "agent_name", metavar="NAME", help="Which agent; needed if the bundle has several.")
@click.option("-m", "--message", metavar="TEXT", required=True, help="What the user says.")
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True, help="An attribute of the session.")
@click.option("--planner", metavar="NAME", help="One of the agent's planners.")
@detach_option
@format_option("text", "json", "jsonl")
@asking
def run(
    bundle: str | None,
    agent_name: str | None,
    message: str,
    settings: tuple[str, ...],
    planner: str | None,
    detach: bool,
    output_format: str,
) -> int:
    """Start a session of the bundle that the service has deployed, and show its trace.

    Exits 0 when it is done, 1 failed, 3 waiting for somebody, 4 out of budget or timed out.
    """
    if bundle is not None:
        raise click.UsageError("a service runs the bundle that is deployed there: leave BUNDLE out")
    service = client()
    wanted = {"agent": agent_name, "message": message, "planner": planner}
    texts = assignments(settings, {"properties": {part.partition("=")[0]: _ALL_TEXT for part in settings}}, "--set")
    try:
        made = service.post("/v1/sessions", wanted | {"attributes": texts})
    except ServiceProblem as refused:
        if refused.code != "invalid_attributes":
            raise
        # what the attributes are the service knows: what is no text there is read as JSON
        made = _started_with(service, wanted, assignments(settings, {}, "--set"), texts, refused)
    if detach:
        leave(made["id"], output_format)
        return OK
    return follow(service, made["id"], 0, Printer(output_format), moved=True)


def _started_with(
    service: Client, wanted: dict[str, Any], values: dict[str, Any], texts: dict[str, Any], refused: ServiceProblem
) -> Any:
    for attributes in ({**values}, *({**texts, name: value} for name, value in values.items())):
        try:
            return service.post("/v1/sessions", wanted | {"attributes": attributes})
        except ServiceProblem as again:
            if again.code != refused.code:
                raise
    raise refused


@click.command("send", epilog='Example: engine --server URL send ses_1234 -m "It is about the payment of Monday"')
@click.argument("session_id", metavar="ID")
@click.option("-m", "--message", metavar="TEXT", required=True, help="What the user says.")
@detach_option
@format_option("text", "json", "jsonl")
@asking
def send(session_id: str, message: str, detach: bool, output_format: str) -> int:
    """Send a session a further message of its user, and show how it goes on."""
    service = client()
    before = service.get(f"/v1/sessions/{part(session_id)}")
    service.post(f"/v1/sessions/{part(session_id)}/messages", {"text": message})
    # what waits for somebody's answer waits on
    moved = before["state"] in (Status.RUNNING, Status.AWAITING_MESSAGE)
    return _gone_on(service, session_id, before["seq"], detach, output_format, moved=moved)


@click.command("confirm", epilog="Example: engine --server URL confirm ses_1234 yes")
@click.argument("session_id", metavar="ID")
@click.argument("answer", type=click.Choice(["yes", "no"]))
@click.option("--tool", metavar="NAME", help="Say yes beforehand, to a call of this tool.")
@click.option("--input", "input_", metavar="JSON", default="{}", help="The input of that call, exactly.")
@detach_option
@format_option("text", "json", "jsonl")
@asking
def confirm(session_id: str, answer: str, tool: str | None, input_: str, detach: bool, output_format: str) -> int:
    """Answer a session's oldest question to the customer, and show how it goes on."""
    service = client()
    body: dict[str, Any] = {"answer": answer}
    if tool is not None:
        try:
            body |= {"tool": tool, "input": loads(input_)}
        except NotJson as error:
            raise click.UsageError(f"--input: {error}") from None
    before = service.get(f"/v1/sessions/{part(session_id)}")["seq"]
    service.post(f"/v1/sessions/{part(session_id)}/confirmations", body)
    return _gone_on(service, session_id, before, detach, output_format)


@click.command("cancel", epilog="Example: engine --server URL cancel ses_1234")
@click.argument("session_id", metavar="ID")
@format_option("text", "json", "jsonl")
@asking
def cancel(session_id: str, output_format: str) -> int:
    """End a session: what runs is cancelled, and what is asked is withdrawn."""
    service = client()
    before = service.get(f"/v1/sessions/{part(session_id)}")["seq"]
    service.post(f"/v1/sessions/{part(session_id)}/cancel", {})
    # a cancelled session is a failure to those who drive it, and to this command what was asked for
    code = _gone_on(service, session_id, before, False, output_format)
    return OK if code == FAILED else code


def _gone_on(
    service: Client, session_id: str, before: int, detach: bool, output_format: str, *, moved: bool = True
) -> int:
    if detach:
        leave(session_id, output_format)
        return OK
    return follow(service, session_id, before, Printer(output_format), moved=moved)
