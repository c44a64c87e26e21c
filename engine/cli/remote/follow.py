"""A session of a service as it goes on: its trace is printed until it waits or is over."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from engine.cli.console.next_steps import next_steps, standing_line
from engine.cli.console.output import say, say_lines
from engine.cli.console.trace_printer import Printer
from engine.cli.remote.client import Client, ServiceProblem, part
from engine.diagnostic.visible import line
from engine.session.exit_code import WAITING, exit_code
from engine.session.state.event import Event, EventKind
from engine.session.state.state import FINAL, Status

_ENVELOPE = frozenset({"step", "kind", "seq", "at", "session_id"})
# a read waits for so long, and a session that has to be taken up by a worker for so many reads
WAIT, IDLE = 10, 3


def follow(client: Client, session_id: str, after: int, printer: Printer, *, moved: bool = False) -> int:
    """Print what happens behind an event until the session waits or is over; its exit code.

    With `moved` a worker has to take it up first: it stands still until it has.
    """
    try:
        standing = _followed(client, session_id, after, printer, moved=moved)
    except (KeyboardInterrupt, ServiceProblem):
        printer.finish()
        say(f"session {session_id} goes on at the service: engine sessions show {session_id}", err=True)
        raise
    printer.finish()
    _tell_next(standing)
    return WAITING if standing["state"] == Status.RUNNING else exit_code(Status(standing["state"]))


def _followed(client: Client, session_id: str, after: int, printer: Printer, *, moved: bool) -> dict[str, Any]:
    """How the session stands in the end; still running where nobody drives it."""
    idle, taken = 0, not moved
    while True:
        page = client.get(f"/v1/sessions/{part(session_id)}/events", after=after, limit=200)["items"]
        for found in page:
            printer(event_of(found))
            after, taken = int(found["seq"]), taken or found["kind"] in _GOES_ON
        standing: dict[str, Any] = client.get(
            f"/v1/sessions/{part(session_id)}", wait=WAIT if not page else 0, after=after
        )
        idle = idle + 1 if not page and standing["seq"] == after else 0
        state = Status(standing["state"])
        if standing["seq"] == after and (state in FINAL or (state is not Status.RUNNING and taken)):
            return standing
        if idle >= IDLE and not taken:
            return standing


# once one of these is there the session has been gone on with, or needs nobody to
_GOES_ON = frozenset({EventKind.SESSION_CLAIMED, EventKind.STATE_TRANSITION, EventKind.YES_DELAYED})


def event_of(found: dict[str, Any]) -> Event:
    """An event as it was told."""
    payload = {name: value for name, value in found.items() if name not in _ENVELOPE}
    at = datetime.fromisoformat(found["at"])
    return Event(found["session_id"], found["seq"], found["step"], EventKind(found["kind"]), payload, at)


def _tell_next(standing: dict[str, Any]) -> None:
    """On stderr: how the session stands, and the commands that go on from there."""
    if standing["state"] == Status.RUNNING:
        steps = ["no worker has taken it up yet: it goes on when one does"]
    else:
        steps = next_steps(standing)
    say_lines("\n".join(map(line, [standing_line(standing), *steps])), err=True)


def leave(session_id: str, output_format: str) -> None:
    """Print the id of a session that the service goes on with."""
    from engine.language.value import one_line

    say(session_id if output_format == "text" else one_line({"session": session_id}))
