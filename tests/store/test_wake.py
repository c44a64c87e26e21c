"""Processes on one file wake each other; a wake-up may be lost, and nothing rests on it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import trio

from engine.store.sqlite import open_store
from engine.store.urls import listening_at
from engine.store.wake import LOOK_OFTEN, WakeListener, WakeSender, folder_of, listening
from engine.testing.log_events import start, woken

TELL = "import sys; from pathlib import Path; from engine.store.wake import WakeSender; WakeSender(Path(sys.argv[1])).tell([sys.argv[2]])"


def told_elsewhere(file: Path, session_id: str) -> None:
    subprocess.run([sys.executable, "-c", TELL, str(file), session_id], check=True, timeout=600)


async def test_who_waits_for_a_session_is_woken_by_another_process(tmp_path: Path) -> None:
    file = tmp_path / "engine.db"
    async with listening(file) as listener, trio.open_nursery() as nursery:
        woken_: list[str] = []

        async def wait(session_id: str) -> None:
            with listener.watching(session_id, 600) as watch:
                await watch.wait()
            woken_.append(session_id)

        nursery.start_soon(wait, "ses_1")
        nursery.start_soon(wait, "ses_2")
        await trio.testing.wait_all_tasks_blocked()
        await trio.to_thread.run_sync(told_elsewhere, file, "ses_1")
        with trio.fail_after(600):
            while not woken_:  # noqa: ASYNC110
                await trio.sleep(0.01)
        assert woken_ == ["ses_1"]
        nursery.cancel_scope.cancel()


async def test_a_process_does_not_wake_itself_and_only_its_user_may_wake_it(tmp_path: Path) -> None:
    file = tmp_path / "engine.db"
    async with listening(file) as listener:
        (inbox,) = folder_of(file).iterdir()
        assert stat.S_IMODE(inbox.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder_of(file).stat().st_mode) == 0o700
        WakeSender(file).tell(["ses_1"])
        with trio.move_on_after(0.2) as scope:
            await listener.wait_any()
        assert scope.cancelled_caught
    assert list(folder_of(file).iterdir()) == []


async def test_the_socket_of_a_process_that_died_is_taken_away(tmp_path: Path) -> None:
    file = tmp_path / "engine.db"
    script = (
        "import socket,sys,os; s=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); os.makedirs(sys.argv[1], mode=0o700);"
        "s.bind(sys.argv[1] + '/1-dead')"
    )
    await trio.run_process([sys.executable, "-c", script, str(folder_of(file))])
    assert [path.name for path in folder_of(file).iterdir()] == ["1-dead"]
    sender = WakeSender(file)
    sender.tell(["ses_1"])
    sender.close()
    assert list(folder_of(file).iterdir()) == []


async def test_a_path_that_is_too_long_for_an_address_is_gone_without(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 120) / "engine.db"
    async with listening(file) as listener:
        with trio.fail_after(600), listener.watching("ses_1") as watch:
            await watch.wait()
    assert not folder_of(file).exists()
    async with listening_at("memory:") as without:
        with without.watching("ses_1") as watch:
            await watch.wait()


async def test_an_append_is_told_to_whoever_listens_and_a_store_alone_makes_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "engine.db"
    async with open_store(file) as store:
        await start(store)
        assert not folder_of(file).exists()
        code = (
            "import trio,sys\nfrom pathlib import Path\nfrom engine.store.wake import listening\n"
            "async def main():\n    async with listening(Path(sys.argv[1])) as l:\n"
            "        with l.watching('s', 600) as w:\n            print('ready', flush=True)\n"
            "            await w.wait()\n        print('woken', flush=True)\n"
            "trio.run(main)"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(file)], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        assert process.stdout is not None
        assert await trio.to_thread.run_sync(process.stdout.readline) == "ready\n"
        with trio.fail_after(600):
            seq = 1
            while process.poll() is None:
                await store.append("s", seq, [woken("s", seq + 1)])
                seq += 1
                await trio.sleep(0.05)
        assert await trio.to_thread.run_sync(process.stdout.readline) == "woken\n"
        process.stdout.close()


async def test_a_listener_keeps_nothing_of_those_who_wait_no_more() -> None:
    listener = WakeListener()
    for number in range(100):
        with listener.watching(f"ses_{number}"), listener.watching(f"ses_{number}"):
            pass
    assert listener._watches == {}


async def test_what_changes_while_somebody_reads_is_not_missed(autojump_clock: trio.testing.MockClock) -> None:
    listener = WakeListener()
    with listener.watching("ses_1") as watch, listener.watching("ses_2") as other:
        listener.wake("ses_1")
        began = trio.current_time()
        await watch.wait()
        assert trio.current_time() == began
        # and once alone; who watches another session is not woken
        await watch.wait()
        await other.wait()
        assert trio.current_time() == began + 2 * LOOK_OFTEN
