"""W625: nobody is asked any more by then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from engine.bundle.link.whole_bundle import WholeBundle
from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual, Place, Severity
from engine.language.value import duration, duration_text
from engine.spec.bundle import Agent
from engine.spec.request_kind import RequestKind

MANUAL = Manual(
    code="W625",
    title="nobody is asked any more by then",
    what="People are reminded, or a group is told, only after the request has expired, in every agent with that rule.",
    why="It never happens, and who is to be told later is not told at the beginning either.",
    wrong="""\
escalate: {after: 48h, to: directors}    # and the agent has expires: {approval: 24h}
""",
    right="""\
escalate: {after: 8h, to: directors}
""",
    severity=Severity.WARNING,
)


def at(place: Place, after: str, expires: str) -> Diagnostic:
    """The span of time."""
    return MANUAL.at(
        place,
        f"it is {after} after the request was opened, which expires after {expires}",
        help="name a shorter span, or let requests wait longer: `budgets: {expires: {approval: ...}}`",
    )


def check(whole: WholeBundle) -> Iterator[Diagnostic]:
    """The spans of each rule that asks, against how long approvals wait in the agents that it judges."""
    for policy in whole.of_kind("Policy"):
        for rule in whole.rules_of(policy):
            waits = [_waits(one) for one in whole.agents.values() if _has(one, policy.name)]
            if not waits or None in waits:
                continue  # somewhere they wait for ever
            longest = max(one for one in waits if one is not None)
            for node in _spans(rule):
                after = duration(node.value) if isinstance(node.value, str) else None
                if after is not None and after >= longest:
                    yield at(node.place, duration_text(after), duration_text(longest))


def _waits(agent: Agent) -> timedelta | None:
    return agent.limits.expires.get(RequestKind.APPROVAL)


def _has(agent: Agent, policy: str) -> bool:
    return any(one.name == policy for guard in agent.guards.values() for one in guard.policies)


def _spans(rule: Node) -> Iterator[Node]:
    reminders, escalation = rule.get("remind"), rule.get("escalate")
    if reminders is not None:
        yield from reminders.items if reminders.items is not None else [reminders]
    after = escalation.get("after") if escalation is not None else None
    if after is not None:
        yield after
