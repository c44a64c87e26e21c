"""One small question to a planner's model, to find out before any session whether its server can do what is asked."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from engine.planner.answer import Answer, Asked, Fault, decision
from engine.planner.planners import Reach, wire_for
from engine.planner.prompt import Prompt
from engine.ports import PlannerError
from engine.reach import MissingSecret
from engine.session.bundle import Agent, Bundle

QUESTION = Prompt("You are asked whether you can answer in the form that is wanted.", "Say hello, and be done.")


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it: `ok`, or the name of the fault and what it says."""

    planner: str
    model: str
    status: str
    message: str = ""


async def try_out(agent: Agent, name: str, bundle: Bundle, reach: Reach) -> Trial:
    """Ask the model of a planner one question, in the shape and for the tools that a session would."""
    spec = agent.planners[name]
    assert spec.model is not None, "only models are tried out"
    model = spec.model
    tools = tuple(bundle.tools[tool] for tool in agent.tools)
    asked, answer = Asked(model.answers, tools, agent.limits.calls_per_step or 8, model.max_text), Answer()
    prompt = Prompt(f"{QUESTION.system}\n{asked.rules}", QUESTION.question)
    try:
        wire = await wire_for(spec.kind, model, reach)
        with trio.fail_after(model.timeout.total_seconds()):
            await wire.ask(prompt, asked, answer, lambda: None)
        decision(answer, asked, 1)
    except trio.TooSlowError:
        return Trial(name, model.model, "timeout", f"there was no answer within {model.timeout.total_seconds():g} s")
    except Fault as fault:
        return Trial(name, model.model, fault.status, reach.secrets.masked(fault.message)[:500])
    except (PlannerError, MissingSecret) as error:
        return Trial(name, model.model, "not_asked", reach.secrets.masked(str(error))[:500])
    return Trial(name, model.model, "ok")
