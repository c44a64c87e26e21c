"""What only the bundle as a whole shows: rules, limits, outcomes, prompts and tools that do nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal

from engine.bundle.corpus import Corpus, Document
from engine.bundle.node import Node
from engine.bundle.rules import (
    w604_outvoted,
    w605_nobodys_tool,
    w606_never_allowed,
    w607_budget_beyond,
    w608_stop_never,
    w609_outcome_untested,
    w611_tool_idle,
    w612_retry_too_late,
    w613_threshold,
)
from engine.policy import types as t
from engine.policy.arithmetic import is_number
from engine.policy.conditions import orderings
from engine.policy.rule import Effect, Guard, Rule
from engine.policy.syntax import SyntaxProblem, parse, span
from engine.policy.value import duration_text
from engine.session.bundle import Agent, Retry, Tool
from engine.session.limits import Limits

Agents = Mapping[str, Agent]
Tools = Mapping[str, Tool]


def check_whole(corpus: Corpus, agents: Agents, tools: Tools) -> None:
    """All of it; asked of a bundle without errors only, since what is broken has no meaning to judge."""
    guards = [(agent, guard) for agent in agents.values() for guard in agent.guards.values()]
    for document in corpus.sound("Policy"):
        users = [agent for agent in corpus.sound("Agent") if document.name in agent.plain.get("policies", ())]
        offered = {tool for user in users for tool in agents[user.name].tools}
        for rule in document.node.at("rules").items or ():
            _outvoted(corpus, rule, [guard for _, guard in guards])
            if users:
                _nobodys(corpus, rule, offered, tools)
            for key in ("when", "unless"):
                node = rule.get(key)
                if node is not None:
                    _threshold(corpus, node)
    for document in corpus.sound("Agent"):
        agent = agents[document.name]
        _never_allowed(corpus, document, agent)
        _budgets(corpus, document, agent.limits)
        _stops(corpus, document, agent)
        _outcomes(corpus, document)
    _idle_tools(corpus, agents, tools)
    _retries(corpus, agents, tools)


# -- rules


def _outvoted(corpus: Corpus, node: Node, guards: list[Guard]) -> None:
    """A deny without a condition, or with the very same one, wherever the rule stands."""
    id_ = str(node.at("id").value)
    found: set[str] = set()
    for guard in guards:
        rules = [rule for policy in guard.policies for rule in policy.rules if rule.release is None]
        for rule in rules:
            if rule.id != id_ or rule.effect is Effect.DENY:
                continue
            by = next((other.id for other in rules if other.effect is Effect.DENY and _covers(other, rule)), None)
            if by is None:
                return
            found.add(by)
    if found:
        corpus.say(w604_outvoted.at(node.at("id").place, id_, sorted(found)[0]))


def _covers(deny: Rule, rule: Rule) -> bool:
    """Whether a deny matches whenever a rule does, as far as their texts say."""
    if deny.condition is None:
        return True
    same = rule.condition is not None and deny.condition.text.split() == rule.condition.text.split()
    return same and deny.negated is rule.negated


def _nobodys(corpus: Corpus, rule: Node, offered: set[str], tools: Tools) -> None:
    for item in rule.at("tools").items or ():
        if item.value in tools and item.value not in offered:
            corpus.say(w605_nobodys_tool.at(item.place, str(item.value)))


def _threshold(corpus: Corpus, node: Node) -> None:
    """Numbers and spans that are written out where something is compared; counting and signs aside."""
    if not isinstance(node.value, str):
        return
    try:
        tree = parse(node.value)
    except SyntaxProblem:
        return
    for _, _, left, right in orderings(tree):
        for side, other in ((left, right), (right, left)):
            if _written_out(side) and not _counts(other):
                start, end = span(side)
                corpus.say(w613_threshold.at(node.within(start, end), node.value[start:end]))


def _written_out(node: ast.expr) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "duration":
        return isinstance(node.args[0], ast.Constant)
    value = node.value if isinstance(node, ast.Constant) else None
    # nothing and one are no dials
    return is_number(value) and value not in (0, 1)


def _counts(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("len", "count")


# -- agents


def _never_allowed(corpus: Corpus, document: Document, agent: Agent) -> None:
    listed = document.node.get("tools")
    for item in (listed.items or ()) if listed is not None else ():
        guard = agent.guards.get(str(item.value))
        if guard is not None and guard.needs_allow and not any(_can_allow(rule, guard) for rule in _rules(guard)):
            corpus.say(w606_never_allowed.at(item.place, str(item.value)))


def _rules(guard: Guard) -> Iterator[Rule]:
    return (rule for policy in guard.policies for rule in policy.rules if rule.release is None)


def _can_allow(rule: Rule, guard: Guard) -> bool:
    if rule.effect is not Effect.ALLOW or any(o.effect is Effect.DENY and _covers(o, rule) for o in _rules(guard)):
        return False
    if rule.condition is None:
        return True
    told = rule.condition.if_false if rule.negated else rule.condition.if_true
    return t.NEVER not in told.values()


def _budgets(corpus: Corpus, document: Document, limits: Limits) -> None:
    """Limits that the agent writes down and that another one keeps from ever being met."""
    declared = document.node.get("budgets")
    if declared is None:
        return
    for name, why in _beyond(limits):
        owner, _, tool = name.partition(".")
        node = declared.get(owner)
        node = node.get(tool) if node is not None and tool else node
        if node is not None:
            corpus.say(w607_budget_beyond.at(node.place, name, why))


def _beyond(limits: Limits) -> Iterator[tuple[str, str]]:
    steps, per_step, calls = limits.steps, limits.calls_per_step, limits.calls
    if steps is not None and per_step is not None and calls is not None and calls > steps * per_step:
        yield "calls", f"{steps} steps of {per_step} calls are {steps * per_step}"
    if per_step is not None and calls is not None and per_step > calls:
        yield "calls_per_step", f"there are {calls} calls in all"
    if limits.concurrency is not None and per_step is not None and limits.concurrency > per_step:
        yield "concurrency", f"a step has {per_step} calls"
    for tool, most in limits.calls_per_tool.items():
        if most is not None and calls is not None and most > calls:
            yield f"calls_per_tool.{tool}", f"there are {calls} calls in all"
    if limits.step_time is not None and limits.wall_clock is not None and limits.step_time > limits.wall_clock:
        yield "step_time", f"the session ends after {duration_text(limits.wall_clock)}"
    if (
        limits.retries_per_call is not None
        and limits.retries_per_session is not None
        and limits.retries_per_call > limits.retries_per_session
    ):
        yield "retries_per_call", f"there are {limits.retries_per_session} in all"


def _stops(corpus: Corpus, document: Document, agent: Agent) -> None:
    items = document.node.at("stop").items or ()
    always: dict[str, str] = {}
    seen: dict[tuple[str, str], str] = {}
    for node, rule in zip(items, agent.stop, strict=False):
        outcome = node.at("outcome")
        if rule.on in always:
            corpus.say(w608_stop_never.at(outcome.place, rule.outcome, f"`{always[rule.on]}` before it always holds"))
            continue
        if rule.when is None:
            always[rule.on] = rule.outcome
            continue
        text = " ".join(rule.when.text.split())
        why = ""
        if t.NEVER in rule.when.if_true.values() or text == "false":
            why = "its condition is never true"
        elif (rule.on, text) in seen:
            why = f"`{seen[rule.on, text]}` before it has the same condition"
        elif (tool := _counts_of_nobodys(rule.when.tree, agent)) is not None:
            why = f"the agent has no tool `{tool}`"
        if why:
            corpus.say(w608_stop_never.at(outcome.place, rule.outcome, why))
        seen.setdefault((rule.on, text), rule.outcome)


def _counts_of_nobodys(tree: ast.expr, agent: Agent) -> str | None:
    """A tool that the agent does not have, of which the condition wants a call."""
    parts = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]
    for part in parts:
        if not (isinstance(part, ast.Compare) and isinstance(part.ops[0], ast.Gt | ast.GtE | ast.NotEq)):
            continue
        counted = part.left
        if _counts(counted) and isinstance(counted, ast.Call) and isinstance(counted.args[0], ast.Attribute):
            owner = counted.args[0].value
            if isinstance(owner, ast.Name) and owner.id in ("calls", "results"):
                tool = counted.args[0].attr
                return tool if tool not in agent.tools else None
    return None


def _outcomes(corpus: Corpus, document: Document) -> None:
    fixtures = [d.plain for d in corpus.sound("Fixture") if d.plain.get("agent") == document.name]
    if not fixtures:
        return
    expected = {fixture["expect"].get("outcome") for fixture in fixtures}
    told: set[str] = set()
    for item in document.node.at("stop").items or ():
        outcome = str(item.at("outcome").value)
        if outcome not in expected and outcome not in told:
            corpus.say(w609_outcome_untested.at(item.at("outcome").place, outcome))
        told.add(outcome)


# -- tools


def _idle_tools(corpus: Corpus, agents: Agents, tools: Tools) -> None:
    used = {tool for agent in agents.values() for tool in agent.tools}
    used |= {tool.probe.tool for tool in tools.values() if tool.probe is not None}
    for document in (*corpus.sound("Policy"), *corpus.sound("Vocabulary")):
        facts = document.node.get("facts")
        used |= {str(fact.at("tool").value) for _, _, fact in (facts.pairs() if facts is not None else ())}
    for document in corpus.sound("Tool"):
        if document.name not in used:
            corpus.say(w611_tool_idle.at(document.node.at("name").place, document.name))


def _retries(corpus: Corpus, agents: Agents, tools: Tools) -> None:
    for document in corpus.sound("Tool"):
        tool, node = tools[document.name], document.node.get("retry")
        if node is None or tool.retry is None or tool.job is not None:
            continue
        waits = _waits(tool.retry)
        for agent in agents.values():
            step = agent.limits.step_time
            if tool.name in agent.tools and step is not None and waits >= step:
                key = document.node.key("retry") or node
                corpus.say(w612_retry_too_late.at(key.place, duration_text(waits), duration_text(step), agent.name))
                break


def _waits(retry: Retry) -> timedelta:
    """The pauses between all attempts, at their shortest."""
    luck = Decimal(1)
    return sum((retry.delay_after(attempt, luck) for attempt in range(1, retry.attempts)), timedelta(0))
