"""Wake-ups between the processes on one PostgreSQL server: a notification for each commit that changed sessions.

Nothing rests on it: where the connection is gone, or a pooler stands between that keeps none, who waits looks from time
to time all the same.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
import trio
from psycopg.pq.abc import PGconn

from engine.random_bytes import random_hex
from engine.store.postgres.address import PostgresAddress, address_of
from engine.store.wake import WakeListener

# what a server takes is 8,000 bytes
_LARGEST = 7_900
# seconds until a server that went away is tried again
_PAUSE = 1.0
# who does not hear itself
_PROCESS = random_hex(8)


def notification(session_ids: Sequence[str]) -> str:
    """What is said of sessions that this process has changed; of too many, that some have.

    >>> json.loads(notification(["ses_1"]))[1]
    ['ses_1']
    """
    told = json.dumps([_PROCESS, list(session_ids)])
    return told if len(told) <= _LARGEST else json.dumps([_PROCESS, None])


def heard(text: str) -> tuple[bool, list[str] | None]:
    """Whether another process said it, and of which sessions; None where it said that of none in particular."""
    try:
        process, session_ids = json.loads(text)
    except (ValueError, TypeError):
        return True, None
    named = isinstance(session_ids, list) and all(isinstance(one, str) for one in session_ids)
    return process != _PROCESS, session_ids if named else None


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[WakeListener]:
    """A listener at a server, for the length of the context; raises BadStoreUrl."""
    address, listener = address_of(url), WakeListener(is_told=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_listen, address, listener)
        yield listener
        nursery.cancel_scope.cancel()


async def _listen(address: PostgresAddress, listener: WakeListener) -> None:
    while True:
        with suppress(psycopg.Error):
            raw = await trio.to_thread.run_sync(_connected, address, abandon_on_cancel=True)
            try:
                # what was said before nobody heard
                listener.tell(None)
                await _hear(raw, listener)
            finally:
                raw.close()
        await trio.sleep(_PAUSE)


def _connected(address: PostgresAddress) -> psycopg.Connection[Any]:
    raw = address.connect("engine listener")
    raw.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(address.channel)))
    return raw


async def _hear(raw: psycopg.Connection[Any], listener: WakeListener) -> None:
    """Take what is said, until the connection is gone; raises psycopg.Error."""
    connection: PGconn = raw.pgconn
    while True:
        while (told := connection.notifies()) is not None:
            from_elsewhere, session_ids = heard(told.extra.decode("utf-8", "replace"))
            if from_elsewhere:
                listener.tell(session_ids)
        await trio.lowlevel.wait_readable(raw.fileno())
        connection.consume_input()
