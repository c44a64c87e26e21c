"""`engine --server URL sessions`."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import click

from engine.cli.commands.erase import is_sure
from engine.cli.commands.sessions import one_or_last, show_session, show_sessions, show_stats
from engine.cli.console.options import format_option
from engine.cli.console.output import say
from engine.cli.console.trace_printer import line, print_json
from engine.cli.remote.client import Client, ServiceProblem, asking, client, part
from engine.cli.remote.follow import event_of
from engine.session.exit_code import FAILED, OK, USAGE
from engine.session.trace import entries, headline


@click.group("sessions")
def command() -> None:
    """List, show, verify and erase the sessions of a service."""


@command.command("list", epilog="Example: engine --server URL sessions list --state awaiting_human_review")
@click.option("--state", metavar="STATE", help="Only sessions in this state.")
@click.option("--limit", type=click.IntRange(1), help="At most so many; all unless given.")
@format_option("text", "json")
@asking
def list_(state: str | None, limit: int | None, output_format: str) -> int:
    """List sessions, newest first."""
    show_sessions(list(islice(client().pages("/v1/sessions", state=state), limit)), output_format)
    return OK


@command.command("stats", epilog="Example: engine --server URL sessions stats --format json")
@format_option("text", "json")
@asking
def stats(output_format: str) -> int:
    """Count sessions by agent, state and outcome."""
    rows = client().pages("/v1/sessions")
    show_stats(Counter((row["agent"], row["state"], row["outcome"]) for row in rows), output_format)
    return OK


@command.command("show", epilog="Example: engine --server URL sessions show ses_1234")
@one_or_last
@format_option("text", "json")
@asking
def show(session_id: str | None, output_format: str) -> int:
    """Show how a session stands: attributes, calls, requests, what it used of its budget."""
    service = client()
    found = service.get(f"/v1/sessions/{part(_named(service, session_id))}")
    if found.get("erased"):
        raise ServiceProblem(
            "erased", f"session {found['id']} is erased: what is left is that it ended, and its chain", FAILED
        )
    found.pop("seq")
    if output_format == "json":
        print_json(found)
    else:
        show_session(found)
    return OK


@command.command("events", epilog="Example: engine --server URL sessions events ses_1234 --format jsonl")
@one_or_last
@click.option("--after", type=click.IntRange(0), default=0, help="Only events after this number.")
@format_option("text", "json", "jsonl")
@asking
def events(session_id: str | None, after: int, output_format: str) -> int:
    """Print a session's log."""
    service = client()
    found = service.events(_named(service, session_id), after)
    if output_format == "json":
        print_json(entries(map(event_of, found)))
    for e in found if output_format != "json" else ():
        say(line(e) if output_format == "jsonl" else f"{e['seq']:>4}  {e['at']}  {e['kind']:<18} {headline(e)}")
    return OK


@command.command("verify", epilog="Example: engine --server URL sessions verify ses_1234")
@click.argument("session_id", metavar="ID")
@asking
def verify(session_id: str) -> int:
    """Look whether a session's log is whole, and as its key has sealed it."""
    problems = client().get(f"/v1/sessions/{part(session_id)}/verify")["problems"]
    for problem in problems:
        say(f"{session_id}: {problem}")
    say(f"{0 if problems else 1} session{'s are' if problems else ' is'} whole, {'1 is' if problems else '0 are'} not")
    return FAILED if problems else OK


@command.command("erase", epilog='Example: engine --server URL sessions erase ses_1234 --why "asked to"')
@click.argument("session_id", metavar="ID")
@click.option("--why", metavar="TEXT", required=True, help="Why; it is kept.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@asking
def erase(session_id: str, why: str, yes: bool) -> int:
    """Destroy what a session said; its chain still verifies."""
    if not yes and not is_sure(1):
        say("engine: nothing was erased", err=True)
        return FAILED
    done = client().post(f"/v1/sessions/{part(session_id)}/erasure", {"why": why})
    say(f"{done['id']}: {done['erased']} payloads are erased")
    return OK


def _named(service: Client, session_id: str | None) -> str:
    if session_id is not None:
        return session_id
    for row in service.pages("/v1/sessions"):
        return str(row["id"])
    raise ServiceProblem("no_such_session", "there is no session at the service; engine run starts one", USAGE)
