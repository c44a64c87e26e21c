"""How far an agent can go: the most that its limits permit, per tool and in all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from engine.language.value import duration_text
from engine.spec.bundle import READ, Agent, Bundle, Meter, Tool, ToolEffect


@dataclass(frozen=True, slots=True)
class ToolCase:
    """The most of one tool in one session; None is unlimited."""

    name: str
    effect: ToolEffect
    calls: int | None
    attempts: int | None
    at_once: int | None
    timeout: timedelta

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "tool": self.name,
            "effect": self.effect.value,
            "calls": self.calls,
            "attempts": self.attempts,
            "at_once": self.at_once,
            "time_per_attempt": duration_text(self.timeout),
        }


@dataclass(frozen=True, slots=True)
class WorstCase:
    """The most of one session; None is unlimited.  A crash may add an attempt of a call that is safe to repeat."""

    agent: str
    steps: int | None
    questions: int | None
    calls: int | None
    attempts: int | None
    at_once: int | None
    fact_reads: int | None
    running: timedelta | None
    step: timedelta | None
    grace: timedelta | None
    tokens: int | None
    cost_usd: Any
    meters: tuple[tuple[str, Any, str], ...]
    tools: tuple[ToolCase, ...]

    def payload(self) -> dict[str, Any]:
        """As JSON; times in their text, unlimited as null."""
        return {
            "agent": self.agent,
            "steps": self.steps,
            "planner_questions": self.questions,
            "calls": self.calls,
            "attempts": self.attempts,
            "calls_in_flight": self.at_once,
            "fact_reads": self.fact_reads,
            "running": _text(self.running),
            "one_step": _text(self.step),
            "after_a_cancel": _text(self.grace),
            "model_tokens": self.tokens,
            "model_cost_usd": self.cost_usd,
            "meters": [{"meter": name, "limit": limit, "of": of} for name, limit, of in self.meters],
            "tools": [tool.payload() for tool in self.tools],
        }


def worst_case(bundle: Bundle, agent: Agent) -> WorstCase:
    """The most that a session of an agent can do, whatever its planner proposes."""
    limits = agent.limits
    calls = least(limits.calls, times(limits.steps, limits.calls_per_step))
    tools = tuple(_tool(bundle.tools[name], agent, calls) for name in agent.tools)
    calls = least(calls, plus(tool.calls for tool in tools))
    attempts = least(plus(tool.attempts for tool in tools), plus((calls, limits.retries_per_session)))
    return WorstCase(
        agent.name,
        limits.steps,
        plus((limits.steps, limits.repairs)),
        calls,
        attempts,
        least(limits.concurrency, calls),
        limits.fact_reads,
        limits.wall_clock,
        limits.step_time,
        limits.grace,
        *_model(agent),
        tuple((meter.name, meter.limit, _counted(meter)) for meter in agent.meters),
        tools,
    )


def _model(agent: Agent) -> tuple[int | None, Any]:
    """Tokens and cost: none where every planner proposes without a model."""
    if not any(spec.usage for spec in agent.planners.values()):
        return 0, 0
    return agent.limits.model_tokens, agent.limits.model_cost_usd


def _tool(tool: Tool, agent: Agent, calls: int | None) -> ToolCase:
    limits = agent.limits
    most = least(limits.per_tool(tool.name), calls)
    again = 0 if tool.retry is None else least(tool.retry.attempts - 1, limits.retries_per_call)
    attempts = plus((most, least(times(most, again), limits.retries_per_session)))
    at_once = least(limits.concurrency, tool.concurrency, most) if tool.effect is READ else 1
    return ToolCase(tool.name, tool.effect, most, attempts, at_once, tool.timeout)


def _counted(meter: Meter) -> str:
    """What a meter counts together."""
    if not meter.per or meter.window is None:
        return "one session"
    return f"all sessions with one `{next(iter(meter.per.values())).text}` in {duration_text(meter.window)}"


def _text(span: timedelta | None) -> str | None:
    return None if span is None else duration_text(span)


def least(*limits: int | None) -> int | None:
    """The smallest of some limits; unlimited ones bound nothing."""
    return min((limit for limit in limits if limit is not None), default=None)


def plus(limits: Iterable[int | None]) -> int | None:
    """The sum of some limits; unlimited if one of them is."""
    found = list(limits)
    return None if None in found else sum(limit for limit in found if limit is not None)


def times(one: int | None, other: int | None) -> int | None:
    """The product of two limits; unlimited if one of them is, and the other is not nothing."""
    if one == 0 or other == 0:
        return 0
    return None if one is None or other is None else one * other
