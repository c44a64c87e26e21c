"""What-if and coverage read past sessions through the store's port: every store that has them tells the same."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import trio

from engine.ports.records import Appended
from engine.ports.store import OpenPast, PastSessions, Store
from engine.session.state.event import Event
from engine.spec.bundle import Bundle
from engine.store.faults import NoStore
from engine.store.memory import MemoryStore
from engine.store.readonly import open_past
from engine.store.urls import open_url
from engine.whatif.session import PastSession, whatif
from engine.whatif.store import listed, past_logs, whatif_all
from tests.replay.test_whatif import ALLOW, ASK, held, made
from tests.runtime import test_sealing as sealing
from tests.session.play import START

OWN = made(ALLOW + ASK % "leads", most=10)
LOOSER = made(ALLOW + ASK % "leads", most=60)
KINDS = pytest.mark.parametrize("kind", ["memory", "file", "file that is only read"])


def later(log: list[Event], id_: str, hours: int) -> list[Event]:
    return [replace(event, session_id=id_, at=event.at + timedelta(hours=hours)) for event in log]


LOGS = [later(held(OWN).log, "z", 0), later(held(OWN, 5).log, "a", 1)]


async def fill(store: Store, bundle: Bundle, logs: list[list[Event]]) -> None:
    await store.save_bundle(bundle.digest, bundle.files)
    for log in logs:
        assert await store.append(log[0].session_id, 0, log) == Appended()


def kept(kind: str, at: Path, bundle: Bundle, logs: list[list[Event]]) -> OpenPast:
    """What opens a store of a kind that has these sessions."""
    if kind == "memory":
        store = MemoryStore()
        trio.run(fill, store, bundle, logs)

        @asynccontextmanager
        async def opened() -> AsyncIterator[PastSessions]:
            yield store

        return opened

    url = f"sqlite:///{at}/e.db"

    async def make() -> None:
        async with open_url(url) as store:
            await fill(store, bundle, logs)

    trio.run(make)
    return partial(open_url if kind == "file" else open_past, url)


def judged(opens: OpenPast, bundle: Bundle) -> list[PastSession]:
    chunks = whatif_all(opens, bundle.files, trio.run(listed, opens), workers=1)
    return [past for chunk in chunks for past in chunk.pasts]


def logs_of(opens: OpenPast, agents: set[str], told: list[str], hours: int = 0) -> list[list[Event]]:
    async def read() -> list[list[Event]]:
        async with opens() as store:
            return [log async for log in past_logs(store, START + timedelta(hours=hours), agents, told.append)]

    return trio.run(read)


@KINDS
def test_what_if_tells_the_same_of_every_store_and_the_oldest_first(kind: str, tmp_path: Path) -> None:
    found = judged(kept(kind, tmp_path, OWN, LOGS), LOOSER)
    assert [past.session_id for past in found] == ["z", "a"]
    assert [flip.name for past in found for flip in past.flips] == ["large:approval→allow"]
    assert found == [whatif(log, LOOSER, lambda: OWN) for log in LOGS]


@KINDS
def test_coverage_reads_the_same_of_every_store(kind: str, tmp_path: Path) -> None:
    opens, told = kept(kind, tmp_path, OWN, LOGS), list[str]()
    assert logs_of(opens, {"bot"}, told) == LOGS
    assert logs_of(opens, {"bot"}, told, hours=1) == LOGS[1:]
    assert logs_of(opens, {"other"}, told) == []
    assert told == []


@KINDS
def test_what_is_sealed_is_opened_with_the_key_whatever_keeps_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, key in sealing.KEY.items():
        monkeypatch.setenv(name, key)
    first = MemoryStore()
    session = trio.run(sealing.ran, first)
    stored, bundle = trio.run(first.load, session), sealing.sealed_bundle()
    opens, told = kept(kind, tmp_path, bundle, [stored]), list[str]()
    ((*log,),) = logs_of(opens, {"bot"}, told)
    assert "DE-4411" in str(log)
    assert "DE-4411" not in str(stored)
    (past,) = judged(opens, bundle)
    assert (past.flips, past.unknown, past.decisions) == ((), "", 2)


@KINDS
def test_a_session_whose_values_are_sealed_is_left_out_and_told_without_its_bundle(kind: str, tmp_path: Path) -> None:
    first = MemoryStore()
    session = trio.run(sealing.ran, first)
    opens, told = kept(kind, tmp_path, OWN, [*LOGS[:1], trio.run(first.load, session)]), list[str]()
    assert logs_of(opens, {"bot"}, told) == LOGS[:1]
    assert [one.partition(":")[0] for one in told] == [session]
    assert "is gone or another" in told[0]


def test_another_process_is_given_what_opens_the_store(tmp_path: Path) -> None:
    opens: OpenPast = pickle.loads(pickle.dumps(kept("file that is only read", tmp_path, OWN, LOGS)))
    assert [row.id for row in trio.run(listed, opens)] == ["z", "a"]


def test_nothing_is_made_where_past_sessions_are_looked_for(tmp_path: Path) -> None:
    with pytest.raises(NoStore, match="there is no store at"):
        trio.run(listed, partial(open_past, f"sqlite:///{tmp_path}/none.db"))
    assert list(tmp_path.iterdir()) == []
