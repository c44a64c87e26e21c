"""What another bundle would have done in a past session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from engine.policy.flip_names import (
    ALLOW,
    APPROVAL,
    DENY,
    INVALID_INPUT,
    NOT_OFFERED,
    STRICTNESS,
    UNKNOWN,
    WITHHELD,
    word,
)
from engine.policy.verdict import Verdict
from engine.replay.continue_from import Continuation, redrive
from engine.replay.judgements import Judgement, NotKnown, Release, judgements, rejudge, rewithheld
from engine.session.state.event import Event, EventKind
from engine.session.state.state import Call, State, Status
from engine.spec.bundle import AcceptedLoosening, Bundle
from engine.whatif.flip import (
    AskedGroups,
    Flip,
    asked_of,
    compared,
    difference,
    gist,
    money,
    recorded_gist,
    unknown_loosens,
)
from engine.whatif.limits import crossings
from engine.whatif.open_requests import open_calls
from engine.whatif.release_rules import same_withholding

# the name of a session that nobody can read: what it would have come to is as little known as what it was
UNREADABLE = "unreadable"

Own = Callable[[], Bundle | None]


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class PastSession:
    """What another bundle would have made of one session.

    `decisions` counts the verdicts that were judged again.  `then` says how it goes on after the first flip, and
    `unknown` why it is not known further; flips that come behind that are judged in the state that was recorded.
    `open_calls` are those that people are asked about now, `accepted` is what its own bundle accepted, where something
    loosens.  Of one that was `erased`, or whose person's key was destroyed, nothing is known any more, and nothing of
    it can loosen.
    """

    session_id: str
    agent: str
    decisions: int
    flips: tuple[Flip, ...] = ()
    then: str = ""
    unknown: str = ""
    accepted: tuple[AcceptedLoosening, ...] = ()
    erased: bool = False
    open_calls: tuple[str, ...] = ()


def whatif(log: Sequence[Event], bundle: Bundle, own: Own = _nothing) -> PastSession:
    """Judge every call of a session again; after the first flip go on with what was recorded; raises BrokenHistory.

    `own` gives the bundle that the session stood under, if it is there.
    """
    return judged(log, list(judgements(log)), bundle, own)


def unread(session_id: str, agent: str, why: str) -> PastSession:
    """What can be said of a session that can't be read: that whatever it was may have become anything."""
    flip = Flip(session_id, 0, "", "", UNKNOWN, UNKNOWN, UNREADABLE, True, why=f"it can't be read: {why}")
    return PastSession(session_id, agent, 0, (flip,), unknown=flip.why)


def judged(
    log: Sequence[Event], moments: Sequence[Judgement | Release], bundle: Bundle, own: Own = _nothing
) -> PastSession:
    """The same, of a session whose verdicts were taken from its log before."""
    session = _ContinuedSession(log, bundle, own)
    flips: list[Flip] = []
    decisions, then, unknown = 0, "", ""
    settled: set[str] = set()
    told: set[tuple[str, str]] = set()
    for moment in moments:
        if moment.call.id in settled:
            continue
        decisions += isinstance(moment, Judgement)
        found = session.flip(moment)
        # a call that is judged again, after a yes, flips as before, or in a further way
        if found is None or (found.call_id, found.name) in told:
            continue
        told.add((found.call_id, found.name))
        if flips:
            flips.append(replace(found, later=True, supposed=True))
            continue
        further, then, unknown, reached = session.go_on(found, moment)
        flips = [found, *further]
        if not unknown:
            break
        settled |= reached - {found.call_id}
    flips = session.with_limits(flips)
    if flips and not (then or unknown):
        unknown = "what follows on a limit is not told apart"
    before = own() if any(flip.loosens for flip in flips) else None
    accepted = before.accepted if before is not None else ()
    agent, open_ = log[0].payload["agent"], open_calls(log)
    return PastSession(log[0].session_id, agent, decisions, tuple(flips), then, unknown, accepted, open_calls=open_)


