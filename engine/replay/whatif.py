"""What another bundle would have done in a past session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.policy.flip_names import ALLOW, DENY, INVALID_INPUT, NOT_OFFERED, UNKNOWN, WITHHELD, word
from engine.policy.verdict import Verdict
from engine.replay import flip as f
from engine.replay.flip import Flip
from engine.replay.judgements import Judgement, NotKnown, Release, judgements, rejudge, rewithheld
from engine.replay.redrive import Way, redrive
from engine.session.bundle import Bundle
from engine.session.event import Event
from engine.session.event import EventKind as K
from engine.session.state import State, Status


@dataclass(frozen=True, slots=True)
class Past:
    """What another bundle would have made of one session.

    `decisions` counts the verdicts that were judged again.  `then` says how it goes on after the first flip, and
    `unknown` why it is not known further.
    """

    session_id: str
    agent: str
    decisions: int
    flips: tuple[Flip, ...] = ()
    then: str = ""
    unknown: str = ""
    skipped: str = ""


def whatif(log: Sequence[Event], bundle: Bundle) -> Past:
    """Judge every call of a session again; after the first flip go on with what was recorded; raises BrokenHistory."""
    return judged(log, list(judgements(log)), bundle)


def judged(log: Sequence[Event], moments: Sequence[Judgement | Release], bundle: Bundle) -> Past:
    """The same, of a session whose verdicts were taken from its log before."""
    session_id, agent = log[0].session_id, str(log[0].payload.get("agent", ""))
    if agent not in bundle.agents:
        return Past(session_id, agent, 0, skipped=f"the bundle has no agent {agent}")
    decisions = 0
    for moment in moments:
        decisions += isinstance(moment, Judgement)
        found = _flip(moment, bundle)
        if found is not None:
            further, then, unknown = _go_on(found, moment, log, bundle)
            return Past(session_id, agent, decisions, (found, *further), then, unknown)
    return Past(session_id, agent, decisions)


def _flip(moment: Judgement | Release, bundle: Bundle) -> Flip | None:
    return _of_call(moment, bundle) if isinstance(moment, Judgement) else _of_result(moment, bundle)


def _of_call(moment: Judgement, bundle: Bundle) -> Flip | None:
    call, payload = moment.call, moment.event.payload
    before = word(payload["verdict"])
    tool, guard = bundle.tools.get(call.name), moment.guard(bundle)
    if tool is None or guard is None:
        return None if before == DENY else _made(moment, bundle, before, DENY, NOT_OFFERED, False)
    if tool.check_input(call.input):
        return None if before == DENY else _made(moment, bundle, before, DENY, INVALID_INPUT, False)
    if before == ALLOW and not guard.policies and not guard.needs_allow:
        # no rule is about it
        return None
    verdict = rejudge(moment, bundle)
    if isinstance(verdict, NotKnown):
        rule = payload["rule"] or payload["reason"] or "unread_facts"
        looser = f.unknown_loosens(before)
        return _made(moment, bundle, before, UNKNOWN, rule, looser, why=verdict.why)
    now = f.gist(verdict)
    differs = f.difference(f.recorded_gist(payload), now)
    if differs is None:
        return None
    rule, looser = differs
    return _made(moment, bundle, before, now.said, rule, looser, values=_values(payload, verdict, rule))


def _values(recorded: Any, verdict: Verdict, rule: str) -> dict[str, Any]:
    """What the rule compared: under the new bundle, or where it is no more, when it was recorded."""
    found = f.compared(verdict.rules, rule)
    return found or next((dict(trace["values"]) for trace in recorded["rules"] if trace["rule"] == rule), {})


def _of_result(moment: Release, bundle: Bundle) -> Flip | None:
    payload = moment.event.payload
    if payload["reason"] == "result_withheld":
        return _of_withheld(moment, bundle)
    if payload["status"] != "ok":
        return None
    kept = rewithheld(moment, bundle)
    if kept is None:
        return None
    if isinstance(kept, NotKnown):
        return _made(moment, bundle, ALLOW, UNKNOWN, "unread_facts", False, why=kept.why)
    return _made(moment, bundle, ALLOW, WITHHELD, kept.rule, False, values=dict(kept.values))


def _of_withheld(moment: Release, bundle: Bundle) -> Flip | None:
    """What was withheld is not recorded: whether it still would be is known only if its rule is gone."""
    rule = str(moment.event.payload["rule"])
    guard = moment.guard(bundle)
    if guard is None or any(r.release is not None for p in guard.policies for r in p.rules if r.id == rule):
        return None
    why = "what was withheld is not recorded"
    return _made(moment, bundle, WITHHELD, UNKNOWN, rule, True, why=why)


def _made(
    moment: Judgement | Release, bundle: Bundle, before: str, after: str, rule: str, loosens: bool, **more: Any
) -> Flip:
    call, event = moment.call, moment.event
    tool = bundle.tools.get(call.name)
    amounts = f.money(tool, call.input) if tool is not None else {}
    return Flip(event.session_id, event.seq, call.id, call.name, before, after, rule, loosens, amounts, **more)


# -- after a flip


def _go_on(
    first: Flip, moment: Judgement | Release, log: Sequence[Event], bundle: Bundle
) -> tuple[list[Flip], str, str]:
    """The flips that follow, how the session then stands, and why it is not known further."""
    if first.after == UNKNOWN or isinstance(moment, Release):
        return [], "", first.why or "the planner would have seen something else"
    if moment.call.leased:
        return [], "", "a worker had leased it, and what else the session did then is not told apart"
    if moment.guard(bundle) is None:
        return [], "", "the call would have been no call of this agent's"
    way = redrive(moment.state, log, bundle, moment.event.at)
    later = list(_later(way, log, first, bundle))
    return later, _then(way, log), way.unknown


def _later(way: Way, log: Sequence[Event], first: Flip, bundle: Bundle) -> Iterator[Flip]:
    """The verdicts on that way that are other than those of the same calls in the log."""
    told = _verdicts(event for event in log if event.seq > first.seq)
    calls = way.state.calls
    seen = {first.call_id}
    for event in way.events:
        if event.kind is not K.VERDICT or event.payload["call_id"] in seen:
            continue
        seen.add(event.payload["call_id"])
        recorded = told.get(event.payload["call_id"])
        if recorded is None:
            continue
        was, now = f.recorded_gist(recorded), f.recorded_gist(event.payload)
        differs = f.difference(was, now)
        if differs is not None:
            call = calls[event.payload["call_id"]]
            amounts = f.money(bundle.tools[call.name], call.input)
            yield Flip(
                event.session_id, event.seq, call.id, call.name, was.said, now.said, *differs, amounts, later=True
            )


def _verdicts(log: Iterable[Event]) -> dict[str, Any]:
    """The first verdict on each call."""
    found: dict[str, Any] = {}
    for event in log:
        if event.kind is K.VERDICT:
            found.setdefault(event.payload["call_id"], event.payload)
    return found


def _then(way: Way, log: Sequence[Event]) -> str:
    if way.unknown:
        return _standing(way.state)
    ended = next((e for e in reversed(log) if e.kind is K.STATE_TRANSITION), None)
    same = ended is not None and (ended.payload["state"], ended.payload["outcome"]) == (
        way.state.status.value, way.state.outcome,
    )  # fmt: skip
    return f"ends {'as it did' if same else 'otherwise'}: {_standing(way.state)}"


def _standing(state: State) -> str:
    if state.status is Status.RUNNING or state.outcome == state.status.value:
        return state.status.value
    return f"{state.status.value} {state.outcome}"
