"""Every fault of a model's server ends a session in a declared way, with its own event in a log that verifies."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.ports.resources import MissingSecret
from engine.session.state.event import EventKind
from tests.model import server as s
from tests.model.acting import Sessions, made
from tests.model.faults import FAULTS, Case, outcome_of, row


@pytest.mark.parametrize(
    ("case", "stream"), [pytest.param(c, on, id=f"{c.name}-{on}") for c in FAULTS for on in c.streams]
)
async def test_a_fault_is_told_in_the_log_and_the_session_ends_as_declared(case: Case, stream: bool) -> None:
    statuses, ends, _ = await outcome_of(case, stream=stream)
    assert statuses == list(case.statuses)
    assert ends == case.ends


ANTHROPIC = [
    ([s.status(529), s.message(None, ("a", "finish", {"message": "Done."}))], ["overloaded", "ok"], "done"),
    ([s.status(400)], ["rejected"], "failed"),
    ([s.closes, s.message(None, ("a", "finish", {}))], ["cut_off", "ok"], "done"),
    ([s.message("Never.", stop="refusal"), s.message(None, ("a", "finish", {}))], ["refused", "ok"], "done"),
    ([s.message("Well", stop="max_tokens"), s.message(None, ("a", "finish", {}))], ["truncated", "ok"], "done"),
    ([s.message(None, ("a", "look", {}), ("a", "mail", {})), s.message(None, ("a", "finish", {}))],
     ["ok", "ok"], "done"),
    ([s.message(None, ("a", "look", [1])), s.message(None, ("a", "finish", {}))], ["broken_arguments", "ok"], "done"),
    ([s.message("I call.", ("a", "look", {"n": 1})), s.message("And so?"), s.message(None)], ["ok", "ok"],
     "awaiting_message"),
]  # fmt: skip


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("acts", "statuses", "ends"), ANTHROPIC)
async def test_the_messages_api_is_no_different(
    acts: list[s.Act], statuses: list[str], ends: str, stream: bool
) -> None:
    async with s.serving(*acts) as server:
        sessions = Sessions()
        state = await sessions.run(made(server.url, kind="anthropic", more=f", stream: {str(stream).lower()}"))
    assert sessions.statuses == statuses
    assert state.status.value == ends
    assert any("sk-canary-4711" in value for value in server.asked[0].headers.values())


async def test_a_broken_stream_of_arguments_is_repaired() -> None:
    async with s.serving(s.message(None, ("a", "look", '{"n": ')), s.message(None, ("a", "finish", {}))) as server:
        sessions = Sessions()
        state = await sessions.run(made(server.url, kind="anthropic"))
    assert (sessions.statuses, state.status.value) == (["broken_arguments", "ok"], "done")


async def test_a_decision_can_be_asked_of_the_messages_api_by_its_schema() -> None:
    decided = {"message": "Done.", "tool_calls": [], "done": True}
    async with s.serving(s.message(None, ("a", "decide", decided))) as server:
        sessions = Sessions()
        state = await sessions.run(made(server.url, kind="anthropic", more=", answers: json_schema"))
    assert (state.status.value, state.told) == ("done", "Done.")
    assert server.asked[0].body["tool_choice"] == {"type": "tool", "name": "decide"}


async def test_a_server_that_is_not_there_is_asked_again_and_then_given_up() -> None:
    sessions = Sessions()
    state = await sessions.run(made("http://127.0.0.1:9"))
    assert (sessions.statuses, state.status.value) == (["unreachable", "unreachable"], "failed")
    assert sessions.of(EventKind.SESSION_ENDING)[0]["reason"] == "planner_unavailable"


async def test_what_a_server_does_not_know_is_named_with_what_to_try() -> None:
    said = '{"error": {"message": "unknown field response_format"}}'
    async with s.serving(s.status(400, said)) as server:
        sessions = Sessions()
        await sessions.run(made(server.url))
    assert "try another `answers`" in sessions.of(EventKind.MODEL_CALLED)[0]["message"]


async def test_the_next_planner_of_the_chain_stands_in_and_the_log_says_why() -> None:
    second = "  second: {kind: scripted, decisions: [{message: From the script., done: true}]}\n"
    async with s.serving(s.status(401)) as server:
        sessions = Sessions()
        state = await sessions.run(made(server.url, chain="[model, second]", others=second))
    assert (state.status.value, state.told) == ("done", "From the script.")
    fell = sessions.of(EventKind.PLANNER_FELL_BACK)[0]
    assert (fell["planner"], fell["to"]) == ("model", "second")
    assert "401" in fell["reason"]


async def test_a_planner_that_is_named_has_nobody_to_stand_in() -> None:
    second = "  second: {kind: scripted, decisions: [{message: x, done: true}]}\n"
    async with s.serving(s.status(401)) as server:
        sessions = Sessions()
        state = await sessions.run(made(server.url, chain="[model, second]", others=second), planner="model")
    assert state.status.value == "failed"


async def test_a_missing_secret_is_no_fault_of_the_model_and_begins_no_session() -> None:
    async with s.serving(s.decides()) as server:
        sessions = Sessions(secrets={})
        with pytest.RaisesGroup(pytest.RaisesExc(MissingSecret, match="MODEL_KEY"), flatten_subgroups=True):
            await sessions.run(made(server.url))
    assert sessions.events == []
    assert server.asked == []


def test_the_guide_has_every_fault_in_its_table() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "guides" / "models.md").read_text("utf-8")
    table = [line for line in guide.splitlines() if line.startswith("| ") and "` | `" in line]
    assert table == [row(case) for case in FAULTS]
