"""Guarantees proved from the rules, or refuted by a call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from engine.language.arithmetic import EvaluationError
from engine.policy.approvals import people_needed
from engine.policy.bindings import Bindings
from engine.policy.rule import Guarantee, PolicyRules
from engine.policy.verdict import Verdict
from engine.proof.inline_words import for_people
from engine.proof.search import search
from engine.proof.solve import CAN, NEVER, SECONDS, can_be
from engine.proof.term import Unencodable
from engine.proof.terms import SymbolTable
from engine.proof.verdicts import GateFormulas, past_allowed
from engine.proof.witness import Witness, WitnessBuilder, judged_for_real, names_of, reads_of
from engine.spec.bundle import Agent, Bundle, Tool

PROVED, REFUTED, NOT_PROVED, VACUOUS = "proved", "refuted", "not proved", "vacuous"

# in the order in which they are told
STATUSES = (PROVED, REFUTED, NOT_PROVED, VACUOUS)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of a guarantee for the calls of one tool of an agent: why not, or the call that breaks it.

    It is `vacuous` where none of these calls would break it, whatever their verdict.
    """

    guarantee: str
    policy: str
    place: str
    agent: str
    tool: str
    status: str
    why: str = ""
    witness: Witness | None = None

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        told = {
            "guarantee": self.guarantee,
            "policy": self.policy,
            "place": self.place,
            "agent": self.agent,
            "tool": self.tool,
            "status": self.status,
            "why": self.why,
        }
        return told | ({"witness": self.witness.payload()} if self.witness is not None else {})


@dataclass(frozen=True, slots=True)
class RuleInProof:
    """How a rule stands in the proofs for one tool: as a formula, with parts that are known by name only, or not."""

    rule: str
    agent: str
    tool: str
    by_name: tuple[tuple[str, str], ...]

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rule": self.rule,
            "agent": self.agent,
            "tool": self.tool,
            "by_name": [{"expression": text, "why": why} for text, why in self.by_name],
        }


def prove(bundle: Bundle, seconds: float = SECONDS) -> Iterator[Finding]:
    """What is known of each guarantee, for each tool of each agent that it speaks of."""
    for _, agent in sorted(bundle.agents.items()):
        for name in agent.tools:
            guard = agent.guards[name]
            promised = [(p, g) for p in (*guard.policies, *guard.promising) for g in p.guarantees]
            for policy, promise in promised:
                yield _proved(bundle, agent, bundle.tools[name], policy, promise, seconds)


def standing(bundle: Bundle, findings: Iterable[Finding]) -> dict[str, tuple[str, str]]:
    """What is promised under each name and how it stands for the tool where it stands worst."""
    found: dict[str, tuple[str, str]] = {}
    texts = {
        promise.id: promise.never.text
        for agent in bundle.agents.values()
        for guard in agent.guards.values()
        for policy in (*guard.policies, *guard.promising)
        for promise in policy.guarantees
    }
    for finding in findings:
        _, worst = found.get(finding.guarantee, ("", VACUOUS))
        found[finding.guarantee] = texts[finding.guarantee], max(worst, finding.status, key=_WORST.index)
    return found


_WORST = (VACUOUS, PROVED, NOT_PROVED, REFUTED)


def _proved(
    bundle: Bundle, agent: Agent, tool: Tool, policy: PolicyRules, promise: Guarantee, seconds: float
) -> Finding:
    about = promise.id, promise.policy, promise.place, agent.name, tool.name

    def broken(world: SymbolTable) -> Any:
        gate = GateFormulas(world, bundle, agent, tool)
        return gate.broken(promise, policy, gate.judged())

    def breaks(witness: Witness) -> bool:
        verdict, _ = judged_for_real(witness, bundle)
        return verdict is not None and _breaks(promise, policy, witness, verdict, bundle)

    try:
        answer = search(
            broken,
            WitnessBuilder(bundle, agent, tool).witness,
            breaks,
            seconds,
            lambda world: past_allowed(world, bundle, agent),
        )
    except Unencodable as why:
        return Finding(*about, NOT_PROVED, f"there is no formula for {why}")
    if answer.status == NEVER:
        return Finding(*about, VACUOUS if _vacuous(bundle, agent, tool, policy, promise, seconds) else PROVED)
    if answer.status != CAN:
        return Finding(*about, NOT_PROVED, answer.why)
    assert answer.witness is not None, "what can be has a witness"
    if not answer.certain:
        return Finding(*about, NOT_PROVED, _possible(answer.world), answer.witness)
    verdict, _ = judged_for_real(answer.witness, bundle)
    said = verdict.effect.value if verdict is not None else ""
    return Finding(*about, REFUTED, "", replace(answer.witness, certain=True, verdict=said))


def _vacuous(bundle: Bundle, agent: Agent, tool: Tool, policy: PolicyRules, promise: Guarantee, seconds: float) -> bool:
    """Whether a guarantee that holds would hold of these calls under any rules."""
    world = SymbolTable()
    asked = GateFormulas(world, bundle, agent, tool).spoken_of(promise, policy)
    return can_be(world, asked, seconds=seconds).status == NEVER


def promising_nothing(findings: Iterable[Finding]) -> list[str]:
    """The guarantees that no call of any tool can break, whatever its verdict."""
    by: dict[str, set[str]] = {}
    for finding in findings:
        by.setdefault(finding.guarantee, set()).add(finding.status)
    return sorted(name for name, found in by.items() if found == {VACUOUS})


def _possible(world: SymbolTable) -> str:
    if not world.opaque:
        return "a call that breaks it is possible, and no input that fits the schemas was found"
    text, why = next(iter(world.opaque.items()))
    more = f" and {len(world.opaque) - 1} more" if len(world.opaque) > 1 else ""
    return f"a call that breaks it is possible: it rests on `{for_people(text)}` ({why}){more}"


def _breaks(promise: Guarantee, policy: PolicyRules, witness: Witness, verdict: Verdict, bundle: Bundle) -> bool:
    """Whether a guarantee, asked about exactly that call and what the gate says of it, does not hold."""
    groups = frozenset(("text", group) for ask in verdict.asks for group in ask.approvers)
    people = Decimal(people_needed(ask.demand for ask in verdict.asks))
    about = {"verdict": verdict.effect.value, "approvers": groups, "people_asked": people}
    names = {**names_of(witness, bundle), **about}
    try:
        return promise.never.value(Bindings(policy, names, reads_of(witness, bundle))) is True
    except EvaluationError:
        return False


def handled(bundle: Bundle) -> Iterator[RuleInProof]:
    """How each rule stands in the proofs."""
    for _, agent in sorted(bundle.agents.items()):
        for name in agent.tools:
            for policy in agent.guards[name].policies:
                for rule in policy.rules:
                    world = SymbolTable()
                    only = replace(policy, rules=(rule,))
                    guard = replace(agent.guards[name], policies=(only,))
                    alone = replace(agent, guards={**agent.guards, name: guard})
                    GateFormulas(world, bundle, alone, bundle.tools[name]).judged()
                    yield RuleInProof(rule.id, agent.name, name, tuple(sorted(world.opaque.items())))
