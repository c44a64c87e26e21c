"""`engine sessions`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from engine.api.shapes import session_listed, session_shown
from engine.cli.commands import verify
from engine.cli.commands.erase import erase, export
from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.options import format_option, store_option
from engine.cli.console.output import say
from engine.cli.console.trace_printer import line, print_json, table
from engine.policy.approvals import whom

if TYPE_CHECKING:
    from engine.cli.console.app import App


@click.group("sessions")
def command() -> None:
    """List, show, verify, export and erase sessions."""


command.add_command(erase)
command.add_command(export)


for _check in verify.COMMANDS:
    command.add_command(_check)


def one_or_last(function: Callable[..., None]) -> Callable[..., None]:
    """The session that is meant: ID, or the newest by --last."""
    option = click.option("--last", is_flag=True, help="The newest session, in the place of ID.")
    argument = click.argument("session_id", metavar="[ID]", required=False)

    @wraps(function)
    def command(session_id: str | None, last: bool, **more: Any) -> None:
        if (session_id is None) is not last:
            raise click.UsageError("name a session by its ID, or take the newest with --last")
        function(session_id=session_id, **more)

    return argument(option(command))


@command.command("list", epilog="Example: engine sessions list --state awaiting_human_review --format json")
@click.option("--state", metavar="STATE", help="Only sessions in this state.")
@click.option("--limit", type=click.IntRange(1), help="At most so many; all unless given.")
@format_option("text", "json")
@store_option
@asynchronous
async def list_(state: str | None, limit: int | None, output_format: str, store_url: str) -> int:
    """List sessions, newest first."""

    from engine.cli.console.app import open_app

    async with open_app(store_url, drives=False) as app:
        rows = await app.store.sessions(limit, state)
        show_sessions([session_listed(row) for row in rows], output_format)
    return app.exit_code


def show_sessions(rows: list[dict[str, Any]], output_format: str) -> None:
    """Print sessions as lists have them."""
    if output_format == "json":
        print_json(rows)
        return
    names = ["id", "agent", "state", "outcome"]
    cells = [[*(row[name] for name in names), _moment(row["created_at"]), str(row["events"])] for row in rows]
    table("sessions", [*names, "started", "events"], cells)


@command.command("show", epilog="Example: engine sessions show ses_1234")
@one_or_last
@format_option("text", "json")
@store_option
@asynchronous
async def show(session_id: str | None, output_format: str, store_url: str) -> int:
    """Show how a session stands: attributes, calls, requests, what it used of its budget."""

    from engine.cli.console.app import open_app

    async with open_app(store_url) as app:
        named = await _named(app, session_id)
        await check_not_erased(app, named)
        found = session_shown(await app.engine.look(named))
        if output_format == "json":
            print_json(found)
        else:
            show_session(found)
    return app.exit_code


@command.command("events", epilog="Example: engine sessions events ses_1234 --format jsonl")
@one_or_last
@click.option("--after", type=click.IntRange(0), default=0, help="Only events after this number.")
@format_option("text", "json", "jsonl")
@store_option
@asynchronous
async def events(session_id: str | None, after: int, output_format: str, store_url: str) -> int:
    """Print a session's log."""

    from engine.cli.console.app import open_app

    async with open_app(store_url, drives=False) as app:
        from engine.session.trace import entries, entry, headline

        log = await app.store.load(await _named(app, session_id), after)
        if output_format == "json":
            print_json(entries(log))
        for event in log if output_format != "json" else ():
            e = entry(event)
            text = line(e) if output_format == "jsonl" else f"{e['seq']:>4}  {e['at']}  {e['kind']:<18} {headline(e)}"
            say(text)
    return app.exit_code


@command.command("stats", epilog="Example: engine sessions stats --format json")
@format_option("text", "json")
@store_option
@asynchronous
async def stats(output_format: str, store_url: str) -> int:
    """Count sessions by agent, state and outcome."""

    from engine.cli.console.app import open_app

    async with open_app(store_url, drives=False) as app:
        counts = Counter((r.agent, r.state, r.outcome) for r in await app.store.sessions())
        show_stats(counts, output_format)
    return app.exit_code


def show_stats(counts: Counter[tuple[str, str, str]], output_format: str) -> None:
    """Print how many sessions there are by agent, state and outcome."""
    columns, rows = ["agent", "state", "outcome", "sessions"], [(*key, count) for key, count in counts.most_common()]
    if output_format == "json":
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        table("sessions", columns, [[str(cell) for cell in row] for row in rows])


async def check_not_erased(app: App, session_id: str) -> None:
    """Raise NotAllowed for a session of which nothing can be told any more."""
    from engine.runtime.errors import NotAllowed
    from engine.runtime.retention import is_erased
    from engine.session.state.inputs import InputRefused

    if await is_erased(app.store, session_id):
        row = await app.store.session(session_id)
        told = f"session {session_id} is erased: what is left is that it ended ({row.outcome}), and its chain"
        raise NotAllowed(InputRefused("erased", told))


async def _named(app: App, session_id: str | None) -> str:
    """The session of an id, or the newest; raises NotAllowed."""
    if session_id is not None:
        return session_id
    for row in await app.store.sessions(1):
        return row.id
    from engine.runtime.errors import NotAllowed
    from engine.session.state.inputs import InputRefused

    raise NotAllowed(InputRefused("no_such_session", "there is no session in the store; engine run starts one"))


def _moment(at: datetime | str | None) -> str:
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment is not None else "damaged"


def _asked_of(request: dict[str, Any]) -> str:
    return f" of {whom(request['groups'], request['names'])}" if request["groups"] else ""


def show_session(found: dict[str, Any]) -> None:
    """Print how a session stands."""
    from engine.language.value import jsonable

    names = ["id", "agent", "state", "outcome", "message", "started_by", "attributes", "used"]
    if found["cancelled_by"] is not None:
        names.insert(5, "cancelled_by")
    for name in names:
        value = jsonable(found[name])
        say(f"{name:<11} {value if isinstance(value, str) else line(value)}")
    for message in found["messages"]:
        say(f"{'user':<11} {message}")
    for call in found["calls"]:
        status = " ".join(part for part in (call["status"] or call["phase"], call["reason"]) if part)
        say(f"{'call':<11} step {call['step']} {call['tool']} {line(call['input'])}: {status}")
    for request in found["requests"]:
        say(f"{'request':<11} {request['id']} {request['kind']} ({request['status']}){_asked_of(request)}")
