"""Workers on other machines: a network that is cut, and a session that ends somewhere else than it began."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.store.urls import open_url
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool
from tests.cli.shell import Shell, copy_of_root, environment
from tests.cli.test_postgres import tokens
from tests.hosts import HAS_HOSTS, Host
from tests.postgres import HAS_POSTGRES, PostgresServer
from tests.waiting import until
from tests.web.service import Service, open_service
from tests.web.test_browser import browser as browser
from tests.web.test_browser import pytestmark as needs_browser

pytestmark = pytest.mark.skipif(
    not (HAS_POSTGRES and HAS_HOSTS), reason="there is no PostgreSQL server here, or no network can be made"
)

# it goes on until it is told that the network was cut, and notes each moment
CODE = """
import os, time


def _note(at, line):
    with open(os.path.join(at, "effects"), "a") as file:
        file.write(f"{line} {time.time()}\\n")
        file.flush()
        os.fsync(file.fileno())


def pay(at, idempotency_key):
    _note(at, f"begin {os.getpid()}")
    while not os.path.exists(os.path.join(at, "cut")):
        _note(at, f"acts {os.getpid()}")
        time.sleep(0.1)
    _note(at, f"end {os.getpid()}")
    return {"did": "paid"}
"""


def made() -> Any:
    path, text = agent("[pay]", policies="[rules]", budgets="{retries_per_call: 5, wall_clock: 30m, step_time: 20m}")
    rows = """
  steps:
    kind: rules
    rows:
      - {when: step.number == 1, message: pay, tool_calls: [{name: pay, input: {at: session.tenant}}]}
      - {message: bye, done: true}
"""
    script = "\n  script: {kind: scripted, decisions: [{message: hi, done: true}]}\n"
    return bundle(
        (path, text.replace("planner: script\n", "planner: steps\n").replace(script, rows)),
        policy(ALLOW),
        ("specs/tools/act.py", CODE),
        tool(
            "pay",
            "write",
            input="{type: object, properties: {at: {type: string}}, required: [at]}",
            output="{type: object, properties: {did: {type: string}}, required: [did]}",
            more=(
                "timeout: 10m\nadapter: {kind: python, file: specs/tools/act.py, function: pay}\n"
                "idempotency: {key: [input.at], honoured_by: tool}\n"
            ),
        ),
    )


def noted(at: Path) -> list[tuple[str, str, float]]:
    """What the tool noted: what, in which process, and when."""
    if not (at / "effects").exists():
        return []
    lines = (at / "effects").read_text("utf-8").split("\n")
    return [(what, pid, float(when)) for what, pid, when in map(str.split, lines[:-1])]


@contextmanager
def worker(at: Path, url: str, name: str, *host: str) -> Iterator[subprocess.Popen[bytes]]:
    with (at / f"{name}.txt").open("wb") as log:
        line = [*host, sys.executable, "-m", "engine", "worker", "--store", url]
        process = subprocess.Popen(line, cwd=at, env=environment(at / "none.db"), stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("one_way", [False, True])
def test_a_worker_whose_network_is_cut_stops_what_it_does_before_another_begins(tmp_path: Path, one_way: bool) -> None:
    at = tmp_path / "session"
    at.mkdir()
    for path, content in made().files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    with Host() as far:
        server = PostgresServer(listen=far.here)
        url = server.url("cut")

        async def begin() -> str:
            async with open_url(url) as store:
                return await Runner(store, root=tmp_path).start(
                    made(), Opening("bot", "hello", {"tenant": str(at)}), tmp_path
                )

        async def ended() -> tuple[str, list[str]]:
            async with open_url(url) as store:
                row = await store.session(session_id)
                return row.state, await store.verify(session_id)

        session_id = trio.run(begin)
        try:
            with worker(tmp_path, url, "far", *far.command()):
                until(lambda: bool(noted(at)), "the far worker acts")
                (far.lose_answers if one_way else far.cut)()
                with worker(tmp_path, url, "near"):
                    until(lambda: len({pid for _, pid, _ in noted(at)}) > 1, "the near worker acts")
                    (at / "cut").touch()
                    until(lambda: trio.run(ended)[0] == "done", "the near worker ends it")
                (far.find_answers if one_way else far.mend)()
                until(
                    lambda: "could not be driven" in (tmp_path / "far.txt").read_text("utf-8"), "the far one finds out"
                )
            assert trio.run(ended) == ("done", [])
        finally:
            server.stop()
    first, second = dict.fromkeys(pid for _, pid, _ in noted(at))
    stopped = max(when for _, pid, when in noted(at) if pid == first)
    begun_again = min(when for _, pid, when in noted(at) if pid == second)
    assert stopped < begun_again, "nobody acts while another does"
    assert [(what, pid) for what, pid, _ in noted(at) if what == "end"] == [("end", second)]


@needs_browser
def test_a_session_that_began_in_a_file_is_approved_in_a_browser_and_ended_on_another_host(
    tmp_path: Path, browser: Any
) -> None:
    shell, file = Shell(copy_of_root(tmp_path)), f"sqlite:///{tmp_path}/here.db"
    line = ("run", ".", "--agent", "support-triage", "-m", "I was charged twice", "--set", "tenant=acme")
    begun = shell(*line, "--set", "account_id=acct_1002", "--store", file)
    assert begun.code == 3, begun.err
    with Host() as far:
        server = PostgresServer(listen=far.here)
        url = server.url("moved")
        try:
            assert shell("store", "move", file, url).code == 0
            (row,) = shell("sessions", "list", "--format", "json", ENGINE_STORE=url).json
            with open_service(shell, "--store", url, "--workers", "none") as service:
                service.tokens |= tokens(shell, url)
                approve_in(browser, service, shell, url, row["id"])
                with service.client("ops") as ops:
                    assert ops.get(f"/v1/sessions/{row['id']}").json()["state"] != "done", "nobody works here"
                    with worker(shell.at, url, "far", *far.command()):
                        assert service.waits(ops, row["id"], "done")["outcome"] == "case_opened"
            assert shell("sessions", "verify", ENGINE_STORE=url).code == 0
        finally:
            server.stop()


def approve_in(browser: Any, service: Service, shell: Shell, url: str, session_id: str) -> None:
    """A reviewer logs in, finds what is asked, and says yes."""
    link = shell("tokens", "link", "dana", "--url", service.url, ENGINE_STORE=url).out.strip()
    page = browser.new_context().new_page()
    page.goto(link)
    page.get_by_role("button").click()
    page.wait_for_url("**/inbox")
    page.locator(f"a[href='/inbox/{session_id}.1']").click()
    page.get_by_role("button", name="Refund 480 USD to acct_1002").click()
    assert "approved by dana" in page.content()
