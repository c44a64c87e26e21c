"""Sealed values on their way to a store and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.ports.resources import MissingSecret
from engine.runtime.cipher import Cipher, NotOpened
from engine.runtime.host_secrets import HostSecrets
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.session.sealed_tokens import is_sealed
from engine.session.state.event import Event
from engine.session.state.snapshot import VERSION
from engine.spec.bundle import Bundle
from engine.store.memory import MemoryStore
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool

KEY = {"SEAL_KEY": "a key of the tests that is long enough to be one"}
PIN = "{type: integer, x-sensitive: true}"
INPUT = f"{{type: object, properties: {{n: {{type: integer}}, pin: {PIN}, iban: {{type: string, x-sensitive: true}}}}}}"
DECIDED = (
    "[{message: I pay 1234567 to DE-4411, tool_calls: [{id: a, name: pay, input: {n: 1, pin: 12, iban: DE-4411}}]}, "
    "{message: again, tool_calls: [{id: b, name: pay, input: {n: 2, pin: 1234567, iban: DE-4411}}]}, "
    "{message: bye, done: true}]"
)


def sealed_bundle(keys: str = "sealed_with: ${secret:SEAL_KEY}") -> Bundle:
    path, text = agent("[pay]", policies="[rules]", budgets="{calls_per_tool: {pay: 9}}")
    text = text.replace("description: bot\n", f"description: bot\n{keys}\n", 1)
    text = text.replace("[{message: hi, done: true}]", DECIDED)
    return bundle(
        (path, text), policy(ALLOW),
        tool("pay", "write", input=INPUT, more="idempotency: {key: [input.iban], honoured_by: engine}"),
    )  # fmt: skip


async def ran(store: MemoryStore, told: list[Event] | None = None) -> str:
    seen = told if told is not None else []
    engine = Runner(store, secrets=HostSecrets(KEY), on_event=seen.append)
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
    other = Runner(store, secrets=HostSecrets(KEY))
    assert (await other.load(session)).calls["a"].input["iban"] == "DE-4411"
    blind = Runner(store, secrets=HostSecrets({}))
    with pytest.raises(MissingSecret, match="SEAL_KEY"):
        await blind.load(session)
    assert (await blind.look(session)).calls["a"].input["iban"] == "[sensitive]"


async def test_under_another_key_nothing_is_opened() -> None:
    store = MemoryStore()
    session = await ran(store)
    other = Runner(store, secrets=HostSecrets({"SEAL_KEY": "another key"}))
    with pytest.raises(NotOpened, match="another key"):
        await other.load(session)
    assert (await other.look(session)).calls["a"].input["iban"] == "[sensitive]"


async def test_of_a_sealed_session_no_snapshot_is_kept() -> None:
    store = MemoryStore()
    session = await ran(store)
    engine = Runner(store, secrets=HostSecrets(KEY))
    await engine._store.save_snapshot(session, 1, VERSION, "all of it")
    assert await store.snapshot(session, VERSION) is None


def test_the_same_value_is_sealed_alike_and_opened_to_what_it_was() -> None:
    cipher = Cipher(["one"], "one")
    for value in ("text", 5, True, None, {"a": [1, "ü"]}):
        token = cipher.seal(value)
        assert token == cipher.seal(value)
        assert cipher.opened(token) == value
    assert Cipher(["two", "one"], "one").opened(cipher.seal("text")) == "text"
    unopened: list[tuple[Cipher, str]] = [
        (Cipher(["two"], "one"), cipher.seal("text")), (cipher, "sealed:1:AAAA"), (cipher, "sealed:1:not base64 !"),
    ]  # fmt: skip
    for other, sealed in unopened:
        with pytest.raises(NotOpened):
            other.opened(sealed)


async def test_a_text_that_only_looks_sealed_comes_back_as_it_was() -> None:
    store = MemoryStore()
    engine = Runner(store, secrets=HostSecrets(KEY))
    fake = Cipher([KEY["SEAL_KEY"]], "").seal("of another session")
    state = await engine.run(sealed_bundle(), Opening("bot", f"{fake}", {"tenant": "acme"}), Path("."))
    assert (await engine.load(state.session_id)).messages == (fake,)


# -- keys are replaced

NEW = {**KEY, "NEXT_KEY": "the next key of the tests, long enough as well"}
ROTATED = "sealed_with: ['${secret:NEXT_KEY}', '${secret:SEAL_KEY}']\ncompared_with: ${secret:SEAL_KEY}"
REPLACED = "sealed_with: ${secret:NEXT_KEY}\ncompared_with: ${secret:SEAL_KEY}"


@pytest.mark.parametrize("keys", [ROTATED, REPLACED])
async def test_a_write_is_recognised_as_the_same_after_the_key_was_replaced(keys: str) -> None:
    store, told = MemoryStore(), list[Event]()
    await ran(store)
    engine = Runner(store, secrets=HostSecrets(NEW), on_event=told.append)
    state = await engine.run(sealed_bundle(keys), Opening("bot", "Pay", {"tenant": "acme"}), Path("."))
    assert [call.result.message for call in state.calls.values() if call.result] == [
        "the recorded result of the same call"
    ] * 2
    assert "DE-4411" not in texts([event.payload for event in await store.load(state.session_id)])


async def test_what_an_earlier_key_sealed_is_opened_and_what_is_new_is_sealed_under_the_first() -> None:
    store = MemoryStore()
    session = await ran(store)
    engine = Runner(store, secrets=HostSecrets(NEW))
    state = await engine.run(sealed_bundle(ROTATED), Opening("bot", "Pay", {"tenant": "acme"}), Path("."))
    assert (await engine.load(session)).calls["a"].input["iban"] == "DE-4411"
    input_ = next(e.payload["input"] for e in await store.load(state.session_id) if e.kind.value == "call_proposed")
    assert Cipher([NEW["NEXT_KEY"]], "").opened(input_["iban"]) == "DE-4411"


async def test_a_session_does_not_begin_under_a_key_that_can_be_tried_out_and_one_that_has_begun_goes_on() -> None:
    store = MemoryStore()
    engine = Runner(store, secrets=HostSecrets({"SEAL_KEY": "too short for one"}))
    with pytest.raises(MissingSecret, match=r"SEAL_KEY.*openssl rand -hex 32"):
        await engine.run(sealed_bundle(), Opening("bot", "Pay", {"tenant": "acme"}), Path("."))
    assert await store.sessions() == []


async def test_a_sealed_key_is_the_same_for_other_fields_that_are_the_same_and_says_so_where_they_are_not() -> None:
    store = MemoryStore()
    compare = "idempotency: {key: [input.iban], compare: [pin, n], honoured_by: engine}"
    path, text = agent("[pay]", policies="[rules]", budgets="{calls_per_tool: {pay: 9}}")
    text = text.replace("description: bot\n", "description: bot\nsealed_with: ${secret:SEAL_KEY}\n", 1)
    for pin, n, ends in (
        (12, 1, "ok"),
        (12, 1, "ok"),
        (13, 1, "idempotency_conflict"),
        (12, 2, "idempotency_conflict"),
    ):
        decided = f"[{{message: x, tool_calls: [{{id: a, name: pay, input: {{n: {n}, pin: {pin}, iban: DE-1}}}}]}}, {{message: bye, done: true}}]"
        made = bundle(
            (path, text.replace("[{message: hi, done: true}]", decided)), policy(ALLOW),
            tool("pay", "write", input=INPUT, more=compare),
        )  # fmt: skip
        engine = Runner(store, secrets=HostSecrets(KEY))
        state = await engine.run(made, Opening("bot", "Pay", {"tenant": "acme"}), Path("."))
        result = state.calls["a"].result
        assert result is not None and (result.reason or result.status) == ends
        assert "DE-1" not in texts(await store.load(state.session_id))
