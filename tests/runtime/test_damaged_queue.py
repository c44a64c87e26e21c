"""A worker, and a queue that somebody else has written: one job's trouble is told, and the others are run."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import trio

from engine.ports.records import CorruptLog
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.runtime.worker import WorkDone, Worker
from engine.session.state.state import Status
from engine.store.sqlite import open_store
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool
from tests.runtime.acting import Acting
from tests.runtime.test_engine import DONE, plan, script
from tests.session.play import call

MADE = bundle(
    agent("[report]", policies="[rules]"),
    policy(ALLOW),
    tool("report", "write", more="mode: job\n"),
)

COPY = (
    "INSERT INTO jobs (id, session_id, call_id, tool, status, run_at, enqueued_at)"
    " SELECT {id}, {session}, {call}, tool, 'queued', run_at, enqueued_at FROM jobs"
)
CHANGES = {
    "a call that the log does not know": COPY.format(id="session_id || '/x'", session="session_id", call="'x'"),
    "a session that is not there": COPY.format(id="'g/x'", session="'g'", call="'x'"),
    "a moment that SQL takes and nobody else": "UPDATE jobs SET run_at = 'now'",
    "a moment without its zone": "UPDATE jobs SET run_at = '2020-01-01T00:00:00'",
    "as many leases as fit into a number": "UPDATE jobs SET epoch = 9223372036854775807",
}


class Queue:
    """Two sessions that have handed a job over, in a file."""

    def __init__(self, at: Path) -> None:
        self.path = at / "e.db"
        self.at = at
        self.acting = Acting(at / "runs.txt")
        self.told: list[tuple[str, str]] = []

    async def worked(self, change: str, *, of: str) -> tuple[WorkDone, list[Status]]:
        """What a worker has done after an edit of the rows of the first session, and how both sessions stand."""
        async with open_store(self.path) as store:
            planner = script(plan(call("c", "report", n=1)), DONE, repeat=True)
            one = Runner(store, adapters=self.acting, planner=planner)
            sessions = []
            for _ in range(2):
                one.bundles.know(MADE)
                state = await one.run(MADE, Opening("bot", "hello", {"tenant": "acme"}), self.at)
                assert state.status is Status.AWAITING_JOB
                sessions.append(state.session_id)
            raw = sqlite3.connect(self.path, isolation_level=None)
            column = "id" if of == "sessions" else "session_id"
            assert raw.execute(f"{change} WHERE {column} = ?", (sessions[0],)).rowcount == 1
            raw.close()
            worker = Worker(one, on_trouble=lambda id_, error: self.told.append((id_, str(error))))
            with trio.fail_after(600):
                done = await worker.work(until_idle=True)
            return done, [(await one.load(id_)).status for id_ in sessions]


@pytest.mark.parametrize("what", CHANGES)
async def test_a_job_that_is_none_is_told_and_the_others_are_run(what: str, tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    done, standing = await queue.worked(CHANGES[what], of="jobs")
    assert standing[1] is Status.DONE
    assert len(done.troubled) == 1
    assert [id_ for id_, _ in queue.told] == list(done.troubled)
    assert all("in the table `jobs` is damaged" in error for _, error in queue.told)
    raw = sqlite3.connect(queue.path)
    assert raw.execute("SELECT count(*) FROM jobs WHERE owner IS NOT NULL").fetchone() == (0,), "a lease is left"
    raw.close()


@pytest.mark.parametrize("value", ["epoch = 9223372036854775807", "owner = 'me', lease_until = 'x', state = 'running'"])
async def test_a_session_that_nobody_can_take_is_told_and_the_others_are_run(value: str, tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    done, standing = await queue.worked(f"UPDATE sessions SET {value}", of="sessions")
    assert standing == [Status.AWAITING_JOB, Status.DONE]
    assert len(done.troubled) == 1
    assert queue.acting.runs("report") == 1


async def test_a_job_that_has_ended_is_not_run_again_because_the_queue_says_so(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    await queue.worked("UPDATE jobs SET reason = ''", of="jobs")
    assert (queue.told, queue.acting.runs("report")) == ([], 2)
    async with open_store(queue.path) as store:
        one = Runner(store, adapters=queue.acting, planner=script(DONE))
        one.bundles.know(MADE)
        raw = sqlite3.connect(queue.path, isolation_level=None)
        raw.execute("UPDATE jobs SET status = 'queued'")
        raw.close()
        errors: list[Exception] = []
        worker = Worker(one, on_trouble=lambda id_, error: errors.append(error))
        with trio.fail_after(600):
            done = await worker.work(until_idle=True)
        assert (len(done.troubled), done.jobs) == (2, 0)
        assert all(isinstance(error, CorruptLog) for error in errors)
        assert queue.acting.runs("report") == 2


LATER = bundle(
    agent("[report]", policies="[rules]"),
    policy(ALLOW),
    tool("report", "write", more="mode: job\ndelay: 24h\n"),
)


async def test_a_job_is_run_no_sooner_than_its_log_says(tmp_path: Path) -> None:
    told, acting = list[str](), Acting(tmp_path / "runs.txt")
    async with open_store(tmp_path / "e.db") as store:
        one = Runner(store, adapters=acting, planner=script(plan(call("c", "report", n=1)), DONE))
        state = await one.run(LATER, Opening("bot", "hello", {"tenant": "acme"}), tmp_path)
        raw = sqlite3.connect(tmp_path / "e.db", isolation_level=None)
        raw.execute("UPDATE jobs SET run_at = '2020-01-01T00:00:00.000000Z'")
        worker = Worker(one, on_trouble=lambda id_, error: told.append(str(error)))
        with trio.fail_after(600):
            done = await worker.work(until_idle=True)
        assert done.troubled == {state.session_id}
        assert "its log has it to run from" in told[0]
        assert acting.runs("report") == 0
        assert raw.execute("SELECT count(*) FROM jobs WHERE owner IS NOT NULL").fetchone() == (0,)
        raw.close()
