"""Driving one session from a command: its trace, what the user can do next, the exit code."""

from __future__ import annotations

from shlex import quote

from engine.api.shapes import session_shown
from engine.cli.console.app import App
from engine.cli.console.next_steps import next_steps, standing_line
from engine.cli.console.output import say, say_lines
from engine.diagnostic.visible import line
from engine.ports.resources import EnvironmentFault
from engine.session.exit_code import INTERRUPTED, exit_code
from engine.session.state.state import Call, Phase, ResultStatus, State, Status
from engine.spec.bundle import WRITE


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
    found = session_shown(state)
    lines = [standing_line(found)]
    if app.interrupted:
        lines += _what_was_done(state)
    lines += next_steps(found, who=" --as NAME", jobs=bool(state.jobs()))
    if app.url == "memory:":
        lines = lines[:1]
    say_lines("\n".join(map(line, lines)), err=True)


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
