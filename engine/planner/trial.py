"""One small question to a planner's model, to find out before any session whether its server can do what is asked.

Where the server refuses a parameter, what stands for it is altered, one thing after the other: what it takes in the
end is what the planner should say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import trio

from engine.planner.answer import Fault, ModelAnswer
from engine.planner.answer_format import JSON_SCHEMA, TOOLS
from engine.planner.decision import decision
from engine.planner.model import asked_of
from engine.planner.offer import overhead_tokens
from engine.planner.prompt import BadPrompt, Prompt
from engine.planner.resources import PlannerResources
from engine.planner.turns import RuntimeNote
from engine.planner.wires import wire_for
from engine.ports.planner import PlannerError
from engine.ports.resources import EnvironmentFault
from engine.spec.bundle import Agent, Bundle
from engine.spec.planner_spec import ModelSpec

SYSTEM = "You are asked whether you can answer in the form that is wanted."
QUESTION = "Say hello, and be done."

MOST_CHANGES = 4

OK, ALTERED = "ok", "ok_if_changed"

# what a server refuses, and what the planner says instead: the change, and how it is written
SpecChange = tuple[Callable[[ModelSpec], ModelSpec], str]


def _answers(spec: ModelSpec) -> SpecChange:
    other = TOOLS if spec.answers == JSON_SCHEMA else JSON_SCHEMA
    return lambda one: replace(one, answers=other, strict=False), f"answers: {other}"


def _limit(key: str) -> Callable[[ModelSpec], SpecChange]:
    return lambda spec: (lambda one: replace(one, limit_key=key), f"answer_limit: {key}")


def _without(field: str) -> Callable[[ModelSpec], SpecChange]:
    def change(spec: ModelSpec) -> SpecChange:
        nothing: Mapping[str, object] = {field: None}
        return lambda one: replace(one, **nothing), f"no `{field}`"

    return change


_CHANGES: Mapping[str, Callable[[ModelSpec], SpecChange]] = {
    "max_tokens": _limit("max_completion_tokens"),
    "max_completion_tokens": _limit("max_tokens"),
    "temperature": _without("temperature"),
    "top_p": _without("top_p"),
    "reasoning_effort": _without("reasoning_effort"),
    "stream_options": lambda spec: (lambda one: replace(one, stream_usage=False), "stream_usage: false"),
    "stream": lambda spec: (lambda one: replace(one, stream=False), "stream: false"),
    "strict": lambda spec: (lambda one: replace(one, strict=False), "strict: false"),
    "response_format": _answers,
    "json_schema": _answers,
    "tools": _answers,
    "tool_choice": _answers,
}


@dataclass(frozen=True, slots=True)
class PlannerTrial:
    """What came of it: `ok`, `ok_if_changed`, or the name of the fault and what it says.

    `write` are the lines that the planner should have, for its server to take what it is asked.
    """

    planner: str
    model: str
    status: str
    message: str = ""
    write: tuple[str, ...] = ()


async def try_out(agent: Agent, name: str, bundle: Bundle, reach: PlannerResources) -> PlannerTrial:
    """Ask the model of a planner one question, in the shape and for the tools that a session would."""
    spec = agent.planners[name]
    assert spec.model is not None, "only models are tried out"
    model = spec.model
    write: list[str] = []
    first = ""
    while True:
        try:
            await _ask(spec.kind, model, agent, bundle, reach)
        except trio.TooSlowError:
            seconds = model.timeout.total_seconds()
            return PlannerTrial(name, model.model, "timeout", f"there was no answer within {seconds:g} s")
        except Fault as fault:
            said = reach.secrets.masked(fault.message)
            make = _CHANGES.get(fault.refused or "") if fault.status == "rejected" else None
            change, line = make(model) if make is not None else (None, "")
            # the same request would be refused again
            if change is None or change(model) == model or line in write or len(write) >= MOST_CHANGES:
                told = f"{first[:300]}; with {', '.join(write)}: {said}" if write else said
                return PlannerTrial(name, model.model, fault.status, told[:500])
            first = first or said
            write.append(line)
            model = change(model)
            continue
        except (PlannerError, EnvironmentFault, BadPrompt) as error:
            return PlannerTrial(name, model.model, "not_asked", reach.secrets.masked(str(error))[:500])
        if write:
            message = f"its server takes other keys; write in the planner: {', '.join(write)}"
            return PlannerTrial(name, model.model, ALTERED, message, tuple(write))
        return PlannerTrial(name, model.model, OK)


async def _ask(kind: str, model: ModelSpec, agent: Agent, bundle: Bundle, reach: PlannerResources) -> None:
    """One request and the reading of its answer; raises Fault and what a wire raises."""
    asked, answer = asked_of(model, agent, bundle), ModelAnswer()
    overhead = overhead_tokens(kind, asked, model.extra_body)
    prompt = Prompt(f"{SYSTEM}\n{asked.rules}", (RuntimeNote(QUESTION),), "What do you do next?", overhead=overhead)
    prompt.check(model.max_prompt_tokens)
    wire = await wire_for(kind, model, reach)
    with trio.fail_after(model.timeout.total_seconds()):
        await wire.ask(prompt, asked, answer, lambda: None)
    decision(answer, asked, 1)
