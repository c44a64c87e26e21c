"""`engine review`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.access.rights import Right
from engine.api.logged_requests import request_as_logged, request_listed
from engine.api.shapes import answer_shown, comments_shown, delayed_yes_shown, request_shown, request_status
from engine.cli.console.actor import ActorClaim, actor_of, actor_option
from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.options import format_option, root_option, store_option
from engine.cli.console.output import say
from engine.cli.console.trace_printer import line, print_json, table
from engine.policy.approvals import whom
from engine.session.exit_code import OK
from engine.session.state.inputs import RequestCommented, YesTakenBack

if TYPE_CHECKING:
    from engine.cli.console.app import App
    from engine.ports.records import RequestRow


@click.group("review")
def command() -> None:
    """The inbox: what people are asked, and their answers."""


def one_or_last(function: Callable[..., None]) -> Callable[..., None]:
    """The request that is meant: ID, or the newest that is open by --last."""

    option = click.option("--last", is_flag=True, help="The newest open request, in the place of ID.")
    argument = click.argument("request_id", metavar="[ID]", required=False)

    @wraps(function)
    def command(request_id: str | None, last: bool, **more: Any) -> None:
        if (request_id is None) is not last:
            raise click.UsageError("name a request by its ID, or take the newest open one with --last")
        function(request_id=request_id, **more)

    return argument(option(command))


NO_RESUME = click.option("--no-resume", is_flag=True, help="Record the answer, and leave the session to others.")
NOTE = click.option("--note", default="", metavar="TEXT", help="Why.")


@command.command("list", epilog="Example: engine review list --format json")
@click.option("--all", "closed_too", is_flag=True, help="Also those that are answered or closed.")
@click.option("--limit", type=click.IntRange(1), help="At most so many; all unless given.")
@format_option("text", "json")
@store_option
@asynchronous
async def list_(closed_too: bool, limit: int | None, output_format: str, store_url: str) -> int:
    """List requests, oldest first."""
    from engine.cli.console.app import open_app

    async with open_app(store_url, drives=False) as app:
        rows = [
            await request_listed(app.store, row) for row in (await app.store.requests(open_only=not closed_too))[:limit]
        ]
        show_requests([request_shown(row) for row in rows], output_format)
    return app.exit_code


def show_requests(rows: list[dict[str, Any]], output_format: str) -> None:
    """Print requests as lists have them."""
    if output_format == "json":
        print_json(rows)
    else:
        columns = ["id", "kind", "status", "asked of", "tool", "message", "expires"]
        table("requests", columns, [_cells(row) for row in rows])


@command.command("show", epilog="Example: engine review show ses_1234.1")
@one_or_last
@format_option("text", "json")
@store_option
@asynchronous
async def show(request_id: str | None, output_format: str, store_url: str) -> int:
    """Show a request: the call, the rules that ask and the values they saw, what the user said."""
    from engine.cli.console.app import open_app

    async with open_app(store_url) as app:
        row = await request_as_logged(app.store, await _request(app, request_id))
        state = await app.engine.look(row.session_id)
        found = request_shown(row) | {"attributes": dict(state.attributes), "messages": list(state.messages)}
        found["comments"] = comments_shown(state, row.id)
        found |= delayed_yes_shown(state, row.id) | answer_shown(state, row.id)
        if output_format == "json":
            print_json(found)
        else:
            show_request(found)
    return app.exit_code


@command.command("approve", epilog="Example: engine review approve ses_1234.1 --as dana --edit amount_usd=200")
@one_or_last
@actor_option
@NOTE
@click.option("--edit", "edits", metavar="FIELD=VALUE", multiple=True, help="Change the call's input first.")
@NO_RESUME
@format_option("text", "json", "jsonl")
@root_option
@store_option
@asynchronous
async def approve(
    request_id: str | None,
    claim: ActorClaim,
    note: str,
    edits: tuple[str, ...],
    no_resume: bool,
    output_format: str,
    root: Path | None,
    store_url: str,
) -> int:
    """Say yes to the exact call that is asked for, and drive its session on."""
    from engine.cli.console.app import open_app
    from engine.cli.console.assignments import assignments
    from engine.cli.console.drive import reachable
    from engine.cli.console.trace_printer import Printer

    async with open_app(store_url, printer=Printer(output_format), root=root) as app:
        row = await _request(app, request_id)
        if not no_resume:
            await reachable(app, row.session_id)
        edit = assignments(edits, await _schema(app, row, "input"), "--edit") if edits else None
        who = await actor_of(app, claim, Right.ANSWER, "answer", row.id, row.session_id)
        session_id = await app.engine.answer(row.id, "approve", who.name, note=note, edit=edit, roles=who.groups)
        app.code = await _go_on(app, session_id, drive=not no_resume)
    return app.exit_code


@command.command("deny", epilog='Example: engine review deny ses_1234.1 --as lee --note "refunded by the shop"')
@one_or_last
@actor_option
@NOTE
@NO_RESUME
@format_option("text", "json", "jsonl")
@root_option
@store_option
@asynchronous
async def deny(
    request_id: str | None,
    claim: ActorClaim,
    note: str,
    no_resume: bool,
    output_format: str,
    root: Path | None,
    store_url: str,
) -> int:
    """Say no; the same call stays denied for the rest of the session."""
    from engine.cli.console.app import open_app
    from engine.cli.console.drive import reachable
    from engine.cli.console.trace_printer import Printer

    async with open_app(store_url, printer=Printer(output_format), root=root) as app:
        row = await _request(app, request_id)
        if not no_resume:
            await reachable(app, row.session_id)
        who = await actor_of(app, claim, Right.ANSWER, "answer", row.id, row.session_id)
        session_id = await app.engine.answer(row.id, "deny", who.name, note=note, roles=who.groups)
        app.code = await _go_on(app, session_id, drive=not no_resume)
    return app.exit_code


@command.command(
    "answer",
    epilog="""\b
