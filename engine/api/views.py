"""What programs see of a session: as people may, with `[sensitive]` in the place of what schemas mark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.session.state.state import FINAL, Call, Request, State, Status
from engine.spec.request_kind import RequestKind


@dataclass(frozen=True, slots=True)
class CallView:
    """A call that was proposed: `status` is that of its result, None while it has none."""

    id: str
    tool: str
    input: Mapping[str, Any]
    status: str | None
    reason: str
    output: Any


@dataclass(frozen=True, slots=True)
class SessionView:
    """How a session stands after its event `seq`: its state, what its customer was told last, and what it waits for."""

    id: str
    agent: str
    status: Status
    outcome: str
    message: str
    attributes: Mapping[str, Any]
    calls: tuple[CallView, ...]
    requests: tuple[Request, ...]
    seq: int

    @property
    def over(self) -> bool:
        """Whether it is over for good."""
        return self.status in FINAL


def view_of(state: State) -> SessionView:
    """The view of a state that nothing sensitive is in."""
    return SessionView(
        state.session_id,
        state.agent,
        state.status,
        state.outcome,
        state.told,
        dict(state.attributes),
        tuple(map(_call, state.calls.values())),
        tuple(one for one in state.open_requests() if one.kind is not RequestKind.PLANNER),
        state.seq,
    )


def _call(call: Call) -> CallView:
    result = call.result
    if result is None:
        return CallView(call.id, call.name, call.input, None, "", None)
    return CallView(call.id, call.name, call.input, result.status.value, result.reason, result.output)
