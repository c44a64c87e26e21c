"""What a planner gets to see of a session, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.session.budget_notices import Notice, notices
from engine.session.expression_names import planner_names
from engine.session.handles import Handles, handles_of
from engine.session.state.state import State
from engine.spec.bundle import Bundle


@dataclass(frozen=True, slots=True)
class PlannerView:
    """One question to a planner: `ask` counts them, `problems` is what was wrong with its last answer.

    `finishing` says that this is the last turn: no call will run.  `notices` are the limits of which at least 80 %
    are used, with what is left.  Where `handles` are, they stand in the place of what is sensitive.
    """

    session_id: str
    ask: int
    step: int
    messages: tuple[str, ...]
    problems: tuple[str, ...]
    names: Mapping[str, Any]
    notices: tuple[Notice, ...] = ()
    finishing: bool = False
    handles: Handles | None = None


def planner_view(state: State, bundle: Bundle) -> PlannerView:
    """The question that a session in this state asks its planner."""
    handles = handles_of(state, bundle)
    return PlannerView(
        state.session_id,
        state.asks,
        state.step,
        tuple(handles.within(list(state.messages)) if handles is not None else state.messages),
        tuple(map(handles.own, state.problems) if handles is not None else state.problems),
        planner_names(state, bundle, handles),
        notices(state),
        state.finishing,
        handles,
    )
