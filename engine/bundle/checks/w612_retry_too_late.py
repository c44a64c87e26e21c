"""W612: retry outlives the step."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from engine.bundle.link.whole_bundle import WholeBundle
from engine.diagnostic import Diagnostic, Manual, Place, Severity
from engine.language.value import duration_text
from engine.spec.retry import Retry

MANUAL = Manual(
    code="W612",
    title="retry outlives the step",
    what="The pauses between a tool's attempts alone can take as long as a step, or a session, of the agent may.",
    why="Its last attempts never begin: the step's deadline ends the call before.",
    wrong="""\
retry: {attempts: 5, on: [timeout], delay: 20s, max_delay: 20s}    # and the agent's step_time is 60s
""",
    right="""\
retry: {attempts: 3, on: [timeout], delay: 5s}
""",
    severity=Severity.WARNING,
)


def at(place: Place, waits: str, step: str, agent: str) -> Diagnostic:
    """The word `retry`."""
    return MANUAL.at(
        place,
        f"its attempts wait up to {waits} in all, and a step of `{agent}` ends after {step}",
        help="try less often, or pause less; a tool with `mode: job` outlives its step",
    )


def check(whole: WholeBundle) -> Iterator[Diagnostic]:
    """Each tool's pauses between attempts, against the time of a step of the agents that have it."""
    for document in whole.of_kind("Tool"):
        tool, node = whole.tools[document.name], document.node.get("retry")
        if node is None or tool.retry is None or tool.job is not None:
            continue
        for agent in whole.agents.values():
            limits = agent.limits
            waits = _waits(tool.retry, limits.retries_per_call)
            step = min((time for time in (limits.step_time, limits.wall_clock) if time is not None), default=None)
            if tool.name in agent.tools and step is not None and waits >= step:
                key = document.node.key("retry") or node
                yield at(key.place, duration_text(waits), duration_text(step), agent.name)
                break


def _waits(retry: Retry, most: int | None) -> timedelta:
    """The pauses between all attempts that an agent permits, as they are written."""
    attempts = retry.attempts if most is None else min(retry.attempts, most + 1)
    return sum((retry.delay_after(attempt, Decimal(0)) for attempt in range(1, attempts)), timedelta(0))
