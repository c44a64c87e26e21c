"""One damaged thing hurts itself only: verify, lists, the inbox and workers go on with all others."""

from __future__ import annotations

import json
import re
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import zstandard

from engine.runtime import state_loader as states
from engine.runtime.state_loader import load_state
from engine.runtime.worker import Worker
from engine.session.state.evolve import fold
from engine.session.state.state import Status
from engine.store import chain
from engine.store.faults import StoreFault
from engine.store.file import connect
from engine.store.log_key import LogKey
from engine.store.readonly import open_past
from engine.store.sqlite import open_store
from engine.testing.log_events import started, woken
from tests.cli.shell import ROOT, Done, Shell, copy_of_root, environment
from tests.runtime.acting import Acting
from tests.runtime.test_engine import DONE, engine, plan, script, start
from tests.session.play import call

Damage = Callable[[sqlite3.Connection], object]
NUMBER = "(SELECT number FROM sessions WHERE id = 's')"
SALT = "00" * 16
AT = "2026-01-01T00:00:00.000000Z"
BEGUN = json.dumps({"agent": "a", "bundle": "b"})


def body(content: bytes) -> Damage:
    return lambda raw: raw.execute(f"UPDATE segments SET body = ? WHERE session = {NUMBER}", (content,))


def lines(*told: tuple[str, str]) -> Damage:
    """A log that its own chain agrees with."""

    def change(raw: sqlite3.Connection) -> None:
        text = "\n".join(f"0 {kind} {AT} {SALT}\n{payload}" for kind, payload in told)
        segment = chain.Segment("s", 1, len(told), "", zstandard.ZstdCompressor().compress(text.encode("ascii")))
        link, _ = chain._relink(segment, text.split("\n"), chain.GENESIS)
        values = (segment.body, link, len(told))
        raw.execute(f"UPDATE segments SET body = ?, hash = ?, last = ? WHERE session = {NUMBER}", values)
        raw.execute("UPDATE sessions SET seq = ?, head_hash = ? WHERE id = 's'", (len(told), link))

    return change


def column(name: str, value: str) -> Damage:
    return lambda raw: raw.execute(f"UPDATE sessions SET {name} = {value} WHERE id = 's'")


# a frame that says it holds 2**60 bytes
HUGE = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 2**60) + b"\x01\x00\x00"

DAMAGE: dict[str, Damage] = {
    "a frame that claims more than there is memory": body(HUGE),
    "no frame": body(b""),
    "another frame": body(zstandard.ZstdCompressor().compress("\u00e9".encode())),
    "a payload nested without end": lines(("session_started", '{"a":' + "[" * 100_000 + "]" * 100_000 + "}")),
    "a beginning that says nothing": lines(("session_started", "{}"), ("session_woken", "{}")),
    "a transition that says nothing": lines(("session_started", BEGUN), ("state_transition", "{}")),
    "a transition to a list": lines(("session_started", BEGUN), ("state_transition", '{"state":[],"outcome":{}}')),
    "a request that says nothing": lines(("session_started", BEGUN), ("request_opened", "{}")),
    "a start of a call that says nothing": lines(("session_started", BEGUN), ("call_started", "{}")),
    "a moment that is none": column("created_at", "'x'"),
    "an end that is no moment": column("updated_at", "'2026-99-99'"),
    "a text that is no UTF-8": column("agent", "cast(x'ff' AS TEXT)"),
    "a state that is no UTF-8": column("state", "cast(x'c328' AS TEXT)"),
}


async def store_of(path: Path, damage: Damage) -> None:
    async with open_store(path) as store:
        await store.save_bundle("b1", {})
        for name in ("r", "s", "t"):
            await store.append(name, 0, [started(name), woken(name, 2)])
    raw = sqlite3.connect(path, isolation_level=None)
    damage(raw)
    raw.close()


@pytest.mark.parametrize("damage", DAMAGE)
async def test_what_is_damaged_is_a_finding_about_its_own_session(damage: str, tmp_path: Path) -> None:
    await store_of(tmp_path / "store.db", DAMAGE[damage])
    async with open_store(tmp_path / "store.db") as store:
        assert await store.verify("s"), "nothing was found"
        assert await store.verify("r") == []
        assert await store.verify("t") == []


