"""Another planner asked the questions of past sessions: what it would have proposed beside what was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.planner.planners import planner_for
from engine.planner.resources import PlannerResources
from engine.ports.planner import LogPlanner, PlannerError, Proposal
from engine.session.planner_view import planner_view
from engine.session.state.event import Event, EventKind
from engine.session.state.evolve import evolve
from engine.session.state.state import State
from engine.session.wire_models import read_decision
from engine.spec.bundle import Bundle

NOTHING, FINISHED = "(replies)", "(done)"


@dataclass(frozen=True, slots=True)
class ReplanQuestion:
    """A question that a planner answered: the state it was asked in, the log before it, and the decision."""

    state: State
    before: tuple[Event, ...]
    decided: Event


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, and what another planner would choose: the tools of the calls, or a word for none.

    `problem` says why there is no other choice.
    """

    session_id: str
    step: int
    was: str
    would: str
    same_input: bool
    problem: str = ""

    @property
    def same(self) -> bool:
        """Whether the same tools are chosen."""
        return self.was == self.would

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "session_id": self.session_id,
            "step": self.step,
            "was": self.was,
            "would": self.would,
            "same_tools": self.same,
            "same_input": self.same_input,
            "problem": self.problem,
        }


def questions(log: Sequence[Event], step: int | None = None) -> Iterator[ReplanQuestion]:
    """The questions of a log, of one step if it is named."""
    state: State | None = None
    for number, event in enumerate(log):
        if event.kind is EventKind.DECISION_RECORDED and state is not None and step in (None, event.step):
            yield ReplanQuestion(state, tuple(log[:number]), event)
        state = evolve(state, event)


async def decided(question: ReplanQuestion, bundle: Bundle, planner: str, reach: PlannerResources) -> Any:
    """What a planner of a bundle answers to a past question, unchecked; raises PlannerError."""
    state = question.state
    made = planner_for(bundle.agents[state.agent], planner, bundle, reach)
    view = planner_view(state, bundle)
    if isinstance(made, LogPlanner):
        found: Any = await made.consider(view, question.before, lambda text: None)
    else:
        found = await made.propose(view)
    return found.decision if isinstance(found, Proposal) else found


async def ask_again(question: ReplanQuestion, bundle: Bundle, planner: str, reach: PlannerResources) -> Choice:
    """Ask a planner of a bundle a past question; nothing is recorded, and no tool runs."""
    state, was = question.state, question.decided.payload["tool_calls"]
    named = chosen(question.decided.payload)
    try:
        decision, problems = read_decision(await decided(question, bundle, planner, reach))
    except PlannerError as error:
        return Choice(state.session_id, state.step, named, "(nothing)", False, str(error))
    if decision is None:
        return Choice(state.session_id, state.step, named, "(out of contract)", False, "; ".join(problems))
    told = {"tool_calls": [{"name": c.name, "input": c.input} for c in decision.tool_calls], "done": decision.done}
    inputs = [[call["name"], call["input"]] for call in was] == [[c.name, c.input] for c in decision.tool_calls]
    return Choice(state.session_id, state.step, named, chosen(told), inputs)


def chosen(decision: Any) -> str:
    """The tools of a decision in their order, or that it replies or is done."""
    names = [call["name"] for call in decision["tool_calls"]]
    return ", ".join(names) if names else FINISHED if decision["done"] else NOTHING