class _ContinuedSession:
    """A past session, and the bundle that is to judge it."""

    def __init__(self, log: Sequence[Event], bundle: Bundle, own: Own) -> None:
        self._log = log
        self._bundle = bundle
        self._own = own

    @cached_property
    def _asked_groups(self) -> AskedGroups:
        return asked_of(self._log)

    def flip(self, moment: Judgement | Release) -> Flip | None:
        """The flip of one verdict, or of a result that was kept or not; None if nothing flips."""
        return self._of_call(moment) if isinstance(moment, Judgement) else self._of_result(moment)

    def _of_call(self, moment: Judgement) -> Flip | None:
        call, payload, bundle = moment.call, moment.event.payload, self._bundle
        before = word(payload["verdict"])
        tool, guard = bundle.tools.get(call.name), moment.guard(bundle)
        if tool is None or guard is None:
            return None if before == DENY else self._flip(moment, before, DENY, NOT_OFFERED, False)
        if tool.check_input(call.input):
            return None if before == DENY else self._flip(moment, before, DENY, INVALID_INPUT, False)
        if before == ALLOW and not guard.policies and not guard.needs_allow:
            # no rule is about it
            return None
        verdict = rejudge(moment, bundle)
        if isinstance(verdict, NotKnown):
            rule = payload["rule"] or payload["reason"] or "unread_facts"
            return self._flip(moment, before, UNKNOWN, rule, unknown_loosens(before), why=verdict.why)
        now = gist(verdict)
        if now.effect_text == before != APPROVAL:
            return None
        differs = difference(recorded_gist(payload, self._asked_groups), now)
        if differs is None:
            return None
        rule, looser = differs
        return self._flip(moment, before, now.effect_text, rule, looser, values=_values(payload, verdict, rule))

    def _of_result(self, moment: Release) -> Flip | None:
        payload = moment.event.payload
        if payload["reason"] == "result_withheld":
            return self._of_withheld(moment)
        if payload["status"] != "ok":
            return None
        kept = rewithheld(moment, self._bundle)
        if kept is None:
            return None
        if isinstance(kept, NotKnown):
            return self._flip(moment, ALLOW, UNKNOWN, "unread_facts", False, why=kept.why)
        return self._flip(moment, ALLOW, WITHHELD, kept.rule, False, values=dict(kept.values))

    def _of_withheld(self, moment: Release) -> Flip | None:
        """What was withheld is not recorded: that it still would be is known only if its rule says the same."""
        rule = str(moment.event.payload["rule"])
        guard, own = moment.guard(self._bundle), self._own()
        before = moment.guard(own) if own is not None else None
        if guard is None or (before is not None and same_withholding(rule, before, guard)):
            return None
        return self._flip(moment, WITHHELD, UNKNOWN, rule, True, why="what was withheld is not recorded")

    def _flip(
        self, moment: Judgement | Release, before: str, after: str, rule: str, loosens: bool, **more: Any
    ) -> Flip:
        return self._about(moment.event.seq, moment.call, before, after, rule, loosens, **more)

    def _about(
        self, seq: int, call: Call | None, before: str, after: str, rule: str, loosens: bool, **more: Any
    ) -> Flip:
        """A flip at an event, about a call if it is about one, with the money that its tool's schema knows of."""
        id_, name = (call.id, call.name) if call is not None else ("", "")
        return Flip(self._log[0].session_id, seq, id_, name, before, after, rule, loosens, self._money(call), **more)

    def _money(self, call: Call | None) -> dict[str, Any]:
        if call is None:
            return {}
        tool = self._bundle.tools.get(call.name)
        own = self._own() if tool is None else None
        tool = own.tools.get(call.name) if own is not None else tool
        return money(tool, call.input) if tool is not None else {}

    def with_limits(self, flips: list[Flip]) -> list[Flip]:
        """With the limits that would have been crossed, or would not have been, at their places."""
        agent = self._bundle.agents.get(self._log[0].payload["agent"])
        if agent is None:
            return flips
        first = min((flip.seq for flip in flips), default=None)
        found = []
        for one in crossings(self._log, agent):
            later = first is not None and first < one.seq
            loosens = STRICTNESS[one.after] < STRICTNESS[one.before]
            rule = f"limits.{one.limit}"
            found.append(
                self._about(one.seq, one.call, one.before, one.after, rule, loosens, later=later, supposed=later)
            )
        return sorted([*found, *flips], key=lambda flip: flip.seq) if found else flips

    # -- after a flip

    def go_on(self, first: Flip, moment: Judgement | Release) -> tuple[list[Flip], str, str, set[str]]:
        """The flips that follow, how the session then stands, why it is not known further, and the calls on the way."""
        log, bundle = self._log, self._bundle
        if first.after == UNKNOWN or isinstance(moment, Release):
            return [], "", first.why or "the planner would have seen something else", set()
        if moment.call.leased:
            return [], "", "a worker had leased it, and what else the session did then is not told apart", set()
        if moment.guard(bundle) is None:
            return [], "", "the call would have been no call of this agent's", set()
        way = redrive(moment.state, log, bundle, moment.event.at)
        reached = {event.payload["call_id"] for event in way.events if event.kind is EventKind.VERDICT}
        return list(self._later(way, first)), _then(way, log), way.unknown, reached

    def _later(self, way: Continuation, first: Flip) -> Iterator[Flip]:
        """The verdicts on that way that are other than those of the same calls in the log."""
        told = _verdicts(event for event in self._log if event.seq > first.seq)
        calls, asked = way.state.calls, asked_of(way.events)
        seen = {first.call_id}
        for event in way.events:
            if event.kind is not EventKind.VERDICT or event.payload["call_id"] in seen:
                continue
            seen.add(event.payload["call_id"])
            recorded = told.get(event.payload["call_id"])
            if recorded is None:
                continue
            was, now = recorded_gist(recorded, self._asked_groups), recorded_gist(event.payload, asked)
            differs = difference(was, now)
            if differs is not None:
                call = calls[event.payload["call_id"]]
                yield self._about(event.seq, call, was.effect_text, now.effect_text, *differs, later=True)


def _values(recorded: Any, verdict: Verdict, rule: str) -> dict[str, Any]:
    """What the rule compared: under the new bundle, or where it is no more, when it was recorded."""
    found = compared(verdict.rules, rule)
    return found or next((dict(trace["values"]) for trace in recorded["rules"] if trace["rule"] == rule), {})


def _verdicts(log: Iterable[Event]) -> dict[str, Any]:
    """The first verdict on each call."""
    found: dict[str, Any] = {}
    for event in log:
        if event.kind is EventKind.VERDICT:
            found.setdefault(event.payload["call_id"], event.payload)
    return found


def _then(way: Continuation, log: Sequence[Event]) -> str:
    if way.unknown:
        return _standing(way.state)
    ended = next((e for e in reversed(log) if e.kind is EventKind.STATE_TRANSITION), None)
    same = ended is not None and (ended.payload["state"], ended.payload["outcome"]) == (
        way.state.status.value,
        way.state.outcome,
    )
    return f"ends {'as it did' if same else 'otherwise'}: {_standing(way.state)}"


def _standing(state: State) -> str:
    if state.status is Status.RUNNING or state.outcome == state.status.value:
        return state.status.value
    return f"{state.status.value} {state.outcome}"
