"""When a step is over nothing of it runs: no task, no thread, no process, no socket."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from engine.ports.tool import ToolInvocation
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.session.state.event import EventKind
from engine.session.state.state import Status
from engine.store.memory import MemoryStore
from engine.trio_clock import TrioClock
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool
from tests.runtime.acting import Acting, hang
from tests.runtime.test_engine import DONE, engine, plan, script, start
from tests.session.play import START, call


def left() -> tuple[int, int, int, int]:
    """Tasks, threads that are no workers at rest, child processes and open sockets of this process."""
    tasks = trio.lowlevel.current_statistics().tasks_living
    threads = sum(not thread.name.startswith("Trio thread") for thread in threading.enumerate())
    children = len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
    links = [
        os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if Path(f"/proc/self/fd/{fd}").exists()
    ]
    return tasks, threads, children, sum(link.startswith("socket:") for link in links)


async def on_a_socket(run: ToolInvocation) -> Any:
    ours, theirs = socket.socketpair()
    with theirs:
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        async with stream:
            await stream.receive_some(1)


@pytest.mark.parametrize("how", ["cancel", "step deadline", "sibling", "let go", "wall clock"])
async def test_however_a_step_is_cut_off_nothing_of_it_is_left(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, how: str
) -> None:
    acting = Acting(tmp_path / "runs.txt", {"slow": on_a_socket, "look": hang, "one": on_a_socket})
    before = left()
    tools = {"sibling": ("look", "slow", "one"), "wall clock": ("slow", "one")}.get(how, ("slow", "one"))
    decisions = [plan(*(call(f"{name}{n}", name) for name in tools)) for n in range(6)]
    one = engine(acting, script(*decisions, DONE))
    session_id = await start(one, tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.drive, session_id)
        await trio.sleep(1)
        assert left()[3] > before[3], "its sockets are open while it runs"
        if how == "cancel":
            await one.cancel(session_id, "me")
        elif how == "let go":
            one.release_lease()
    assert left() == before


BUSY = """
import time, trio

def wait(seconds):
    time.sleep(float(seconds))
    return {}

def hold(seconds):
    time.sleep(float(seconds))
    return {}

async def deaf(seconds):
    with trio.CancelScope(shield=True):
        await trio.sleep(float(seconds))
    return {}
"""
INPUT = "{type: object, properties: {seconds: {type: string}}, required: [seconds]}"


def made() -> Any:
    def of(name: str) -> str:
        return f"adapter: {{kind: python, file: specs/tools/busy.py, function: {name}}}\n"

    return bundle(
        agent("[wait, hold, deaf]", policies="[rules]", budgets="{step_time: 500ms, grace: 100ms}"),
        policy(ALLOW),
        ("specs/tools/busy.py", BUSY),
        tool("wait", input=INPUT, more=of("wait")),
        tool("hold", "write", input=INPUT, more=of("hold")),
        tool("deaf", input=INPUT, more=of("deaf")),
    )


async def run(tmp_path: Path, name: str, seconds: str) -> Any:
    one = Runner(MemoryStore(), planner=script(plan(call("a", name, seconds=seconds)), DONE))
    session_id = await one.start(made(), Opening("bot", "hello", {"tenant": "acme"}), tmp_path)
    state = await one.drive(session_id)
    return state, await one.context.store.load(session_id)


async def test_a_write_in_a_process_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    before = left()
    with trio.fail_after(600):
        state, _ = await run(tmp_path, "hold", "30")
    assert state.calls["a"].result.status == "unknown"
    assert left() == before


async def test_a_read_in_a_thread_is_left_behind_and_said_to_be(tmp_path: Path) -> None:
    state, events = await run(tmp_path, "wait", "2")
    assert state.status is Status.DONE
    (result,) = [e.payload for e in events if e.kind is EventKind.TOOL_RESULT]
    assert (result["status"], result["reason"]) == ("terminal_error", "step_deadline")
    assert "its thread can't be stopped" in result["message"]


async def test_a_tool_that_ignores_its_cancellation_is_reported_and_the_session_ends_on_time(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    one = Runner(MemoryStore(TrioClock(START)), planner=script(plan(call("a", "deaf", seconds="60")), DONE))
    session_id = await one.start(made(), Opening("bot", "hello", {"tenant": "acme"}), tmp_path)
    await one.drive(session_id)
    log = await one.context.store.load(session_id)
    (result,) = [e for e in log if e.kind is EventKind.TOOL_RESULT]
    assert "ignores cancellation" in result.payload["message"]
    assert (log[-1].at - START).total_seconds() == pytest.approx(5.5, abs=0.1)
    assert trio.current_time() >= 60, "nothing is left running in the process that drove it"
