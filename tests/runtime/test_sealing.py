"""Sealed values on their way to a store and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.reach import MissingSecret
from engine.runtime.clock import TrioClock
from engine.runtime.engine import Engine, Opening
from engine.runtime.sealing import Cipher
from engine.runtime.secrets import HostSecrets
from engine.session.bundle import Bundle
from engine.session.event import Event
from engine.session.sealed import is_sealed
from engine.session.snapshot import VERSION
from engine.store.memory import MemoryStore
from tests.making import ALLOW, agent, bundle, policy, tool

KEY = {"SEAL_KEY": "a key of the tests"}
PIN = "{type: integer, x-sensitive: true}"
INPUT = f"{{type: object, properties: {{n: {{type: integer}}, pin: {PIN}, iban: {{type: string, x-sensitive: true}}}}}}"
DECIDED = (
    "[{message: I pay 1234567 to DE-4411, tool_calls: [{id: a, name: pay, input: {n: 1, pin: 12, iban: DE-4411}}]}, "
    "{message: again, tool_calls: [{id: b, name: pay, input: {n: 2, pin: 1234567, iban: DE-4411}}]}, "
    "{message: bye, done: true}]"
)


def sealed_bundle() -> Bundle:
    path, text = agent("[pay]", policies="[rules]", budgets="{calls_per_tool: {pay: 9}}")
    text = text.replace("description: bot\n", "description: bot\nsealed_with: ${secret:SEAL_KEY}\n", 1)
    text = text.replace("[{message: hi, done: true}]", DECIDED)
    return bundle(
        (path, text), policy(ALLOW),
        tool("pay", "write", input=INPUT, more="idempotency: {key: [input.iban], honoured_by: engine}"),
    )  # fmt: skip


async def ran(store: MemoryStore, told: list[Event] | None = None) -> str:
    seen = told if told is not None else []
    engine = Engine(store, TrioClock(), secrets=HostSecrets(KEY), on_event=seen.append)
    state = await engine.run(sealed_bundle(), Opening("bot", "Pay", {"tenant": "acme"}), Path("."))
    assert state.status.value == "done"
    # what the engine itself knows is what was said
    assert state.calls["b"].input == {"n": 2, "pin": 1234567, "iban": "DE-4411"}
    return state.session_id


def texts(value: Any) -> str:
    return repr(value)


async def test_a_marked_value_is_sealed_wherever_it_stands_and_whatever_it_is() -> None:
    store, told = MemoryStore(), list[Event]()
    session = await ran(store, told)
    stored = await store.load(session)
    for log in (stored, told):
        said = texts([event.payload for event in log])
        assert "DE-4411" not in said
        assert "1234567" not in said
    proposed = next(event.payload for event in stored if event.kind.value == "call_proposed")
    assert is_sealed(proposed["input"]["pin"])
    assert proposed["input"]["n"] == 1
    assert await store.verify(session) == []


async def test_the_key_of_a_write_is_compared_sealed_and_its_result_comes_back() -> None:
    store, told = MemoryStore(), list[Event]()
    await ran(store, told)
    results = [event.payload for event in told if event.kind.value == "tool_result"]
    assert [(one["status"], one["reused"]) for one in results] == [("ok", False), ("ok", True)]


async def test_another_process_with_the_key_goes_on_and_one_without_it_does_not() -> None:
    store = MemoryStore()
    session = await ran(store)
    other = Engine(store, TrioClock(), secrets=HostSecrets(KEY))
    assert (await other.load(session)).calls["a"].input["iban"] == "DE-4411"
    blind = Engine(store, TrioClock(), secrets=HostSecrets({}))
    with pytest.raises(MissingSecret, match="SEAL_KEY"):
        await blind.load(session)
    assert (await blind.look(session)).calls["a"].input["iban"] == "[sensitive]"


async def test_under_another_key_nothing_is_opened() -> None:
    store = MemoryStore()
    session = await ran(store)
    other = Engine(store, TrioClock(), secrets=HostSecrets({"SEAL_KEY": "another key"}))
    assert is_sealed((await other.load(session)).calls["a"].input["iban"])


async def test_of_a_sealed_session_no_snapshot_is_kept() -> None:
    store = MemoryStore()
    session = await ran(store)
    engine = Engine(store, TrioClock(), secrets=HostSecrets(KEY))
    await engine._store.save_snapshot(session, 1, VERSION, "all of it")
    assert await store.snapshot(session, VERSION) is None


def test_the_same_value_is_sealed_alike_and_opened_to_what_it_was() -> None:
    cipher = Cipher("one")
    for value in ("text", 5, True, None, {"a": [1, "ü"]}):
        token = cipher.seal(value)
        assert token == cipher.seal(value)
        assert cipher.opened(token) == value
    assert Cipher("two").opened(cipher.seal("text")) == cipher.seal("text")
    assert cipher.opened("sealed:1:AAAA") == "sealed:1:AAAA"
    assert cipher.opened("sealed:1:not base64 !") == "sealed:1:not base64 !"


async def test_a_text_that_only_looks_sealed_comes_back_as_it_was() -> None:
    store = MemoryStore()
    engine = Engine(store, TrioClock(), secrets=HostSecrets(KEY))
    fake = Cipher(KEY["SEAL_KEY"]).seal("of another session")
    state = await engine.run(sealed_bundle(), Opening("bot", f"{fake}", {"tenant": "acme"}), Path("."))
    assert (await engine.load(state.session_id)).messages == (fake,)
