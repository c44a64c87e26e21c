"""A service under load: sessions that wait, streams that are read and some that never are, reviewers who answer.

    python -m benchmarks.service --seconds 60 --sessions 1000 --streams 200 --reviewers 20

It starts `engine serve` with a worker in a directory of its own, and prints what it measured as JSON: how long an
answer takes until its session has gone on, how many pages are read in a second, what the service's process holds, and
whether every event of every stream came.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from random import uniform
from statistics import median, quantiles
from typing import Any

import httpx2
import trio

from benchmarks import service_results

ROOT = Path(__file__).resolve().parent.parent
MESSAGE = "I was charged twice and your docs didn't help."
ATTRIBUTES = {"tenant": "acme", "account_id": "acct_1002"}


def engine(at: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "engine", *arguments, "--store", f"sqlite:///{at}/engine.db"]


def run(at: Path, *arguments: str) -> str:
    done = subprocess.run(engine(at, *arguments), cwd=at, capture_output=True, text=True, check=False)
    return done.stdout.strip()


class Load:
    """What is asked of one service, and what came of it."""

    def __init__(self, url: str, tokens: list[str], reviewers: list[str], given: argparse.Namespace) -> None:
        self.url, self.tokens, self.reviewers, self.given = url, tokens, reviewers, given
        self.answers: list[float] = []
        self.at_once: list[float] = []
        self.streaming = trio.Event()
        self.pages: list[float] = []
        self.seen: dict[str, list[int]] = {}
        self.refused = 0

    def client(self, token: str, cookie: str = "") -> httpx2.AsyncClient:
        who = {"cookie": cookie} if cookie else {"authorization": f"Bearer {token}"}
        # a context for TLS takes 25 ms to make, and nothing here speaks it: it would be measured as the service's
        return httpx2.AsyncClient(base_url=self.url, headers=who, timeout=60, verify=False)

    async def all(self) -> None:
        async with self.client(self.tokens[0]) as ops:
            requests: list[str] = []
            cursor = ""
            while True:
                page = (await ops.get(f"/v1/requests?limit=200{cursor}")).json()
                requests += [row["id"] for row in page["items"]]
                if page["next_cursor"] is None:
                    break
                cursor = f"&cursor={page['next_cursor']}"
        print(f"{len(requests)} requests are open", file=sys.stderr)
        async with trio.open_nursery() as nursery:
            for number in range(self.given.streams):
                session = requests[number % len(requests)].rpartition(".")[0]
                token = self.tokens[number % len(self.tokens)]
                act = self.never_read if number < self.given.unread else self.stream
                nursery.start_soon(act, session, token)
            # what is measured begins once the streams have brought what there is
            if self.given.streams > self.given.unread:
                with trio.fail_after(60):
                    await self.streaming.wait()
            await trio.sleep(1)
            own = {token: requests[number :: len(self.reviewers)] for number, token in enumerate(self.reviewers)}
            with trio.move_on_after(self.given.seconds):
                async with trio.open_nursery() as working:
                    for token, asked in own.items():
                        working.start_soon(self.review, token, asked[:-1])
            await trio.sleep(1)
            steady, self.answers = self.answers, []
            async with trio.open_nursery() as working:
                for token, asked in own.items():
                    working.start_soon(self.review, token, asked[-1:], 0.0)
            self.answers, self.at_once = steady, self.answers
            await trio.sleep(3)
            nursery.cancel_scope.cancel()

    async def review(self, token: str, requests: list[str], pause: float | None = None) -> None:
        """Answer one request after the other; people do not begin in the same instant, unless there is no pause."""
        pause = self.given.pause if pause is None else pause
        async with self.client(token) as client:
            await trio.sleep(pause * uniform(0, 1))
            for request in requests:
                shown = (await client.get(f"/v1/requests/{request}")).json()
                session, seq = request.rpartition(".")[0], shown["seq"]
                began = time.monotonic()
                said = {"answer": "approve", "digest": shown["digest"]}
                done = await client.post(f"/v1/requests/{request}/answers", json=said)
                if done.status_code != 200:
                    self.refused += 1
                    continue
                after = seq + 1  # the answer itself
                while (await client.get(f"/v1/sessions/{session}?wait=25&after={after}")).json()["seq"] <= after:
                    pass
                self.answers.append(time.monotonic() - began)
                # without a pause whoever answers waits for the others' turns: that measures answers a second
                await trio.sleep(pause * uniform(0.5, 1.5))

    async def stream(self, session: str, token: str) -> None:
        seen = self.seen.setdefault(session, [])
        async with self.client(token) as client:
            headers = {"accept": "text/event-stream"}
            async with client.stream("GET", f"/v1/sessions/{session}/events", headers=headers) as response:
                async for line in response.aiter_lines():
                    if line.startswith("id: "):
                        seen.append(int(line[4:]))
                        if sum(map(bool, self.seen.values())) == self.given.streams - self.given.unread:
                            self.streaming.set()

    async def never_read(self, session: str, token: str) -> None:
        host, port = self.url.removeprefix("http://").split(":")
        stream = await trio.open_tcp_stream(host, int(port))
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"GET /v1/sessions/{session}/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"
        await stream.send_all(f"{head}Authorization: Bearer {token}\r\n\r\n".encode())
        await trio.sleep_forever()

    async def read_pages(self, path: str, seconds: float, cookie: str = "") -> float:
        """Pages a second, of four clients at once."""
        count = 0

        async def reader() -> None:
            nonlocal count
            async with self.client(self.tokens[0], cookie) as client:
                while True:
                    response = await client.get(path)
                    assert response.status_code == 200, response.text
                    count += 1

        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                for _ in range(4):
                    nursery.start_soon(reader)
        return count / seconds

    async def lost(self) -> int:
        """Events of sessions that were streamed which no stream of theirs brought."""
        missing = 0
        async with self.client(self.tokens[0]) as client:
            for session, seen in self.seen.items():
                page = (await client.get(f"/v1/sessions/{session}/events?limit=200")).json()["items"]
                missing += len({event["seq"] for event in page} - set(seen))
        return missing


def log_in(url: str, token: str) -> str:
    """The cookie of a browser that has logged in."""
    done = httpx2.post(
        f"{url}/login", data={"token": token, "next": "/inbox"}, headers={"sec-fetch-site": "same-origin"}
    )
    return done.headers["set-cookie"].partition(";")[0]


def resident(pid: int) -> float:
    """Megabytes that a process holds."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name, default in (("seconds", 60), ("sessions", 1000), ("streams", 200), ("unread", 20), ("reviewers", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--write", action="store_true", help="put it into benchmarks/RESULTS.md")
    parser.add_argument("--pause", type=float, default=1.0, help="between the answers of one reviewer, in seconds")
    given = parser.parse_args()
    at = Path(tempfile.mkdtemp(prefix="service-"))
    for folder in ("specs", "policies", "prompts", "fixtures"):
        shutil.copytree(ROOT / folder, at / folder, ignore=shutil.ignore_patterns("*.db*"))
    line = json.dumps({"message": MESSAGE, "attributes": ATTRIBUTES})
    (at / "many.jsonl").write_text("\n".join([line] * given.sessions) + "\n")
    print(f"{given.sessions} sessions are run first", file=sys.stderr)
    run(at, "run", ".", "--agent", "support-triage", "--batch", "many.jsonl")
    tokens = [run(at, "tokens", "create", "--name", f"ops{number}", "--role", "operator") for number in range(5)]
    reviewers = [
        run(
            at,
            "tokens",
            "create",
            "--name",
            f"r{number}",
            "--role",
            "reviewer",
            "--person",
            ("dana", "lee")[number % 2],
        )
        for number in range(given.reviewers)
    ]
    served = subprocess.Popen(
        engine(at, "serve", ".", "--port", "0"), cwd=at, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert served.stderr is not None
    url = ""
    while not url:
        found = re.search(r"http://\S+", served.stderr.readline())
        url = found[0] if found else ""
    # what it logs is read, or it would wait for that
    threading.Thread(target=lambda: [None for _ in served.stderr or ()], daemon=True).start()
    load = Load(url, tokens, reviewers, given)
    try:
        before = resident(served.pid)
        trio.run(load.all)
        after = resident(served.pid)
        told: dict[str, Any] = {
            "answers": len(load.answers), "refused": load.refused, "pause_s": given.pause,
            "answer_to_resumed_ms": {
                "p50": round(median(load.answers) * 1000, 1), "p99": round(quantiles(load.answers, n=100)[98] * 1000, 1)
            },
            "at_once_ms": {"count": len(load.at_once), "last": round(max(load.at_once, default=0.0) * 1000, 1)},
            "events_lost": trio.run(load.lost), "streams": given.streams, "unread_streams": given.unread,
            "memory_mb": {"before": round(before, 1), "after": round(after, 1)},
            "requests_listed_a_second": round(trio.run(load.read_pages, "/v1/requests?status=all&limit=20", 5.0), 1),
            "sessions_read_a_second": round(trio.run(load.read_pages, "/v1/sessions?limit=20", 5.0), 1),
        }  # fmt: skip
        cookie = log_in(url, reviewers[0])
        told["inbox_pages_a_second"] = round(trio.run(load.read_pages, "/inbox?status=all", 5.0, cookie), 1)
        print(json.dumps(told, indent=2))
        if given.write:
            results = ROOT / "benchmarks" / "RESULTS.md"
            service_results.write(results, told, given.seconds, given.sessions, given.reviewers)
    finally:
        served.send_signal(signal.SIGTERM)
        served.wait(60)
        shutil.rmtree(at, ignore_errors=True)


if __name__ == "__main__":
    main()
