"""A witness as a fixture: its call after its history, with stubs for everything that the gate reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.fixtures.scenario import START, ScenarioReport, run_fixture
from engine.language.value import exact, jsonable, timestamp
from engine.policy.flip_names import WITHHELD
from engine.policy.rule import CUSTOMER
from engine.proof.instance import instance
from engine.proof.witness import Witness
from engine.session.state.event import Event, EventKind
from engine.spec.bundle import READ, Bundle, Tool

CALL = "in-question"
MOST_ANSWERS = 6
YEARS = range(1900, 3000)  # as fixtures may name them


@dataclass(frozen=True, slots=True)
class WrittenFixture:
    """A fixture that passes under the bundle that it was written for, and what its call comes to there."""

    document: dict[str, Any]
    verdict: str


def fixture_of(
    bundle: Bundle, witness: Witness, name: str, description: str, *, words: bool = False
) -> WrittenFixture | None:
    """A fixture that asks for the verdict of a witness as the bundle gives it; None if the engine comes to another.

    Whoever is asked about what happened before says yes.  With `words` it asks for the rules that are named as well.
    """
    if witness.now.year not in YEARS:
        return None
    document = _document(bundle, witness, name, description)
    for _ in range(MOST_ANSWERS):
        report = _run(bundle, document)
        came = _came(report)
        if came is not None:
            written = {**document, "expect": _expected(bundle.tools[witness.tool], came, words)}
            return WrittenFixture(written, came["verdict"]) if run_fixture(bundle, written).passed else None
        answers = _answers(report, bundle)
        if not answers:
            return None
        document["then"] = [*document["then"], *answers]
    return None


def _run(bundle: Bundle, document: dict[str, Any]) -> ScenarioReport:
    """The report of a document; a tool that would act for real, and that the witness says nothing of, is stubbed."""
    report = run_fixture(bundle, document)
    while report.not_live - document["stubs"].keys():
        stubs = {name: {"output": _plain(instance(bundle.tools[name].output_schema))} for name in report.not_live}
        document["stubs"] = dict(sorted({**stubs, **document["stubs"]}.items()))
        report = run_fixture(bundle, document)
    return report


def _document(bundle: Bundle, witness: Witness, name: str, description: str) -> dict[str, Any]:
    before = [
        {"message": "Before", "tool_calls": [{"id": f"before-{n}", "name": past.tool, "input": _plain(past.input)}]}
        for n, past in enumerate(witness.past, 1)
    ]
    asked = {"id": CALL, "name": witness.tool, "input": _plain(witness.input)}
    decisions = [
        *({**decision, "done": False} for decision in before),
        {"message": "The call in question", "tool_calls": [asked], "done": False},
        {"message": "That was all.", "tool_calls": [], "done": True},
    ]
    return {
        "kind": "Fixture",
        "name": name,
        "description": description,
        "agent": witness.agent,
        "message": "A call that nobody has tried yet.",
        "attributes": _plain(witness.attributes),
        **_now(witness),
        "decisions": decisions,
        "stubs": _stubs(bundle, witness),
        "then": [],
        "expect": {},
    }


def _now(witness: Witness) -> dict[str, str]:
    """The moment of a witness that does not go by the one that fixtures begin at."""
    return {} if witness.now == START else {"now": timestamp(witness.now)}


def _stubs(bundle: Bundle, witness: Witness) -> dict[str, Any]:
    """What each tool gives: by input for what the gate reads and for what happened before."""
    found: dict[str, dict[str, Any]] = {}
    tool = bundle.tools[witness.tool]
    output = witness.output if witness.gives else instance(tool.output_schema)
    found[tool.name] = {"output": _plain(output), "calls": []}
    for past in witness.past:
        known = found.setdefault(past.tool, {"output": _plain(past.output), "calls": []})
        known["calls"].append({"input": _plain(past.input), "output": _plain(past.output)})
    for fact in witness.facts:
        known = found.setdefault(fact.tool, {"output": _plain(fact.output), "calls": []})
        given = {"error": fact.problem} if fact.problem else {"output": _plain(fact.output)}
        known["calls"].append({"input": _plain(fact.input), **given})
    return {name: _tidy(stub) for name, stub in sorted(found.items())}


def _tidy(stub: dict[str, Any]) -> dict[str, Any]:
    """A stub that does the same for all calls says so once."""
    calls = stub["calls"]
    if all("error" not in call and call["output"] == stub["output"] for call in calls):
        return {"output": stub["output"]}
    return stub


def _plain(value: Any) -> Any:
    return exact(jsonable(value))


def _came(report: ScenarioReport) -> dict[str, Any] | None:
    """What the engine said of the call: its verdict, or that its result was withheld."""
    events = [event for log in report.logs for event in log if event.payload.get("call_id") == CALL]
    verdict = next((event.payload for event in events if event.kind is EventKind.VERDICT), None)
    if verdict is None:
        return None
    kept = any(e.kind is EventKind.TOOL_RESULT and e.payload["reason"] == "result_withheld" for e in events)
    asked = [event.payload["rules"] for event in events if event.kind is EventKind.REQUEST_OPENED]
    return {
        "verdict": WITHHELD if kept else verdict["verdict"],
        "approvers": verdict["approvers"],
        "rule": verdict["rule"],
        "reason": verdict["reason"],
        "asked": asked,
    }


def _expected(tool: Tool, came: Mapping[str, Any], words: bool) -> dict[str, Any]:
    if came["verdict"] == WITHHELD:
        return {"calls": [{"tool": tool.name, "status": "blocked", "reason": "result_withheld"}]}
    told: dict[str, Any] = {"kind": "verdict", "call_id": CALL, "verdict": came["verdict"]}
    if came["approvers"]:
        told["approvers"] = came["approvers"]
    if words:
        told |= {key: came[key] for key in ("rule", "reason") if came[key]}
    asked = [{"kind": "request_opened", "call_id": CALL, "rules": rules} for rules in came["asked"] if words]
    expected: dict[str, Any] = {"events": [told, *asked]}
    if came["verdict"] == "allow" and tool.effect is READ:
        # that its result was not withheld is part of it
        expected["calls"] = [{"tool": tool.name, "status": "ok"}]
    return expected


def _answers(report: ScenarioReport, bundle: Bundle) -> list[dict[str, Any]]:
    """The yes that the session waits for before it comes to the call, and its time; empty if it waits for none."""
    asked: dict[str, Event] = {}
    for event in (event for log in report.logs for event in log):
        if event.kind is EventKind.REQUEST_OPENED and event.payload["request_kind"] == "approval":
            asked[event.payload["request_id"]] = event
        elif event.kind in (EventKind.REQUEST_ANSWERED, EventKind.REQUEST_CLOSED):
            asked.pop(event.payload["request_id"], None)
    if not asked:
        return []
    payload = next(iter(asked.values())).payload
    groups = payload["groups"]
    if CUSTOMER in groups:
        return [{"confirm": True}]
    members = (bundle.reviewers[group].members for group in groups if group in bundle.reviewers)
    member = next((people[0] for people in members if people), None)
    if member is None:
        return []
    noted = {"note": "as the rule wants one"} if payload.get("note") == "required" else {}
    later = [{"wait": payload["settle_delay"]}, {"resume": True}] if "settle_delay" in payload else []
    return [{"approve": {"by": member, **noted}}, *later]
