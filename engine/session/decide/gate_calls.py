"""One call on its way through the gate: facts, verdict, and then blocked, held or started."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from engine.language.arithmetic import EvaluationError
from engine.language.template import Template
from engine.language.value import timestamp
from engine.policy import gate
from engine.policy.overlay import not_offered, stricter
from engine.policy.rule import Effect, Guard
from engine.policy.second_person import with_second_person
from engine.policy.verdict import Verdict
from engine.session.decide.approvals import difference_of, hold, is_satisfied, use_prior_yes
from engine.session.decide.draft import Draft
from engine.session.decide.meters import reserve
from engine.session.decide.people import nobody_to_ask
from engine.session.decide.requests import withdraw
from engine.session.expression_names import gate_names
from engine.session.identity import call_digest
from engine.session.state.event import EventKind
from engine.session.state.evolve import BrokenHistory
from engine.session.state.state import Call, Phase, ResultStatus, State
from engine.spec.bundle import HANDOFF, Bundle, Tool
from engine.spec.request_kind import RequestKind


def judge_call(draft: Draft, call: Call) -> bool:
    """Judge a call whose turn has come; False if it waits for facts that are being read."""
    if {call.digest, call.claim} & draft.state.denied:
        draft.result(call, ResultStatus.BLOCKED, "denied_by_reviewer", "a person denied this call before")
        return True
    names, known = gate_names(draft.state, call, draft.bundle), fresh(draft.state, call, draft.at)
    verdict = gate.judge(draft.agent.guards[call.name], names, known)
    if isinstance(verdict, gate.MissingFacts):
        return _request_facts(draft, call, verdict.needs)
    others = [_overlay_verdicts(draft, call, bundle, names, known) for bundle in draft.overlays]
    needs = {need.key: need for other in others if isinstance(other, gate.MissingFacts) for need in other.needs}
    if needs:
        return _request_facts(draft, call, tuple(needs[key] for key in sorted(needs)))
    told = []
    for bundle, other in zip(draft.overlays, others, strict=True):
        assert isinstance(other, Verdict), "nothing is missing"
        hidden = hidden_rules(bundle.guard(draft.state.agent, call.name))
        before, verdict = verdict.asks, stricter(verdict, other)
        asks = [ask.rule for ask in verdict.asks if ask not in before]
        told.append(
            {
                "bundle": bundle.digest,
                "verdict": other.effect.value,
                "rule": other.rule,
                "disclosed": other.rule not in hidden,
                # a rule of the session's own bundle may have the name of one that asks here
                **({"asks": asks} if asks else {}),
            }
        )
    _settle(draft, call, with_second_person(verdict, draft.state.draw_key, call.proposed), told)
    return True


def beside_guards(draft: Draft, call: Call) -> Iterator[Guard]:
    """What judges a call in the urgent bundles beside the session's own."""
    for bundle in draft.overlays:
        guard = bundle.guard(draft.state.agent, call.name)
        if guard is not None:
            yield guard


def hidden_rules(guard: Guard | None) -> set[str]:
    """The rules that a planner is not told of."""
    policies = guard.policies if guard is not None else ()
    return {rule.id for policy in policies for rule in policy.rules if not rule.disclose}


def _overlay_verdicts(
    draft: Draft,
    call: Call,
    bundle: Bundle,
    names: Mapping[str, Any],
    known: Callable[[gate.FactNeed], gate.FactOutput | None],
) -> Verdict | gate.MissingFacts:
    """What an urgent bundle says; it can read with the tools of the session's own bundle only."""
    guard = bundle.guard(draft.state.agent, call.name)
    if guard is None:
        return not_offered(call.name)

    def read(need: gate.FactNeed) -> gate.FactOutput | None:
        if need.tool not in draft.bundle.tools:
            return gate.FactOutput(problem=f"this session's bundle has no tool {need.tool}")
        return known(need)

    return gate.judge(guard, names, read)


def fresh(state: State, call: Call, at: datetime) -> Callable[[gate.FactNeed], gate.FactOutput | None]:
    """The recorded facts that the gate of a call may use at a moment.

    What was read since the gate asked for it is fresh; older facts only within their `max_age`, and
    never from before the session's last write or the approval that this gate uses.
    """
    wanted = {want["key"]: want["gate"] for want in call.wants} if call.phase is Phase.GATING else {}
    barrier = read_after(state, call)

    def find(need: gate.FactNeed) -> gate.FactOutput | None:
        reading = state.readings.get(need.key)
        if reading is None:
            return None
        asked_for = need.key in wanted and reading.gate >= wanted[need.key]
        young = need.max_age > timedelta(0) and at - reading.at <= need.max_age
        if asked_for or (young and reading.seq > barrier and reading.problem is None):
            return gate.FactOutput(reading.output, reading.problem)
        return None

    return find