@pytest.mark.parametrize("damage", DAMAGE)
def test_verify_and_the_list_go_on_behind_a_damaged_session(damage: str, tmp_path: Path) -> None:
    trio.run(store_of, tmp_path / "store.db", DAMAGE[damage])
    shell = Shell(tmp_path)
    verified = shell("sessions", "verify")
    assert verified.code == 1, verified.err[-300:]
    assert "Traceback" not in verified.err
    assert "2 sessions are whole, 1" in verified.out
    listed = shell("sessions", "list")
    assert "Traceback" not in listed.err
    assert {"r", "s", "t"} <= {line.split("\t")[0] for line in listed.out.splitlines()}
    for arguments in (("sessions", "show", "s"), ("sessions", "events", "s"), ("resume", "s")):
        done = shell(*arguments)
        assert "Traceback" not in done.err, (arguments, done.err[-300:])
    assert shell("sessions", "stats").code == 0


def test_a_log_whose_beginning_was_erased_ends_no_verify(tmp_path: Path) -> None:
    def erased(raw: sqlite3.Connection) -> None:
        row = raw.execute(f"SELECT first, last, hash, body FROM segments WHERE session = {NUMBER}").fetchone()
        body(chain.erase(chain.Segment("s", *row), 1).body)(raw)

    async def found() -> list[str]:
        await store_of(tmp_path / "store.db", erased)
        async with open_store(tmp_path / "store.db") as store:
            return await store.verify("s")

    # an erased payload still verifies
    assert trio.run(found) == []


