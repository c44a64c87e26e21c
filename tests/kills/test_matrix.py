"""The crash matrix: a death before and after every call that leaves the process, for every kind of pathway."""

from __future__ import annotations

from typing import Any

import pytest

from engine.fixtures.chaos import Life, chaos
from engine.spec.bundle import Bundle
from tests.bundle_texts import agent, bundle, policy, reviewers, tool

KEY = "idempotency: {key: [input.n], honoured_by: BY}\n"
RETRY = "retry: {attempts: 3, on: [retryable], delay: 1s, jitter: 0}\n"
STATE = "{type: object, properties: {ok: {type: boolean}}, required: [ok]}"
FOUND = "{type: object, properties: {found: {type: boolean}}, required: [found]}"


def made() -> Bundle:
    return bundle(
        agent("[look, other, flaky, keyed, once, plain, held, report, paid, probed]", policies="[rules]"),
        policy(
            "  - {id: open, tools: writes, effect: allow, when: fact.ok}\n"
            "  - {id: ask, tools: [held], effect: require_approval, approvers: [leads]}",
            facts="{fact: {tool: state, input: {n: 1}}}",
        ),
        tool("look"),
        tool("other", more="on_failure: cancel_siblings\n"),
        tool("flaky", more=RETRY),
        tool("state", output=STATE),
        tool("keyed", "write", more=KEY.replace("BY", "tool") + RETRY),
        tool("once", "write", more=KEY.replace("BY", "engine")),
        tool("plain", "write"),
        tool("held", "write", more=KEY.replace("BY", "engine")),
        tool("report", more="mode: job\n" + RETRY),
        tool("paid", "write", more="mode: job\n" + KEY.replace("BY", "engine")),
        tool("find", output=FOUND),
        tool("probed", "write", more="probe: {tool: find, input: {n: input.n}, happened: output.found, result: {}}\n"),
        reviewers("leads", "[ana]"),
    )


def call(name: str, n: int = 1) -> dict[str, Any]:
    return {"id": f"{name}-{n}", "name": name, "input": {"n": n}}


DONE = {"message": "bye", "done": True}
STUBS: dict[str, dict[str, Any]] = {
    name: {"output": {}} for name in ("look", "other", "keyed", "once", "plain", "held", "report", "paid", "probed")
}
STUBS |= {
    "flaky": {"output": {}, "error": "busy", "fails": 2, "retryable": True},
    "state": {"output": {"ok": True}},
    "find": {"output": {"found": True}},
}

PATHWAYS: dict[str, dict[str, Any]] = {
    "parallel reads and a flaky one": {"calls": [[call("look"), call("look", 2), call("other"), call("flaky")]]},
    "writes with and without keys": {"calls": [[call("keyed"), call("once"), call("plain")], [call("keyed", 2)]]},
    "reads, then writes": {"calls": [[call("look"), call("plain"), call("keyed")]]},
    "an approval": {"calls": [[call("held")]], "then": [{"approve": {"by": "ana"}}]},
    "a denial": {"calls": [[call("held"), call("plain")]], "then": [{"deny": {"by": "ana"}}]},
    "a job": {"calls": [[call("report")]], "then": [{"work": True}]},
    "a job that writes": {"calls": [[call("paid")], [call("plain")]], "then": [{"work": True}]},
    "a write with a probe": {"calls": [[call("probed")]]},
    "a further message": {"calls": [[call("look")]], "reply": True, "then": [{"send": "and?"}]},
    "a cancellation": {"calls": [[call("held")]], "then": [{"cancel": "ana"}], "ends": "cancelled"},
    "an expiry": {"calls": [[call("held")]], "then": [{"wait": "25h"}, {"work": True}]},
}  # fmt: skip


def fixture(of: dict[str, Any]) -> dict[str, Any]:
    decisions: list[Any] = [{"message": "go", "tool_calls": calls} for calls in of["calls"]]
    decisions += [{"message": "which?"}] if of.get("reply") else []
    return {
        "name": "matrix", "agent": "bot", "message": "hello", "attributes": {"tenant": "acme"},
        "decisions": [*decisions, DONE], "stubs": STUBS, "then": of.get("then", []),
        "expect": {"state": of.get("ends", "done")},
    }  # fmt: skip


def told(lives: list[Life]) -> list[str]:
    return [f"{life.moment} {life.call}: {problem}" for life in lives for problem in life.broken]


@pytest.mark.parametrize("name", list(PATHWAYS))
def test_a_death_at_any_call_breaks_no_promise(name: str) -> None:
    lives = chaos(made(), fixture(PATHWAYS[name]))
    assert told(lives) == []
    assert len(lives) > 15
    assert any(life.again for life in lives if life.moment is not None) or "denial" in name
