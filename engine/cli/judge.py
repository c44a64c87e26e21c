"""`engine judge`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from engine.cli.loading import agent_of, load_or_exit
from engine.cli.options import bundle_argument
from engine.policy.value import NotJson, jsonable, loads, one_line
from engine.session.bundle import Agent, Bundle
from engine.session.history import CALL, CONFIRMED, MESSAGE, NOTHING_GIVEN, Past, judge_after


@click.command(
    "judge",
    epilog="""\b
A case: {"id": "1", "session": {"tenant": "acme"}, "tool": "open_refund_case", "args": {...},
         "prior": [{"event": "call", "tool": "...", "args": {...}, "output": {...}},
                   {"event": "message", "text": "..."}, {"event": "user_confirmation"}]}
Example: engine judge . --agent support-triage --cases cases.json""",
)
@bundle_argument
@click.option("--agent", "agent_name", metavar="NAME", help="Which agent; needed if the bundle has several.")
@click.option(
    "--cases", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A JSON list of cases."
)
@click.option("--now", metavar="ISO", help="The time at which they are judged; this moment unless given.")
def command(bundle: Path, agent_name: str | None, cases: Path, now: str | None) -> None:
    """Judge given calls after given histories: a JSON line each, and nothing runs.

    The history is taken as it is, without gating; its reads are the facts, the newest of each, and what was not
    read can't be.  Its calls count in `calls`, `seen` and `budget`, and each was a step.  A `user_confirmation` is
    the customer's yes to the next write, or to the call whose "tool" and "args" it names.  An "at" says when an
    entry happened.  A case with an "output" is also judged by what `release_unless` says of it.
    """
    checked, _ = load_or_exit(bundle)
    agent = agent_of(checked, agent_name)
    at = _moment(now)
    try:
        given = loads(cases.read_bytes())
    except NotJson as error:
        raise click.UsageError(f"{cases}: {error}") from None
    if not isinstance(given, list):
        raise click.UsageError(f"{cases}: it must be a list of cases")
    for number, case in enumerate(given, 1):
        click.echo(one_line(jsonable(_judged(checked, agent, case, at, f"{cases}: case {number}"))))


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{text}: a moment looks like 2026-01-31T09:00:00Z") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _judged(bundle: Bundle, agent: Agent, case: Any, now: datetime, where: str) -> dict[str, Any]:
    if not isinstance(case, Mapping) or not isinstance(case.get("tool"), str):
        raise click.UsageError(f'{where}: it must be an object with a "tool"')
    args, session, prior = (case.get("args") or {}, case.get("session") or {}, case.get("prior") or [])
    if not isinstance(args, Mapping) or not isinstance(session, Mapping) or not isinstance(prior, list):
        raise click.UsageError(f"{where}: args and session are objects, prior is a list")
    past = [_past(entry, where) for entry in prior]
    output = case.get("output", NOTHING_GIVEN)
    found = judge_after(bundle, agent, past, session, case["tool"], args, now, output)
    return {"id": case.get("id"), **found.payload()}


def _past(entry: Any, where: str) -> Past:
    if not isinstance(entry, Mapping) or entry.get("event") not in (CALL, CONFIRMED, MESSAGE):
        raise click.UsageError(f"{where}: an entry of prior has an event: {CALL}, {MESSAGE} or {CONFIRMED}")
    error = entry.get("error")
    return Past(
        entry["event"],
        str(entry.get("tool") or ""),
        entry.get("args") or {},
        entry.get("output"),
        None if error is None else str(error),
        str(entry.get("text") or ""),
        _moment(entry["at"]) if isinstance(entry.get("at"), str) else None,
    )
