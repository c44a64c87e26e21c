"""What another bundle judges otherwise: for each tool the calls whose verdict differs, and one of each kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.policy.demand import Groups, unmet
from engine.policy.flip_names import (
    ADDED,
    ALLOW,
    APPROVAL,
    DENY,
    INVALID_INPUT,
    NOT_OFFERED,
    REMOVED,
    STRICTNESS,
    TAKEN,
    WITHHELD,
    word,
)
from engine.policy.rule import Effect
from engine.policy.verdict import Verdict
from engine.proof.forms import spelt_out
from engine.proof.instance import instance
from engine.proof.region import region
from engine.proof.schemas import partings, shown_by
from engine.proof.search import search
from engine.proof.solve import CAN, GAVE_UP, SECONDS
from engine.proof.terms import Beyond, World, both, either, no
from engine.proof.verdicts import Gate, Judged, past_allowed
from engine.proof.witness import START, Maker, Witness, judged_for_real
from engine.session.bundle import Agent, Bundle, Tool


@dataclass(frozen=True, slots=True)
class Change:
    """Calls of a tool whose verdict differs: `where` says which, `witness` is one of them.

    `status` is `certain` if the gates themselves judge the witness so, `possible` if it rests on what is only known
    by name, `not known` where the solver gave up.
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
            "agent": self.agent, "tool": self.tool, "change": self.kind, "before": self.before, "after": self.after,
            "loosens": self.loosens, "status": self.status, "where": dict(self.where), "rules": list(self.rules),
            "why": self.why,
        }  # fmt: skip
        return told | ({"witness": self.witness.payload()} if self.witness is not None else {})


FEWER = "a yes that was needed is needed no more"
MORE = "a further yes is needed"


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
    return Change(agent, tool, before, after, "certain", {}, rules=(NOT_OFFERED,), why=why)


def of_input(old: Bundle, new: Bundle, agent: Agent, tool: str) -> Iterator[Change]:
    """The inputs of a tool that only one of two bundles takes, all else being refused before any rule is asked."""
    one, other = old.tools[tool], new.tools[tool]
    if one.input_schema == other.input_schema:
        return
    found = list(partings(spelt_out(one.input_schema), spelt_out(other.input_schema)))
    ways = (
        (DENY, TAKEN, "taken now", [p for p in found if p.more], (other, one)),
        (TAKEN, DENY, "refused now", [p for p in found if p.less], (one, other)),
    )
    for before, after, what, due, (taking, refusing) in ways:
        if due:
            given = next((g for p in due if (g := shown_by(p, taking, refusing)) is not None), None)
            why = f"inputs are {what}: {'; '.join(map(str, due))}"
            witness = None
            if given is not None:
                attributes = instance(spelt_out(agent.attributes)) or {}
                witness = Witness(agent.name, tool, given, attributes, (), (), START, certain=True, verdict=after)
            status = "certain" if witness is not None else "possible"
            yield Change(agent.name, tool, before, after, status, {}, witness, (INVALID_INPUT,), why)


def of_tool(
    old: Bundle, new: Bundle, before: Agent, after: Agent, tool: str, seconds: float = SECONDS
) -> Iterator[Change]:
    """The changes for the calls of one tool of an agent."""
    maker = Maker(new, after, new.tools[tool], (old, before))

    def questions(world: World) -> list[Question]:
        one = Gate(world, old, before, old.tools[tool]).judged()
        other = Gate(world, new, after, new.tools[tool]).judged()
        return list(_questions(one, other, old.tools[tool]))

    try:
        asked = questions(World())
    except Beyond as beyond:
        yield Change(before.name, tool, ALLOW, ALLOW, "not known", {}, why=f"there is no formula for {beyond}")
        return
    for number, (was, would, what, why) in enumerate(asked):
        if z3.is_false(what):
            continue
        found = search(
            lambda world, number=number: questions(world)[number][2],  # type: ignore[misc]
            maker.witness,
            lambda witness, was=was, would=would: _confirmed(witness, old, new, was, would),  # type: ignore[misc]
            seconds,
            lambda world: past_allowed(world, old, before),
        )
        if found.status == GAVE_UP:
            yield Change(before.name, tool, was, would, "not known", {}, why=found.why)
        elif found.status == CAN and found.witness is not None:
            where = region(found.world, found.formula, seconds)
            yield _change(found.witness, old, new, was, would, where, why, certain=found.certain)


Question = tuple[str, str, Any, str]


def _questions(one: Judged, other: Judged, tool: Tool) -> Iterator[Question]:
    """Each way in which two verdicts can differ: what was, what would be, when, and why."""
    for before in Effect:
        for after in Effect:
            if before is not after:
                yield word(before), word(after), both(one.of(before), other.of(after)), ""
    asking = both(one.ask, other.ask)
    fewer, more = _left_open(one.asks, other.asks), _left_open(other.asks, one.asks)
    yield APPROVAL, APPROVAL, both(asking, fewer), FEWER
    yield APPROVAL, APPROVAL, both(asking, more), MORE
    if tool.effect == "read":
        allowed = both(one.allow, other.allow)
        yield ALLOW, WITHHELD, both(allowed, no(one.withheld), other.withheld), ""
        yield WITHHELD, ALLOW, both(allowed, one.withheld, no(other.withheld)), ""


def _left_open(asks: Mapping[Groups, Any], others: Mapping[Groups, Any]) -> Any:
    """When some ask may be left open by people who meet the others (see `policy.demand`)."""
    met = {groups: either(*(when for other, when in others.items() if other <= groups)) for groups in asks}
    return either(*(both(when, no(met[groups])) for groups, when in asks.items()))


def _confirmed(witness: Witness, old: Bundle, new: Bundle, was: str, would: str) -> bool:
    """Whether the two gates, asked about exactly that call, judge so."""
    told, keeps = judged_for_real(witness, old)
    tells, kept = judged_for_real(witness, new)
    if told is None or tells is None or (_word(told, keeps), _word(tells, kept)) != (was, would):
        return False
    return was != would or bool(unmet(_asks(told), _asks(tells)) or unmet(_asks(tells), _asks(told)))


def _change(
    witness: Witness, old: Bundle, new: Bundle, was: str, would: str, where: Mapping[str, str], why: str, *,
    certain: bool,
) -> Change:  # fmt: skip
    told, _ = judged_for_real(witness, old)
    tells, _ = judged_for_real(witness, new)
    rules = _rules(told, tells) if told is not None and tells is not None else ()
    proof = replace(witness, certain=certain, verdict=would)
    status = "certain" if certain else "possible"
    return Change(witness.agent, witness.tool, was, would, status, where, proof, rules, why)


def _word(verdict: Verdict, kept: object) -> str:
    found = word(verdict.effect)
    return WITHHELD if found == ALLOW and kept is not None else found


def _asks(verdict: Verdict) -> list[Groups]:
    return [frozenset(ask.approvers) for ask in verdict.asks]


def _rules(before: Verdict, after: Verdict) -> tuple[str, ...]:
    """The rules that match in one of the two and not in the other."""
    matched = [{trace.rule for trace in verdict.rules if trace.matched} for verdict in (before, after)]
    return tuple(sorted(matched[0] ^ matched[1]))


def equivalent(old: Bundle, new: Bundle, seconds: float = SECONDS) -> Change | None:
    """The first change of a verdict that can be, or that can't be ruled out; None if there is none."""
    return next(diff(old, new, seconds), None)
