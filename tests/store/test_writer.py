"""The writer: one commit for all that wait, and nobody fails for another's sake."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.store.file import connect
from engine.store.sqlite import SqliteTransactions, open_store
from engine.store.writer import CommitWriter


@pytest.mark.parametrize("instead", [None, b"", b"another"])
async def test_what_would_be_written_into_a_file_that_is_gone_is_refused(tmp_path: Path, instead: bytes | None) -> None:
    path = tmp_path / "store.db"
    async with open_store(path) as store:
        await store.save_bundle("d", {"a.yaml": b"kind: x"})
        path.unlink()
        if instead is not None:
            path.write_bytes(instead)
        with pytest.raises(sqlite3.OperationalError, match="the file is gone, or another was put in its place"):
            await store.save_bundle("e", {"a.yaml": b"kind: y"})


async def test_a_job_that_raises_fails_alone(tmp_path: Path) -> None:
    (tmp_path / "e.db").touch()
    connection = connect(tmp_path / "e.db")
    connection.execute("CREATE TABLE notes (n INTEGER)")
    writer = CommitWriter(SqliteTransactions(connection))
    came: dict[int, Any] = {}

    async def one(n: int) -> None:
        def job(c: sqlite3.Connection) -> int:
            c.execute("INSERT INTO notes VALUES (?)", (n,))
            if n == 7:
                raise RuntimeError("seven")
            return n

        try:
            came[n] = await writer.do(job)
        except RuntimeError as error:
            came[n] = str(error)

    async with trio.open_nursery() as nursery:
        for n in range(20):
            nursery.start_soon(one, n)
        # all of them wait before the thread begins, and so are one batch
        await trio.testing.wait_all_tasks_blocked()
        async with writer.working():
            await trio.testing.wait_all_tasks_blocked()
    assert came == {**{n: n for n in range(20)}, 7: "seven"}
    rows = {n for (n,) in connection.execute("SELECT n FROM notes")}
    assert rows == set(range(20)) - {7}
    connection.close()


async def test_a_closed_writer_takes_nothing_and_ends_what_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "e.db").touch()
    connection = connect(tmp_path / "e.db")
    writer = CommitWriter(SqliteTransactions(connection))
    async with writer.working():
        assert await writer.do(lambda c: 1) == 1
    with pytest.raises(trio.ClosedResourceError):
        await writer.do(lambda c: 1)
    connection.close()
