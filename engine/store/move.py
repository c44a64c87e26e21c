"""A store is moved from one database into another: what goes on there goes on here no more.

Moving is not copying: a session that went on at both places would pay its refund twice.  So the source takes no writes
any more before the first row is copied, and the target takes none before the last is there and was compared.  Whatever
ends in between is taken up where it ended; until then nothing goes on anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from engine.errors import EngineError
from engine.language.value import timestamp
from engine.random_bytes import random_hex
from engine.store.database import SqlConnection

# all tables but `store` itself, each with what tells its rows apart: they are copied in that order
KEYS: Mapping[str, Sequence[str]] = {
    "bundles": ("rowid",),
    "sessions": ("number",),
    "segments": ("session", "first"),
    "snapshots": ("session_id",),
    "requests": ("id",),
    "jobs": ("id",),
    "idempotency_keys": ("key",),
    "meter_entries": ("key", "holder"),
    "creations": ("scope", "key"),
    "tokens": ("id",),
    "logins": ("secret_hash",),
    "audit_events": ("number",),
    "uploads": ("bundle",),
    "deployments": ("number",),
    "request_claims": ("request_id",),
    "deliveries": ("id",),
    "absences": ("id",),
    "confirmation_links": ("secret_hash",),
}
# rows that are read at once
_MANY = 200

OnRows = Callable[[str, int, int], None]


class BadMove(EngineError):
    """A store that can't be moved as it is asked for; nothing of it was lost."""


@dataclass(frozen=True, slots=True)
class MoveEnd:
    """A store as one end of a move: where it is, and a transaction in which nobody else writes to it."""

    shown: str
    connection: SqlConnection
    alone: Callable[[], AbstractContextManager[None]]
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class _Mark:
    """The row of `store`: which store it is, and the move that it is an end of, as `key` names it.

    A source is `done` with a move from the moment at which the target may be open.
    """

    id: str
    stopped_at: str | None
    moved_to: str | None
    moved_from: str | None
    key: str | None
    done: int


@dataclass(frozen=True, slots=True)
class MovedStore:
    """What a move has brought over: the rows of each table, and how many sessions were being driven just then."""

    rows: Mapping[str, int]
    driven: int


def _unseen(table: str, done: int, of: int) -> None:
    """For who does not watch how far a move has come."""


def move(source: MoveEnd, target: MoveEnd, lease: timedelta, on_rows: OnRows = _unseen) -> MovedStore:
    """Move a store, or go on with a move that was begun; raises BadMove.

    Whoever drove a session when its store was closed stops within a `lease`, and nobody drives it there before.
    """
    with target.alone():
        key = _claim_target(source, target)
    with source.alone():
        _close_source(source, target, key)
    rows = {table: _copy(source, target, key, table, on_rows) for table in KEYS}
    _compare(source, target, key)
    # from here on the target may be open: who gives up without it would have two
    with source.alone():
        if _mark(source.connection).key != key:
            raise BadMove(_OVER.format(source.shown, target.shown))
        source.connection.execute("UPDATE store SET move_done = 1")
    with target.alone():
        driven = _open_target(source, target, key, lease)
    with source.alone():
        # no copy of the target is taken for it any more
        source.connection.execute("UPDATE store SET move_key = NULL WHERE move_key = ?", (key,))
    return MovedStore(rows, driven)


_OVER = "the move of {} into {} was given up, or finished, by somebody else"


def give_up(source: MoveEnd, target: MoveEnd | None) -> bool:
    """Let the source go on whose move was not finished, and empty the target; raises BadMove.

    Without the target, or where it is another by now, the source alone: False then.  That is refused where the move
    came so far that the target may be open.
    """
    id_, key, claimed = _mark(source.connection).id, _mark(source.connection).key, False
    if target is not None:
        with target.alone():
            here, there = _mark(source.connection), _mark(target.connection)
            claimed = (
                there.moved_from is not None
                and there.id == here.id
                and (here.key is None or there.key in (None, here.key))
            )
            if there.id == here.id and there.moved_from is None:
                raise BadMove(f"{source.shown} was moved to {target.shown}, and goes on there: nothing is given up")
            if claimed:
                _empty(target.connection)
                # whoever is still copying can't finish, and the target stays closed until the source is open again
                target.connection.execute("UPDATE store SET move_key = NULL")
    with source.alone():
        here = _mark(source.connection)
        if not claimed and here.moved_to is None:
            raise BadMove(f"no move of {source.shown} is under way: nothing is given up")
        if here.key != key or (here.done and not claimed):
            raise BadMove(f"{source.shown} was moved to {here.moved_to}, and may go on there: nothing is given up")
        source.connection.execute("UPDATE store SET moved_to = NULL, move_key = NULL, move_done = 0")
    if target is not None and claimed:
        with target.alone():
            # unless another move has taken it meanwhile
            same = "moved_from IS NOT NULL AND move_key IS NULL AND id = ?"
            sql = f"UPDATE store SET id = ?, moved_from = NULL WHERE {same}"
            target.connection.execute(sql, (random_hex(16), id_))
    return claimed


def _mark(connection: SqlConnection) -> _Mark:
    rows = connection.execute("SELECT id, stopped_at, moved_to, moved_from, move_key, move_done FROM store").fetchall()
    if len(rows) != 1:
        raise BadMove("the table `store` holds no id, or several: put the store back from a copy")
    return _Mark(*rows[0])


