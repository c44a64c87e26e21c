"""Draws the life of a call, the states of a session, and claim and lease, as SVG, from the engine's own tables.

Each drawing has a column for each place where something can be and a row for each way from one to another. A place
or an answer of the engine that nothing here says a word of is an error, so that no drawing can fall behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import get_args

from engine.ports import records as answers
from engine.runtime.lease_keeper import LEASE, LOOK_EVERY, RENEW_EVERY
from engine.session.state.phase_changes import PHASE_CHANGES, STATUS_CHANGES, PhaseChange, StatusChange
from engine.session.state.state import FINAL, Phase, Status

# in pixels: between columns, between rows, what is above the rows, and what a letter of a row takes
COLUMN, ROW, HEAD, LETTER, BOLD = 82, 40, 72, 6.3, 7.4
INK, LINE, ACCENT, OVER, PAPER = "#1f2933", "#b6c2cd", "#00796b", "#8a3ffc", "#ffffff"


class NotDrawn(Exception):
    """Something of the engine's that a drawing has no word for."""


@dataclass(frozen=True, slots=True)
class Way:
    """A row: from some columns to one, what does it, and why."""

    sources: tuple[str, ...]
    target: str
    name: str
    why: str


def life_of_a_call(
    phases: Sequence[str] = tuple(Phase), changes: Sequence[PhaseChange] = PHASE_CHANGES, last: str = Phase.ENDED
) -> str:
    """The phases of a call, and which events take it from one to another."""
    ways = [Way(tuple(change.before), change.after, change.kind.value, change.why) for change in changes]
    return _drawing("The life of a call", phases, ways, {last})


def states_of_a_session(
    statuses: Sequence[str] = tuple(Status), changes: Sequence[StatusChange] = STATUS_CHANGES
) -> str:
    """The statuses of a session, and what takes it from one to another."""
    first = Way((), Status.RUNNING, "session_started", "somebody starts it")
    ways = [first, *(Way((c.before,), c.after, c.after.value, c.why) for c in changes)]
    return _drawing("The states of a session", statuses, ways, set(FINAL))


A, STORE, B, OTHERS = "driver A", "store", "driver B", "anybody"
# what a driver or another writer does when the store gives that answer
ANSWERS: Mapping[type, Way] = {
    answers.Appended: Way((STORE,), A, "Appended", "the events are durable: what they call for is done"),
    answers.Conflict: Way((STORE,), A, "Conflict", "somebody was first: A reads what came, and decides anew"),
    answers.HeldKey: Way((STORE,), A, "HeldKey", "another call has the write's key: A goes by what that brought"),
    answers.ExpiredKey: Way((STORE,), A, "ExpiredKey", "older results under the key are no more: counted, again"),
    answers.FullMeter: Way((STORE,), A, "FullMeter", "a meter of many sessions has no room: the call is blocked"),
    answers.HeldSession: Way((STORE,), B, "HeldSession", "the lease is live: B waits, or leaves it to A"),
    answers.Fenced: Way((STORE,), A, "Fenced", "its epoch is old: A stops, and nothing of it was appended"),
}


def claim_and_lease(known: Sequence[type] = get_args(answers.AppendResult)) -> str:
    """Two drivers and a store: how one claims a session, keeps it, and loses it."""
    missing = [answer.__name__ for answer in known if answer not in ANSWERS]
    if missing:
        raise NotDrawn(f"docs/drawings.py says nothing of what a store may answer: {', '.join(missing)}")
    told = {answer: ANSWERS[answer] for answer in known}
    lease = f"{LEASE.total_seconds():g} s"
    ways = [
        Way((A,), STORE, "append(take=epoch 1)", f"A claims the session, with a lease of {lease}"),
        told.pop(answers.Appended),
        Way((A,), STORE, "renew", f"every {RENEW_EVERY:g} s, for {lease} from then"),
        Way((STORE,), A, "heads", f"every {LOOK_EVERY:g} s: is there a newer event, or a higher epoch?"),
        Way((OTHERS,), STORE, "append", "a message, an answer, a cancel: these need no lease"),
        Way((A,), STORE, "append(after, epoch 1)", "A writes its next events"),
        *[told.pop(kind) for kind in tuple(told) if kind not in (answers.HeldSession, answers.Fenced)],
        Way((B,), STORE, "append(take=epoch 2)", "B wants the session too"),
        told.pop(answers.HeldSession),
        Way((B,), STORE, "append(take=epoch 2)", f"A was not heard of for {lease}: the lease is over, B has it"),
        Way((A,), STORE, "append(after, epoch 1)", "A comes back late"),
        told.pop(answers.Fenced),
    ]
    return _drawing("Claim and lease", (A, STORE, B, OTHERS), ways, set())


