"""Kill -9 of the door and of its workers in turn, while sessions are started, answered and followed over HTTP.

Clients do what clients do: they ask again where no answer came.  What must hold afterwards is what `storm` judges, and that
every session that was ever promised is there, once, and every stream brought every event, once and in order.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import trio

from tests.bundle_texts import ALLOW, reviewers
from tests.cli.shell import environment
from tests.kills.sessions import effects, made
from tests.kills.storm import Storm, judge, main

ASK = "  - {id: look, tools: [plain], effect: require_approval, approvers: [leads]}\n"
PAUSE, AT_ONCE = 0.2, 5
# away or about to stop: asked again
AWAY = (502, 503)


@dataclass
class Door:
    """A service that is started again whenever it was killed, always at the same address."""

    root: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "engine", *arguments, "--store", f"sqlite:///{self.root}/engine.db"]

    def start(self) -> None:
        line = self.command("serve", str(self.root), "--port", str(self.port), "--workers", "2")
        log = open(self.root / "served.txt", "a+", encoding="utf-8")  # noqa: SIM115 - for as long as it runs
        with log:
            begin = log.tell()
            process = subprocess.Popen(line, cwd=self.root, env=environment(self.root / "engine.db"), stderr=log)
            self.process = process
            while True:
                log.seek(begin)
                found = re.search(r"serving http://127\.0\.0\.1:(\d+)", log.read())
                if found:
                    self.port = int(found[1])
                    return
                assert process.poll() is None, (self.root / "served.txt").read_text("utf-8")
                time.sleep(0.05)

    def token(self, name: str, role: str) -> str:
        made_ = subprocess.run(
            self.command("tokens", "create", "--name", name, "--role", role), cwd=self.root, capture_output=True,
            text=True, check=True, env=environment(self.root / "engine.db"),
        )  # fmt: skip
        return made_.stdout.strip()

    def workers(self) -> list[int]:
        """The processes that the door has started, as far as they live."""
        assert self.process is not None
        lists = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(pid) for path in lists for pid in path.read_text().split()]


@dataclass
class Clients:
    """What clients asked and were told."""

    door: Door
    found: Storm
    sessions: dict[str, str] = field(default_factory=dict)
    streams: dict[str, list[int]] = field(default_factory=dict)
    over: trio.Event = field(default_factory=trio.Event)

    async def ask(self, name: str, method: str, path: str, **more: Any) -> httpx2.Response:
        """Ask until there is an answer."""
        while True:
            try:
                async with httpx2.AsyncClient(base_url=self.door.url, timeout=600) as client:
                    headers = {"authorization": f"Bearer {self.door.tokens[name]}"} | more.pop("headers", {})
                    more["headers"] = headers
                    answer = await client.request(method, path, **more)
                    if answer.status_code not in AWAY:
                        return answer
            except httpx2.TransportError:
                pass  # it is away: that is what this is about
            await trio.sleep(PAUSE)

    async def start(self, number: int, nursery: trio.Nursery) -> None:
        at = self.door.root / f"session-{number}"
        at.mkdir()
        body = {"agent": "bot", "message": "hello", "attributes": {"tenant": str(at)}}
        for _ in range(2):
            # a client that can't know whether its first request arrived sends it again
            answer = await self.ask("ops", "POST", "/v1/sessions", json=body, headers={"idempotency-key": f"k{number}"})
            assert answer.status_code in (200, 201), answer.text
            id_ = answer.json()["id"]
            if self.sessions.setdefault(f"k{number}", id_) != id_:
                self.found.wrong.append(f"one key began {id_} and {self.sessions[f'k{number}']}")
        nursery.start_soon(self.follow, id_)

    async def follow(self, session_id: str) -> None:
        """Read a session's stream to its end, going on where it was cut."""
        seen = self.streams.setdefault(session_id, [])
        path = f"/v1/sessions/{session_id}/events"
        over = False
        while not over:
            headers = {"accept": "text/event-stream", "last-event-id": str(seen[-1] if seen else 0)}
            headers["authorization"] = f"Bearer {self.door.tokens['ops']}"
            try:
                async with (
                    httpx2.AsyncClient(base_url=self.door.url, timeout=600) as client,
                    client.stream("GET", path, headers=headers) as response,
                ):
                    if response.status_code == 204:
                        return
                    async for line in response.aiter_lines():
                        if line.startswith("id: "):
                            seen.append(int(line[4:]))
                        over |= line == "event: end"
            except httpx2.TransportError:
                pass  # it was cut
            await trio.sleep(PAUSE)

    async def review(self) -> None:
        """Answer what is asked: yes to calls, and of unknown writes what their tools have noted."""
        while not self.over.is_set():
            for row in (await self.ask("dana", "GET", "/v1/requests?limit=200")).json()["items"]:
                said = await self._answer(row)
                shown = (await self.ask("dana", "GET", f"/v1/requests/{row['id']}")).json()
                answer = await self.ask(
                    "dana", "POST", f"/v1/requests/{row['id']}/answers", json={**said, "digest": shown.get("digest")}
                )
                # an answer whose response was lost was taken all the same
                if answer.status_code != 200 and answer.json()["code"] not in ("already_answered", "session_over"):
                    self.found.wrong.append(f"{row['id']}: {answer.text}")
            await trio.sleep(PAUSE)

    async def _answer(self, row: dict[str, Any]) -> dict[str, Any]:
        if row["kind"] != "settle":
            return {"answer": "approve"}
        did = f"{row['tool']} {row['input']['n']}"
        self.found.unknown += 1
        happened = did in effects(Path(row["input"]["at"]))
        return {"answer": "happened", "output": {"did": did}} if happened else {"answer": "did_not_happen"}


