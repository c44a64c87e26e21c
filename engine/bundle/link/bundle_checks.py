"""What only the bundle as a whole shows: rules, limits, outcomes, prompts and tools that do nothing."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from engine.bundle.checks import (
    w604_outvoted,
    w605_nobodys_tool,
    w606_never_allowed,
    w607_budget_beyond,
    w608_stop_never,
    w609_outcome_untested,
    w611_tool_idle,
    w612_retry_too_late,
    w613_threshold,
    w620_policy_idle,
    w623_row_unreached,
)
from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.link.implication import Conditions, outvotes
from engine.bundle.link.impossible_conditions import check_unmet
from engine.bundle.link.rule_coverage import covered
from engine.bundle.link.suspicious_comparisons import check_comparisons
from engine.bundle.link.table_handles import check_tables
from engine.bundle.node import Node
from engine.language import types as t
from engine.language.arithmetic import is_number
from engine.language.conditions import MIRRORED, orderings
from engine.language.syntax import SyntaxProblem, parse, span
from engine.language.value import duration_text
from engine.policy.rule import Effect, Guard, Rule
from engine.spec.bundle import Agent, Retry, Tool
from engine.spec.worst_case import least

Agents = Mapping[str, Agent]
Tools = Mapping[str, Tool]


def check_whole(corpus: DocumentSet, agents: Agents, tools: Tools) -> None:
    """All of it; asked of a bundle without errors only, since what is broken has no meaning to judge."""
    guards = {agent.name: {tool: _Rules(guard) for tool, guard in agent.guards.items()} for agent in agents.values()}
    every = [rules for of_agent in guards.values() for rules in of_agent.values()]
    for document in corpus.sound("Policy"):
        users = [agent for agent in corpus.sound("Agent") if document.name in agent.plain.get("policies", ())]
        if not users:
            corpus.say(w620_policy_idle.at(document.node.at("name").place, document.name))
        # a policy that no agent lists yet is about all of them
        listing = [agents[user.name] for user in users] or agents.values()
        offered = {tool for agent in listing for tool in agent.tools}
        for rule in document.node.at("rules").items or ():
            _outvoted(corpus, rule, every)
            _nobodys(corpus, rule, offered, tools)
            for key in ("when", "unless"):
                node = rule.get(key)
                if node is not None:
                    _threshold(corpus, node)
        _thresholds_of_lets(corpus, document)
    for document in corpus.sound("Agent"):
        agent = agents[document.name]
        _never_allowed(corpus, document, guards[agent.name])
        _budgets(corpus, document, agent)
        _stops(corpus, document, agent)
        _rows(corpus, document, agent)
        _outcomes(corpus, document)
    _idle_tools(corpus, agents, tools)
    _retries(corpus, agents, tools)
    check_tables(corpus, agents, tools)
    check_comparisons(corpus)
    check_unmet(corpus, agents, tools)


# -- rules


def _outvoted(corpus: DocumentSet, node: Node, guards: list[_Rules]) -> None:
    """A deny matches whenever the rule does, wherever the rule stands."""
    id_ = str(node.at("id").value)
    found: set[str] = set()
    for guard in guards:
        for rule, conditions in guard.by_id.get(id_, ()):
            if rule.effect is Effect.DENY:
                return
            by = guard.outvoting(rule, conditions)
            if by is None:
                return
            found.add(by)
    if found:
        corpus.say(w604_outvoted.at(node.at("id").place, id_, sorted(found)[0]))


class _Rules:
    """The rules that judge the calls of one tool, each with its condition taken apart."""

    def __init__(self, guard: Guard) -> None:
        self.needs_allow = guard.needs_allow
        self.by_id: dict[str, list[tuple[Rule, Conditions]]] = {}
        self._denies: list[tuple[Rule, Conditions]] = []
        for policy in guard.policies:
            for rule in policy.rules:
                if rule.release is None:
                    one = rule, Conditions(rule.condition, policy, negated=rule.negated)
                    self.by_id.setdefault(rule.id, []).append(one)
                    if rule.effect is Effect.DENY:
                        self._denies.append(one)

    def outvoting(self, rule: Rule, conditions: Conditions) -> str | None:
        """A deny that matches whenever a rule does."""
        found = (deny.id for deny, own in self._denies if outvotes(own, conditions, rule.effect))
        return next(found, None)

    def can_allow(self) -> bool:
        """Whether some rule can allow a call that none of the others denies for sure."""
        return any(
            rule.effect is Effect.ALLOW and not conditions.never and self.outvoting(rule, conditions) is None
            for found in self.by_id.values()
            for rule, conditions in found
        )


def _nobodys(corpus: DocumentSet, rule: Node, offered: set[str], tools: Tools) -> None:
    if rule.at("tools").items is None and not offered & set(covered(rule, tools)):
        corpus.say(w605_nobodys_tool.of_kind(rule.at("tools").place, str(rule.at("id").value)))
    for item in rule.at("tools").items or ():
        if item.value in tools and item.value not in offered:
            corpus.say(w605_nobodys_tool.at(item.place, str(item.value)))


def _thresholds_of_lets(corpus: DocumentSet, document: Document) -> None:
    declared = document.node.get("let")
    for _, _, node in declared.pairs() if declared is not None else ():
        for one in [node] if node.entries is None else [value for _, _, value in node.pairs()]:
            _threshold(corpus, one)


def _threshold(corpus: DocumentSet, node: Node) -> None:
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


_SPELT = frozenset({"duration", "date", "datetime"})


def _written_out(node: ast.expr) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _SPELT:
        return isinstance(node.args[0], ast.Constant)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _written_out(node.operand)
    if isinstance(node, ast.IfExp):
        return _written_out(node.body) or _written_out(node.orelse)
    if isinstance(node, ast.BinOp):
        return all(isinstance(side, ast.Constant) or _written_out(side) for side in (node.left, node.right))
    value = node.value if isinstance(node, ast.Constant) else None
    # nothing and one are no dials
    return is_number(value) and value not in (0, 1)


def _counts(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("len", "count")


# -- agents


def _never_allowed(corpus: DocumentSet, document: Document, guards: Mapping[str, _Rules]) -> None:
    listed = document.node.get("tools")
    for item in (listed.items or ()) if listed is not None else ():
        rules = guards.get(str(item.value))
        if rules is not None and rules.needs_allow and not rules.can_allow():
            corpus.say(w606_never_allowed.at(item.place, str(item.value)))


def _budgets(corpus: DocumentSet, document: Document, agent: Agent) -> None:
    """Limits that the agent writes down and that another one keeps from ever being met."""
    declared = document.node.get("budgets")
    if declared is None:
        return
    for name, why in _beyond(agent):
        owner, _, tool = name.partition(".")
        node = declared.get(owner)
        node = node.get(tool) if node is not None and tool else node
        if node is not None:
            corpus.say(w607_budget_beyond.at(node.place, name, why))


def _beyond(agent: Agent) -> Iterator[tuple[str, str]]:
    limits = agent.limits
    # what people may extend ends nothing for sure
    steps = None if "steps" in limits.extensions else limits.steps
    calls = None if "calls" in limits.extensions else limits.calls
    per_step = limits.calls_per_step
    if steps is not None and per_step is not None:
        in_all = steps * per_step
        if calls is not None and calls > in_all:
            yield "calls", f"{steps} steps of {per_step} calls are {in_all}"
        for tool, of_tool in limits.calls_per_tool.items():
            if of_tool is not None and of_tool > in_all and (calls is None or calls >= of_tool):
                yield f"calls_per_tool.{tool}", f"{steps} steps of {per_step} calls are {in_all}"
    each = [limits.per_tool(tool) for tool in agent.tools]
    if calls is not None and each and None not in each and calls > sum(one for one in each if one is not None):
        yield "calls", f"its tools may be called {sum(one for one in each if one is not None)} times in all"
    step, wall_clock = limits.step_time, limits.wall_clock
    if steps is not None and step is not None and wall_clock is not None and wall_clock > steps * step:
        yield "wall_clock", f"{steps} steps of {duration_text(step)} are shorter"
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


def _stops(corpus: DocumentSet, document: Document, agent: Agent) -> None:
    items = document.node.at("stop").items or ()
    always: dict[str, str] = {}
    seen: dict[tuple[str, str], str] = {}
    for node, rule in zip(items, agent.stop, strict=False):
        outcome = node.at("outcome")
        if rule.on in always:
            corpus.say(w608_stop_never.at(outcome.place, rule.outcome, f"`{always[rule.on]}` before it always holds"))
            continue
        if rule.when is None or _always(rule.when.tree, agent):
            always[rule.on] = rule.outcome
            continue
        text = " ".join(rule.when.text.split())
        why = ""
        if t.NEVER in rule.when.if_true.values() or text == "false":
            why = "its condition is never true"
        elif (rule.on, text) in seen:
            why = f"`{seen[rule.on, text]}` before it has the same condition"
        else:
            why = _beyond_reach(rule.when.tree, agent)
        if why:
            corpus.say(w608_stop_never.at(outcome.place, rule.outcome, why))
        seen.setdefault((rule.on, text), rule.outcome)


def _rows(corpus: DocumentSet, document: Document, agent: Agent) -> None:
    """Rows of decision tables behind one that always holds: the first that holds is the decision."""
    for name, _, planner in document.node.at("planners").pairs():
        rows, table = agent.planners[name].rows, planner.get("rows")
        always = False
        for row, node in zip(rows, (table.items or ()) if table is not None else (), strict=False):
            if always:
                corpus.say(w623_row_unreached.at(node.place))
                break
            always = row.when is None or _always(row.when.tree, agent)


def _beyond_reach(tree: ast.expr, agent: Agent) -> str:
    """Why a condition can't be true: it wants more calls of a tool, or more steps, than there can be."""
    parts = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]
    reach: dict[str, range] = {}
    for part in parts:
        if not isinstance(part, ast.Compare) or len(part.ops) > 1:
            continue
        left, op, right = part.left, type(part.ops[0]), part.comparators[0]
        if isinstance(left, ast.Constant):
            left, op, right = right, MIRRORED.get(op, op), left
        compare = _WHOLE.get(op)
        limit, why = _reach(left, agent)
        if compare is None or limit is None or not isinstance(right, ast.Constant) or not is_number(right.value):
            continue
        name = ast.dump(left)
        values = [one for one in reach.get(name, limit) if compare(one, right.value)]
        if not values:
            return why
        reach[name] = range(values[0], values[-1] + 1)
    return ""