@pytest.mark.parametrize("bit", range(0, 8 * 18, 5))
async def test_a_flipped_bit_at_the_head_of_a_segment_is_found_or_changes_nothing(bit: int, tmp_path: Path) -> None:
    def flipped(raw: sqlite3.Connection) -> None:
        (stored,) = raw.execute(f"SELECT body FROM segments WHERE session = {NUMBER}").fetchone()
        changed = bytearray(stored)
        changed[bit // 8] ^= 1 << bit % 8
        body(bytes(changed))(raw)

    await store_of(tmp_path / "e.db", flipped)
    async with open_store(tmp_path / "e.db") as store:
        if not await store.verify("s"):
            assert [event.seq for event in await store.load("s")] == [1, 2]


def test_a_segment_that_unpacks_to_more_than_there_is_memory_ends_nothing(tmp_path: Path) -> None:
    packed = zstandard.ZstdCompressor().compress(b"0 session_started x y\n" * 20_000_000)
    trio.run(store_of, tmp_path / "store.db", body(packed))
    run = (
        "import engine.cli.commands.sessions, engine.cli.console.app, resource; resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9));"
        "from engine.cli.main import main; main()"
    )
    raw = subprocess.run(
        [sys.executable, "-c", run, "sessions", "verify"], cwd=tmp_path, capture_output=True, text=True, timeout=600,
        env=environment(tmp_path / "store.db") | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    done = Done(raw.returncode, raw.stdout, raw.stderr)
    assert done.code == 1, done.err[-300:]
    assert "2 sessions are whole, 1" in done.out


# -- the inbox and the queue


BROKEN_ROWS = {
    "payload that is no JSON": "payload = '{'",
    "payload that says nothing": "payload = '{}'",
    "payload nested without end": "payload = '" + "[" * 50_000 + "'",
    "moment that is none": "opened_at = 'x'",
    "expiry that is none": "expires_at = 'x'",
    "text that is no UTF-8": "payload = cast(x'ff' AS TEXT)",
}


@pytest.mark.parametrize("change", BROKEN_ROWS)
def test_the_inbox_shows_what_is_whole_beside_a_damaged_request(change: str, tmp_path: Path) -> None:
    shell = Shell(copy_of_root(tmp_path))
    for account in ("acct_1002", "acct_1001"):
        message = "I want to talk to a human"
        assert shell.triage(account, message=message).code == 3
    first, second = (row["id"] for row in shell("review", "list", "--format", "json").json)
    raw = sqlite3.connect(tmp_path / "store.db")
    raw.execute(f"UPDATE requests SET {BROKEN_ROWS[change]} WHERE id = ?", (first,))
    raw.commit()
    raw.close()
    for form in ("text", "json"):
        listed = shell("review", "list", "--format", form)
        assert "Traceback" not in listed.err, listed.err[-300:]
        assert second in listed.out
        assert first in listed.out + listed.err
    assert "Traceback" not in shell("review", "show", first).err
    assert shell("review", "show", second).code == 0


# -- who drives


async def test_a_worker_goes_on_behind_a_session_that_is_damaged(
    tmp_path: Path,
) -> None:
    async with open_store(tmp_path / "e.db") as store:
        one = engine(Acting(tmp_path / "runs.txt"), script(DONE, repeat=True), store)
        damaged, whole = await start(one, tmp_path), await start(one, tmp_path)
        raw = sqlite3.connect(tmp_path / "e.db", isolation_level=None)
        raw.execute(
            "UPDATE segments SET body = ? WHERE session = (SELECT number FROM sessions WHERE id = ?)", (HUGE, damaged)
        )
        raw.close()
        trouble: list[str] = []
        worker = Worker(one, on_trouble=lambda session_id, error: trouble.append(session_id))
        with trio.move_on_after(600):
            await worker.work(until_idle=True)
        assert trouble[:1] == [damaged]
        assert (await one.load(whole)).status is Status.DONE


BROKEN_SNAPSHOTS = {
    "no frame": b"x", "a frame that claims too much": HUGE, "no JSON": zstandard.ZstdCompressor().compress(b"{"),
    "no state": zstandard.ZstdCompressor().compress(b"[]"),
    "an unknown part": zstandard.ZstdCompressor().compress(b'{"is":"State","value":{"nothing":1}}'),
    "nested without end": zstandard.ZstdCompressor().compress(b"[" * 100_000),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN_SNAPSHOTS)
async def test_a_damaged_snapshot_is_none_and_the_log_is_read(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "EVERY", 4)
    async with open_store(tmp_path / "e.db", LogKey((b"k" * 32,))) as store:
        decisions = [plan(call(f"c{n}", "look", n=n)) for n in range(3)]
        one = engine(Acting(tmp_path / "runs.txt"), script(*decisions, DONE), store)
        session = await start(one, tmp_path)
        await one.drive(session)
        raw = sqlite3.connect(tmp_path / "e.db", isolation_level=None)
        assert raw.execute("UPDATE snapshots SET body = ?", (BROKEN_SNAPSHOTS[kind],)).rowcount == 1
        raw.close()
        assert await load_state(store, session) == fold(await store.load(session))
        assert await store.verify(session)


def test_a_stored_bundle_that_is_damaged_is_told(tmp_path: Path) -> None:
    shell = Shell(copy_of_root(tmp_path))
    assert shell.triage("acct_1001", message="I want to talk to a human").code == 3
    (row,) = shell("sessions", "list", "--format", "json").json
    for files in ("{", "[]", '{"specs/a.yaml": "%%%"}', '{"a": 7}', "{}"):
        raw = sqlite3.connect(tmp_path / "store.db")
        raw.execute("UPDATE bundles SET files = ?", (files,))
        raw.commit()
        raw.close()
        done = shell("resume", row["id"])
        assert done.code == 5, (files, done.err[-300:])
        assert "Traceback" not in done.err, (files, done.err[-300:])


async def test_a_schema_that_is_no_text_is_told_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.touch()
    connect(path).close()
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA writable_schema = ON")
    raw.execute("UPDATE sqlite_master SET name = CAST(x'85' AS TEXT), sql = 'CREATE TABLE' WHERE name = 'requests'")
    raw.commit()
    raw.close()
    with pytest.raises(sqlite3.DatabaseError, match="schema is damaged"):
        connect(path)
    with pytest.raises(StoreFault, match="schema is damaged"):
        async with open_past(f"sqlite:///{path}") as store:
            await store.sessions()


def test_pages_that_are_damaged_are_told_and_what_can_be_read_is_verified(tmp_path: Path) -> None:
    """A page of each table's rows is overwritten in turn; some sessions lie on others."""
    shell = Shell(copy_of_root(tmp_path))
    for _ in range(3):
        assert shell.triage("acct_1005").code == 0
    path = shell.at / "store.db"
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = raw.execute("PRAGMA page_size").fetchone()[0]
    roots = dict(raw.execute("SELECT name, rootpage FROM sqlite_master WHERE type = 'table'"))
    raw.close()
    whole = path.read_bytes()
    for table in ("sessions", "segments", "bundles", "idempotency_keys"):
        at = (roots[table] - 1) * size
        path.write_bytes(whole[:at] + b"\xff" * size + whole[at + size :])
        done = shell("sessions", "verify")
        assert (done.code, "Traceback" in done.err) == (1, False), (table, done.err)
        assert "the file is damaged, and nothing more should be written to it" in done.out, table
        assert ".recover" in done.out
        counts = re.findall(r"(\d+) sessions? (?:is|are) whole, (\d+) (?:is|are) not", done.out)
        assert sum(map(int, counts[-1])) >= 3, (table, done.out)
