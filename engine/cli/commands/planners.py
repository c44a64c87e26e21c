"""`engine planners`: are the models there, and can they do what they are asked for."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.console.options import bundle_argument, format_option
from engine.cli.console.output import say
from engine.session.exit_code import FAILED, OK


@click.group(
    "planners",
    epilog="""\b
Example: engine planners check""",
)
def command() -> None:
    """Ask models whether they can do what their planners need."""


@command.command("check", epilog="Example: engine planners check my-agent --format json")
@bundle_argument
@format_option("text", "json")
def check(bundle: Path, output_format: str) -> None:
    """Ask each model one small question, in the shape that its planner wants; it costs a few tokens.

    Exits 1 if one of them can't answer: the server is away, the key is wrong, or it does not know the shape.
    """
    import trio

    from engine.cli.console.bundle import load_or_exit
    from engine.cli.console.trace_printer import print_json, table
    from engine.planner.resources import PlannerResources
    from engine.planner.trial import PlannerTrial, try_out
    from engine.runtime.connections import ConnectionPool
    from engine.runtime.effect_runner import random_fraction
    from engine.runtime.host_secrets import HostSecrets

    checked, _ = load_or_exit(bundle)
    models = [(agent, name) for agent in checked.agents.values() for name, p in agent.planners.items() if p.model]
    found: list[tuple[str, PlannerTrial]] = []

    async def ask() -> None:
        async with ConnectionPool() as connections:
            reach = PlannerResources(HostSecrets(), connections, random_fraction)
            for agent, name in models:
                found.append((agent.name, await try_out(agent, name, checked, reach)))

    trio.run(ask)
    if output_format == "json":
        print_json(
            [
                {
                    "agent": a,
                    "planner": t.planner,
                    "model": t.model,
                    "status": t.status,
                    "message": t.message,
                    "write": list(t.write),
                }
                for a, t in found
            ]
        )
    elif found:
        columns = ["agent", "planner", "model", "status", "message"]
        table("planners", columns, [[a, t.planner, t.model, t.status, t.message] for a, t in found])
    else:
        say("no planner of the bundle asks a model", err=True)
    raise SystemExit(OK if all(trial.status == "ok" for _, trial in found) else FAILED)
