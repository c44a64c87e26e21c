"""The planner for a kind."""

from __future__ import annotations

from engine.extras import MissingExtra, missing_kind
from engine.planner.resources import PlannerContext, PlannerResources
from engine.ports.kinds import UnusableKind, planner_kind
from engine.ports.planner import Planner
from engine.spec.bundle import Agent, Bundle


def planner_for(agent: Agent, name: str, bundle: Bundle, reach: PlannerResources) -> Planner:
    """The planner of an agent that has this name; raises EnvironmentFault where nothing that is installed is it."""
    spec = agent.planners[name]
    try:
        kind = planner_kind(spec.kind)
        if kind is None:
            raise missing_kind("planner", spec.kind)
        made: Planner = kind.load()(spec, PlannerContext(name, agent, bundle, reach))
    except UnusableKind as error:
        raise MissingExtra(str(error)) from error
    return made
