"""The events that one reply leads to, each folded as it is written, so that the next sees it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from engine.language.value import timestamp
from engine.session.state.event import Event, EventKind
from engine.session.state.evolve import evolve
from engine.session.state.state import Call, ResultStatus, State
from engine.spec.bundle import Agent, Bundle, Tool
from engine.spec.request_kind import RequestKind

# the urgent bundles that judge beside a session's own, in the order in which they were deployed
OverlayBundles = tuple[Bundle, ...]


class Draft:
    """A growing list of events over a state; nothing outside sees it before it is whole."""

    def __init__(self, state: State, bundle: Bundle, at: datetime, overlays: OverlayBundles = ()) -> None:
        """`overlays` are the urgent bundles that judge beside the session's own."""
        self.state = state
        self.bundle = bundle
        # one without the agent has nothing to say of its sessions
        self.overlays = tuple(other for other in overlays if state.agent in other.agents)
        self.start_seq = state.seq
        self.at = max(at, state.now)
        self.events: list[Event] = []

    @property
    def agent(self) -> Agent:
        """The session's agent."""
        return self.bundle.agents[self.state.agent]

    def tool(self, name: str) -> Tool:
        """A tool of the bundle."""
        return self.bundle.tools[name]

    def emit(self, kind: EventKind, step: int | None = None, **payload: Any) -> None:
        """Write one event and fold it; it belongs to the open step unless another is named."""
        s = self.state
        event = Event(s.session_id, s.seq + 1, s.step if step is None else step, kind, payload, self.at)
        self.events.append(event)
        self.state = evolve(s, event)

    def result(
        self,
        call: Call,
        status: ResultStatus,
        reason: str = "",
        message: str = "",
        output: Any = None,
        *,
        rule: str | None = None,
        final: bool = True,
        reused: bool = False,
        repair: bool = False,
        settled: bool = False,
        difference: list[dict[str, Any]] | None = None,
        mark: str = "",
    ) -> None:
        """Write a call's result; the fields of the tool's summary stand beside the status.

        A write of which an attempt is in doubt has not failed, whatever its end is: only its result, a probe or a
        person says that it did not happen.
        """
        in_doubt = call.in_doubt and final and not settled and status not in (ResultStatus.OK, ResultStatus.UNKNOWN)
        if in_doubt:
            status = ResultStatus.UNKNOWN
        tool = self.bundle.tools.get(call.name)
        shown = {}
        if tool is not None and status is ResultStatus.OK and isinstance(output, dict):
            shown = {name: output[name] for name in tool.summary if name in output}
        self.emit(
            EventKind.TOOL_RESULT,
            step=call.step,
            call_id=call.id,
            tool=call.name,
            status=status.value,
            reason=reason,
            **shown,
            message=message,
            rule=rule,
            output=output,
            final=final,
            reused=reused,
            repair=repair,
            settled=settled,
            attempt=call.attempt,
            started=timestamp(call.started_at) if call.started_at else None,
            **({"difference": difference} if difference else {}),
            **({"fence_mark": mark} if mark else {}),
            **({"job": True} if call.job else {}),
        )
        if in_doubt:
            self.ask_whether_it_happened(call, reason)

    def ask_whether_it_happened(self, call: Call, reason: str) -> None:
        """Open the request in which a person says whether a write happened."""
        self.open_request(
            RequestKind.SETTLE,
            call=call,
            groups=(),
            reason=reason,
            message=f"did this call of {call.name} happen?",
            expires=self.state.limits.expires["settle"],
        )

    def open_request(
        self,
        kind: RequestKind,
        *,
        call: Call | None = None,
        groups: tuple[str, ...],
        rules: tuple[str, ...] = (),
        digest: str = "",
        schema: Any = None,
        reason: str = "",
        message: str = "",
        expires: timedelta | None = None,
        **more: Any,
    ) -> None:
        """Ask a person; the request's id tells the session it belongs to."""
        self.emit(
            EventKind.REQUEST_OPENED,
            step=call.step if call else None,
            request_id=f"{self.state.session_id}.{len(self.state.requests) + 1}",
            request_kind=kind.value,
            call_id=call.id if call else None,
            tool=call.name if call else None,
            input=call.input if call else None,
            groups=list(groups),
            rules=list(rules),
            digest=digest,
            schema=schema,
            reason=reason,
            message=message,
            expires_at=timestamp(self.at + expires) if expires is not None else None,
            **more,
        )