def _always(tree: ast.expr, agent: Agent) -> bool:
    """Whether a condition is true whatever happens: it says so, or asks for a count that there always is."""
    if isinstance(tree, ast.BoolOp):
        found = (_always(part, agent) for part in tree.values)
        return all(found) if isinstance(tree.op, ast.And) else any(found)
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.operand, ast.Constant):
        return tree.operand.value is False
    if isinstance(tree, ast.Constant):
        return tree.value is True
    if not isinstance(tree, ast.Compare) or len(tree.ops) > 1 or not isinstance(tree.comparators[0], ast.Constant):
        return False
    limit, _ = _reach(tree.left, agent)
    compare, number = _WHOLE.get(type(tree.ops[0])), tree.comparators[0].value
    if limit is None or compare is None or not is_number(number):
        return False
    return compare(limit[0], number) and compare(limit[-1], number) and type(tree.ops[0]) not in (ast.Eq, ast.NotEq)


_WHOLE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
# more than any agent can be given
_MANY = 100_000


def _reach(node: ast.expr, agent: Agent) -> tuple[range | None, str]:
    """The values that a count of a tool's calls, or of steps, can have, and why no others; None for anything else."""
    limits = agent.limits
    if (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr)
        == (
            "step",
            "number",
        )
    ):
        steps = None if "steps" in limits.extensions else limits.steps
        return range(1, (_MANY if steps is None else steps) + 1), f"there are {steps} steps"
    if not (_counts(node) and isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Attribute)):
        return None, ""
    owner, tool = node.args[0].value, node.args[0].attr
    if not (isinstance(owner, ast.Name) and owner.id == "calls"):
        return None, ""
    if tool not in agent.tools:
        return range(1), f"the agent has no tool `{tool}`"
    most = least(limits.per_tool(tool), None if "calls" in limits.extensions else limits.calls)
    return range(
        (_MANY if most is None else most) + 1
    ), f"there are {'no such' if most is None else most} calls of `{tool}`"