Examples:
  engine review answer ses_1234.1 --as mika --set answer="We call you back"
  engine review answer ses_1234.2 --as mika --value did_not_happen""",
)
@one_or_last
@actor_option
@NOTE
@click.option("--set", "settings", metavar="FIELD=VALUE", multiple=True, help="A field of the answer.")
@click.option("--value", metavar="JSON", help="The whole answer.")
@NO_RESUME
@format_option("text", "json", "jsonl")
@root_option
@store_option
@asynchronous
async def answer(
    request_id: str | None,
    claim: ActorClaim,
    note: str,
    settings: tuple[str, ...],
    value: str | None,
    no_resume: bool,
    output_format: str,
    root: Path | None,
    store_url: str,
) -> int:
    """Answer a question that is no approval: an input, a choice, whether a write happened, a follow-up."""
    if bool(settings) == (value is not None):
        raise click.UsageError("give either --set FIELD=VALUE or --value JSON")

    from engine.cli.console.app import open_app
    from engine.cli.console.assignments import assignments, typed
    from engine.cli.console.drive import reachable
    from engine.cli.console.trace_printer import Printer

    async with open_app(store_url, printer=Printer(output_format), root=root) as app:
        row = await _request(app, request_id)
        if not no_resume:
            await reachable(app, row.session_id)
        schema = await _schema(app, row, "output")
        given = typed(value, {}) if value is not None else assignments(settings, schema, "--set")
        who = await actor_of(app, claim, Right.ANSWER, "answer", row.id, row.session_id)
        session_id = await app.engine.answer(row.id, "answer", who.name, note=note, value=given, roles=who.groups)
        app.code = await _go_on(app, session_id, drive=not no_resume)
    return app.exit_code


@command.command("comment", epilog='Example: engine review comment ses_1234.1 "the shop calls back" --as dana')
@click.argument("request_id", metavar="ID")
@click.argument("text")
@actor_option
@store_option
@asynchronous
async def comment(request_id: str, text: str, claim: ActorClaim, store_url: str) -> int:
    """Say something about a request to the others who are asked; it answers nothing, and no model reads it."""
    from engine.cli.console.app import open_app

    async with open_app(store_url) as app:
        row = await _request(app, request_id)
        who = await actor_of(app, claim, Right.COMMENT, "comment", row.id, row.session_id)
        await app.engine.record(row.session_id, lambda at: RequestCommented(row.id, who.name, text, at))
    return app.exit_code


@command.command("take-back", epilog="Example: engine review take-back ses_1234.1 --as dana")
@click.argument("request_id", metavar="ID")
@actor_option
@store_option
@asynchronous
async def take_back(request_id: str, claim: ActorClaim, store_url: str) -> int:
    """Take your yes back while it does not count yet (`settle_delay` of a rule); the question is open again."""
    from engine.cli.console.app import open_app

    async with open_app(store_url) as app:
        row = await _request(app, request_id)
        who = await actor_of(app, claim, Right.ANSWER, "take_back", row.id, row.session_id)
        await app.engine.record(row.session_id, lambda at: YesTakenBack(row.id, who.name, at))
        tell_taken_back(row.id)
    return app.exit_code


def tell_taken_back(request_id: str) -> None:
    """Say that a yes is taken back, and what can be done next."""
    say(f"the yes is taken back, and {request_id} is open again: engine review show {request_id}", err=True)


async def _go_on(app: App, session_id: str, *, drive: bool) -> int:
    """What is done behind an answer: its session is driven on, or left to others."""
    from engine.cli.console.drive import drive_on

    if drive:
        return await drive_on(app, session_id)
    app.printer.finish()
    return OK


async def _request(app: App, request_id: str | None) -> RequestRow:
    if request_id is None:
        waiting = [row for row in await app.store.requests() if request_status(row) == "open"]
        row = waiting[-1] if waiting else None
    else:
        row = await app.store.request(request_id)
    if row is None and request_id is None:
        from engine.runtime.errors import NotAllowed
        from engine.session.state.inputs import InputRefused

        raise NotAllowed(InputRefused("no_such_request", "no request is open; see engine review list --all"))
    if row is None:
        from engine.runtime.errors import NotAllowed
        from engine.session.state.inputs import InputRefused

        raise NotAllowed(
            InputRefused("no_such_request", f"there is no request {request_id}; see engine review list --all")
        )
    return row


def _cells(row: dict[str, Any]) -> list[str]:
    if row.get("problem"):
        told = f"{row['problem']}; see: engine review show {row['id']}"
        return [row["id"], row["kind"], row["status"], "", "", told, ""]
    from engine.language.value import timestamp

    groups = whom(row["groups"], row["names"]) or "anybody"
    expires = row["expires_at"] if isinstance(row["expires_at"], str | None) else timestamp(row["expires_at"])
    return [row["id"], row["kind"], row["status"], groups, row["tool"] or "", row["message"], expires or ""]


async def _schema(app: App, row: RequestRow, side: str) -> Mapping[str, Any]:
    """The schema of what a request is about, from the bundle that its session runs under."""
    tool_name = (await request_as_logged(app.store, row)).payload["tool"]
    if tool_name is None:
        return {}
    state = await app.engine.load(row.session_id)
    tool = (await app.engine.bundle_of(state)).tools[tool_name]
    return (tool.input_schema if side == "input" else tool.output_schema) or {}


def show_request(found: dict[str, Any]) -> None:
    """Print a request."""
    from engine.language.value import jsonable
    from engine.session.sealed_tokens import shown

    for name, value in shown(found).items():
        if value not in (None, "", [], {}) and name != "digest":
            plain = jsonable(value)
            say(f"{name:<13} {plain if isinstance(plain, str) else line(plain)}")
