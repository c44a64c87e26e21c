"""`engine validate --environment`: what a bundle's agents need of where they run, and whether it is here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.cli.console.output import say
from engine.cli.console.trace_printer import print_json, table
from engine.runtime.environment import needs, problem
from engine.runtime.host_secrets import HostSecrets
from engine.session.exit_code import FAILED, OK
from engine.spec.bundle import Agent, Bundle


@dataclass(slots=True)
class _NeedRow:
    """One thing that an agent needs: who of it does, and why it is not there or can't be used."""

    agent: str
    kind: str
    name: str
    optional: bool = True
    by: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def status(self) -> str:
        return "there" if not self.problems else "missing, optional" if self.optional else "missing"

    def payload(self) -> dict[str, Any]:
        return {
            "agent": self.agent,
            "kind": self.kind,
            "name": self.name,
            "for": self.by,
            "status": self.status,
            "problem": "; ".join(self.problems),
        }

    def cells(self) -> list[str]:
        return [self.agent, self.kind, self.name, ", ".join(self.by), self.status, "; ".join(self.problems)]


def show(bundle: Bundle, root: Path, output_format: str) -> int:
    """Print what each agent needs with all its planners and tools; exit code 1 if something is missing."""
    secrets = HostSecrets()
    rows = [row for agent in bundle.agents.values() for row in _rows(bundle, agent, root, secrets)]
    if output_format == "json":
        print_json([row.payload() for row in rows])
    elif rows:
        table("environment", ["agent", "kind", "name", "for", "status", "problem"], [row.cells() for row in rows])
    else:
        say("the bundle needs no secret, no extra and no program")
    return FAILED if any(row.status == "missing" for row in rows) else OK


def _rows(bundle: Bundle, agent: Agent, root: Path, secrets: HostSecrets) -> list[_NeedRow]:
    found: dict[tuple[str | None, ...], _NeedRow] = {}
    for need in needs(bundle, agent, agent.planners, agent.tools):
        # a program is another one elsewhere
        one = (need.kind, need.name, need.path, need.folder)
        row = found.setdefault(one, _NeedRow(agent.name, need.kind, need.name))
        row.optional &= need.optional
        row.by += [need.by] if need.by not in row.by else []
        why = problem(need, secrets, root)
        row.problems += [why] if why and why not in row.problems else []
    return list(found.values())
