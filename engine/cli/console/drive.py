"""Driving one session from a command: its trace, what the user can do next, the exit code."""

from __future__ import annotations

from shlex import quote

from engine.cli.console.app import App
from engine.cli.console.output import say, say_lines
from engine.diagnostic.visible import line
from engine.policy.approvals import whom
from engine.ports.resources import EnvironmentFault
from engine.session.exit_code import INTERRUPTED, exit_code
from engine.session.state.state import Call, Phase, Request, ResultStatus, State, Status
from engine.spec.bundle import WRITE
from engine.spec.request_kind import RequestKind


async def drive_on(app: App, session_id: str, *, wait: bool = True) -> int:
    """Drive a session until it waits or is over, print what happens and what can be done next; its exit code."""
    try:
        state = await app.engine.drive(session_id, wait=wait)
    except EnvironmentFault:
        say(f"session {session_id} is left as it is; where nothing is missing: engine resume {session_id}", err=True)
        raise
    app.printer.finish()
    tell_next(await app.engine.look(session_id), app)
    if app.interrupted and state.status is Status.CANCELLED:
        return INTERRUPTED
    return exit_code(state.status)


async def reachable(app: App, session_id: str) -> None:
    """Find what a session needs before what somebody says to it is recorded; raises MissingRoot, EnvironmentFault."""
    state = await app.engine.load(session_id)
    await app.engine.ready_for(state, await app.engine.bundle_of(state))


def tell_next(state: State, app: App) -> None:
    """On stderr: how the session stands, and the commands that go on from there."""
    lines = [f"session {state.session_id} is {_standing(state)}"]
    if app.interrupted:
        lines += _what_was_done(state)
    if state.status is Status.CANCELLED and state.cancel_by is not None:
        lines[0] += f" by {state.cancel_by}"
    if state.status is Status.RUNNING:
        lines.append(f"go on: engine resume {state.session_id}")
    for request in state.open_requests():
        lines += _how_to_answer(state, request)
    if state.jobs():
        lines.append("a worker has to run a job: engine worker")
    if state.status is Status.AWAITING_MESSAGE:
        lines.append(f'go on: engine send {state.session_id} -m "..."')
    if app.url == "memory:":
        lines = lines[:1]
    elif state.final:
        lines.append(f"its log: engine sessions events {state.session_id}")
    say_lines("\n".join(map(line, lines)), err=True)


def _standing(state: State) -> str:
    status = state.status.value.replace("_", " ")
    return f"{status} ({state.outcome})" if state.status is Status.DONE else status


def _how_to_answer(state: State, request: Request) -> list[str]:
    if request.kind is RequestKind.PLANNER:
        return [f"its client is to propose: engine propose {state.session_id} --after {state.seq} DECISION"]
    if request.groups == ("customer",):
        return [f"the customer is asked: engine confirm {state.session_id} yes|no"]
    groups = whom(request.groups, request.names)
    of = f" of {groups}" if groups else ""
    if request.kind is RequestKind.APPROVAL:
        return [
            f"a reviewer{of} is asked: engine review show {request.id}",
            f"then: engine review approve {request.id} --as NAME, or deny",
        ]
    if request.kind is RequestKind.SETTLE:
        return [f"somebody has to settle: engine review answer {request.id} --as NAME --value did_not_happen"]
    return [f"somebody{of} is asked: engine review answer {request.id} --as NAME --set FIELD=VALUE"]


def _nobody_can_say(call: Call) -> bool:
    """Whether a write may have happened: its result is not known, or it was cut off and has none yet."""
    if call.result is not None:
        return call.result.status is ResultStatus.UNKNOWN
    return call.effect is WRITE and call.phase is Phase.STARTED


def _what_was_done(state: State) -> list[str]:
    done = [c.name for c in state.calls.values() if c.ok]
    unknown = [c.name for c in state.calls.values() if _nobody_can_say(c)]
    not_done = [c.name for c in state.calls.values() if not c.ok and c.ended and not _nobody_can_say(c)]
    lines = [f"done: {', '.join(done) or 'nothing'}", f"not done: {', '.join(not_done) or 'nothing'}"]
    if unknown:
        lines.append(f"nobody can say: {', '.join(unknown)}")
    attributes = " ".join(f"--set {quote(line(f'{name}={value}'))}" for name, value in state.attributes.items())
    lines.append(f'start again: engine run --agent {state.agent} -m "..." {attributes}'.rstrip())
    return lines
