"""Rules see what all sessions have added to a meter that they share, before people are asked."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from engine.ports.store import Store
from engine.replay.replay import replay
from engine.runtime.host_secrets import HostSecrets
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.session.state.event import EventKind
from engine.session.state.evolve import fold
from engine.session.state.state import State
from engine.spec.bundle import Bundle
from engine.store.memory import MemoryStore
from tests.bundle_texts import ALLOW, agent, bundle, policy, reviewers, tool
from tests.runtime.stores import STORES, Moved, opened

INPUT = "{type: object, properties: {to: {type: string}, n: {type: integer}}, required: [to]}"
DECIDED = "[{message: '', tool_calls: [{id: p, name: pay, input: {to: ada}}]}, {message: bye, done: true}]"
SEEN = ALLOW + (
    "\n  - {id: spent, tools: [pay], effect: deny, when: full}"
    "\n  - {id: sure, tools: [pay], effect: require_approval, approvers: [leads], when: meters.pays.shared.used >= 2}"
    "\nlet: {full: meters.pays.shared.left < 1}"
)


def made(limit: int = 1, seal: str = "", rules: str = SEEN) -> Bundle:
    meter = f"{{meters: {{pays: {{sum: 1, over: [pay], limit: {limit}, per: session.tenant, window: 24h}}}}}}"
    path, text = agent("[pay]", policies="[rules]", budgets=meter)
    text = text.replace("[{message: hi, done: true}]", DECIDED)
    if seal:
        text = text.replace("description: bot\n", f"description: bot\n{seal}\n", 1)
        text = text.replace("tenant: {type: string}", "tenant: {type: string, x-sensitive: true}")
    return bundle(
        (path, text), policy(rules), reviewers("leads", "[ana]"),
        tool("pay", "write", input=INPUT, more="idempotency: none"),
    )  # fmt: skip


async def paid(store: Store, bundle_: Bundle, tenant: str = "acme") -> State:
    secrets = HostSecrets({"SEAL_KEY": "a key of the tests that is long enough to be one"})
    return await Runner(store, secrets=secrets).run(bundle_, Opening("bot", "hi", {"tenant": tenant}), Path("."))


@pytest.mark.parametrize("seal", ["", "sealed_with: ${secret:SEAL_KEY}"])
@STORES
async def test_rules_see_what_all_sessions_have_added(kind: str, seal: str, tmp_path: Path) -> None:
    clock, bundle_ = Moved(), made(seal=seal)
    async with opened(kind, tmp_path, clock) as store:
        assert (await paid(store, bundle_)).calls["p"].ok
        state = await paid(store, bundle_)
        verdicts = [e.payload for e in await store.load(state.session_id) if e.kind is EventKind.VERDICT]
        assert [(v["verdict"], v["rule"]) for v in verdicts] == [("deny", "spent")]
        assert not state.requests.open
        assert (await paid(store, bundle_, "other")).calls["p"].ok, "it is another tenant's"
        clock.more += timedelta(hours=24)
        assert (await paid(store, bundle_)).calls["p"].ok, "its window is over"


async def test_people_are_asked_by_what_all_sessions_have_added() -> None:
    store = MemoryStore(Moved())
    states = [await paid(store, made(limit=9)) for _ in range(3)]
    assert [bool(state.open_requests()) for state in states] == [False, False, True]


async def test_what_was_read_stands_in_the_log_and_is_judged_the_same_again() -> None:
    store, bundle_ = MemoryStore(Moved()), made(limit=9)
    await paid(store, bundle_)
    log = await store.load((await paid(store, bundle_)).session_id)
    (read,) = [e.payload for e in log if e.kind is EventKind.FACT_READ]
    assert (read["tool"], read["output"]) == ("meters.pays", {"used": 1})
    assert "meters.pays" not in fold(log).seen
    assert replay(log, bundle_).difference is None


@pytest.mark.parametrize(
    ("meter", "sound"),
    [
        ("{sum: 1, over: [pay], limit: 1}", False),
        ("{sum: 1, over: [pay], limit: 1, per: session.tenant, window: 1h}", True),
        ("{sum: 1, over: [look], limit: 1, per: session.tenant, window: 1h}", False),
    ],
)
def test_only_a_meter_that_sessions_share_and_that_the_call_adds_to_has_a_shared_part(meter: str, sound: bool) -> None:
    rules = ALLOW + "\n  - {id: spent, tools: [pay], effect: deny, when: meters.pays.shared.left < 1}"
    documents = (
        agent("[pay, look]", policies="[rules]", budgets=f"{{meters: {{pays: {meter}}}}}"), policy(rules),
        tool("pay", "write", input=INPUT), tool("look"), ("specs/tools/code.py", "def act(**given):\n    return {}\n"),
    )  # fmt: skip
    loaded = load(BundleFiles({path: text.encode() for path, text in documents}))
    assert (loaded.bundle is not None) is sound, loaded.diagnostics
