"""`engine judge`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from engine.cli.loading import agent_of, load_or_exit
from engine.cli.options import bundle_argument
from engine.cli.out import say
from engine.policy.value import NotJson, jsonable, loads, one_line
from engine.session.bundle import Agent, Bundle
from engine.session.exit_code import OK, USAGE
from engine.session.history import CALL, CONFIRMED, MESSAGE, NOTHING_GIVEN, Judged, Past, judge_after


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
    read can't be.  A session would read its facts anew after a write; here the newest record counts, even from
    before one.  Calls count in `calls`, `seen` and `budget`, and each was a step.  A `user_confirmation` is the
    customer's yes to the next write, or to the call whose "tool" and "args" it names.  An "at" says when an entry
    happened.  A case with an "output" is also judged by what `release_unless` says of it.  A malformed case is
    denied and says why; the others are judged, and the exit code is 2.
    """
    checked, _ = load_or_exit(bundle)
    agent = agent_of(checked, agent_name)
    at = _now(now)
    try:
        given = loads(cases.read_bytes())
    except NotJson as error:
        raise click.UsageError(f"{cases}: {error}") from None
    if not isinstance(given, list):
        raise click.UsageError(f"{cases}: it must be a list of cases")
    malformed = False
    for case in given:
        try:
            told = _judged(checked, agent, case, at)
        except _Malformed as error:
            malformed, told = True, _refused(case, str(error))
        say(one_line(jsonable(told)))
    raise SystemExit(USAGE if malformed else OK)


class _Malformed(ValueError):
    """A case that can't be judged; the message says what is wrong with it."""


def _refused(case: Any, problem: str) -> dict[str, Any]:
    id_ = case.get("id") if isinstance(case, Mapping) else None
    return {"id": id_, **Judged("deny", (), (), (f"malformed case: {problem}",)).payload()}


def _now(text: str | None) -> datetime:
    try:
        return datetime.now(UTC) if text is None else _moment(text)
    except _Malformed as error:
        raise click.UsageError(f"--now: {error}") from None


def _moment(text: Any) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise _Malformed(f"{one_line(text)} is no moment such as 2026-01-31T09:00:00Z") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _judged(bundle: Bundle, agent: Agent, case: Any, now: datetime) -> dict[str, Any]:
    if not isinstance(case, Mapping) or not isinstance(case.get("tool"), str):
        raise _Malformed('it must be an object with a "tool"')
    args, session = _part(case, "args", Mapping, {}), _part(case, "session", Mapping, {})
    past = [_past(entry, number) for number, entry in enumerate(_part(case, "prior", list, []), 1)]
    output = case.get("output", NOTHING_GIVEN)
    found = judge_after(bundle, agent, past, session, case["tool"], args, now, output)
    return {"id": case.get("id"), **found.payload()}


def _part(owner: Mapping[str, Any], name: str, kind: type, nothing: Any) -> Any:
    value = owner.get(name)
    if value is not None and not isinstance(value, kind):
        raise _Malformed(f"`{name}` must be {'a list' if kind is list else 'an object'}")
    return nothing if value is None else value


def _past(entry: Any, number: int) -> Past:
    if not isinstance(entry, Mapping) or entry.get("event") not in (CALL, CONFIRMED, MESSAGE):
        raise _Malformed(f"entry {number} of prior has no event of {CALL}, {MESSAGE} or {CONFIRMED}")
    error, at, tool = entry.get("error"), entry.get("at"), entry.get("tool")
    if entry["event"] == CALL and not isinstance(tool, str):
        raise _Malformed(f'entry {number} of prior is a call without a "tool"')
    if entry["event"] == CONFIRMED and tool is not None and entry.get("args") is None:
        raise _Malformed(f'entry {number} of prior is a yes to a "tool" without "args"')
    return Past(
        entry["event"],
        str(tool or ""),
        _part(entry, "args", Mapping, {}),
        entry.get("output"),
        None if error is None else str(error),
        str(entry.get("text") or ""),
        None if at is None else _moment(at),
    )