def _outcomes(corpus: DocumentSet, document: Document) -> None:
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


def _idle_tools(corpus: DocumentSet, agents: Agents, tools: Tools) -> None:
    used = {tool for agent in agents.values() for tool in agent.tools}
    used |= {tool.probe.tool for tool in tools.values() if tool.probe is not None}
    listed = {name for d in corpus.sound("Agent") for name in d.plain.get("policies", ())}
    policies = [document for document in corpus.sound("Policy") if document.name in listed]
    for document in (*policies, *corpus.sound("Vocabulary")):
        facts = document.node.get("facts")
        used |= {str(fact.at("tool").value) for _, _, fact in (facts.pairs() if facts is not None else ())}
    for document in corpus.sound("Tool"):
        if document.name not in used:
            corpus.say(w611_tool_idle.at(document.node.at("name").place, document.name))


def _retries(corpus: DocumentSet, agents: Agents, tools: Tools) -> None:
    for document in corpus.sound("Tool"):
        tool, node = tools[document.name], document.node.get("retry")
        if node is None or tool.retry is None or tool.job is not None:
            continue
        for agent in agents.values():
            limits = agent.limits
            waits = _waits(tool.retry, limits.retries_per_call)
            step = min((time for time in (limits.step_time, limits.wall_clock) if time is not None), default=None)
            if tool.name in agent.tools and step is not None and waits >= step:
                key = document.node.key("retry") or node
                corpus.say(w612_retry_too_late.at(key.place, duration_text(waits), duration_text(step), agent.name))
                break


def _waits(retry: Retry, most: int | None) -> timedelta:
    """The pauses between all attempts that an agent permits, as they are written."""
    attempts = retry.attempts if most is None else min(retry.attempts, most + 1)
    return sum((retry.delay_after(attempt, Decimal(0)) for attempt in range(1, attempts)), timedelta(0))