def storm(kills: int, seed: int, tell: object = None) -> Storm:
    """Kill so often: the door, then a worker, and so on, with new sessions all the while."""
    began, found = time.monotonic(), Storm()
    with tempfile.TemporaryDirectory(prefix="service-") as folder:
        root = Path(folder)
        for path, content in made(f"{ALLOW}\n{ASK}", reviewers("leads", "[dana]")).files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        door = Door(root)
        door.start()
        try:
            door.tokens = {"ops": door.token("ops", "operator"), "dana": door.token("dana", "reviewer")}
            trio.run(_load, door, Clients(door, found), kills, random.Random(seed), tell)
        finally:
            assert door.process is not None
            door.process.terminate()
            door.process.wait()
        trio.run(judge, f"sqlite:///{root / 'engine.db'}", root, found)
    found.seconds = time.monotonic() - began
    return found


async def _load(door: Door, clients: Clients, kills: int, dice: random.Random, tell: object) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clients.review)
        async with trio.open_nursery() as following:
            following.start_soon(_kill, door, clients.found, kills, dice, tell)
            while clients.found.kills < kills:
                # several at once, so that there is always something to be cut off
                async with trio.open_nursery() as starting:
                    for _ in range(AT_ONCE):
                        starting.start_soon(clients.start, clients.found.sessions, following)
                        clients.found.sessions += 1
                await trio.sleep(dice.uniform(0, 0.4))
        clients.over.set()
    for session_id, seen in clients.streams.items():
        if seen != list(range(1, len(seen) + 1)):
            clients.found.wrong.append(f"the stream of {session_id} brought {seen}")
    if len(set(clients.sessions.values())) != len(clients.sessions):
        clients.found.wrong.append("two keys began one session")


async def _kill(door: Door, found: Storm, kills: int, dice: random.Random, tell: object) -> None:
    for number in range(kills):
        await trio.sleep(dice.uniform(0.5, 2.0))
        assert door.process is not None
        workers = door.workers()
        if number % 2 and workers:
            os.kill(dice.choice(workers), signal.SIGKILL)
        else:
            door.process.kill()
            await trio.to_thread.run_sync(door.process.wait)
            await trio.to_thread.run_sync(door.start)
        found.kills += 1
        if callable(tell):
            tell()


if __name__ == "__main__":
    sys.exit(main(storm, __doc__))
