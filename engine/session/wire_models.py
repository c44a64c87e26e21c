"""What crosses the border, as pydantic models: the schemas in `schemas/` are generated from these.

A planner's answer is parsed by `read_decision`; the others describe what the engine writes.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.language.value import NotJson, canonical_of_exact, exact
from engine.session.state.event import EventKind

MAX_DECISION = 200_000


class _WireModel(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ToolCall(_WireModel):
    """A call that a planner proposes."""

    id: Annotated[str, Field(min_length=1, max_length=200, description="Unique in the session.")]
    name: Annotated[str, Field(min_length=1, max_length=200, description="One of the agent's tools.")]
    input: dict[str, Any] = Field(description="Fits the tool's input schema.")


class Decision(_WireModel):
    """What a planner proposes: calls, or a reply to the user, or that the work is done."""

    message: str = Field(description="Beside calls a note for the log, without calls the reply to the user.")
    tool_calls: list[ToolCall] = Field(default_factory=list)
    done: bool = False


class ToolOutcome(_WireModel):
    """How a call ended."""

    status: Literal["ok", "retryable_error", "blocked", "terminal_error", "unknown"]
    reason: str = Field(description="A machine's word for it; empty when the status is ok.")
    message: str = Field(description="The same for people.")


class ToolResult(_WireModel):
    """The end of a call."""

    call_id: str
    name: str
    output: Any
    outcome: ToolOutcome


class RulePart(_WireModel):
    """One rule's part in a verdict."""

    rule: str
    policy: str
    effect: Literal["allow", "require_approval", "deny"]
    matched: bool
    place: str = Field(description="FILE:LINE of the rule.")
    values: dict[str, Any] = Field(description="What its condition read, by the text that read it.")
    error: str | None = None


class Verdict(_WireModel):
    """One judgement of one call."""

    verdict: Literal["allow", "require_approval", "deny"]
    rule: str | None = Field(description="The rule that decided; null where no rule allowed, or none was needed.")
    reason: str
    message: str
    policy_error: bool = Field(description="Whether some rule's condition had no value.")
    approvers: list[str]
    rules: list[RulePart] = Field(description="Every rule that took part.")


class Event(_WireModel):
    """One entry of a session's log."""

    session_id: str
    seq: Annotated[int, Field(ge=1, description="Counts from 1 without a gap.")]
    step: Annotated[int, Field(ge=0)]
    kind: Literal[tuple(kind.value for kind in EventKind)]  # type: ignore[valid-type]
    payload: dict[str, Any]
    at: Annotated[str, Field(description="ISO 8601 in UTC.")]


def read_decision(raw: Any) -> tuple[Decision | None, list[str]]:
    """A planner's answer as a decision, or what is wrong with it."""
    try:
        plain = exact(raw)
        if len(canonical_of_exact(plain)) > MAX_DECISION:
            return None, [f"the decision is larger than {MAX_DECISION} characters"]
        decision = Decision.model_validate(plain)
    except NotJson as error:
        return None, [f"the decision is not JSON: {error}"]
    except ValidationError as error:
        return None, [_line(e["loc"], e["msg"]) for e in error.errors(include_url=False, include_input=False)][:10]
    problems = []
    if decision.done and decision.tool_calls:
        problems.append("`done` is true beside tool calls: finish first, or call first")
    if not decision.done and not decision.tool_calls and not decision.message.strip():
        problems.append("the decision holds neither calls nor a message, and is not done")
    ids = Counter(call.id for call in decision.tool_calls)
    problems += [f"call id `{id_}` is used twice" for id_, times in sorted(ids.items()) if times > 1]
    return (None, problems) if problems else (decision, [])


def _line(location: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part) for part in location)
    return f"{where}: {message[:1].lower()}{message[1:]}" if where else message
