"""`engine run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.console.assignments import assignments
from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.bundle import agent_of, load_or_exit
from engine.cli.console.options import bundle_argument, detach_option, format_option, store_option
from engine.cli.console.output import say
from engine.diagnostic import did_you_mean
from engine.session.exit_code import USAGE
from engine.spec.bundle import Agent, Bundle

if TYPE_CHECKING:
    from engine.cli.console.app import Models
    from engine.runtime.opening import Opening


@click.command(
    "run",
    epilog="""\b
Examples:
  engine run --agent support-triage -m "I was charged twice" --set tenant=acme --set account_id=acct_1001
  engine run --agent support-triage -m "..." --set tenant=acme --set account_id=acct_1002 --format json
  engine run --agent support-triage --batch messages.jsonl --set tenant=acme --set account_id=acct_1005""",
)
@bundle_argument
@click.option("--agent", "agent_name", metavar="NAME", help="Which agent; needed if the bundle has several.")
@click.option("-m", "--message", metavar="TEXT", help="What the user says.")
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True, help="An attribute of the session.")
@click.option("--planner", metavar="NAME", help="One of the agent's planners.")
@click.option("--as", "name", metavar="NAME", help="Who starts it; the customer unless given.")
@click.option(
    "--batch",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='A session for each line: {"message": ..., "attributes": {...}}',
)
@click.option(
    "--concurrency", type=click.IntRange(1), default=16, show_default=True, help="Sessions at once (--batch)."
)
@click.option(
    "--record",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep what is asked of models, and what they answer, without secrets.",
)
@click.option(
    "--replay-model",
    "replay",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Answer from such a recording, offline, in the place of models.",
)
@detach_option
@format_option("text", "json", "jsonl")
@store_option
def command(
    bundle: Path,
    agent_name: str | None,
    message: str | None,
    settings: tuple[str, ...],
    planner: str | None,
    name: str | None,
    batch: Path | None,
    concurrency: int,
    record: Path | None,
    replay: Path | None,
    detach: bool,
    output_format: str,
    store_url: str,
) -> None:
    """Run one session and show its trace, or with --batch one for each line of a file.

    \b
    Exits 0 when it is done, 1 failed, 3 waiting for somebody, 4 out of budget or timed out,
    130 interrupted.
    """
    if (message is None) == (batch is None):
        raise click.UsageError("give either -m TEXT or --batch FILE")
    if record is not None and replay is not None:
        raise click.UsageError("give either --record or --replay-model")
    if detach and (batch is not None or record is not None or replay is not None):
        raise click.UsageError("--detach goes with -m alone: what it starts is driven by a worker, not by this process")
    checked, _ = load_or_exit(bundle)
    agent = agent_of(checked, agent_name)
    if planner is not None and planner not in agent.planners:
        raise click.UsageError(
            f"agent {agent.name} has no planner `{planner}`; {did_you_mean(planner, agent.planners)}"
        )
    attributes = assignments(settings, agent.attributes, "--set")

    from engine.cli.console.app import Models
    from engine.runtime.opening import Opening

    models = Models(record, replay)
    if batch is not None:
        from engine.cli.commands.batch import read_lines, run_batch

        openings = read_lines(batch, agent, attributes, planner, name)
        raise SystemExit(run_batch(store_url, checked, bundle, openings, concurrency, output_format, models))
    _check(agent, attributes)
    assert message is not None
    opening = Opening(agent.name, message, attributes, planner, name)
    if detach:
        _start(checked, opening, bundle, output_format, store_url)
    _run(checked, opening, bundle, models, output_format, store_url)


@asynchronous
async def _run(
    checked: Bundle, opening: Opening, root: Path, models: Models, output_format: str, store_url: str
) -> int:
    """Start a session and drive it until it waits or is over."""
    from engine.cli.console.app import open_app
    from engine.cli.console.drive import drive_on
    from engine.cli.console.trace_printer import Printer

    async with open_app(store_url, printer=Printer(output_format), models=models, make=True) as app:
        await app.engine.prepare(checked, opening.agent, opening.planner)
        session_id = await app.engine.start(checked, opening, root)
        app.code = await drive_on(app, session_id)
    return app.exit_code


@asynchronous
async def _start(checked: Bundle, opening: Opening, root: Path, output_format: str, store_url: str) -> int:
    """Start a session and leave it to a worker."""
    from engine.cli.console.app import open_app
    from engine.cli.console.detach import check_store_for_worker, leave_to_worker

    check_store_for_worker(store_url)
    async with open_app(store_url, make=True) as app:
        session_id = await app.engine.start(checked, opening, root)
        leave_to_worker(session_id, output_format)
    return app.exit_code


def _check(agent: Agent, attributes: dict[str, object]) -> None:
    problems = agent.check_attributes(attributes)
    if problems:
        say(f"engine: the session's attributes do not fit agent {agent.name}:", err=True)
        for problem in problems:
            say(f"  {problem}", err=True)
        known = ", ".join(agent.attributes.get("properties", {}))
        say(f"  set them with --set NAME=VALUE; it knows: {known}", err=True)
        raise SystemExit(USAGE)
