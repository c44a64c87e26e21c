"""`engine run --batch`: a session for each line of a file, many at once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from engine.cli.console.app import LIVE, App, Models, foreseen, open_app, run_app
from engine.cli.console.output import counted, say, stop_writing, tell_lost
from engine.cli.console.progress import progress
from engine.cli.console.trace_printer import line, print_json, table
from engine.language.value import NotJson, loads
from engine.runtime.errors import unwrapped
from engine.runtime.opening import Opening
from engine.session.exit_code import FAILED, FAULT, INTERRUPTED, LIMIT, OK, USAGE, WAITING, exit_code
from engine.session.state.state import Status
from engine.spec.bundle import Agent, Bundle

WORST_FIRST = (INTERRUPTED, FAULT, USAGE, FAILED, LIMIT, WAITING, OK)


@dataclass(frozen=True, slots=True)
class BatchEntry:
    """What came of one line."""

    number: int
    session_id: str
    state: str
    outcome: str
    code: int
    problem: str = ""

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        found = {"line": self.number, "id": self.session_id, "state": self.state, "outcome": self.outcome}
        return {**found, "exit_code": self.code} | ({"problem": self.problem} if self.problem else {})


def read_lines(
    path: Path, agent: Agent, attributes: Mapping[str, Any], planner: str | None, name: str | None
) -> list[tuple[int, Opening]]:
    """The sessions that a file asks for, with their line numbers; any bad line is told, and exits 2."""
    found: list[tuple[int, Opening]] = []
    problems: list[str] = []
    for number, text in enumerate(path.read_bytes().splitlines(), 1):
        if not text.strip():
            continue
        opening = _opening(text, agent, attributes, planner, name)
        if isinstance(opening, Opening):
            found.append((number, opening))
        else:
            problems.append(f"{path}:{number}: {opening}")
    if problems or not found:
        for problem in problems[:20] or [f"{path}: it has no line"]:
            say(f"engine: {problem}", err=True)
        if len(problems) > 20:
            say(f"engine: and {len(problems) - 20} more", err=True)
        raise SystemExit(USAGE)
    return found


def _opening(
    text: bytes, agent: Agent, attributes: Mapping[str, Any], planner: str | None, name: str | None
) -> Opening | str:
    try:
        read = loads(text)
    except NotJson as error:
        return f"it is not JSON: {error}"
    if not isinstance(read, Mapping) or not isinstance(read.get("message"), str):
        return 'it must be an object with a "message" that is text'
    unknown = set(read) - {"message", "attributes"}
    if unknown:
        return f"there is no field `{sorted(unknown)[0]}`; message and attributes are known"
    own = read.get("attributes", {})
    if not isinstance(own, Mapping):
        return "its attributes must be an object"
    merged = {**attributes, **own}
    problems = agent.check_attributes(merged)
    return "; ".join(problems) if problems else Opening(agent.name, read["message"], merged, planner, name)


def run_batch(
    url: str,
    bundle: Bundle,
    root: Path,
    openings: Sequence[tuple[int, Opening]],
    concurrency: int,
    output_format: str,
    models: Models = LIVE,
) -> int:
    """Run them, show progress and the table of outcomes, and give the worst exit code."""
    batch = _Batch(url, bundle, root, openings, concurrency, output_format, models)
    began = time.monotonic()
    code = run_app(batch.run)
    _show(sorted(batch.ended, key=lambda e: e.number), len(openings), time.monotonic() - began, output_format)
    tell_lost()
    return code


@dataclass(frozen=True, slots=True)
class _Batch:
    """Sessions that are run so many at once; `ended` is what came of them."""

    url: str
    bundle: Bundle
    root: Path
    openings: Sequence[tuple[int, Opening]]
    concurrency: int
    output_format: str
    models: Models
    ended: list[BatchEntry] = field(default_factory=list)

    async def run(self) -> int:
        """All of them; the worst exit code."""
        _, first = self.openings[0]
        async with open_app(self.url, models=self.models, make=True) as app:
            await app.engine.prepare(self.bundle, first.agent, first.planner)
            with progress("sessions", len(self.openings)) as advance:
                waiting = iter(self.openings)
                async with trio.open_nursery() as nursery:
                    for _ in range(min(self.concurrency, len(self.openings))):
                        nursery.start_soon(self._run_waiting, app, waiting, advance)
            codes = {e.code for e in self.ended} | ({INTERRUPTED} if app.interrupted or app.released else set())
            app.code = next((code for code in WORST_FIRST if code in codes), FAILED if codes else OK)
        return app.exit_code

    async def _run_waiting(
        self, app: App, waiting: Iterator[tuple[int, Opening]], advance: Callable[[int], None]
    ) -> None:
        """One after another of those that wait."""
        for number, opening in waiting:
            if app.interrupted or app.released:
                return
            result = await _one(app, self.bundle, self.root, number, opening)
            self.ended.append(result)
            if self.output_format == "jsonl":
                _say_while_others_run(line(result.payload()))
            advance(1)


def _say_while_others_run(text: str) -> None:
    """A reader who has gone away stops no session."""
    try:
        say(text)
    except BrokenPipeError:
        stop_writing()


async def _one(app: App, bundle: Bundle, root: Path, number: int, opening: Opening) -> BatchEntry:
    session_id = ""
    try:
        session_id = await app.engine.start(bundle, opening, root)
        state = await app.engine.drive(session_id)
    except Exception as error:
        cause = unwrapped(error)
        code = foreseen(cause) if isinstance(cause, Exception) else None
        return BatchEntry(number, session_id, "fault", "fault", FAULT if code is None else code, f"{cause}")
    interrupted = state.status is Status.CANCELLED and app.interrupted
    code = INTERRUPTED if interrupted else exit_code(state.status)
    return BatchEntry(number, session_id, state.status.value, state.outcome, code)


def _show(ended: Sequence[BatchEntry], asked: int, seconds: float, output_format: str) -> None:
    if output_format == "json":
        print_json([e.payload() for e in ended])
    elif output_format == "text":
        table("outcomes", ["state", "outcome", "sessions", "share"], list(_counted(ended)))
    rate = len(ended) / seconds if seconds else 0.0
    not_started = f", {asked - len(ended)} never started" if asked > len(ended) else ""
    say(f"{counted(len(ended), 'session')} in {seconds:.1f} s, {rate:.0f} a second{not_started}", err=True)
    if asked > len(ended):
        say("start again with the lines that are left; a session that is running: engine resume ID", err=True)
    for e in [e for e in ended if e.state == "running"][:10]:
        say(f"line {e.number}: engine resume {e.session_id}", err=True)
    for e in [e for e in ended if e.problem][:10]:
        say(f"line {e.number}: {e.problem}", err=True)


def _counted(ended: Sequence[BatchEntry]) -> Iterable[list[str]]:
    for (state, outcome), count in Counter((e.state, e.outcome) for e in ended).most_common():
        yield [state, outcome, str(count), f"{100 * count / len(ended):.1f} %"]
