"""What the policies say, for a prompt: generated from the rules themselves, so that the two can't drift apart."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.language.arithmetic import EvaluationError
from engine.language.expression import Expression
from engine.language.value import jsonable, one_line
from engine.policy.rule import CUSTOMER, Effect, PolicyRules, Rule
from engine.spec.bundle import WRITE, Agent, Tool

_ORDER = (Effect.ALLOW, Effect.REQUIRE_APPROVAL, Effect.DENY)
_PARAM = re.compile(r"\bparams\.([A-Za-z_]\w*)")


def guidance(agent: Agent, tools: dict[str, Tool]) -> str:
    """The disclosed rules of an agent, tool by tool."""
    lines: list[str] = []
    for name in agent.tools:
        rules = list(_rules(agent, name))
        tool = tools[name]
        if not rules and tool.effect is not WRITE and not tool.sensitive:
            continue
        lines.append(f"{name}:")
        if tool.effect is WRITE or tool.sensitive:
            lines.append("- It is denied unless a rule allows it.")
        lines += [f"- {_sentence(policy, rule)}" for policy, rule in rules]
        limit = agent.limits.per_tool(name)
        if limit is not None:
            lines.append(f"- At most {limit} call{'' if limit == 1 else 's'} in a session.")
    return "\n".join(lines) or "No rules."


def _rules(agent: Agent, tool: str) -> Iterator[tuple[PolicyRules, Rule]]:
    found = [(policy, rule) for policy in agent.guards[tool].policies for rule in policy.rules]
    disclosed = [(policy, rule) for policy, rule in found if rule.disclose and rule.release is None]
    return iter(sorted(disclosed, key=lambda pair: (_ORDER.index(pair[1].effect), pair[0].name, pair[1].id)))


def _sentence(policy: PolicyRules, rule: Rule) -> str:
    message = _message(policy, rule)
    what = {
        Effect.ALLOW: "Allowed",
        Effect.REQUIRE_APPROVAL: f"Needs {_approver_text(rule)}",
        Effect.DENY: "Denied",
    }[rule.effect]
    if rule.condition is None:
        return f"{what} in any case{f': {message}' if message else ''}."
    word = "unless" if rule.negated else "when"
    text = " ".join(rule.condition.text.split())
    known = [name for name in dict.fromkeys(_PARAM.findall(text)) if name in policy.params]
    dials = ", ".join(f"params.{name} = {one_line(jsonable(policy.params[name]))}" for name in known)
    said = "; ".join(part for part in (dials, message) if part)
    return f"{what} {word} `{text}`{f' ({said})' if said else ''}."


def _approver_text(rule: Rule) -> str:
    """Whose yes is needed: that of any one of them, or of so many different people."""
    of = f"{rule.people} different people of " if rule.people > 1 else ""
    groups = [f"a yes of {of}{group}" for group in sorted(rule.approvers) if group != CUSTOMER]
    own = ["the customer's own yes"] if CUSTOMER in rule.approvers else []
    apart = " that counts for no other rule" if rule.distinct else ""
    return " or ".join([*groups, *own]) + apart


def _message(policy: PolicyRules, rule: Rule) -> str:
    """What the rule says of itself, where it says so whatever the call is."""
    if rule.message is None:
        return ""
    if any(isinstance(part, Expression) and part.reads - {"params"} for part in rule.message.parts):
        return ""
    try:
        return rule.message.render({"params": policy.params}).strip().rstrip(".")
    except EvaluationError:
        return ""
