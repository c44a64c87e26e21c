"""What is asked of the meters that sessions share, so that rules see what all of them have added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.language.arithmetic import EvaluationError, is_number
from engine.language.value import canonical, duration_text, jsonable
from engine.policy.bindings import METER
from engine.session.state.state import Call, State
from engine.spec.bundle import Agent, Meter


def shared_questions(state: State, call: Call, agent: Agent) -> dict[str, dict[str, Any]]:
    """By meter the question for a call: the key that its amounts have in the store, and the window they count for."""
    found: dict[str, dict[str, Any]] = {}
    for meter in agent.meters:
        if call.name in meter.per:
            try:
                found[meter.name] = {
                    "meter": meter.name,
                    "of": call.name,
                    "key": meter_key(state, meter, call),
                    "window": duration_text(meter.window) if meter.window is not None else None,
                }
            except EvaluationError:
                continue
    return found


def meter_key(state: State, meter: Meter, call: Call) -> str:
    """What tells the amounts of one customer, say, from those of others; raises EvaluationError."""
    names = {"input": call.input, "session": state.attributes}
    return canonical([state.attributes.get("tenant"), meter.name, jsonable(meter.per[call.name].value(names))])


def is_meter(tool: str) -> bool:
    """Whether what stands for a tool is a meter: no tool has a dot in its name."""
    return tool.startswith(METER)


def checked_reading(output: Any) -> tuple[Any, str]:
    """What the store says of a meter, and what is wrong with it."""
    sound = isinstance(output, Mapping) and is_number(output.get("used"))
    return (output, "") if sound else (None, "the store did not say what was added")
