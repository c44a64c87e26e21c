"""`engine jobs`: what waits for a worker, what failed for good, and what to do with it."""

from __future__ import annotations

from typing import Any

import click

from engine.access.rights import Right
from engine.api.shapes import job_shown
from engine.cli.console.actor import ActorClaim, actor_of, actor_option
from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.options import format_option, store_option
from engine.cli.console.output import say, say_lines
from engine.cli.console.trace_printer import table
from engine.ports.records import JOB_STATUSES
from engine.session.exit_code import USAGE
from engine.session.state.state import FINAL


@click.group(
    "jobs",
    epilog="""\b
Examples:
  engine jobs list --status dead
  engine jobs show JOB
  engine jobs retry JOB --as dana
  engine jobs discard JOB --as dana""",
)
def command() -> None:
    """List jobs, show one, try a dead one again, or give one up."""


@command.command("list")
@click.option("--status", type=click.Choice(JOB_STATUSES), help="Only those.")
@click.option("--session", "session_id", metavar="ID", help="Only those of a session.")
@format_option("text", "json")
@store_option
@asynchronous
async def list_jobs(status: str | None, session_id: str | None, output_format: str, store_url: str) -> int:
    """Jobs, oldest first."""
    from engine.cli.console.app import open_app

    async with open_app(store_url, drives=False) as app:
        rows = await app.store.jobs(status, session_id)
        show_jobs([job_shown(row) for row in rows], output_format)
    return app.exit_code


def show_jobs(rows: list[dict[str, Any]], output_format: str) -> None:
    """Print jobs as lists have them."""
    from engine.language.value import pretty

    if output_format == "json":
        say_lines(pretty(rows))
        return
    if not rows:
        say("no jobs", err=True)
    cells = [[r["id"], r["status"], r["tool"], str(r["attempts"]), r.get("problem") or r["reason"]] for r in rows]
    table("jobs", ["id", "status", "tool", "attempts", "reason"], cells)


@command.command("show")
@click.argument("job_id", metavar="JOB")
@format_option("text", "json")
@store_option
@asynchronous
async def show(job_id: str, output_format: str, store_url: str) -> int:
    """One job, and what happened to it."""
    from engine.cli.console.app import open_app
    from engine.session.trace import entry

    async with open_app(store_url, drives=False) as app:
        row = await app.store.job(job_id)
        if row is None:
            app.code = _unknown(job_id)
        else:
            log = await app.store.load(row.session_id)
            about = [entry(event) for event in log if event.payload.get("call_id") == row.call_id]
            show_job(job_shown(row), about, output_format)
    return app.exit_code


def show_job(row: dict[str, Any], about: list[dict[str, Any]], output_format: str) -> None:
    """Print a job, and the entries of the log that are about it."""
    from engine.language.value import one_line, pretty
    from engine.session.trace import headline

    if output_format == "json":
        say_lines(pretty({**row, "events": about}))
        return
    for name, value in row.items():
        say(f"{name:<12} {value if isinstance(value, str) else one_line(value)}")
    for found in about:
        say(f"{found['seq']:>4} {found['at']} {found['kind']}: {headline(found)}")


@command.command("retry")
@click.argument("job_id", metavar="JOB")
@actor_option
@store_option
def retry(job_id: str, claim: ActorClaim, store_url: str) -> None:
    """Try a dead job once more, as a new call with the same input; the gate judges it again."""
    _act(job_id, store_url, claim, "retry")


@command.command("discard")
@click.argument("job_id", metavar="JOB")
@actor_option
@store_option
def discard(job_id: str, claim: ActorClaim, store_url: str) -> None:
    """Give up a job that waits, or take a dead one off the list."""
    _act(job_id, store_url, claim, "discard")


@asynchronous
async def _act(job_id: str, store_url: str, claim: ActorClaim, what: str) -> int:
    from engine.cli.console.app import open_app

    async with open_app(store_url) as app:
        row = await app.store.job(job_id)
        if row is None:
            app.code = _unknown(job_id)
        elif what == "retry":
            who = await actor_of(app, claim, Right.OPERATE_JOBS, "retry_job", row.id, row.session_id)
            await app.engine.retry_job(row.session_id, row.call_id, who.name)
            say("it is enqueued again; a worker runs it: engine worker", err=True)
        else:
            who = await actor_of(app, claim, Right.OPERATE_JOBS, "discard_job", row.id, row.session_id)
            await app.engine.discard_job(row.session_id, row.call_id, who.name)
            over = (await app.store.session(row.session_id)).state in FINAL
            on = "; its session is over" if over else f"; its session goes on with: engine resume {row.session_id}"
            say(f"discarded{on}", err=True)
    return app.exit_code


def _unknown(job_id: str) -> int:
    say(f"engine: there is no job {job_id}; see: engine jobs list", err=True)
    return USAGE
