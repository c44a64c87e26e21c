"""One door and three workers on one PostgreSQL server, while workers are killed and the server is restarted.

    python -m tests.kills.cluster --sessions 2000 --kills 20 --restarts 3 [--data FILE]

Each message is a session of the support-triage agent about an account of its own, which was charged twice: 40 USD, or
every fifth time 400, which a reviewer is asked about.  What came of it is counted where it happens, in the tables of the
billing system, and compared with what the logs say.  `FILE` is a JSON list of objects with a `text`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import httpx2
import trio

from engine.ports.store import Store
from engine.session.state.event import EventKind
from engine.session.state.state import FINAL, Status
from engine.store.urls import open_url
from tests.cli.shell import environment
from tests.postgres import PostgresServer

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("specs", "policies", "prompts", "fixtures")
WORKERS, AT_ONCE, PAUSE = 3, 16, 0.2
# away, or about to stop: asked again
AWAY = (502, 503)
# where a session may stay: it ended, or its customer is to say more
RESTS = {*FINAL, Status.AWAITING_MESSAGE.value}
# who answers what
ANSWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "approval": ("dana", {"answer": "approve"}),
    "input": ("mika", {"answer": "value", "value": {"answer": "somebody calls you back"}}),
}
MESSAGES = (
    "I was charged twice for the same purchase", "my card still hasn't arrived", "there are two identical charges",
    "how do I verify my account?", "what does a top up cost?", "I want to speak to a real person",
)  # fmt: skip


@dataclass(slots=True)
class Fleet:
    """The processes of a cluster, by their names, and what they work on."""

    at: Path
    url: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    port: int = 0

    def start(self, name: str, *arguments: str) -> None:
        """Start a process, or another in its place."""
        log = (self.at / f"{name}.txt").open("ab")
        line = [sys.executable, "-m", "engine", *arguments, "--store", self.url]
        with log:
            process = subprocess.Popen(line, cwd=self.at, env=environment(self.at / "none.db"), stdout=log, stderr=log)
        self.processes[name] = process
        self.names[process.pid] = name

    def start_worker(self, number: int) -> None:
        """Start a worker, or another in its place."""
        self.start(f"worker {number}", "worker", "--quiet")

    def start_door(self) -> None:
        """Start the service, which runs no worker of its own, and wait until it listens."""
        self.start("door", "serve", ".", "--port", "0", "--workers", "none")
        while not self.port:
            assert self.processes["door"].poll() is None, self.told("door")
            found = re.search(r"serving http://127\.0\.0\.1:(\d+)", self.told("door"))
            self.port = int(found[1]) if found else 0
            time.sleep(0.05)

    def told(self, name: str) -> str:
        """What a process has said."""
        return (self.at / f"{name}.txt").read_text("utf-8", "replace")

    def token(self, name: str, role: str) -> str:
        """A token of the service."""
        line = ["tokens", "create", "--name", name, "--role", role, "--store", self.url]
        done = subprocess.run(
            [sys.executable, "-m", "engine", *line], cwd=self.at, env=environment(self.at / "none.db"),
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    def kill(self, number: int) -> None:
        """Kill a worker without a word, and start another in its place."""
        process = self.processes[f"worker {number}"]
        process.kill()
        process.wait()
        self.start_worker(number)

    def stop(self) -> None:
        """Ask all to end what they do, and wait for it."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            process.wait()

    def tend(self) -> None:
        """Start those workers again that could not do without the server, as a supervisor does."""
        for number in range(WORKERS):
            if self.processes[f"worker {number}"].poll() is not None:
                self.start_worker(number)


@dataclass(slots=True)
class Found:
    """What came of it; it held if nothing is listed as wrong."""

    sessions: int = 0
    kills: int = 0
    restarts: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    drove: Counter[str] = field(default_factory=Counter)
    refunds: int = 0
    seconds: float = 0

    @property
    def held(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.doubled or self.damaged)

    def last_line(self) -> str:
        """The verdict."""
        whole = self.sessions - len(self.damaged)
        return f"{len(self.lost)} lost, {len(self.doubled)} doubled, {whole} logs verify"


