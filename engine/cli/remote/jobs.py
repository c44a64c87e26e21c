"""`engine --server URL jobs`."""

from __future__ import annotations

import click

from engine.cli.commands.jobs import show_job, show_jobs
from engine.cli.console.options import format_option
from engine.cli.console.output import say
from engine.cli.remote.client import asking, client, part
from engine.ports.records import JOB_STATUSES
from engine.session.exit_code import OK


@click.group("jobs")
def command() -> None:
    """List jobs, show one, try a dead one again, or give one up."""


@command.command("list", epilog="Example: engine --server URL jobs list --status dead")
@click.option("--status", type=click.Choice(JOB_STATUSES), help="Only those.")
@click.option("--session", "session_id", metavar="ID", help="Only those of a session.")
@format_option("text", "json")
@asking
def list_jobs(status: str | None, session_id: str | None, output_format: str) -> int:
    """Jobs, oldest first."""
    show_jobs(list(client().pages("/v1/jobs", status=status, session_id=session_id)), output_format)
    return OK


@command.command("show", epilog="Example: engine --server URL jobs show JOB")
@click.argument("job_id", metavar="JOB")
@format_option("text", "json")
@asking
def show(job_id: str, output_format: str) -> int:
    """One job, and what happened to it."""
    service = client()
    row = service.get(f"/v1/jobs/{part(job_id)}")
    about = row.pop("events", None)
    if about is None:
        log = service.events(row["session_id"])
        about = [event for event in log if event.get("call_id") == row["call_id"]]
    show_job(row, about, output_format)
    return OK


@command.command("retry", epilog="Example: engine --server URL jobs retry JOB")
@click.argument("job_id", metavar="JOB")
@asking
def retry(job_id: str) -> int:
    """Try a dead job once more, as a new call with the same input; the gate judges it again."""
    client().post(f"/v1/jobs/{part(job_id)}/retry", {})
    say("it is enqueued again; a worker runs it", err=True)
    return OK


@command.command("discard", epilog="Example: engine --server URL jobs discard JOB")
@click.argument("job_id", metavar="JOB")
@asking
def discard(job_id: str) -> int:
    """Give up a job that waits, or take a dead one off the list."""
    client().post(f"/v1/jobs/{part(job_id)}/discard", {})
    say("discarded; its session goes on", err=True)
    return OK
