"""`engine --server URL review`: the inbox of a service, answered as whom the token names."""

from __future__ import annotations

from itertools import islice
from typing import Any

import click

from engine.cli.commands.review import NO_RESUME, NOTE, one_or_last, show_request, show_requests, tell_taken_back
from engine.cli.console.assignments import assignments, typed
from engine.cli.console.options import format_option
from engine.cli.console.trace_printer import Printer, print_json
from engine.cli.remote.client import Client, ServiceProblem, asking, client, part
from engine.cli.remote.follow import follow
from engine.session.exit_code import FAILED, OK


@click.group("review")
def command() -> None:
    """The inbox: what people are asked, and their answers."""


@command.command("list", epilog="Example: engine --server URL review list --format json")
@click.option("--all", "closed_too", is_flag=True, help="Also those that are answered or closed.")
@click.option("--limit", type=click.IntRange(1), help="At most so many; all unless given.")
@format_option("text", "json")
@asking
def list_(closed_too: bool, limit: int | None, output_format: str) -> int:
    """List requests, oldest first."""
    rows = client().pages("/v1/requests", status="all" if closed_too else "open")
    # who has claimed one is told by its page: lists are those of a store
    told = [{name: row[name] for name in row if not name.startswith("claimed_")} for row in islice(rows, limit)]
    show_requests(told, output_format)
    return OK


@command.command("show", epilog="Example: engine --server URL review show ses_1234.1")
@one_or_last
@format_option("text", "json")
@asking
def show(request_id: str | None, output_format: str) -> int:
    """Show a request: the call, the rules that ask and the values they saw, what the user said."""
    found = _request(client(), request_id)
    # lists and pages tell who has claimed it, and who is away
    found = {name: value for name, value in found.items() if name not in ("seq", "away", "claimed_by", "claimed_until")}
    if output_format == "json":
        print_json(found)
    else:
        show_request(found)
    return OK


_digest = click.option("--digest", metavar="DIGEST", help="Of the request as it was shown; as it stands unless given.")


@command.command("approve", epilog="Example: engine --server URL review approve ses_1234.1 --edit amount_usd=200")
@one_or_last
@NOTE
@_digest
@click.option("--edit", "edits", metavar="FIELD=VALUE", multiple=True, help="Change the call's input first.")
@NO_RESUME
@format_option("text", "json", "jsonl")
@asking
def approve(
    request_id: str | None, note: str, digest: str | None, edits: tuple[str, ...], no_resume: bool, output_format: str
) -> int:
    """Say yes to the exact call that is asked for, and show how its session goes on."""
    service = client()
    found = _request(service, request_id)
    edit = {"edits": assignments(edits, _like(found["input"]), "--edit")} if edits else {}
    body = {"answer": "approve", "note": note, "digest": digest or found["digest"]} | edit
    return _answer(service, found, body, no_resume, output_format)


@command.command("deny", epilog='Example: engine --server URL review deny ses_1234.1 --note "refunded by the shop"')
@one_or_last
@NOTE
@_digest
@NO_RESUME
@format_option("text", "json", "jsonl")
@asking
def deny(request_id: str | None, note: str, digest: str | None, no_resume: bool, output_format: str) -> int:
    """Say no; the same call stays denied for the rest of the session."""
    service = client()
    found = _request(service, request_id)
    body = {"answer": "deny", "note": note, "digest": digest or found["digest"]}
    return _answer(service, found, body, no_resume, output_format)


@command.command("answer", epilog='Example: engine --server URL review answer ses_1234.1 --set answer="We call you"')
@one_or_last
@NOTE
@_digest
@click.option("--set", "settings", metavar="FIELD=VALUE", multiple=True, help="A field of the answer.")
@click.option("--value", metavar="JSON", help="The whole answer.")
@NO_RESUME
@format_option("text", "json", "jsonl")
@asking
def answer(
    request_id: str | None,
    note: str,
    digest: str | None,
    settings: tuple[str, ...],
    value: str | None,
    no_resume: bool,
    output_format: str,
) -> int:
    """Answer a question that is no approval: an input, a choice, whether a write happened, a follow-up."""
    if bool(settings) == (value is not None):
        raise click.UsageError("give either --set FIELD=VALUE or --value JSON")
    service = client()
    found = _request(service, request_id)
    given = typed(value, {}) if value is not None else assignments(settings, found["schema"] or {}, "--set")
    settled = given in ("happened", "did_not_happen", "abandon") and found["kind"] == "settle"
    said = {"answer": given} if settled else {"answer": "value", "value": given}
    body = said | {"note": note, "digest": digest or found["digest"]}
    return _answer(service, found, body, no_resume, output_format)


@command.command("comment", epilog='Example: engine --server URL review comment ses_1234.1 "the shop calls back"')
@click.argument("request_id", metavar="ID")
@click.argument("text")
@asking
def comment(request_id: str, text: str) -> int:
    """Say something about a request to the others who are asked; it answers nothing, and no model reads it."""
    client().post(f"/v1/requests/{part(request_id)}/comments", {"text": text})
    return OK


@command.command("take-back", epilog="Example: engine --server URL review take-back ses_1234.1")
@click.argument("request_id", metavar="ID")
@asking
def take_back(request_id: str) -> int:
    """Take your yes back while it does not count yet (`settle_delay` of a rule); the question is open again."""
    client().delete(f"/v1/requests/{part(request_id)}/answers")
    tell_taken_back(request_id)
    return OK


def _like(given: dict[str, Any] | None) -> dict[str, Any]:
    """A schema of what an input holds: text stays text, and what is none is read as JSON."""
    texts = {name: {"type": "string"} for name, value in (given or {}).items() if isinstance(value, str)}
    return {"properties": {name: texts.get(name, {}) for name in given or {}}}


def _answer(service: Client, found: dict[str, Any], body: dict[str, Any], no_resume: bool, output_format: str) -> int:
    session_id = str(found["session_id"])
    service.post(f"/v1/requests/{part(found['id'])}/answers", body)
    if no_resume:
        return OK
    return follow(service, session_id, found["seq"], Printer(output_format), moved=True)


def _request(service: Client, request_id: str | None) -> dict[str, Any]:
    if request_id is None:
        waiting = [row for row in service.pages("/v1/requests") if row["status"] == "open"]
        if not waiting:
            raise ServiceProblem("no_such_request", "no request is open; see engine review list --all", FAILED)
        request_id = waiting[-1]["id"]
    found: dict[str, Any] = service.get(f"/v1/requests/{part(request_id)}")
    return found