def _drawing(title: str, places: Sequence[str], ways: Sequence[Way], over: set[str]) -> str:
    drawn = {place for way in ways for place in (*way.sources, way.target)}
    missing = [str(place) for place in places if place not in drawn]
    if missing:
        raise NotDrawn(f"{title}: no row leads to or from {', '.join(missing)}")
    words = 32 + round(max(max(LETTER * len(way.why), BOLD * len(way.name)) for way in ways))
    at = {place: words + COLUMN // 2 + COLUMN * number for number, place in enumerate(places)}
    width, height = words + COLUMN * len(places) + 16, HEAD + ROW * len(ways) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="12" fill="{INK}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="{PAPER}"/>',
        f'<text x="16" y="30" font-size="16" font-weight="600">{escape(title)}</text>',
    ]
    for place, x in at.items():
        parts += _column(str(place), x, height, OVER if place in over else INK)
    for number, way in enumerate(ways):
        parts += _row(way, at, HEAD + ROW * number + ROW // 2, width)
    return "\n".join([*parts, "</svg>", ""])


def _column(place: str, x: int, height: int, ink: str) -> list[str]:
    words = place.split("_")
    top = 46 - 13 * (len(words) - 1)
    names = [
        f'<text x="{x}" y="{top + 13 * number}" text-anchor="middle" font-size="11" font-weight="600" fill="{ink}">'
        f"{escape(word)}</text>"
        for number, word in enumerate(words)
    ]
    return [*names, f'<line x1="{x}" y1="56" x2="{x}" y2="{height - 14}" stroke="{LINE}"/>']


def _row(way: Way, at: Mapping[str, int], y: int, width: int) -> list[str]:
    below = y + ROW // 2
    parts = [
        f'<line x1="16" y1="{below}" x2="{width - 16}" y2="{below}" stroke="{LINE}" stroke-opacity="0.4"/>',
        f'<text x="16" y="{y - 4}"><tspan font-weight="600">{escape(way.name)}</tspan> '
        f'<tspan x="16" y="{y + 12}">{escape(way.why)}</tspan></text>',
    ]
    to = at[way.target]
    columns = [at[source] for source in way.sources]
    for side in (-1, 1):
        # the furthest one draws the line, which the nearer ones lie on
        beyond = [x for x in columns if (x - to) * side > 0]
        if beyond:
            furthest = max(beyond, key=lambda x: abs(x - to))
            parts.append(_arrow(furthest, to, y))
    parts += [f'<circle cx="{x}" cy="{y}" r="4.5" fill="{PAPER}" stroke="{ACCENT}" stroke-width="2"/>' for x in columns]
    if not columns:
        parts.append(_arrow(to - 40, to, y))
    return parts


def _arrow(start: int, end: int, y: int) -> str:
    back = 8 if end > start else -8
    head = f"{end},{y} {end - back},{y - 5} {end - back},{y + 5}"
    line = f'<line x1="{start}" y1="{y}" x2="{end - back}" y2="{y}" stroke="{ACCENT}" stroke-width="2"/>'
    return f'{line}<polygon points="{head}" fill="{ACCENT}"/>'


def drawings() -> dict[str, str]:
    """Every drawing by its path under docs/reference/; raises NotDrawn."""
    return {
        "drawings/life-of-a-call.svg": life_of_a_call(),
        "drawings/states-of-a-session.svg": states_of_a_session(),
        "drawings/claim-and-lease.svg": claim_and_lease(),
    }
