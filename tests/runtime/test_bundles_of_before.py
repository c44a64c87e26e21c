"""A session that waits under a bundle which is refused today goes on: what is complained of fails closed where it is met."""

from __future__ import annotations

from pathlib import Path

from engine.bundle.load import load_files, load_stored
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.session.state.state import Status
from engine.store.sqlite import open_store
from tests.bundle_texts import ALLOW, CODE, agent, policy, reviewers, tool
from tests.runtime.acting import Acting
from tests.runtime.test_engine import DONE, plan, script
from tests.session.play import call

MAP = (
    "{type: object, properties: {m: {type: object, additionalProperties: {type: number}}}, additionalProperties: false}"
)
PATTERN = "{type: object, properties: {s: {type: string, pattern: '^(?!x).*$'}}, additionalProperties: false}"
RULES = f"""{ALLOW}
  - {{id: ask, tools: [held], effect: require_approval, approvers: [leads]}}
  - {{id: keyed, tools: [write], effect: deny, when: "input.m != null and input.m.a > 5"}}"""
FILES = {
    path: text.encode()
    for path, text in (
        agent("[held, write, look]", policies="[rules]"), policy(RULES), reviewers("leads", "[ana]"),
        tool("held", "write"), tool("write", "write", input=MAP), tool("look", input=PATTERN),
        ("specs/tools/code.py", CODE),
    )
}  # fmt: skip


async def test_a_session_goes_on_under_its_bundle_although_that_is_refused_today(tmp_path: Path) -> None:
    refused = load_files(FILES)
    assert refused.bundle is None
    assert {d.code for d in refused.diagnostics} == {"E208", "E402"}
    assert all(d.on_entry for d in refused.diagnostics)
    before = load_stored(FILES).bundle
    assert before is not None
    acting = Acting(tmp_path / "runs.txt")
    decisions = [
        plan(call("h", "held")),
        plan(call("few", "write", m={"a": 1}), call("many", "write", m={"a": 9}), call("s", "look", s="y")),
        DONE,
    ]

    async with open_store(tmp_path / "e.db") as store:
        one = Runner(store, adapters=acting, planner=script(*decisions))
        session = await one.start(before, Opening("bot", "hello", {"tenant": "acme"}), tmp_path)
        assert (await one.drive(session)).status is Status.AWAITING_HUMAN_REVIEW
    # another process knows the bundle from the store alone
    async with open_store(tmp_path / "e.db") as store:
        one = Runner(store, adapters=acting, planner=script(*decisions))
        await one.answer(f"{session}.1", "approve", "ana")
        state = await one.drive(session)
        assert state.status is Status.DONE
        assert acting.runs("held") == 1
        results = {name: (c.result.status if c.result else None) for name, c in state.calls.items()}
        # what the rule says of a map's key is meant still; what no engine matches in linear time fits nothing
        assert (results["few"], results["many"]) == ("ok", "blocked")
        assert acting.runs("look") == 0
