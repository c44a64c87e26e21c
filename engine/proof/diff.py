"""What another bundle judges otherwise: for each tool the calls whose verdict differs, and one of each kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.policy.approvals import Demand, people_needed, uncovered
from engine.policy.flip_names import (
    ACCEPTED,
    ADDED,
    ALLOW,
    DENY,
    INVALID_INPUT,
    NOT_OFFERED,
    REMOVED,
    STRICTNESS,
    WITHHELD,
    word,
)
from engine.policy.rule import Effect
from engine.policy.verdict import Verdict
from engine.proof.divergences import (
    FEWER,
    OTHER_WORDS,
    Divergence,
    results_that_differ,
    verdicts_that_differ,
    words_that_differ,
)
from engine.proof.forms import spelt_out
from engine.proof.instance import instance
from engine.proof.region import region
from engine.proof.schema_changes import schema_changes, shown_by
from engine.proof.search import search
from engine.proof.solve import CAN, GAVE_UP, SECONDS
from engine.proof.term import Unencodable
from engine.proof.terms import SymbolTable
from engine.proof.verdicts import GateFormulas, past_allowed
from engine.proof.witness import START, Witness, WitnessBuilder, judged_for_real
from engine.spec.bundle import Agent, Bundle


@dataclass(frozen=True, slots=True)
class Change:
    """Calls of a tool whose verdict differs: `where` says which, `witness` is one of them.

    `status` is `certain` if the gates themselves judge the witness so, `possible` if it rests on what is only known
    by name, `not known` where the solver gave up.  `due` is the rule that makes the difference, `rules` are all that
    match the witness in one of the two bundles only.
    """

    agent: str
    tool: str
    before: str
    after: str
    status: str
    where: Mapping[str, str]
    witness: Witness | None = None
    rules: tuple[str, ...] = ()
    why: str = ""
    due: str = ""

    @property
    def kind(self) -> str:
        """Such as `approval→allow`."""
        return f"{self.before}→{self.after}"

    @property
    def loosens(self) -> bool:
        """Whether less is asked or denied, or something unknown is."""
        if self.status == "not known":
            return True
        if self.before == self.after:
            return self.why == FEWER
        return STRICTNESS.get(self.after, 0) < STRICTNESS.get(self.before, 0)

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        told = {
            "agent": self.agent,
            "tool": self.tool,
            "change": self.kind,
            "before": self.before,
            "after": self.after,
            "loosens": self.loosens,
            "status": self.status,
            "where": dict(self.where),
            "rules": list(self.rules),
            "why": self.why,
            "due": self.due,
        }
        return told | ({"witness": self.witness.payload()} if self.witness is not None else {})


def diff(old: Bundle, new: Bundle, seconds: float = SECONDS) -> Iterator[Change]:
    """Every change of a verdict; complete for what has formulas, and shown as possible where it rests on names."""
    for name in sorted({*old.agents, *new.agents}):
        before, after = old.agents.get(name), new.agents.get(name)
        tools = dict.fromkeys([*(before.tools if before else ()), *(after.tools if after else ())])
        for tool in tools:
            if before is None or tool not in before.tools:
                yield _whole(name, tool, DENY, ADDED, "the agent did not have the tool")
            elif after is None or tool not in after.tools:
                yield _whole(name, tool, REMOVED, DENY, "the agent has the tool no more")
            else:
                yield from of_input(old, new, before, tool)
                yield from of_tool(old, new, before, after, tool, seconds)


def _whole(agent: str, tool: str, before: str, after: str, why: str) -> Change:
    return Change(agent, tool, before, after, "certain", {}, rules=(NOT_OFFERED,), why=why, due=NOT_OFFERED)


def of_input(old: Bundle, new: Bundle, agent: Agent, tool: str) -> Iterator[Change]:
    """The inputs of a tool that only one of two bundles takes, all else being refused before any rule is asked."""
    one, other = old.tools[tool], new.tools[tool]
    if one.input_schema == other.input_schema:
        return
    found = list(schema_changes(spelt_out(one.input_schema), spelt_out(other.input_schema)))
    ways = (
        (DENY, ACCEPTED, "taken now", [p for p in found if p.more], (other, one)),
        (ACCEPTED, DENY, "refused now", [p for p in found if p.less], (one, other)),
    )
    for before, after, what, due, (taking, refusing) in ways:
        if due:
            given = next((g for p in due if (g := shown_by(p, taking, refusing)) is not None), None)
            why = f"inputs are {what}: {'; '.join(map(str, due))}"
            witness, attributes = None, instance(spelt_out(agent.attributes)) or {}
            if given is not None and not agent.check_attributes(attributes):
                witness = Witness(agent.name, tool, given, attributes, (), (), START, certain=True, verdict=after)
            status = "certain" if witness is not None else "possible"
            yield Change(agent.name, tool, before, after, status, {}, witness, (INVALID_INPUT,), why, INVALID_INPUT)


def other_words(old: Bundle, new: Bundle, seconds: float = SECONDS) -> Iterator[Change]:
    """The calls that two bundles judge alike, and name other rules for, which planners and fixtures can see."""
    for name in sorted(old.agents.keys() & new.agents.keys()):
        before, after = old.agents[name], new.agents[name]
        for tool in (tool for tool in before.tools if tool in after.tools):
            yield from of_tool(old, new, before, after, tool, seconds, words=True)


def of_tool(
    old: Bundle,
    new: Bundle,
    before: Agent,
    after: Agent,
    tool: str,
    seconds: float = SECONDS,
    *,
    words: bool = False,
) -> Iterator[Change]:
    """The changes for the calls of one tool of an agent; of what is told of verdicts that are alike, if `words`."""
    maker = WitnessBuilder(new, after, new.tools[tool], (old, before))

    def asked_in(world: SymbolTable) -> list[Divergence]:
        one = GateFormulas(world, old, before, old.tools[tool]).judged()
        other = GateFormulas(world, new, after, new.tools[tool]).judged()
        same_need = before.guards[tool].needs_allow == after.guards[tool].needs_allow
        found = words_that_differ(one, other) if words else verdicts_that_differ(one, other, same_need=same_need)
        return [*found, *(() if words else results_that_differ(one, other, old.tools[tool]))]

    try:
        differing = _differing(old, new, before, after)
        asked = asked_in(SymbolTable(differing=differing))
    except Unencodable as beyond:
        yield Change(before.name, tool, ALLOW, ALLOW, "not known", {}, why=f"there is no formula for {beyond}")
        return
    for number, question in enumerate(asked):
        if z3.is_false(question.when):
            continue
        found = search(
            lambda world, number=number: asked_in(world)[number].when,  # type: ignore[misc]
            maker.witness,
            lambda witness, question=question: _confirmed(witness, old, new, question),  # type: ignore[misc]
            seconds,
            lambda world: past_allowed(world, old, before),
            differing,
        )
        if found.status == GAVE_UP:
            yield Change(
                before.name, tool, question.was, question.would, "not known", {}, why=found.why, due=question.due
            )
        elif found.status == CAN and found.witness is not None:
            where = region(found.world, found.formula, seconds)
            yield _change(found.witness, old, new, question, where, certain=found.certain)


def _differing(old: Bundle, new: Bundle, before: Agent, after: Agent) -> frozenset[str]:
    """The tools whose outputs, and whether the attributes of sessions, have other schemas."""
    tools = old.tools.keys() & new.tools.keys()
    found = {name for name in tools if old.tools[name].output_schema != new.tools[name].output_schema}
    return frozenset(found | ({"session"} if before.attributes != after.attributes else set()))


def _confirmed(witness: Witness, old: Bundle, new: Bundle, question: Divergence) -> bool:
    """Whether the two gates, asked about exactly that call, judge so."""
    told, keeps = judged_for_real(witness, old)
    tells, kept = judged_for_real(witness, new)
    if told is None or tells is None:
        return False
    if question.of_result:
        denied = Effect.DENY in (told.effect, tells.effect)
        return not denied and (keeps is not None, kept is not None) == (
            question.was == WITHHELD,
            question.would == WITHHELD,
        )
    if (word(told.effect), word(tells.effect)) != (question.was, question.would):
        return False
    if question.why == OTHER_WORDS:
        return _speech(told) != _speech(tells)
    more, less = (_asks(told), _asks(tells)) if question.why == FEWER else (_asks(tells), _asks(told))
    return question.was != question.would or bool(uncovered(more, less)) or people_needed(more) > people_needed(less)


def _change(
    witness: Witness, old: Bundle, new: Bundle, question: Divergence, where: Mapping[str, str], *, certain: bool
) -> Change:
    told, _ = judged_for_real(witness, old)
    tells, _ = judged_for_real(witness, new)
    rules = _rules(told, tells) if told is not None and tells is not None else ()
    proof = replace(witness, certain=certain, verdict=question.would if certain else "")
    status = "certain" if certain else "possible"
    about = witness.agent, witness.tool, question.was, question.would
    return Change(*about, status, where, proof, rules, question.why, question.due)


def _speech(verdict: Verdict) -> tuple[Any, ...]:
    """What a verdict tells of its rules."""
    return verdict.rule, verdict.reason, sorted(ask.rule for ask in verdict.asks)


def _asks(verdict: Verdict) -> list[Demand]:
    return [ask.demand for ask in verdict.asks]


def _rules(before: Verdict, after: Verdict) -> tuple[str, ...]:
    """The rules that match in one of the two and not in the other."""
    matched = [{trace.rule for trace in verdict.rules if trace.matched} for verdict in (before, after)]
    return tuple(sorted(matched[0] ^ matched[1]))


def equivalent(old: Bundle, new: Bundle, seconds: float = SECONDS) -> Change | None:
    """The first change of a verdict that can be, or that can't be ruled out; None if there is none."""
    return next(diff(old, new, seconds), None)
