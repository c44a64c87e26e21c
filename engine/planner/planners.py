"""The planner for a kind."""

from __future__ import annotations

from engine.planner.rules import RulesPlanner
from engine.planner.scripted import ScriptedPlanner
from engine.ports import Planner
from engine.session.bundle import PlannerSpec


def planner_for(spec: PlannerSpec) -> Planner:
    """A planner that proposes as the spec says."""
    return RulesPlanner(spec) if spec.kind == "rules" else ScriptedPlanner(spec)
