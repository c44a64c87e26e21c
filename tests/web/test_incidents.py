"""Incidents, as they come: the disk is full, a token is stolen, the log's key is changed, a bundle is rolled back."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from tests.cli.shell import Shell, command, copy_of_root, environment
from tests.web.service import Service, lines_of, open_service, opening
from tests.web.test_deployments import active, brought, with_threshold

OLD, NEW = "o" * 40, "n" * 40


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with open_service(Shell(copy_of_root(tmp_path_factory.mktemp("drill")))) as opened:
        yield opened


def processes(service: Service) -> list[int]:
    """The door and its workers."""
    door = service.process.pid
    lists = Path(f"/proc/{door}/task").glob("*/children")
    return [door, *(int(pid) for path in lists for pid in path.read_text().split())]


def limit_files(service: Service, size: str) -> None:
    for pid in processes(service):
        subprocess.run(["prlimit", "--pid", str(pid), f"--fsize={size}:unlimited"], check=True)


@pytest.mark.skipif(
    shutil.which("prlimit") is None or not Path("/proc/self/task").exists(),
    reason="only Linux, with prlimit, limits another process",
)
def test_a_store_that_is_full_takes_nothing_loses_nothing_and_goes_on_once_there_is_room(drill: Service) -> None:
    with drill.client("ops", "operator") as ops, drill.client("dana", "reviewer") as dana:
        held = drill.start(ops, "acct_1002")["id"]
        drill.waits(ops, held, "awaiting_human_review")
        shown = dana.get(f"/v1/requests/{held}.1").json()
        before = ops.get(f"/v1/sessions/{held}").json()["seq"]
        drill.token("late", "auditor")
        limit_files(drill, "0")
        with drill.client("late", "auditor") as late:
            # that a token is used for the first time can't be noted, nor that somebody was refused
            assert late.get("/v1/requests").status_code == 200
            denied = late.post("/v1/sessions", json=opening("acct_1001"))
            assert (denied.status_code, denied.json()["code"]) == (403, "not_permitted")
        refused = ops.post("/v1/sessions", json=opening("acct_1001"), headers={"idempotency-key": "full"})
        assert (refused.status_code, refused.json()["code"]) == (503, "store_away"), refused.text
        assert refused.headers["retry-after"]
        said = {"answer": "approve", "digest": shown["digest"]}
        assert dana.post(f"/v1/requests/{held}.1/answers", json=said).status_code == 503
        # what is there can be read all the while
        assert ops.get(f"/v1/sessions/{held}").json()["seq"] == before
        limit_files(drill, "unlimited")
        made = ops.post("/v1/sessions", json=opening("acct_1001"), headers={"idempotency-key": "full"})
        assert made.status_code in (200, 201), made.text
        drill.waits(ops, made.json()["id"], "done")
        assert dana.post(f"/v1/requests/{held}.1/answers", json=said).status_code == 200
        drill.waits(ops, held, "done")
        for session_id in (held, made.json()["id"]):
            assert ops.get(f"/v1/sessions/{session_id}/verify").json()["problems"] == []


def test_a_stolen_token_is_revoked_and_what_was_done_with_it_is_told(drill: Service) -> None:
    with drill.client("ops", "operator") as ops, drill.client("backend", "caller") as thief:
        theirs = drill.start(thief, "acct_1002")["id"]
        drill.waits(ops, theirs, "awaiting_human_review")
        token = next(one for one in ops.get("/v1/tokens").json()["items"] if one["name"] == "backend")
        headers = {"accept": "text/event-stream"}
        with thief.stream("GET", f"/v1/sessions/{theirs}/events", headers=headers) as stream:
            assert stream.status_code == 200
            assert ops.delete(f"/v1/tokens/{token['id']}").status_code == 204
            # the stream that was open ends as well
            assert not [event for event in lines_of(stream, 10_000) if event["event"] == "end"]
        assert thief.get(f"/v1/sessions/{theirs}").status_code == 401
        done = [one for one in ops.get("/v1/audit?limit=200").json()["items"] if one["actor"] == token["id"]]
        assert {(one["action"], one["about"]) for one in done} >= {("start", theirs)}
        assert all(one["address"] for one in done)
        assert ops.post(f"/v1/sessions/{theirs}/cancel", json={}).status_code == 202
        drill.waits(ops, theirs, "cancelled")


def test_a_bundle_is_rolled_back_while_sessions_wait_under_it(drill: Service) -> None:
    with (
        drill.client("mona", "operator", "--person", "mona") as mona,
        drill.client("olga", "operator", "--person", "olga") as olga,
        drill.client("dana", "reviewer") as dana,
    ):
        good = active(mona)
        bad = brought(mona, with_threshold(drill, 1))
        assert mona.post("/v1/deployments", json={"bundle": bad, "note": "a mistake"}).status_code == 201
        waiting = drill.start(mona, "acct_1001")["id"]
        drill.waits(mona, waiting, "awaiting_human_review")
        assert olga.post("/v1/deployments", json={"bundle": good, "note": "back"}).status_code == 201
        # what had begun goes on under what it began with, and new ones under what was rolled back to
        shown = dana.get(f"/v1/requests/{waiting}.1").json()
        said = {"answer": "approve", "digest": shown["digest"]}
        assert dana.post(f"/v1/requests/{waiting}.1/answers", json=said).status_code == 200
        assert drill.waits(mona, waiting, "done")["bundle"] == bad
        after = drill.waits(mona, drill.start(mona, "acct_1001")["id"], "done")
        assert after["bundle"] == good


def test_the_key_of_the_log_is_changed_while_sessions_wait(tmp_path: Path) -> None:
    shell = KeyedShell(copy_of_root(tmp_path))
    with open_service(shell) as first, first.client("ops", "operator") as ops:
        held = first.start(ops, "acct_1002")["id"]
        first.waits(ops, held, "awaiting_human_review")
        untouched = first.start(ops, "acct_1001")["id"]
        first.waits(ops, untouched, "done")
        first.token("dana", "reviewer")
        tokens = first.tokens
    # the new key first, with which heads are sealed; the old one is known still
    shell.keys[:] = [NEW, OLD]
    with open_service(shell) as both:
        both.tokens |= tokens
        with both.client("ops", "operator") as ops, both.client("dana", "reviewer") as dana:
            answer(dana, f"{held}.1")
            both.waits(ops, held, "done")
    sealed = shell("sessions", "seal", ENGINE_LOG_KEY=" ".join(shell.keys))
    assert sealed.code == 0, sealed.err
    shell.keys[:] = [NEW]
    with open_service(shell) as new:
        new.tokens |= tokens
        with new.client("ops", "operator") as ops:
            for one in (held, untouched):
                assert ops.get(f"/v1/sessions/{one}/verify").json()["problems"] == []
            new.waits(ops, new.start(ops, "acct_1001")["id"], "done")


@dataclass(frozen=True)
class KeyedShell(Shell):
    """Starts what it starts with keys of the log."""

    keys: list[str] = field(default_factory=lambda: [OLD])

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        env = environment(self.at / "store.db") | {"ENGINE_LOG_KEY": " ".join(self.keys)}
        return subprocess.Popen(
            command(*arguments), cwd=self.at, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


def answer(dana: httpx2.Client, request: str) -> None:
    shown = dana.get(f"/v1/requests/{request}").json()
    done = dana.post(f"/v1/requests/{request}/answers", json={"answer": "approve", "digest": shown["digest"]})
    assert done.status_code == 200, done.text
