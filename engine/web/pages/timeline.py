"""A session as a drawing by its events: a lane for each call, from its proposal to its end, with what it waited for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.diagnostic.visible import line as visible
from engine.session.state.event import Event, EventKind

WIDTH, LANE, LEFT = 720, 26, 190


@dataclass(slots=True)
class Bar:
    """From one event to another; of a kind that the drawing tells by its pattern too."""

    start: float
    width: float
    kind: str


@dataclass(slots=True)
class Lane:
    """One call: its name, its bars, the places of its further attempts, and how it ended."""

    name: str
    y: int
    bars: list[Bar] = field(default_factory=list)
    ticks: list[float] = field(default_factory=list)
    status: str = "under way"


@dataclass(slots=True)
class Timeline:
    """A drawing: its lanes, the places where steps begin, and how large it is."""

    lanes: list[Lane]
    steps: list[tuple[float, int]]
    width: int
    height: int


def timeline_of(log: Sequence[Event]) -> Timeline:
    """The drawing of a log; events stand at equal distances, since people take hours and calls milliseconds."""
    last = max((event.seq for event in log), default=1)

    def x(seq: int) -> float:
        return round(LEFT + (WIDTH - LEFT - 10) * seq / last, 1)

    lanes: dict[str, Lane] = {}
    open_: dict[str, tuple[int, str]] = {}
    held: dict[str, int] = {}
    steps: list[tuple[float, int]] = []
    for event in log:
        payload, call_id = event.payload, str(event.payload.get("call_id", ""))
        if event.kind is EventKind.STEP_STARTED:
            steps.append((x(event.seq), event.step))
        elif event.kind is EventKind.CALL_PROPOSED and payload:
            lanes[call_id] = Lane(visible(str(payload["tool"])), 30 + LANE * len(lanes))
            open_[call_id] = event.seq, "waits"
        elif call_id not in lanes:
            continue
        elif event.kind is EventKind.REQUEST_OPENED:
            held.setdefault(call_id, event.seq)
        elif event.kind in (EventKind.REQUEST_ANSWERED, EventKind.REQUEST_CLOSED) and call_id in held:
            _bar(lanes[call_id], x(held.pop(call_id)), x(event.seq), "held")
        elif event.kind is EventKind.CALL_STARTED:
            start, kind = open_.get(call_id, (event.seq, "waits"))
            _bar(lanes[call_id], x(start), x(event.seq), kind)
            if payload.get("attempt", 1) > 1:
                lanes[call_id].ticks.append(x(event.seq))
            open_[call_id] = event.seq, "runs"
        elif event.kind is EventKind.TOOL_RESULT and payload.get("final"):
            start, kind = open_.pop(call_id, (event.seq, "waits"))
            _bar(lanes[call_id], x(start), x(event.seq), kind)
            lanes[call_id].status = str(payload["status"]).replace("_", " ")
    for call_id, (start, kind) in open_.items():
        _bar(lanes[call_id], x(start), x(last), kind)
    for call_id, start in held.items():
        lanes[call_id].status = "waits for people"
        _bar(lanes[call_id], x(start), x(last), "held")
    return Timeline(list(lanes.values()), steps, WIDTH, 40 + LANE * len(lanes))


def _bar(lane: Lane, start: float, end: float, kind: str) -> None:
    lane.bars.append(Bar(start, max(round(end - start, 1), 3.0), kind))