def read_after(state: State, call: Call) -> int:
    """The event that facts have to be younger than: the session's last write, or the yes that this gate uses."""
    return max(state.write_seq, call.approved_seq)


def _request_facts(draft: Draft, call: Call, needs: tuple[gate.FactNeed, ...]) -> bool:
    """Record which facts the gate waits for; reads beyond the limit are recorded as unreadable."""
    if call.phase is Phase.GATING and {n.key for n in needs} <= {w["key"] for w in call.wants}:
        return False
    shared = {
        want["key"]: want["gate"]
        for other in draft.state.calls.open.values()
        if other.phase is Phase.GATING
        for want in other.wants
        if want["gate"] > draft.start_seq
    }
    limit = draft.state.limits.fact_reads
    own = draft.state.seq + 1
    left = None if limit is None else limit - draft.state.used.fact_reads
    # an earlier wave's facts stay wanted: they are fresh for as long as this gate is open
    facts = [{**want, "read": False} for want in call.wants] if call.phase is Phase.GATING else []
    known = {want["key"] for want in facts}
    refused = []
    for need in needs:
        if need.key in known:
            continue
        reads = need.key not in shared
        if reads and left is not None:
            left -= 1
            if left < 0:
                refused.append(need)
                reads = False
        facts.append({**need.payload(), "gate": shared.get(need.key, own), "read": reads})
    draft.emit(EventKind.GATE_PENDING, step=call.step, call_id=call.id, tool=call.name, facts=facts, behind=None)
    if refused:
        draft.emit(
            EventKind.LIMIT_CROSSED,
            limit="fact_reads",
            used=draft.state.used.fact_reads,
            allowed=limit,
            crossing=draft.state.limits.crossed_by("fact_reads"),
        )
    for need in refused:
        draft.emit(
            EventKind.FACT_READ,
            step=call.step,
            key=need.key,
            tool=need.tool,
            input=dict(need.input),
            output=None,
            problem=f"the limit of {limit} fact reads is used up",
            gate=own,
            started=None,
        )
    return True


def _settle(draft: Draft, call: Call, verdict: Verdict, overlays: Sequence[Mapping[str, Any]] = ()) -> None:
    call = use_prior_yes(draft, call, verdict)
    satisfied = verdict.effect is Effect.REQUIRE_APPROVAL and is_satisfied(draft, call, verdict)
    difference = difference_of(call.asked, verdict) if call.asked is not None else []
    draft.emit(
        EventKind.VERDICT,
        step=call.step,
        call_id=call.id,
        tool=call.name,
        **verdict.payload(),
        satisfied=satisfied,
        asks={ask.rule: ask.values for ask in verdict.asks},
        **({"job": True} if call.leased else {}),
        **({"beside": list(overlays)} if overlays else {}),
    )
    # what is still asked of it was asked before it was edited
    withdraw(draft, call)
    call = draft.state.calls[call.id]
    if verdict.effect is Effect.DENY:
        draft.result(
            call, ResultStatus.BLOCKED, verdict.reason, verdict.message, rule=verdict.rule, difference=difference
        )
    elif verdict.effect is Effect.ALLOW or satisfied:
        start_call(draft, call)
    elif (ask := nobody_to_ask(draft, verdict)) is not None:
        told = f"the rule {ask.rule} asks {', '.join(ask.approvers)}, and nobody of them can say yes"
        draft.result(call, ResultStatus.BLOCKED, "nobody_to_ask", told, rule=ask.rule, difference=difference)
    else:
        hold(draft, call, verdict, difference)


