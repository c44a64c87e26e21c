"""`make kills`: real `kill -9`s at random moments, and what held afterwards."""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click
import trio

from engine.ports.store import Store
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.session.state.state import State, Status
from engine.store.urls import open_url
from tests.kills.sessions import effects, made
from tests.postgres import PostgresServer

PATIENCE = 120.0


@dataclass(slots=True)
class Storm:
    """What came of it; it held if nothing is listed as wrong."""

    kills: int = 0
    sessions: int = 0
    again: int = 0
    unknown: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0

    def line(self) -> str:
        """The summary."""
        return (
            f"kills: {self.kills} of a process that drove {self.sessions} sessions; {self.again} invocations repeated, "
            f"of reads or under a key that the tool honours; {self.unknown} unknown writes settled by what their tools "
            f"had noted; {len(self.wrong)} promises broken; {self.seconds:.0f} s"
        )


def storm(
    kills: int, seed: int, at_once: int = 12, tell: object = None, *, url: str | None = None, children: int = 1
) -> Storm:
    """Kill so often, with new sessions whenever all have ended; the same seed kills at the same delays.

    Of several `children` each drives what the others do not, and is killed at a moment of its own.
    """
    began, dice, found = time.monotonic(), random.Random(seed), Storm()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        root = Path(folder)
        store = url or f"sqlite:///{root / 'engine.db'}"
        while found.kills < kills:
            trio.run(_begin, store, root, found, at_once)
            while trio.run(_settle, store, root, found):
                if found.kills < kills:
                    _run(store, root, [dice.uniform(0.6, 2.0) for _ in range(children)])
                    found.kills += children
                    if callable(tell):
                        tell()
                else:
                    _run(store, root, [PATIENCE])
        trio.run(judge, store, root, found)
    found.seconds = time.monotonic() - began
    return found


def _run(url: str, root: Path, lives: list[float]) -> None:
    """Children at once, each killed after so long unless it ends by itself."""
    line = [sys.executable, "-m", "tests.kills.child", url, str(root)]
    began, children = time.monotonic(), [(seconds, subprocess.Popen(line)) for seconds in sorted(lives)]
    for seconds, child in children:
        try:
            code = child.wait(max(0.0, began + seconds - time.monotonic()))
            assert code == 0, f"the child ended with {code}"
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()


async def _begin(url: str, root: Path, found: Storm, count: int) -> None:
    async with open_url(url) as store:
        one = Runner(store, root=root)
        for _ in range(count):
            found.sessions += 1
            at = root / f"session-{found.sessions}"
            at.mkdir()
            await one.start(made(), Opening("bot", "hello", {"tenant": str(at)}), root)


async def _settle(url: str, root: Path, found: Storm) -> bool:
    """Answer for the unknown writes as their tools noted; whether some session can still go on."""
    async with open_url(url) as store:
        one = Runner(store, root=root)
        for row in await store.sessions(state=Status.AWAITING_HUMAN_REVIEW.value):
            state = await one.load(row.id)
            for request in state.open_requests():
                call = state.calls[request.call_id or ""]
                did = f"{call.name} {call.input['n']}"
                happened = did in effects(Path(state.attributes["tenant"]))
                found.unknown += 1
                value = {"happened": {"did": did}} if happened else "did_not_happen"
                await one.answer(request.id, "answer", "somebody", value=value)
        rows = await store.sessions()
        return any(row.state != Status.DONE.value for row in rows)


async def judge(url: str, root: Path, found: Storm) -> None:
    """Say of every session what does not hold."""
    async with open_url(url) as store:
        rows = await store.sessions()
        if len(rows) != found.sessions:
            found.wrong.append(f"{found.sessions} sessions were started, and {len(rows)} are there")
        for row in rows:
            await _one(store, row.id, found)


async def _one(store: Store, session_id: str, found: Storm) -> None:
    state = await Runner(store).load(session_id)
    at = Path(state.attributes["tenant"])
    done = Counter(effects(at))
    found.again += sum(times - 1 for line, times in done.items() if not line.startswith("flaky"))
    problems = [*await store.verify(session_id), *_broken(state, done)]
    found.wrong += [f"{at.name}: {problem}" for problem in problems]


# what a tool that keeps its keys notes when it acts, and not when it finds that it has
_DID = {"keyed": "applied", "job": "job-applied"}


def _broken(state: State, done: Counter[str]) -> list[str]:
    """The promises that a session's log and its tools' notes break."""
    problems = []
    if state.status is not Status.DONE:
        problems.append(f"it is {state.status} and not done")
    for line, times in done.items():
        if times > 1 and line.split()[0] in ("once", "plain", "applied", "job-applied"):
            problems.append(f"`{line}` was done {times} times")
    for call in state.calls.values():
        did = f"{_DID.get(call.name, call.name)} {call.input['n']}"
        if call.ok and call.effect == "write" and not done[did]:
            problems.append(f"{call.name} is ok in the log, and `{did}` was never done")
        if not call.ended:
            problems.append(f"{call.name} has no result")
    return problems


def main(storm: Callable[..., Storm], description: str | None) -> int:
    """Run a storm as a command: 1 where something was broken."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgres", action="store_true", help="three at once, on a server")
    arguments = parser.parse_args()
    if arguments.postgres:
        storm = partial(storm, url=PostgresServer().url(), children=3)
    quiet = not sys.stderr.isatty()
    with click.progressbar(length=arguments.kills, label="kills", file=sys.stderr, hidden=quiet) as bar:
        found = storm(arguments.kills, arguments.seed, tell=lambda: bar.update(1))
    for problem in found.wrong:
        print(problem, file=sys.stderr)
    print(found.line())
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main(storm, __doc__))
