"""Parts of payloads, and what several folds do to the state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from engine.session.state.persistent import AppendOnlyList, copy_with
from engine.session.state.state import Call, MeterTotals, State, Used
from engine.spec.bundle import WRITE


class UsagePart(TypedDict):
    """What one question to a planner took, or is to take at the most."""

    tokens: int
    cost_usd: Any


class FactPart(TypedDict):
    """A read that a gate waits for, and since which event; one that is not `read` is under way or was done."""

    fact: str
    key: str
    tool: str
    input: dict[str, Any]
    gate: int
    read: bool


class ReservedPart(TypedDict):
    """What a call adds to a meter and what its limit is; with a `key` and more where sessions share it."""

    meter: str
    amount: Any
    limit: Any


class ProposalPart(TypedDict):
    """A call of a decision."""

    id: str
    name: str
    input: dict[str, Any]


def with_call(state: State, call: Call, **changes: Any) -> State:
    """The state with some fields of a call changed."""
    return copy_with(state, calls=state.calls.with_item(call.id, copy_with(call, **changes)))


def with_reserved(state: State, call: Call, reserved: list[ReservedPart]) -> State:
    """The state after a call has taken its part of the session's meters."""
    for entry in reserved:
        metered = state.used.meters.get(entry["meter"], MeterTotals()).with_item(call.id, entry["amount"])
        state = copy_with(state, used=copy_with(state.used, meters={**state.used.meters, entry["meter"]: metered}))
    return state


def with_count(state: State, tool: str, amount: int) -> Used:
    """The ledger with so many calls of a tool more."""
    per_tool = state.used.calls_per_tool
    return copy_with(
        state.used, calls=state.used.calls + amount, calls_per_tool={**per_tool, tool: per_tool.get(tool, 0) + amount}
    )


def appended(
    logs: Mapping[str, AppendOnlyList[Mapping[str, Any]]], tool: str, entry: Mapping[str, Any]
) -> Mapping[str, AppendOnlyList[Mapping[str, Any]]]:
    """The logs by tool with one more entry for a tool."""
    return {**logs, tool: (logs.get(tool) or AppendOnlyList()).with_item(entry)}


def doubtful(call: Call, acted: bool) -> bool:
    """Whether nobody knows of an attempt of a write if it acted: one was `acted` maybe, or is gone with who ran it."""
    return call.in_doubt or (acted and call.effect is WRITE)


def result_entry(call: Call) -> dict[str, Any]:
    """How a call ended, with the words of its log."""
    result = call.result
    assert result is not None, "a call ends with its result"
    return {
        "id": call.id,
        "input": call.input,
        "status": result.status.value,
        "reason": result.reason,
        "message": result.message,
        "output": result.output,
        "rule": result.rule,
    }