def start_call(draft: Draft, call: Call) -> None:
    """Start a call whose verdict has just been recorded, unless its key already has a result or an owner."""
    tool = draft.tool(call.name)
    taken = draft.state.taken.get(call.claim) if call.claim else None
    if taken is not None and _conflicts(tool, call, taken.get("compared")):
        draft.result(
            call, ResultStatus.BLOCKED, "idempotency_conflict", "the same key was used for something else before"
        )
    elif taken is not None and taken["status"] == "ok":
        draft.result(call, ResultStatus.OK, "", "the recorded result of the same call", taken["output"], reused=True)
    elif taken is not None and taken["status"] == "unknown":
        text = "nobody knows whether the same call happened before"
        draft.result(call, ResultStatus.BLOCKED, "idempotency_unknown", text)
    elif taken is not None and taken["status"] == "erased":
        text = "the same call happened before, and what it brought was erased"
        draft.result(call, ResultStatus.BLOCKED, "idempotency_erased", text)
    elif taken is not None:
        draft.result(call, ResultStatus.BLOCKED, "idempotency_in_flight", "the same call is under way elsewhere")
    elif call.leased:
        # key and meters were taken when it was enqueued
        record_start(draft, call, tool)
    elif (reserved := reserve(draft, call)) is not None:
        (record_start if tool.job is None else enqueue)(draft, call, tool, reserved)


def enqueue(draft: Draft, call: Call, tool: Tool, reserved: list[dict[str, Any]]) -> None:
    """Hand a job over to the workers; its key and its meters are taken here."""
    assert tool.job is not None
    _as_judged(draft, call, tool)
    draft.emit(
        EventKind.JOB_ENQUEUED,
        step=call.step,
        call_id=call.id,
        tool=call.name,
        idempotency_key=call.key,
        key_scope=call.scope,
        digest=call.digest,
        compared=compared(tool, call),
        key_until=_key_until(draft, tool),
        reserved=reserved,
        run_at=timestamp(draft.at + tool.job.delay),
        **_generation(draft, call),
    )


def _conflicts(tool: Tool, call: Call, before: Mapping[str, Any] | None) -> bool:
    """Whether a field that has to be as it was is not; of a key that says nothing, none is."""
    now = compared(tool, call)
    return before is not None and any(now[name] != before[name] for name in now if name in before)


def compared(tool: Tool, call: Call) -> dict[str, Any]:
    """The fields that calls of one key have to have in common, as the call has them."""
    fields = tool.idempotency.compare if tool.idempotency is not None else ()
    return {name: call.input.get(name) for name in fields}


def _as_judged(draft: Draft, call: Call, tool: Tool) -> None:
    """Nothing runs on another input than the one that rules judged and people approved; raises BrokenHistory.

    Under a bundle that is only tried on a past session a tool may have another schema, which is part of the digest.
    """
    own = draft.bundle.digest == draft.state.bundle
    if own and call_digest(tool, call.name, call.input) != call.digest:
        raise BrokenHistory(f"call {call.id} of {call.name} has another input than its digest: the log was changed")


def record_start(draft: Draft, call: Call, tool: Tool, reserved: list[dict[str, Any]] | None = None) -> None:
    """Write the intent to run a tool; a handoff runs by asking a person.  A further attempt reserves nothing more."""
    _as_judged(draft, call, tool)
    draft.emit(
        EventKind.CALL_STARTED,
        step=call.step,
        call_id=call.id,
        tool=call.name,
        attempt=call.attempt + 1,
        idempotency_key=call.key,
        key_scope=call.scope,
        digest=call.digest,
        compared=compared(tool, call),
        key_until=_key_until(draft, tool),
        reserved=reserved or [],
        **_generation(draft, call),
        **({"job": True} if call.job else {}),
        waits_for_person=tool.adapter.kind == HANDOFF,
    )
    if tool.adapter.kind == HANDOFF:
        settings = tool.adapter.settings
        kind = RequestKind(settings["asks"])
        draft.open_request(
            kind,
            call=draft.state.calls[call.id],
            groups=(settings["reviewers"],),
            schema=tool.output_schema,
            reason=tool.name,
            message=_question(draft, call, settings["question"]),
            expires=draft.state.limits.expires[kind],
        )


def _generation(draft: Draft, call: Call) -> dict[str, int]:
    """How many results under the call's key have expired, as the store said before its first attempt."""
    generation = call.generation or draft.state.expired.get(call.claim or "", 0)
    return {"generation": generation} if generation else {}


def _key_until(draft: Draft, tool: Tool) -> str | None:
    window = tool.idempotency.window if tool.idempotency is not None else None
    return None if window is None else timestamp(draft.at + window)


def _question(draft: Draft, call: Call, template: Template) -> str:
    try:
        return template.render(gate_names(draft.state, call, draft.bundle))
    except EvaluationError:
        return "(this question has no value)"
