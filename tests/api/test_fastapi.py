"""The app of the embedding guide on a real server: streams, approvals, clients that leave, and the end of the server."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.cli.shell import CHARGED, Shell, copy_of_root, environment

GUIDE = Path(__file__).resolve().parent.parent.parent / "docs/guides/embedding.md"

LINGER = """\
import pathlib, time

def linger(file):
    while not pathlib.Path(file).exists():
        time.sleep(0.02)
    return {}
"""
TOOL = """\
kind: Tool
name: linger
description: takes as long as nobody makes its file
effect: read
timeout: 120s
input: {type: object, properties: {file: {type: string}}}
output: {type: object}
adapter: {kind: python, file: specs/tools/linger.py, function: linger}
"""
SLOW = """\
  slow:
    kind: scripted
    decisions:
      - {message: '', tool_calls: [{id: a, name: linger, input: {file: GO}}]}
      - {message: at last, done: true}
"""


def app_of_the_guide() -> str:
    (code,) = (one for one in re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.M | re.S) if "FastAPI(" in one)
    return str(code)


@dataclass(frozen=True)
class Server:
    at: Path
    process: subprocess.Popen[bytes]
    client: httpx2.Client

    def start(self, account: str = "acct_1001") -> str:
        opening = {"message": CHARGED, "attributes": {"tenant": "acme", "account_id": account}}
        answer = self.client.post("/sessions", json=opening)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def show(self, session_id: str) -> Any:
        return self.client.get(f"/sessions/{session_id}").raise_for_status().json()

    def stream(self, session_id: str, after: int = 0) -> Iterator[tuple[int, str]]:
        """The numbers and kinds of the events that are streamed."""
        with self.client.stream("GET", f"/sessions/{session_id}/events", params={"after": after}) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            seq = 0
            for line in answer.iter_lines():
                if line.startswith("id: "):
                    seq = int(line[4:])
                elif line.startswith("event: "):
                    yield seq, line[7:]


@pytest.fixture
def at(tmp_path: Path) -> Path:
    at = copy_of_root(tmp_path)
    (at / "app.py").write_text(app_of_the_guide())
    return at


@pytest.fixture
def slow(at: Path) -> Path:
    """A bundle whose sessions wait until the file that is given is there."""
    (at / "specs/tools/linger.py").write_text(LINGER)
    (at / "specs/tools/linger.yaml").write_text(TOOL)
    rules = "rules:\n  - {id: linger, tools: [linger], effect: allow}\n"
    (at / "policies/linger.yaml").write_text(f"kind: Policy\nname: linger\n{rules}")
    agent = at / "specs/agents/support-triage.yaml"
    text = agent.read_text().replace("tools: [search_docs,", "tools: [linger, search_docs,")
    text = text.replace("policies: [refunds,", "policies: [linger, refunds,").replace(
        "planner: triage", "planner: slow"
    )
    text = text.replace("wall_clock: 30s", "wall_clock: 10m").replace("step_time: 15s", "step_time: 5m")
    agent.write_text(text + SLOW.replace("GO", str(at / "go")))
    return at / "go"


@pytest.fixture
def server(at: Path) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        arguments = ["--fd", str(listening.fileno()), "--timeout-graceful-shutdown", "1", "--log-level", "warning"]
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "app:app", *arguments],
            cwd=at,
            env=environment(at / "served.db"),
            pass_fds=[listening.fileno()],
        )
        # requests wait in the socket's queue until the server is there
        with httpx2.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=600) as client:
            yield Server(at, process, client)
    process.terminate()
    process.wait(60)


def test_a_session_is_streamed_approved_and_streamed_on(server: Server) -> None:
    session_id = server.start("acct_1002")
    first = list(server.stream(session_id))
    assert [seq for seq, _ in first] == list(range(1, len(first) + 1))
    assert first[-1][1] == "state_transition"
    (request,) = server.show(session_id)["requests"]
    answers = f"/requests/{request['id']}"
    reply = {"by": "dana", "approved": True, "digest": request["digest"]}
    for wrong, told in (({"digest": "x"}, "another call"), ({"by": "a stranger"}, "stranger")):
        refused = server.client.post(answers, json=reply | wrong)
        assert (refused.status_code, told in refused.text) == (409, True), refused.text
    assert server.client.post(answers, json=reply).status_code == 202
    rest = list(server.stream(session_id, after=len(first)))
    assert [seq for seq, _ in rest] == list(range(len(first) + 1, len(first) + len(rest) + 1))
    shown = server.show(session_id)
    assert (shown["status"], shown["outcome"], shown["requests"]) == ("done", "case_opened", [])
    assert server.client.get("/sessions/ses_none").status_code == 404
    assert server.client.get("/sessions/ses_none/events").status_code == 404


def test_two_sessions_are_streamed_side_by_side(server: Server) -> None:
    ids = [server.start("acct_1001"), server.start("acct_1002")]
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda id_: list(server.stream(id_)), ids)
    assert [seq for seq, _ in one] == list(range(1, len(one) + 1))
    assert [seq for seq, _ in other] == list(range(1, len(other) + 1))
    assert [server.show(id_)["status"] for id_ in ids] == ["done", "awaiting_human_review"]


def test_a_client_that_leaves_in_the_middle_ends_its_stream_and_nothing_else(slow: Path, server: Server) -> None:
    session_id = server.start()
    stream = server.stream(session_id)
    seen = [next(stream)[0] for _ in range(3)]
    stream.close()  # type: ignore[attr-defined]
    assert server.show(session_id)["status"] == "running"
    slow.touch()
    seen += [seq for seq, _ in server.stream(session_id, after=seen[-1])]
    assert seen == list(range(1, len(seen) + 1))
    assert server.show(session_id)["message"] == "at last"


def test_a_server_that_is_asked_to_stop_leaves_its_session_to_another_process(slow: Path, server: Server) -> None:
    session_id = server.start()
    seen = []
    with pytest.raises(httpx2.TransportError):  # noqa: PT012
        for _, kind in server.stream(session_id):
            seen.append(kind)
            if kind == "call_started":
                server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) in (0, -signal.SIGTERM)
    shell = Shell(server.at)
    store = f"sqlite:///{server.at / 'served.db'}"
    assert shell("sessions", "show", session_id, "--format", "json", "--store", store).json["state"] == "running"
    slow.touch()
    worker = shell("worker", "--until-idle", "--store", store)
    assert worker.out == "0 jobs run, 1 session driven\n", worker.err
    shown = shell("sessions", "events", session_id, "--format", "json", "--store", store).json
    kinds = [one["kind"] for one in shown]
    assert "session_released" in kinds
    assert kinds.count("session_claimed") == 2
    assert shell("sessions", "show", session_id, "--format", "json", "--store", store).json["state"] == "done"
