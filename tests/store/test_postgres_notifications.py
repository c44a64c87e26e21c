"""Processes on one server wake each other; a wake-up may be lost, and nothing rests on it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from engine.store.postgres.notifications import heard, notification
from engine.store.urls import listening_at, open_url
from engine.store.wake import SessionWatch
from engine.testing.log_events import start, woken
from tests.postgres import HAS_POSTGRES, PostgresServer, server

pytestmark = pytest.mark.skipif(not HAS_POSTGRES, reason="there is no PostgreSQL server here")

APPEND = """
import sys, trio
from engine.store.urls import open_url
from engine.testing.log_events import started
async def main():
    async with open_url(sys.argv[1]) as store:
        async with trio.open_nursery() as nursery:
            for name in sys.argv[2:]:
                nursery.start_soon(store.append, name, 0, [started(name)])
trio.run(main)
"""


async def _append_elsewhere(url: str, *names: str) -> None:
    run = [sys.executable, "-c", APPEND, url, *names]
    await trio.to_thread.run_sync(lambda: subprocess.run(run, check=True, timeout=600))


@asynccontextmanager
async def _watched(url: str, session_id: str) -> AsyncIterator[tuple[SessionWatch, list[float]]]:
    """A watch that does not look by itself, once the listener hears, and how often it heard of anything."""
    async with listening_at(url) as listener, trio.open_nursery() as nursery:
        heard: list[float] = []

        async def hear() -> None:
            while True:
                await listener.wait_any()
                heard.append(trio.current_time())

        nursery.start_soon(hear)
        with listener.watching(session_id, 600) as watch, trio.fail_after(600):
            # it looks once after it has begun to listen
            await watch.wait()
            yield watch, heard
        nursery.cancel_scope.cancel()


async def test_who_waits_for_a_session_is_woken_by_another_process() -> None:
    url = server().url()
    async with open_url(url), _watched(url, "s2") as (watch, _):
        await _append_elsewhere(url, "s1", "s2")
        await watch.wait()


async def test_a_process_does_not_wake_itself() -> None:
    url = server().url()
    async with open_url(url) as store, _watched(url, "s") as (_, heard):
        await start(store)
        await store.append("s", 1, [woken("s", 2)])
        # what another says comes behind it
        before = len(heard)
        await _append_elsewhere(url, "other")
        while len(heard) == before:  # noqa: ASYNC110
            await trio.sleep(0.01)
        assert len(heard) == before + 1


async def test_a_restart_of_the_server_ends_nothing(tmp_path: object) -> None:
    own = PostgresServer()
    try:
        url = own.url("wakes")
        async with open_url(url), _watched(url, "s") as (watch, _):
            await trio.to_thread.run_sync(own.stop)
            await trio.to_thread.run_sync(own.start)
            # as soon as it hears again: something may have been said meanwhile
            await watch.wait()
            await _append_elsewhere(url, "s")
            await watch.wait()
    finally:
        own.stop()


def test_of_more_sessions_than_a_notification_holds_it_is_said_that_some_changed() -> None:
    many = notification([f"ses_{number:032}" for number in range(300)])
    assert len(many) < 8000
    assert heard(many) == (False, None)
    assert heard(notification(["ses_1", "ü\n"])) == (False, ["ses_1", "ü\n"])
    assert heard("what somebody else says at our channel") == (True, None)
    assert heard('["another", ["ses_1"]]') == (True, ["ses_1"])