def _claim_target(source: MoveEnd, target: MoveEnd) -> str:
    """Take the target for this source, unless something is in it that is not the source's own of before."""
    here, there = _mark(source.connection), _mark(target.connection)
    if here.stopped_at is not None:
        raise BadMove(f"{source.shown} was put back from a copy, and nobody has released it: engine restore --release")
    if here.moved_from is not None:
        raise BadMove(f"the move of {here.moved_from} into {source.shown} is not finished: finish it first")
    began = there.key is not None and there.moved_from is not None and there.id == here.id
    if there.key is not None and began and (here.key == there.key or (here.key is None and here.moved_to is None)):
        return there.key
    if here.moved_to is not None:
        told = "and goes on there" if here.done else "and that is not finished: finish it, or give it up"
        raise BadMove(f"{source.shown} was moved to {here.moved_to}, {told}")
    if there.moved_from is not None:
        raise BadMove(f"{there.moved_from} is being moved into {target.shown}: finish that, or give it up")
    if there.id == here.id and not there.done:
        raise BadMove(f"{target.shown} is the same store, or a copy of it, and was not moved away: name another")
    if there.id == here.id:
        # it was here before, and all that it holds is in the source
        _empty(target.connection)
    filled = _filled(target.connection)
    if filled:
        told = "name a store that holds nothing, and start its service after the move"
        raise BadMove(f"{target.shown} is not empty, it has {', '.join(filled)}: {told}")
    key = random_hex(16)
    sql = "UPDATE store SET id = ?, moved_from = ?, move_key = ?, moved_to = NULL, move_done = 0, stopped_at = NULL"
    target.connection.execute(sql, (here.id, source.shown, key))
    return key


def _close_source(source: MoveEnd, target: MoveEnd, key: str) -> None:
    _check_claimed(source, target, key)
    here = _mark(source.connection)
    if here.key not in (None, key):
        raise BadMove(f"{source.shown} is being moved to {here.moved_to}: give up what was begun into {target.shown}")
    source.connection.execute("UPDATE store SET moved_to = ?, move_key = ?", (target.shown, key))


def _check_claimed(source: MoveEnd, target: MoveEnd, key: str) -> None:
    there = _mark(target.connection)
    if there.key != key or there.moved_from is None:
        raise BadMove(_OVER.format(source.shown, target.shown))


def _filled(connection: SqlConnection) -> list[str]:
    return [table for table in KEYS if connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None]


def _empty(connection: SqlConnection) -> None:
    connection.overwrite_deleted()
    for table in KEYS:
        connection.execute(f"DELETE FROM {table}")


def columns_of(connection: SqlConnection, table: str) -> list[str]:
    """The columns of a table; a number that a database gives to its rows by itself is among them."""
    columns = connection.columns(table)
    return columns if set(KEYS[table]) <= set(columns) else [*KEYS[table], *columns]


def _pages(connection: SqlConnection, table: str, after: Sequence[Any] | None) -> Iterator[list[Any]]:
    """The rows of a table behind a key, in the order of its keys, some at a time; each has its key at its head."""
    key = KEYS[table]
    columns = sorted(set(columns_of(connection, table)) - set(key))
    places = ", ".join("?" * len(key))
    while True:
        behind = f"WHERE ({', '.join(key)}) > ({places})" if after is not None else ""
        sql = f"SELECT {', '.join((*key, *columns))} FROM {table} {behind} ORDER BY {', '.join(key)} LIMIT {_MANY}"
        rows = connection.execute(sql, tuple(after or ())).fetchall()
        if rows:
            yield rows
        if len(rows) < _MANY:
            return
        after = rows[-1][: len(key)]


def _copy(source: MoveEnd, target: MoveEnd, key: str, table: str, on_rows: OnRows) -> int:
    """Copy what is missing at the end of a table: it was filled in the order of its keys."""
    names = KEYS[table]
    columns = [*names, *sorted(set(columns_of(source.connection, table)) - set(names))]
    after = _newest(target.connection, table)
    total, done = _count(source.connection, table), _count(target.connection, table)
    on_rows(table, done, total)
    for rows in _pages(source.connection, table, after):
        with target.alone():
            _check_claimed(source, target, key)
            if _newest(target.connection, table) != after:
                raise BadMove(f"somebody else moves {source.shown} into {target.shown} at the same time: wait for that")
            target.connection.insert(table, columns, rows)
        after = rows[-1][: len(names)]
        done += len(rows)
        on_rows(table, done, total)
    return done


def _newest(connection: SqlConnection, table: str) -> tuple[Any, ...] | None:
    """The key of the last row of a table."""
    names = KEYS[table]
    order = ", ".join(f"{one} DESC" for one in names)
    row = connection.execute(f"SELECT {', '.join(names)} FROM {table} ORDER BY {order} LIMIT 1").fetchone()
    return tuple(row) if row is not None else None


def _count(connection: SqlConnection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _compare(source: MoveEnd, target: MoveEnd, key: str) -> None:
    for table in KEYS:
        if _digest(source.connection, table) != _digest(target.connection, table):
            _check_claimed(source, target, key)
            told = f"the table `{table}` is not what it was in the source"
            raise BadMove(f"{told}: the move is not finished, and nothing goes on; give it up, and look into it")


def _digest(connection: SqlConnection, table: str) -> str:
    found = sha256()
    for rows in _pages(connection, table, None):
        for row in rows:
            found.update(repr(tuple(row)).encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def _open_target(source: MoveEnd, target: MoveEnd, key: str, lease: timedelta) -> int:
    """Let the target go on; what somebody drove in the source is left alone until they have stopped for certain."""
    _check_claimed(source, target, key)
    connection, until = target.connection, timestamp(target.now() + lease)
    driven = connection.execute("UPDATE sessions SET lease_until = ? WHERE owner IS NOT NULL", (until,)).rowcount
    connection.execute("UPDATE jobs SET lease_until = ? WHERE owner IS NOT NULL", (until,))
    for table, names in KEYS.items():
        connection.number_on(table, names[0])
    connection.execute("UPDATE store SET moved_from = NULL, move_key = NULL")
    return driven
