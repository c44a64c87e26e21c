"""A store that is moved goes on at one place: nothing of it is lost, and nothing is done at both."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.ports.records import Appended, Claim, Lease, StoreMoved
from engine.store.backup import StoreStopped
from engine.store.move import KEYS, BadMove, MoveEnd, columns_of, give_up, move
from engine.store.move_ends import check_goes_on, open_end
from engine.store.urls import open_url
from engine.testing.log_events import START, call_started, claimed, opened, start, woken
from tests.postgres import HAS_POSTGRES, server

LEASE = timedelta(seconds=10)
KINDS = ["sqlite", "postgres"] if HAS_POSTGRES else ["sqlite"]


class Places:
    """Stores that hold nothing yet, of each kind."""

    def __init__(self, at: Path) -> None:
        self._at = at
        self._made = 0

    def new(self, kind: str) -> str:
        self._made += 1
        return f"sqlite:///{self._at}/{self._made}.db" if kind == "sqlite" else server().url()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


@contextmanager
def ends(source: str, target: str) -> Iterator[tuple[MoveEnd, MoveEnd]]:
    with ExitStack() as stack:
        yield stack.enter_context(open_end(source, make=False)), stack.enter_context(open_end(target, make=True))


def rows_of(url: str) -> dict[str, list[tuple[Any, ...]]]:
    with open_end(url, make=False) as end:
        found = {}
        for table in KEYS:
            columns = ", ".join(sorted(columns_of(end.connection, table)))
            sql = f"SELECT {columns} FROM {table} ORDER BY {', '.join(KEYS[table])}"
            found[table] = [tuple(row) for row in end.connection.execute(sql).fetchall()]
        return found


async def fill(url: str, sessions: int = 3) -> None:
    """Sessions with something in every way, one of which is being driven."""
    async with open_url(url) as store:
        await store.save_bundle("d", {"a.yaml": b"kind: x"}, urgent=True)
        for number in range(sessions):
            name = f"s{number}"
            await start(store, name)
            await store.append(name, 1, [opened(name, 2, f"{name}.1")])
            entry = {"meter": "usd", "key": "m", "amount": 30, "limit": 100, "since": None}
            await store.append(name, 2, [call_started(name, 3, f"k{number}", reserved=[entry])])
        await store.append("s0", 3, [claimed("s0", 4, "w", 1)], take=Claim(Lease("s0", "w", 1), LEASE))


async def can_write(url: str) -> bool:
    """Whether a store takes anything at all."""
    try:
        async with open_url(url) as store:
            await store.release(Lease("nobody", "nobody", 0))
    except StoreMoved:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_every_table_of_a_store_is_moved_and_has_the_same_columns_everywhere(places: Places, kind: str) -> None:
    asked = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        "postgres": "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace",
    }
    with open_end(places.new(kind), make=True) as end, open_end(places.new("sqlite"), make=True) as other:
        tables = {name for (name,) in end.connection.execute(asked[kind])}
        assert tables == {*KEYS, "store"}
        for table in KEYS:
            assert set(columns_of(end.connection, table)) == set(columns_of(other.connection, table)), table


@pytest.mark.parametrize(("from_", "to"), [*permutations(KINDS, 2), ("sqlite", "sqlite")])
async def test_a_store_goes_on_where_it_was_moved_to_and_nowhere_else(places: Places, from_: str, to: str) -> None:
    source, target = places.new(from_), places.new(to)
    await fill(source)
    before = rows_of(source)
    with ends(source, target) as (here, there):
        moved = move(here, there, LEASE)
    assert (moved.rows["sessions"], moved.rows["segments"], moved.driven) == (3, 10, 1)
    assert rows_of(source) == before
    after = rows_of(target)
    assert {name: rows for name, rows in after.items() if name != "sessions"} == {
        name: rows for name, rows in before.items() if name != "sessions"
    }
    with pytest.raises(StoreMoved, match="its sessions go on there"):
        check_goes_on(source)
    check_goes_on(target)
    async with open_url(source) as old, open_url(target) as new:
        for write in (
            old.append("s1", 3, [woken("s1", 4)]),
            old.save_bundle("x", {"a": b""}),
            old.release(Lease("s0", "w", 1)),
            old.access.revoke_token("t", START),
            old.erase("s1"),
        ):
            with pytest.raises(StoreMoved):
                await write
        with pytest.raises(StoreMoved):
            await old.check_open()
        await new.check_open()
        assert await new.append("s1", 3, [woken("s1", 4)]) == Appended()
        await start(new, "afterwards")
        assert [problem for one in await new.session_ids() for problem in await new.verify(one)] == []


async def test_what_somebody_drove_is_left_alone_for_a_lease(places: Places) -> None:
    source, target = places.new("sqlite"), places.new("sqlite")
    await fill(source)
    with ends(source, target) as (here, there):
        move(here, there, timedelta(hours=1))
        (until,) = there.connection.execute("SELECT lease_until FROM sessions WHERE id = 's0'").fetchone()
        (kept,) = here.connection.execute("SELECT lease_until FROM sessions WHERE id = 's0'").fetchone()
    assert until > kept
    async with open_url(target) as store:
        assert "s0" not in await store.due_sessions()


@pytest.mark.parametrize("to", KINDS)
async def test_a_move_that_is_cut_off_anywhere_is_taken_up_and_nothing_goes_on_meanwhile(
    places: Places, to: str
) -> None:
    source, target = places.new("sqlite"), places.new(to)
    await fill(source)
    before = rows_of(source)

    class Cut(Exception):
        """What ends a move."""

    for cut in range(1, 1000):
        seen = 0

        def stop(table: str, done: int, of: int, cut: int = cut) -> None:
            nonlocal seen
            seen += 1
            if seen == cut:
                raise Cut

        with ends(source, target) as (here, there):
            try:
                move(here, there, LEASE, stop)
            except Cut:
                if cut % 4:
                    continue
            else:
                break
        assert not await can_write(source)
        assert not await can_write(target)
    assert cut > len(KEYS)
    assert rows_of(source) == before
    assert await can_write(target)
    assert not await can_write(source)


async def test_back_again_it_goes_on_where_it_was_first(places: Places) -> None:
    first, second = places.new("sqlite"), places.new(KINDS[-1])
    await fill(first)
    with ends(first, second) as (here, there):
        move(here, there, LEASE)
    async with open_url(second) as store:
        await store.append("s1", 3, [woken("s1", 4)])
    with ends(second, first) as (here, there):
        move(here, there, LEASE)
    async with open_url(first) as store:
        assert len(await store.load("s1")) == 4
        assert await store.append("s1", 4, [woken("s1", 5)]) == Appended()
    assert not await can_write(second)


async def test_a_move_that_is_given_up_leaves_the_source_as_it_was(places: Places) -> None:
    source, target = places.new("sqlite"), places.new(KINDS[-1])
    await fill(source)
    before = rows_of(source)

    copied: list[str] = []

    @contextmanager
    def given_up_at_last() -> Iterator[None]:
        """By somebody else, when all is copied and compared and nothing is left to do but to open the target."""
        if copied and copied[-1] == "confirmation_links":
            with ends(source, target) as (also_here, also_there):
                give_up(also_here, also_there)
        with there.alone():
            yield

    with ends(source, target) as (here, there), pytest.raises(BadMove, match="was given up, or finished"):
        move(here, replace(there, alone=given_up_at_last), LEASE, lambda table, done, of: copied.append(table))
    assert rows_of(source) == before
    assert all(not rows for rows in rows_of(target).values())
    assert await can_write(source)
    assert await can_write(target)


async def test_one_store_is_not_moved_to_two_places_nor_into_one_that_holds_something(places: Places) -> None:
    source, first, second, filled = (places.new("sqlite") for _ in range(4))
    await fill(source)
    await fill(filled)
    with ends(source, filled) as (here, there), pytest.raises(BadMove, match="is not empty, it has bundles, sessions"):
        move(here, there, LEASE)
    assert await can_write(source)

    def to_another(table: str, done: int, of: int) -> None:
        with ends(source, second) as (here, there), pytest.raises(BadMove, match="and that is not finished"):
            move(here, there, LEASE)

    with ends(source, first) as (here, there):
        move(here, there, LEASE, to_another)
    with ends(source, first) as (here, there), pytest.raises(BadMove, match=r"was moved to .*, and goes on there"):
        move(here, there, LEASE)
    with ends(source, first) as (here, there), pytest.raises(BadMove, match="goes on there: nothing is given up"):
        give_up(here, there)
    assert await can_write(first)


class Dies(Exception):
    """What ends a move where a process would die."""


def cut_off(source: str, target: str, at: str) -> None:
    """A move that dies at a table."""

    def die(table: str, done: int, of: int) -> None:
        if table == at:
            raise Dies

    with ends(source, target) as (here, there), pytest.raises(Dies):
        move(here, there, LEASE, die)


async def test_who_still_copies_when_the_move_is_given_up_writes_nothing_more(places: Places) -> None:
    source, target = places.new("sqlite"), places.new(KINDS[-1])
    await fill(source)

    def given_up(table: str, done: int, of: int) -> None:
        # all of it, before the first row is copied
        if table == "bundles" and not done:
            with ends(source, target) as (here, there):
                assert give_up(here, there)

    with ends(source, target) as (here, there), pytest.raises(BadMove, match="was given up, or finished"):
        move(here, there, LEASE, given_up)
    assert all(not rows for rows in rows_of(target).values())
    assert await can_write(source)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_target_that_is_gone_keeps_nobody_from_giving_the_move_up(places: Places, kind: str) -> None:
    source, target, other = places.new("sqlite"), places.new(kind), places.new(kind)
    await fill(source)
    cut_off(source, target, "sessions")
    assert not await can_write(source)
    # it can't be reached, or another store stands in its place by now
    with open_end(source, make=False) as here:
        assert not give_up(here, None)
    assert await can_write(source)
    cut_off(source, other, "sessions")
    with ends(source, places.new(kind)) as (here, there):
        assert not give_up(here, there)
    assert await can_write(source)
    with ends(source, places.new(kind)) as (here, there):
        move(here, there, LEASE)
    with open_end(source, make=False) as here, pytest.raises(BadMove, match="may go on there: nothing is given up"):
        give_up(here, None)


async def test_giving_up_touches_no_store_but_that_which_the_move_has_claimed(places: Places) -> None:
    source, target, also, elsewhere = (places.new("sqlite") for _ in range(4))
    await fill(source)
    await fill(also)
    cut_off(source, target, "sessions")
    cut_off(also, elsewhere, "requests")
    before = rows_of(elsewhere)
    with ends(source, elsewhere) as (here, there):
        assert not give_up(here, there)
    assert rows_of(elsewhere) == before
    assert await can_write(source)
    # and the other goes on where it was cut off
    with ends(also, elsewhere) as (here, there):
        move(here, there, LEASE)
    assert await can_write(elsewhere)


async def test_a_store_is_the_same_by_whatever_name_it_is_given(places: Places, tmp_path: Path) -> None:
    source, target = places.new("sqlite"), places.new("sqlite")
    await fill(source)
    (tmp_path / "other").symlink_to(tmp_path)
    renamed = [url.replace(str(tmp_path), f"{tmp_path}/other") for url in (source, target)]
    cut_off(source, target, "sessions")
    with ends(*renamed) as (here, there):
        assert give_up(here, there)
    assert await can_write(source)
    assert await can_write(target)
    another = places.new("sqlite")
    cut_off(source, another, "requests")
    with ends(renamed[0], another) as (here, there):
        move(here, there, LEASE)
    assert await can_write(another)
    assert not await can_write(source)


async def test_of_two_targets_that_were_claimed_at_once_one_is_moved_into(places: Places) -> None:
    source, first, second = (places.new("sqlite") for _ in range(3))
    await fill(source)

    @contextmanager
    def dies() -> Iterator[None]:
        raise Dies
        yield

    # claimed, and the source not closed yet
    with ends(source, first) as (here, there), pytest.raises(Dies):
        move(replace(here, alone=dies), there, LEASE)
    with ends(source, second) as (here, there):
        move(here, there, LEASE)
    with ends(source, first) as (here, there), pytest.raises(BadMove, match="and goes on there"):
        move(here, there, LEASE)
    assert not await can_write(first)
    assert await can_write(second)


def copied(places: Places, url: str) -> str:
    """A file as it is now, under another name."""
    other = places.new("sqlite")
    shutil.copy(url.removeprefix("sqlite:///"), other.removeprefix("sqlite:///"))
    return other


async def test_a_copy_of_either_end_brings_no_second_store_into_being(places: Places) -> None:
    source, target = places.new("sqlite"), places.new("sqlite")
    await fill(source)
    cut_off(source, target, "requests")
    old_source, old_target = copied(places, source), copied(places, target)
    with ends(source, target) as (here, there):
        move(here, there, LEASE)
    with ends(old_source, target) as (here, there), pytest.raises(BadMove, match="and goes on there"):
        give_up(here, there)
    with ends(source, old_target) as (here, there), pytest.raises(BadMove, match="and goes on there"):
        move(here, there, LEASE)
    assert [await can_write(url) for url in (source, old_source, target, old_target)] == [False, False, True, False]


async def test_what_was_moved_away_and_has_not_arrived_yet_is_not_emptied(places: Places) -> None:
    first, second, third = (places.new("sqlite") for _ in range(3))
    await fill(first)
    old = copied(places, first)
    with ends(first, second) as (here, there):
        move(here, there, LEASE)
    async with open_url(second) as store:
        await start(store, "later")
    cut_off(second, third, "sessions")
    before = rows_of(second)
    with ends(old, second) as (here, there), pytest.raises(BadMove, match="the same store, or a copy of it"):
        move(here, there, LEASE)
    assert rows_of(second) == before
    empty = places.new("sqlite")
    with ends(third, empty) as (here, there), pytest.raises(BadMove):
        move(here, there, LEASE)
    with ends(empty, empty) as (here, there), pytest.raises(BadMove, match="the same store, or a copy of it"):
        move(here, there, LEASE)


async def test_who_stood_still_while_others_gave_up_and_moved_again_changes_nothing(places: Places) -> None:
    source, target = places.new("sqlite"), places.new("sqlite")
    await fill(source)
    cut_off(source, target, "requests")
    with ends(source, target) as (here, there):
        turns = 0

        @contextmanager
        def stands_still() -> Iterator[None]:
            nonlocal turns
            turns += 1
            if turns == 2:
                with ends(source, target) as (also_here, also_there):
                    give_up(also_here, also_there)
                cut_off(source, target, "requests")
            with there.alone():
                yield

        assert give_up(here, replace(there, alone=stands_still))
        assert turns == 2
    assert not await can_write(target)
    with ends(source, target) as (here, there):
        move(here, there, LEASE)
    assert (await can_write(source), await can_write(target)) == (False, True)
    # and who has taken the target, and closes the source only after somebody gave it up
    other = places.new("sqlite")
    with ends(target, other) as (here, there):

        @contextmanager
        def given_up_before() -> Iterator[None]:
            with ends(target, other) as (also_here, also_there):
                give_up(also_here, also_there)
            with here.alone():
                yield

        with pytest.raises(BadMove, match="was given up"):
            move(replace(here, alone=given_up_before), there, LEASE)
    assert (await can_write(target), await can_write(other)) == (True, True)


async def test_what_was_put_back_from_a_copy_is_released_before_it_is_moved(places: Places) -> None:
    source = places.new("sqlite")
    await fill(source)
    with open_end(source, make=False) as end:
        end.connection.execute("UPDATE store SET stopped_at = '2026-01-01T00:00:00.000000Z'")
    with pytest.raises(StoreStopped):
        check_goes_on(source)
    with ends(source, places.new("sqlite")) as (here, there), pytest.raises(BadMove, match="restore --release"):
        move(here, there, LEASE)


@pytest.mark.parametrize("from_", KINDS)
async def test_whatever_was_acknowledged_while_it_moved_is_there(places: Places, from_: str) -> None:
    source, target = places.new(from_), places.new("sqlite")
    await fill(source)
    acknowledged = 3
    async with open_url(source) as store, trio.open_nursery() as nursery:

        async def append() -> None:
            nonlocal acknowledged
            while True:
                try:
                    await store.append("s1", acknowledged, [woken("s1", acknowledged + 1)])
                except StoreMoved:
                    return
                acknowledged += 1

        def bring() -> None:
            with ends(source, target) as (here, there):
                move(here, there, LEASE)

        nursery.start_soon(append)
        while acknowledged < 8:  # noqa: ASYNC110
            await trio.sleep(0.001)
        await trio.to_thread.run_sync(bring)
    async with open_url(target) as store:
        assert [event.seq for event in await store.load("s1")] == list(range(1, acknowledged + 1))
