"""What is fed: validation, models' wires, texts on a terminal, cases of `judge`, and stored segments."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import trio
from click.testing import CliRunner, Result

from engine.bundle.files import BundleFiles
from engine.bundle.load import load, load_stored
from engine.cli.main import cli
from engine.diagnostic.render import full
from engine.diagnostic.visible import block, line
from engine.language.value import NotJson, exact
from engine.session.state.event import Event, EventKind
from engine.session.trace import entry, headline
from tests.fuzz.mutations import NASTY, dumped, of_bytes, of_json, of_text
from tests.model import server as s
from tests.model.acting import Sessions, made
from tests.session.play import START
from tests.session.test_log import played

ROOT = Path(__file__).resolve().parents[2]

# feeds one input, which the given source of chance alone decides; raises what nobody has foreseen
Feed = Callable[[Random], None]


def _texts(folder: Path) -> dict[str, str]:
    """The files of a bundle that can be read as text."""
    found = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and parts[0] in ("specs", "policies", "prompts", "fixtures") and "__pycache__" not in parts:
            try:
                found["/".join(parts)] = path.read_text("utf-8")
            except UnicodeDecodeError:
                continue
    return found


# -- validation


@contextmanager
def validation() -> Iterator[Feed]:
    """Bundles with one to three files changed: each has its diagnostics, or is sound, and they are told."""
    bundles = [
        _texts(ROOT),
        _texts(ROOT / "engine/cli/starter"),
        *(_texts(one) for one in (ROOT / "tests/bundles").iterdir()),
    ]
    bundles = [one for one in bundles if one]
    every = [text for one in bundles for text in one.values() if text]

    def feed(random: Random) -> None:
        files = dict(random.choice(bundles))
        for path in random.sample(sorted(files), min(len(files), random.randint(1, 3))):
            files[path] = of_text(random, files[path], every)
        raw = BundleFiles({path: text.encode("utf-8", "surrogatepass") for path, text in files.items()})
        loaded = load(raw)
        assert full(loaded.diagnostics, loaded.sources, colour=random.random() < 0.5) or loaded.bundle is not None
        if loaded.bundle is not None:
            assert load_stored(loaded.bundle.files).bundle is not None, "what validates can be loaded from a store"

    yield feed


# -- models' wires

_ANSWERS: tuple[dict[str, Any], ...] = (
    s.completion("Hello"),
    s.completion(None, finish="tool_calls", calls=[
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"n": 1}'}},
        {"index": 1, "id": "c2", "type": "function", "function": {"name": "pay", "arguments": '{"n": 2, "amount": 9}'}},
    ]),
    s.completion(json.dumps({"message": "x", "tool_calls": [{"name": "look", "input": {"n": 1}}], "done": False})),
)  # fmt: skip


@contextmanager
def wires() -> Iterator[Feed]:
    """Answers of a model's server: each becomes a decision or a fault, and the session ends."""

    def feed(random: Random) -> None:
        trio.run(_one_session, random)

    yield feed


