"""W607: budget can't be reached."""

from __future__ import annotations

from collections.abc import Iterator

from engine.bundle.link.whole_bundle import WholeBundle
from engine.diagnostic import Diagnostic, Manual, Place, Severity
from engine.language.value import duration_text
from engine.spec.bundle import Agent

MANUAL = Manual(
    code="W607",
    title="budget can't be reached",
    what="Another limit ends the session before this one can be used up.",
    why="Whoever raises or lowers it changes nothing, and believes otherwise.",
    wrong="""\
budgets:
  steps: 2
  calls_per_step: 3
  calls: 20
""",
    right="""\
budgets:
  steps: 2
  calls_per_step: 3
  calls: 6
""",
    severity=Severity.WARNING,
)


def at(place: Place, limit: str, why: str) -> Diagnostic:
    """The limit."""
    return MANUAL.at(
        place,
        f"the limit `{limit}` can't be reached: {why}",
        help="lower it, or raise what ends the session before",
    )


def check(whole: WholeBundle) -> Iterator[Diagnostic]:
    """Limits that an agent writes down and that another one keeps from ever being met."""
    for document, agent in whole.each_agent():
        declared = document.node.get("budgets")
        for name, why in _beyond(agent) if declared is not None else ():
            owner, _, tool = name.partition(".")
            node = declared.get(owner) if declared is not None else None
            node = node.get(tool) if node is not None and tool else node
            if node is not None:
                yield at(node.place, name, why)


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
