"""What an earlier version sealed: a store written by it is opened, and its writes are recognised."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from engine.runtime.cipher import NotOpened
from engine.runtime.host_secrets import HostSecrets
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.session.state.event import Event
from engine.store.sqlite import open_store

# written by the version that was still distributed as `agent-engine`, under this key
SEALED = Path(__file__).parent.parent / "store/histories/sealed.sql"
KEY = {"SEAL_KEY": "a key of the tests that is long enough to be one"}
SESSION = "ses_9a80203b5ba359d0"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "sealed.db"
    old = sqlite3.connect(made)
    old.executescript(SEALED.read_text())
    old.close()
    return made


async def test_a_sealed_store_of_the_version_before_the_name_opens_with_its_key(path: Path) -> None:
    async with open_store(path) as store:
        state = await Runner(store, secrets=HostSecrets(KEY)).load(SESSION)
        assert state.calls["a"].input == {"n": 1, "pin": 12, "iban": "DE-4411"}
        assert state.messages == ("Pay",)
        assert await store.verify(SESSION) == []


async def test_a_write_of_the_version_before_the_name_is_recognised_and_not_run_again(path: Path) -> None:
    told: list[Event] = []
    async with open_store(path) as store:
        runner = Runner(store, secrets=HostSecrets(KEY), on_event=told.append)
        bundle = await runner.bundles.get((await store.session(SESSION)).bundle)
        state = await runner.run(bundle, Opening("bot", "Pay", {"tenant": "acme"}), Path("."))
    assert state.session_id != SESSION
    results = [event.payload for event in told if event.kind.value == "tool_result"]
    assert [(one["status"], one["reused"]) for one in results] == [("ok", True), ("ok", True)]


async def test_under_another_key_the_store_of_the_version_before_stays_sealed(path: Path) -> None:
    async with open_store(path) as store:
        other = Runner(store, secrets=HostSecrets({"SEAL_KEY": "another key that is long enough"}))
        with pytest.raises(NotOpened):
            await other.load(SESSION)