async def _one_session(random: Random) -> None:
    async def act(exchange: s.Exchange) -> None:
        answer = of_json(random, random.choice(_ANSWERS)) if random.random() < 0.8 else random.choice(_ANSWERS)
        if exchange.asked.body.get("stream"):
            await _streamed(random, exchange, answer)
            return
        raw = dumped(answer)
        if random.random() < 0.3:
            raw = of_bytes(random, raw.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")
        try:
            await exchange.text(raw, random.choice((200, 200, 200, 200, 429, 500, 201)))
        except UnicodeEncodeError:
            await exchange.text("{}")

    answers = random.choice(("tools", "json_schema"))
    stream = random.choice(("true", "false"))
    async with s.serving(act) as server:
        more = f", answers: {answers}, stream: {stream}"
        sessions = Sessions()
        state = await sessions.run(made(server.url, more=more, budgets="{steps: 4, repairs: 2}", timeout="20s"))
    assert state.final or state.waiting_for, state.status


async def _streamed(random: Random, exchange: s.Exchange, answer: Any) -> None:
    """The answer in pieces, of which some come twice, in another order, or not at all."""
    text = dumped(answer)
    size = random.choice((1, 7, 40, 4000))
    pieces = [s.chunk({"content": text[at : at + size]}) for at in range(0, min(len(text), 4000), size)]
    calls = [
        s.chunk({"tool_calls": [{"index": random.choice((0, 0, 1, None)), "id": random.choice(("a", "b", None)),
                                 "function": {"name": random.choice(("look", "", None)),
                                              "arguments": random.choice(('{"n":', " 1}", "{}", "", None))}}]})
        for _ in range(random.randrange(6))
    ]  # fmt: skip
    events = [*pieces, *calls, s.chunk({}, random.choice(("stop", "tool_calls", "length", None, "x")))]
    events = [of_json(random, event) if random.random() < 0.2 else event for event in events]
    if random.random() < 0.2:
        random.shuffle(events)
    lines = [dumped(event) if random.random() < 0.95 else random.choice(NASTY) for event in events]
    told = [line.encode("utf-8", "replace").decode().replace("\n", " ").replace("\r", " ") for line in lines]
    await exchange.events(*told, "[DONE]", ends=random.random() < 0.9)


# -- texts on a terminal


@contextmanager
def terminal() -> Iterator[Feed]:
    """Texts of others, in events of every kind: nothing of them steers, and no line is forged."""
    log = played().log

    def feed(random: Random) -> None:
        text = "".join(random.choice([*NASTY, chr(random.randrange(0x110000))]) for _ in range(random.randint(1, 40)))
        seen = line(text) + block(text).replace("\n", "")
        assert not [
            char for char in seen if ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or 0x202A <= ord(char) <= 0x202E
        ]
        event = random.choice(log)
        payload = of_json(random, {**event.payload, random.choice(sorted(event.payload) or ["x"]): text})
        try:
            payload = exact(payload if isinstance(payload, dict) else {"text": text})
        except NotJson:
            return  # no log holds it
        told = headline(entry(Event(event.session_id, 1, 1, random.choice(list(EventKind)), payload, START)))
        assert "\n" not in told
        assert "\x1b" not in told

    yield feed


# -- cases of `judge`

_CASE = {
    "id": "1", "session": {"tenant": "acme", "account_id": "acct_1001"}, "tool": "open_refund_case",
    "args": {"account_id": "acct_1001", "amount_usd": 120, "reason": "charged twice"},
    "prior": [
        {"event": "call", "tool": "get_billing_history", "args": {"account_id": "acct_1001"}, "output": {"charges": []},
         "at": "2026-01-01T09:00:00Z"},
        {"event": "message", "text": "I was charged twice"}, {"event": "user_confirmation"},
    ],
}  # fmt: skip


@contextmanager
def cases() -> Iterator[Feed]:
    """Cases for `engine judge`: each is judged, or is malformed and says why."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cases.json"

        def feed(random: Random) -> None:
            raw = dumped(of_json(random, [_CASE] * random.randint(1, 4))).encode("utf-8", "surrogatepass")
            file.write_bytes(of_bytes(random, raw) if random.random() < 0.3 else raw)
            _foreseen(CliRunner().invoke(cli, ["judge", str(ROOT), "--cases", str(file)]), 0, 1, 2)

        yield feed


def _foreseen(result: Result, *codes: int) -> None:
    """A command ended as it says: with one of its codes, and not by an exception."""
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in codes, (result.exit_code, result.output[-500:])


# -- stored segments

_COMMANDS = (
    ("sessions", "verify"), ("sessions", "list"), ("sessions", "stats"), ("sessions", "heads"), ("review", "list"),
    ("jobs", "list"), ("replay",), ("worker", "--until-idle"),
)  # fmt: skip


@contextmanager
def segments() -> Iterator[Feed]:
    """A store with some of its cells or bytes changed: commands tell what is damaged, and go on."""
    with tempfile.TemporaryDirectory() as folder:
        kept, file = Path(folder) / "kept.db", Path(folder) / "e.db"
        _a_store(Path(folder), kept)

        def feed(random: Random) -> None:
            for one in (path for path in Path(folder).glob("e.db*") if path.is_file()):
                one.unlink()
            if random.random() < 0.25:
                file.write_bytes(of_bytes(random, kept.read_bytes()))
            else:
                shutil.copy(kept, file)
                _change_cells(random, file)
            for command in random.sample(_COMMANDS, 3):
                # what can't be used as a store at all is said with 2 or 5
                _foreseen(CliRunner().invoke(cli, [*command, "--store", f"sqlite:///{file}"]), 0, 1, 2, 5)

        yield feed


def _a_store(folder: Path, kept: Path) -> None:
    """A store of sessions that are over, that wait for people, and that have bundles, requests and keys."""
    for name in ("specs", "policies", "prompts", "fixtures"):
        shutil.copytree(ROOT / name, folder / "bundle" / name, ignore=shutil.ignore_patterns("*.db*"))
    for account in ("acct_1001", "acct_1002"):
        asked = ["run", str(folder / "bundle"), "--agent", "support-triage", "-m", "I was charged twice", "--set",
                 "tenant=acme", "--set", f"account_id={account}", "--store", f"sqlite:///{kept}"]  # fmt: skip
        _foreseen(CliRunner().invoke(cli, asked), 0, 3)
    connection = sqlite3.connect(kept)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()


def _change_cells(random: Random, file: Path) -> None:
    connection = sqlite3.connect(file)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for _ in range(random.randint(1, 3)):
        table = random.choice([name for name in tables if not name.startswith("sqlite_")])
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        rows = [row for (row,) in connection.execute(f"SELECT rowid FROM {table}")]
        if not rows:
            continue
        if random.random() < 0.15:
            connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (random.choice(rows),))
            continue
        column, row = random.choice(columns), random.choice(rows)
        (old,) = connection.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (row,)).fetchone()
        try:
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (_other(random, old), row))
        except (sqlite3.Error, OverflowError, UnicodeError):
            continue
    connection.commit()
    connection.close()


def _other(random: Random, old: Any) -> Any:
    if isinstance(old, bytes):
        return of_bytes(random, old)
    if isinstance(old, int):
        return random.choice((0, -1, 1, old + 1, 2**62, 2**63 - 1, -(2**63)))
    if isinstance(old, str) and old.startswith(("{", "[")) and random.random() < 0.7:
        try:
            return dumped(of_json(random, json.loads(old))).encode("utf-8", "replace").decode()
        except ValueError:
            return ""
    text = of_text(random, old or "", [*NASTY, "2026-01-01T00:00:00", "now", "9999-12-31T23:59:59.999999Z"])
    return random.choice((None, text, text)) if isinstance(old, str) else text.encode("utf-8", "replace").decode()


TARGETS: dict[str, Callable[[], Any]] = {
    "validation": validation, "wires": wires, "terminal": terminal, "cases": cases, "segments": segments,
}  # fmt: skip