def bundle(at: Path, accounts: int) -> None:
    """The support bundle with so many accounts more, each of which was charged twice."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, at / name, ignore=shutil.ignore_patterns("*.db*"))
    agent = at / "specs/agents/support-triage.yaml"
    text = agent.read_text("utf-8")
    assert "wall_clock: 30s" in text
    # a session whose worker was killed waits for its lease to end, and is not to run out of time by it
    agent.write_text(text.replace("wall_clock: 30s", "wall_clock: 30m"), "utf-8")
    rows, charges = [], []
    for number in range(accounts):
        id_, cents = f"acct_c{number}", 40_000 if number % 5 == 0 else 4_000
        rows.append(f"('{id_}', 'acme', 'Somebody', '{id_}@mail.example', 1, 'active', '2024-01-01')")
        charges.append(f"('ch_c{number}a', '{id_}', 'Harbour Coffee', {cents}, '2026-09-03T11:39:59Z', NULL)")
        charges.append(
            f"('ch_c{number}b', '{id_}', 'Harbour Coffee', {cents}, '2026-09-03T11:40:34Z', 'ch_c{number}a')"
        )
    with (at / "specs/databases/billing.sql").open("a", encoding="utf-8") as more:
        for into, values in (
            ("accounts (account_id, tenant, holder, email, verified, status, opened_on)", rows),
            ("charges (charge_id, account_id, merchant, amount_cents, charged_at, duplicate_of)", charges),
        ):
            for first in range(0, len(values), 400):
                more.write(f"\nINSERT INTO {into} VALUES\n" + ",\n".join(values[first : first + 400]) + ";\n")


class Clients:
    """Who starts sessions and who answers; they ask again where no answer came, as clients do."""

    def __init__(self, fleet: Fleet, found: Found) -> None:
        self.fleet, self.found = fleet, found
        self.tokens: dict[str, str] = {}
        self.sessions: dict[int, str] = {}
        self.over = False

    async def ask(self, client: httpx2.AsyncClient, name: str, method: str, path: str, **more: Any) -> httpx2.Response:
        """Ask until there is an answer."""
        more["headers"] = {"authorization": f"Bearer {self.tokens[name]}"} | more.pop("headers", {})
        while True:
            try:
                answer = await client.request(method, path, **more)
                if answer.status_code not in AWAY:
                    return answer
            except httpx2.TransportError:
                pass  # it is away: that is what this is about
            await trio.sleep(PAUSE)

    def client(self) -> httpx2.AsyncClient:
        """A client of the door."""
        return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.fleet.port}", timeout=600)

    async def start(self, messages: list[str], tell: Any) -> None:
        """Start a session for each message, so many at once."""
        numbers = iter(range(len(messages)))

        async def some() -> None:
            async with self.client() as client:
                for number in numbers:
                    await self._start_one(client, number, messages[number])
                    tell()

        async with trio.open_nursery() as nursery:
            for _ in range(AT_ONCE):
                nursery.start_soon(some)

    async def _start_one(self, client: httpx2.AsyncClient, number: int, message: str) -> None:
        attributes = {"tenant": "acme", "account_id": f"acct_c{number}"}
        body = {"agent": "support-triage", "message": message, "attributes": attributes}
        answer = await self.ask(
            client, "ops", "POST", "/v1/sessions", json=body, headers={"idempotency-key": f"k{number}"}
        )
        assert answer.status_code in (200, 201), answer.text
        self.sessions[number] = answer.json()["id"]

    async def review(self) -> None:
        """Say yes to every refund that is asked about, and something to every customer who asks for a person."""
        async with self.client() as client:
            while not self.over:
                for row in (await self.ask(client, "dana", "GET", "/v1/requests?limit=200")).json()["items"]:
                    await self._answer(client, row)
                await trio.sleep(PAUSE)

    async def _answer(self, client: httpx2.AsyncClient, row: dict[str, Any]) -> None:
        path, (who, said) = f"/v1/requests/{row['id']}", ANSWERS[row["kind"]]
        shown = (await self.ask(client, who, "GET", path)).json()
        told = {**said, "digest": shown.get("digest")}
        answer = await self.ask(client, who, "POST", f"{path}/answers", json=told)
        # an answer whose response was lost was taken all the same
        if answer.status_code != 200 and answer.json()["code"] not in ("already_answered", "session_over"):
            self.found.lost.append(f"the answer to {row['id']}: {answer.text}")


async def _kill(
    fleet: Fleet, server: PostgresServer, found: Found, given: argparse.Namespace, over: trio.Event
) -> None:
    """Kill workers and restart the server at random moments, until all sessions have ended or often enough."""
    dice = random.Random(given.seed)
    acts = ["kill"] * given.kills + ["restart"] * given.restarts
    dice.shuffle(acts)
    for act in acts:
        with trio.move_on_after(dice.uniform(0.5, 2.0)):
            await over.wait()
        if act == "kill":
            await trio.to_thread.run_sync(fleet.kill, dice.randrange(WORKERS))
            found.kills += 1
        else:
            await trio.to_thread.run_sync(server.stop)
            await trio.to_thread.run_sync(server.start)
            found.restarts += 1
        fleet.tend()


async def _rest(store: Store, fleet: Fleet, count: int, tell: Any) -> None:
    """Wait until every session has come to rest."""
    done = 0
    while done < count:
        rows = await store.sessions()
        resting = sum(row.state in RESTS for row in rows)
        for _ in range(resting - done):
            tell()
        done = resting
        fleet.tend()
        await trio.sleep(PAUSE)


async def _load(fleet: Fleet, server: PostgresServer, found: Found, given: argparse.Namespace, said: list[str]) -> None:
    clients = Clients(fleet, found)
    clients.tokens = {"ops": fleet.token("ops", "operator")}
    clients.tokens |= {name: fleet.token(name, "reviewer") for name in ("dana", "mika")}
    over = trio.Event()
    length = 2 * len(said)
    with click.progressbar(length=length, label="sessions", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        async with open_url(fleet.url) as store, trio.open_nursery() as nursery:
            nursery.start_soon(clients.review)
            nursery.start_soon(_kill, fleet, server, found, given, over)
            await clients.start(said, lambda: bar.update(1))
            await _rest(store, fleet, len(said), lambda: bar.update(1))
            over.set()
            clients.over = True
    if len(set(clients.sessions.values())) != len(said):
        found.doubled.append("two keys began one session, or one key two")
    await trio.to_thread.run_sync(fleet.stop)
    async with open_url(fleet.url) as store:
        await _judge(store, fleet, clients, found)


async def _judge(store: Store, fleet: Fleet, clients: Clients, found: Found) -> None:
    """Hold what happened against what the logs say."""
    rows = {row.id: row for row in await store.sessions()}
    found.sessions = len(rows)
    cases = refunds(fleet.at)
    found.refunds = sum(cases.values())
    for number, id_ in clients.sessions.items():
        row = rows.get(id_)
        if row is None or row.state not in RESTS:
            found.lost.append(f"{id_}: {'it is not there' if row is None else row.state}")
            continue
        found.states[row.outcome] += 1
        paid, account = cases.pop(f"acct_c{number}", 0), f"acct_c{number}"
        if row.outcome == "case_opened" and not paid:
            found.lost.append(f"{id_}: the refund of {account}")
        if paid > 1 or (paid and row.outcome != "case_opened"):
            found.doubled.append(f"{id_}: {paid} refunds of {account}, and it ended as {row.outcome}")
        found.damaged += [f"{id_}: {problem}" for problem in await store.verify(id_)]
        for event in await store.load(id_):
            if event.kind is EventKind.SESSION_CLAIMED:
                pid = int(event.payload["owner"].split(":")[1])
                found.drove[fleet.names.get(pid, "another")] += 1
    found.doubled += [f"{count} refunds of {account}, whom no session was about" for account, count in cases.items()]
    if len(rows) > len(clients.sessions):
        found.doubled.append(f"{len(clients.sessions)} sessions were started, and {len(rows)} are there")


def refunds(at: Path) -> Counter[str]:
    """How many refund cases the billing system has of each account."""
    connection = sqlite3.connect(at / "specs/databases/billing.db")
    try:
        return Counter(dict(connection.execute("SELECT account_id, count(*) FROM refund_cases GROUP BY account_id")))
    finally:
        connection.close()


def cluster(given: argparse.Namespace) -> Found:
    """Run it all; `given` has sessions, kills, restarts, seed and data."""
    began, found = time.monotonic(), Found()
    said = messages(given.data, given.sessions)
    server = PostgresServer(durable=True)
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        fleet = Fleet(Path(folder), server.url("cluster"))
        bundle(fleet.at, len(said))
        try:
            fleet.start_door()
            for number in range(WORKERS):
                fleet.start_worker(number)
            trio.run(_load, fleet, server, found, given, said)
        finally:
            fleet.stop()
            server.stop("fast")
    found.seconds = time.monotonic() - began
    return found


def messages(data: Path | None, count: int) -> list[str]:
    """So many messages: of a file, or made."""
    known = [row["text"] for row in json.loads(data.read_text("utf-8"))] if data is not None else list(MESSAGES)
    if data is not None:
        known = known[:: max(1, len(known) // count)]
    return [known[number % len(known)] for number in range(count)]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sessions", type=int, default=2000, metavar="N")
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="of workers")
    parser.add_argument("--restarts", type=int, default=3, metavar="N", help="of the server, without a word")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the moments at which that is")
    given_data = os.environ.get("DATA") or None
    parser.add_argument(
        "--data", type=Path, default=given_data, metavar="FILE", help="a JSON list of objects with a text"
    )
    found = cluster(parser.parse_args())
    for outcome, count in found.states.most_common():
        print(f"  {outcome:<28} {count:>6}")
    for name, count in sorted(found.drove.items()):
        print(f"  driven by {name:<18} {count:>6}")
    print(f"  refunds in the billing system {found.refunds:>5}")
    print(f"{found.kills} workers killed, {found.restarts} restarts of the server, {found.seconds:.0f} s")
    for wrong in (*found.lost, *found.doubled, *found.damaged):
        print(f"  {wrong}")
    print(found.last_line())
    return 0 if found.held else 1


if __name__ == "__main__":
    sys.exit(main())
