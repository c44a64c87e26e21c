"""`engine judge`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, BinaryIO

import click

from engine.cli.console.bundle import agent_of, load_or_exit
from engine.cli.console.case_lines import UnreadLine, cases_in
from engine.cli.console.options import bundle_argument
from engine.cli.console.output import are, counted, say
from engine.language.value import NotJson, exact, jsonable, one_line
from engine.replay.judge_cases import MalformedCase, moment, read_case
from engine.session.exit_code import FAILED, OK, USAGE
from engine.session.judge import JudgedCall
from engine.spec.bundle import Agent, Bundle


@click.command(
    "judge",
    epilog="""\b
A case: {"id": "1", "session": {"tenant": "acme"}, "tool": "open_refund_case", "args": {...},
         "prior": [{"event": "call", "tool": "...", "args": {...}, "output": {...}},
                   {"event": "read", "tool": "...", "args": {...}, "error": "not found"},
                   {"event": "message", "text": "..."}, {"event": "user_confirmation"}],
         "expect": {"verdict": "deny", "rules": ["tenant-scope"]}}
\b
Examples:
  engine judge --cases cases.jsonl
  engine judge my-agent --agent support-triage --cases cases.json --now 2026-01-31T09:00:00Z
  make-cases | engine judge --cases - --time | jq -c 'select(.verdict == "deny")'""",
)
@bundle_argument
@click.option("--agent", "agent_name", metavar="NAME", help="Which agent; needed if the bundle has several.")
@click.option(
    "--cases",
    required=True,
    type=click.File("rb"),
    metavar="FILE",
    help="Cases, each on a line of its own, or a JSON list of them; - reads them as they come in.",
)
@click.option("--now", metavar="ISO", help="The time at which they are judged; this moment unless given.")
@click.option("--time", "timed", is_flag=True, help="Tell of each how many `seconds` it took.")
def command(bundle: Path, agent_name: str | None, cases: BinaryIO, now: str | None, timed: bool) -> None:
    """Judge given calls after given histories: a JSON line each, and nothing runs.

    The history is taken as it is, without gating; its calls and reads are the facts, the newest of each, and what was
    not read can't be: `needs` names all that the gate asks for. A session would read its facts anew after a write;
    here the newest record counts, even from before one. Calls count in `calls`, `seen` and `budget`, and each was a
    step; a `read` is one of the runtime's own, a fact and no call. A `user_confirmation` is the customer's yes to the
    next write, or to the call whose "tool" and "args" it names: an approval that needs nobody else is `satisfied`. An
    "at" says when an entry happened. A case with an "output" is also judged by what `release_unless` says of it.

    What is `expect`ed and does not come is told, and the exit code is 1. A case with a key, tool or attribute that is
    not there, or an input or output that does not fit its schema, is malformed: it is denied and says why, the others
    are judged, and the exit code is 2, as it is where there is no case at all.
    """
    checked, _ = load_or_exit(bundle)
    run = _JudgeRun(checked, agent_of(checked, agent_name), _now(now), timed, cases.name)
    try:
        for place, case in cases_in(cases):
            say(one_line(jsonable(run.case_result(place, case))))
    except NotJson as error:
        raise click.UsageError(f"{cases.name}: {error}") from None
    raise SystemExit(run.exit_code())


class _JudgeRun:
    """One run over all cases, with what it is to be summed up by."""

    def __init__(self, bundle: Bundle, agent: Agent, now: datetime, timed: bool, name: str) -> None:
        self._bundle = bundle
        self._agent = agent
        self._now = now
        self._timed = timed
        self._name = name
        self._malformed = self._cases = self._expecting = self._otherwise = 0

    def case_result(self, place: str, given: Any) -> dict[str, Any]:
        """What is said of a case."""
        began = perf_counter()
        self._cases += 1
        found = {"id": given.get("id") if isinstance(given, Mapping) else None, **self._judged(place, given)}
        return found | ({"seconds": exact(round(perf_counter() - began, 6))} if self._timed else {})

    def _judged(self, place: str, given: Any) -> dict[str, Any]:
        try:
            if isinstance(given, UnreadLine):
                raise MalformedCase([given.why])
            case = read_case(given, self._bundle, self._agent)
        except MalformedCase as error:
            self._malformed += 1
            errors = tuple(f"malformed case: {place}: {problem}" for problem in error.problems)
            return JudgedCall("deny", (), (), errors).payload()
        came = case.judged(self._bundle, self._agent, self._now)
        if case.expect is None:
            return came.payload()
        differences = case.differences(came)
        self._expecting += 1
        self._otherwise += bool(differences)
        for difference in differences:
            say(f"{self._name}: {place} ({one_line(given.get('id'))}): {difference}", err=True)
        return {**came.payload(), "as_expected": not differences}

    def exit_code(self) -> int:
        """Sum up what went wrong and what was expected."""
        if not self._cases:
            say(f"{self._name}: there is no case in it", err=True)
            return USAGE
        if self._expecting:
            right = self._expecting - self._otherwise
            say(f"{self._name}: {right} of {counted(self._expecting, 'case')} as expected", err=True)
        if self._malformed:
            of = counted(self._cases, "case")
            say(f"{self._name}: {self._malformed} of {of} {are(self._malformed)} malformed", err=True)
        return USAGE if self._malformed else FAILED if self._otherwise else OK


def _now(text: str | None) -> datetime:
    try:
        return datetime.now(UTC) if text is None else moment(text)
    except MalformedCase as error:
        raise click.UsageError(f"--now: {error}") from None
