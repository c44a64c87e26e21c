"""What schemas mark is in no error, in no event and in no prompt, whatever form it takes and whoever said it."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from engine.bundle.link.validators import validator
from engine.language.arithmetic import EvaluationError
from engine.language.functions import FUNCTIONS
from engine.ports.planner import PlannerError
from engine.runtime.errors import NotAllowed
from engine.runtime.host_secrets import HostSecrets
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.session.identity import call_digest
from engine.session.planner_view import PlannerView
from engine.session.state.event import Event
from engine.session.state.state import State
from engine.spec.bundle import Bundle
from engine.store.memory import MemoryStore
from tests.bundle_texts import ALLOW, agent, bundle, policy, reviewers, tool
from tests.model import server as s
from tests.model.acting import SECRETS, Sessions
from tests.session.play import call

KEY = {"SEAL_KEY": "a key of the tests that is long enough to be one"}
SECRET = 'CANARY-o\'Neil "the\\boss" é'
INPUT = (
    "{type: object, properties: {iban: {type: string, x-sensitive: true}, pin: {type: integer, x-sensitive: true}},"
    " required: [iban, pin], additionalProperties: false}"
)
OUTPUT = (
    "{type: object, properties: {owner: {type: string, x-sensitive: true, maxLength: 40}, vip: {type: boolean,"
    " x-sensitive: true}, pin: {type: integer, x-sensitive: true}}, required: [owner]}"
)
CODE = f"""
SECRET = {SECRET!r}

def act(**given):
    return {{}}

def look(**given):
    return {{"owner": SECRET, "vip": True, "pin": 42}}

def long(**given):
    return {{"owner": SECRET + "z" * 60}}

def wrong(**given):
    return {{"owner": [SECRET]}}

def dies(**given):
    raise ValueError(repr(given))
"""
ASKED = ALLOW + "\n  - {id: ask, tools: writes, effect: require_approval, approvers: [leads]}"
DONE = {"message": "bye", "done": True}


def python(name: str) -> str:
    return f"adapter: {{kind: python, file: specs/tools/code.py, function: {name}}}"


def sealed(*decisions: Any, rules: str = ALLOW) -> Bundle:
    path, text = agent("[pay, later, look, long, wrong, dies, ask]", policies="[rules]")
    text = text.replace("description: bot\n", "description: bot\nsealed_with: ${secret:SEAL_KEY}\n", 1)
    text = text.replace("zip: {type: integer}", "user: {type: string, x-sensitive: true}")
    text = text.replace("[{message: hi, done: true}]", json.dumps(decisions or [DONE]))
    once = "idempotency: {key: [input.iban, input.pin], compare: [pin], honoured_by: engine}"
    handoff = (
        "adapter: {kind: handoff, reviewers: leads, asks: input, question: 'Is {{ input.iban }} / {{ input.pin }} so?'}"
    )
    return bundle(
        (path, text), policy(rules), reviewers("leads", "[ana]"), ("specs/tools/code.py", CODE),
        tool("pay", "write", input=INPUT, more=once),
        tool("later", "write", input=INPUT, more=f"mode: job\n{once}"),
        tool("look", input=INPUT, output=OUTPUT, more=f"summary: [owner, vip, pin]\n{python('look')}"),
        tool("long", input=INPUT, output=OUTPUT, more=python("long")),
        tool("wrong", input=INPUT, output=OUTPUT, more=python("wrong")),
        tool("dies", input=INPUT, output=OUTPUT, more=python("dies")),
        tool("ask", input=INPUT, output=OUTPUT, more=handoff),
    )  # fmt: skip


def acts(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"message": "x", "tool_calls": list(calls)}


Act = Callable[[Runner, str], Awaitable[Any]]


class Ran:
    """A session that has run, with all that was stored and told of it."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.told: list[Event] = []
        self.refused: list[str] = []
        self.state: State

    async def run(self, made: Bundle, *people: Act, message: str = "hi", planner: Any = None, **attributes: Any) -> Ran:
        engine = self.engine = Runner(self.store, secrets=HostSecrets(KEY), on_event=self.told.append, planner=planner)
        opening = Opening("bot", message, {"tenant": "acme", **attributes})
        self.state = await engine.run(made, opening, Path("."))
        for act in people:
            try:
                await act(engine, self.state.session_id)
            except NotAllowed as error:
                self.refused.append(str(error))
            self.state = await engine.drive(self.state.session_id)
        return self

    async def strings(self) -> list[str]:
        """Each text and number that is stored or told, by where it stands."""
        found: list[str] = []
        for event in [*await self.store.load(self.state.session_id), *self.told]:
            found += _scalars(event.payload, event.kind.value)
        return found


def _scalars(value: Any, at: str) -> list[str]:
    if isinstance(value, dict):
        return [one for key, item in value.items() for one in [f"{at}: {key}", *_scalars(item, f"{at}.{key}")]]
    if isinstance(value, list | tuple):
        return [one for item in value for one in _scalars(item, at)]
    return [f"{at}: {value}"]


def holding(strings: list[str], *parts: str) -> list[str]:
    return [one for one in strings if any(part in one for part in parts)]


# -- errors


@pytest.mark.parametrize(
    ("schema", "value", "says"),
    [
        ({"type": "integer"}, "CANARY", "type"),
        ({"type": "string"}, ["CANARY'\"\\"], "type"),
        ({"type": "string"}, {"CANARY": 1}, "type"),
        ({"pattern": "^[0-9]+$"}, "CANARY", "pattern"),
        ({"maxLength": 3}, "CANARY", "maxLength"),
        ({"minLength": 30}, "CANARY", "minLength"),
        ({"enum": ["a", "b"]}, "CANARY", "enum"),
        ({"const": "a"}, "CANARY", "const"),
        ({"not": {"type": "string"}}, "CANARY", "not"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "CANARY", "anyOf"),
        ({"oneOf": [{}, {}]}, "CANARY", "oneOf"),
        ({"maximum": 5}, 4711, "maximum"),
        ({"multipleOf": 10}, 4711, "multipleOf"),
        ({"maxItems": 1}, ["CANARY", "CANARY2"], "maxItems"),
        ({"uniqueItems": True}, ["CANARY", "CANARY"], "uniqueItems"),
        ({"contains": {"type": "integer"}}, ["CANARY"], "contains"),
        ({"additionalProperties": False}, {"CANARY": 1}, "additionalProperties"),
        ({"additionalProperties": {"type": "integer"}}, {"CANARY": "x"}, "type"),
        ({"propertyNames": {"maxLength": 3}}, {"CANARY": 1}, "maxLength"),
        ({"maxProperties": 0}, {"CANARY": 1}, "maxProperties"),
        ({"dependentRequired": {"CANARY-not": ["b"]}, "minProperties": 3}, {"CANARY": 1}, "minProperties"),
    ],
)
def test_what_does_not_fit_is_told_by_its_place_and_the_keyword_and_never_by_its_value(
    schema: dict[str, Any], value: Any, says: str
) -> None:
    check = validator({"type": "object", "properties": {"field": schema}})
    (problem,) = check({"field": value})
    assert "field" in problem
    assert says in problem
    assert "CANARY" not in problem
    assert "4711" not in problem


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"maxLength": 13}, "x" * 14),
        ({"maximum": 4000}, 4242),
        ({"enum": ["a", "b"]}, "c"),
        ({"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]}, "four"),
        ({"items": {"maximum": 4000}}, [4242]),
    ],
)
def test_of_a_marked_value_that_does_not_fit_nothing_is_told_that_tells_it_apart(
    schema: dict[str, Any], value: Any
) -> None:
    check = validator({"type": "object", "properties": {"field": {**schema, "x-sensitive": True}}})
    (problem,) = check({"field": value})
    assert re.fullmatch(r"field(\.0)?: does not fit \(`\w+`\)", problem)


@pytest.mark.parametrize("name", ["date", "datetime", "duration"])
@pytest.mark.parametrize("value", ["CANARY", "CANARY" * 20, "2026-13-CANARY"])
def test_a_text_that_is_no_time_is_not_repeated_in_the_error(name: str, value: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        FUNCTIONS[name].run(value)
    assert "text" in str(caught.value)
    assert "CANARY" not in str(caught.value)


async def test_no_error_of_a_call_holds_a_marked_value() -> None:
    one = {"iban": SECRET, "pin": 42}
    ran = await Ran().run(
        sealed(
            acts(call("a", "long", **one), call("b", "wrong", **one), call("c", "dies", **one)),
            acts(call("d", "pay", iban=[SECRET], pin=42), call("e", "pay", iban="CANARY", pin=SECRET)),
            acts(call("f", "pay", **one)),
            DONE,
            rules=ALLOW + "\n  - {id: odd, tools: writes, effect: deny, when: date(input.iban) < date(now)}",
        )
    )
    assert {id_: one.result.reason for id_, one in ran.state.calls.items() if one.result} == {
        "a": "invalid_output", "b": "invalid_output", "c": "tool_error", "d": "invalid_input", "e": "invalid_input",
        "f": "policy_error",
    }  # fmt: skip
    assert holding(await ran.strings(), "CANARY") == []


async def test_attributes_that_do_not_fit_are_refused_without_their_values() -> None:
    with pytest.raises(NotAllowed) as caught:
        await Ran().run(sealed(), user=[SECRET])
    assert "user" in str(caught.value)
    assert "CANARY" not in str(caught.value)


async def test_an_edit_and_an_answer_that_do_not_fit_are_refused_without_their_values() -> None:
    async def edit(engine: Runner, session: str) -> None:
        await engine.answer(f"{session}.1", "approve", "ana", edit={"iban": [SECRET]})

    async def answer(engine: Runner, session: str) -> None:
        await engine.answer(f"{session}.1", "answer", "ana", value={"owner": [SECRET]})

    made = sealed(acts(call("a", "pay", iban="abcd", pin=1234)), DONE, rules=ASKED)
    edited = await Ran().run(made, edit)
    answered = await Ran().run(sealed(acts(call("a", "ask", iban="abcd", pin=1234)), DONE), answer)
    for ran in (edited, answered):
        (refused,) = ran.refused
        assert "CANARY" not in refused


# -- events


async def test_what_a_reviewer_edits_is_sealed() -> None:
    async def edit(engine: Runner, session: str) -> None:
        await engine.answer(f"{session}.1", "approve", "ana", edit={"iban": SECRET, "pin": 42})

    made = sealed(acts(call("a", "pay", iban="abcd", pin=1234)), DONE, rules=ASKED)
    ran = await Ran().run(made, edit)
    assert ran.state.calls["a"].input == {"iban": SECRET, "pin": 42}
    strings = await ran.strings()
    assert holding(strings, "CANARY") == []
    assert [one for one in strings if one.endswith(".pin: 42")] == []


async def test_what_a_person_answers_is_sealed_as_the_tools_output_is() -> None:
    async def answer(engine: Runner, session: str) -> None:
        await engine.answer(f"{session}.1", "answer", "ana", value={"owner": SECRET, "vip": True, "pin": 42})

    ran = await Ran().run(sealed(acts(call("a", "ask", iban="ib", pin=17)), DONE), answer)
    assert ran.state.calls["a"].result is not None
    assert ran.state.calls["a"].result.output == {"owner": SECRET, "vip": True, "pin": 42}
    strings = await ran.strings()
    assert holding(strings, "CANARY", "ib / 17") == []
    assert [one for one in strings if one.endswith((".pin: 42", ".vip: True"))] == []


async def test_what_is_settled_by_a_person_is_sealed() -> None:
    async def settle(engine: Runner, session: str) -> None:
        happened = {"happened": {"owner": SECRET}}
        await engine.answer(f"{session}.1", "answer", "ana", value=happened)

    path, text = agent("[ship]", policies="[rules]")
    text = text.replace("description: bot\n", "description: bot\nsealed_with: ${secret:SEAL_KEY}\n", 1)
    text = text.replace("[{message: hi, done: true}]", json.dumps([acts(call("a", "ship")), DONE]))
    made = bundle(
        (path, text), policy(ALLOW), ("specs/tools/code.py", CODE + "\ndef ship():\n    return 5\n"),
        tool("ship", "write", input="{type: object}", output=OUTPUT, more=python("ship")),
    )  # fmt: skip
    ran = await Ran().run(made, settle)
    assert ran.state.calls["a"].ok, ran.refused
    assert holding(await ran.strings(), "CANARY") == []


async def test_the_fields_of_a_summary_are_sealed_as_the_output_is_whatever_their_names_and_kinds() -> None:
    ran = await Ran().run(sealed(acts(call("a", "look", iban="abcd", pin=1234)), DONE))
    (result,) = [e.payload for e in await ran.store.load(ran.state.session_id) if e.kind.value == "tool_result"]
    assert holding(_scalars(dict(result), ""), "CANARY") == []
    assert result["vip"] is not True
    assert result["pin"] != 42


async def test_a_short_value_is_sealed_in_keys_verdicts_and_comparisons() -> None:
    rules = "  - {id: open, tools: writes, effect: allow, when: input.pin == 42 and lower(input.iban) == 'xq9'}"
    one = {"iban": "XQ9", "pin": 42}
    ran = await Ran().run(sealed(acts(call("a", "pay", **one)), acts(call("b", "later", **one)), DONE, rules=rules))
    assert ran.state.calls["a"].ok
    for event in await ran.store.load(ran.state.session_id):
        for key in ("key", "idempotency_key", "compared", "rules", "input"):
            found = _scalars(event.payload.get(key), event.kind.value)
            assert holding(found, "XQ9", "xq9", ": 42", ",42]") == [], found


async def test_a_value_whose_form_json_escapes_is_sealed_in_the_key_of_its_call() -> None:
    ran = await Ran().run(sealed(acts(call("a", "pay", iban=SECRET, pin=12)), DONE))
    assert ran.state.calls["a"].ok
    assert holding(await ran.strings(), "CANARY") == []


async def test_a_proposal_that_is_rejected_is_kept_without_what_its_calls_were_given() -> None:
    bad = {**acts(call("a", "pay", iban=SECRET, pin=1234)), "extra": 1}
    ran = await Ran().run(sealed(bad, {"message": 5, "tool_calls": [{"CANARY": 1}]}, DONE))
    assert [e.kind.value for e in ran.told].count("decision_rejected") == 2
    assert holding(await ran.strings(), "CANARY") == []


async def test_the_input_of_a_tool_that_is_not_there_is_sealed_as_nobody_knows_what_it_holds() -> None:
    ran = await Ran().run(sealed(acts(call("a", "pya", iban=SECRET)), DONE))
    assert holding(await ran.strings(), "CANARY") == []


async def test_the_output_of_a_call_of_another_session_is_sealed_where_its_key_is_taken() -> None:
    made = sealed(acts(call("a", "pay", iban=SECRET, pin=42)), DONE)
    first = await Ran().run(made)
    second = Ran()
    second.store = first.store
    await second.run(made)
    assert second.state.calls["a"].ok
    taken = [e for e in await second.store.load(second.state.session_id) if e.kind.value == "key_taken"]
    assert len(taken) == 1
    strings = await second.strings()
    assert holding(strings, "CANARY") == []
    assert [one for one in strings if one.startswith("key_taken.compared.pin: 42")] == []


async def test_a_tool_that_repeats_a_value_in_another_form_or_in_part_tells_nobody() -> None:
    ran = await Ran().run(sealed(acts(call("a", "dies", iban="CANARY-" + "x" * 2000, pin=1234)), DONE))
    assert ran.state.calls["a"].result is not None
    assert ran.state.calls["a"].result.reason == "tool_error"
    assert holding(await ran.strings(), "CANARY") == []


REPEATS = """
def row(iban, **given):
    raise ValueError("no row for " + iban.lower()[:9])

def act(**given):
    raise TimeoutError()
"""


def reading(
    more: str = "", *, read: str = INPUT, facts: str = "{f: {tool: row, input: {iban: input.iban, pin: 1}}}"
) -> Bundle:
    """A write that is judged by a read that dies, and is probed by it."""
    path, text = agent("[pay]", policies="[rules]")
    text = text.replace("description: bot\n", "description: bot\nsealed_with: ${secret:SEAL_KEY}\n", 1)
    decisions = [acts(call("a", "pay", iban="CANARY-iban", pin=42)), DONE]
    text = text.replace("[{message: hi, done: true}]", json.dumps(decisions))
    rules = ALLOW + "\n  - {id: odd, tools: writes, effect: require_approval, approvers: [leads], when: f.vip == true}"
    return bundle(
        (path, text), policy(rules if facts != "{}" else ALLOW, facts=facts), reviewers("leads", "[ana]"),
        ("specs/tools/code.py", REPEATS),
        tool("row", input=read, output=OUTPUT if read == INPUT else "{type: object, properties: {vip: {type: boolean}}}",
             more="offered_to: runtime\n" + python("row")),
        tool("pay", "write", input=INPUT, more=more),
    )  # fmt: skip


PLAIN = "{type: object, properties: {iban: {type: string}, pin: {type: integer}}, additionalProperties: false}"


@pytest.mark.parametrize("read", [INPUT, PLAIN])
async def test_what_a_read_of_the_runtime_says_of_its_failure_is_sealed_with_all_that_repeats_it(read: str) -> None:
    ran = await Ran().run(reading(read=read))
    (verdict,) = [e.payload for e in await ran.store.load(ran.state.session_id) if e.kind.value == "verdict"]
    assert [rule["error"] is not None for rule in verdict["rules"] if rule["rule"] == "odd"] == [True]
    assert holding(await ran.strings(), "canary") == []


async def test_what_a_probe_says_of_its_failure_is_sealed() -> None:
    probe = (
        "timeout: 50ms\nprobe: {tool: row, input: {iban: input.iban, pin: input.pin}, happened: output.vip == true}\n"
        "idempotency: {key: [input.iban], honoured_by: tool}"
    )
    ran = await Ran().run(reading(probe, facts="{}"))
    kinds = [e.kind.value for e in await ran.store.load(ran.state.session_id)]
    assert "probe_read" in kinds, kinds
    assert holding(await ran.strings(), "canary") == []


async def test_a_call_that_repeats_a_known_value_where_nothing_is_marked_is_known_by_a_digest_that_says_nothing() -> (
    None
):
    path, text = agent("[note]", policies="[rules]")
    text = text.replace("description: bot\n", "description: bot\nsealed_with: ${secret:SEAL_KEY}\n", 1)
    text = text.replace("zip: {type: integer}", "user: {type: string, x-sensitive: true}")
    decisions = [acts(call("a", "note", to="for CANARY-user"), call("b", "note", to="nobody")), DONE]
    text = text.replace("[{message: hi, done: true}]", json.dumps(decisions))
    made = bundle((path, text), policy(ASKED), reviewers("leads", "[ana]"), tool("note", "write"))
    ran = await Ran().run(made, user="CANARY-user")
    digests = {
        e.payload["call_id"]: e.payload["digest"]
        for e in await ran.store.load(ran.state.session_id)
        if "digest" in e.payload
    }
    assert digests["a"].startswith("sealed:1:")
    assert digests["b"] == call_digest(made.tools["note"], "note", {"to": "nobody"})


# -- planners


class Asking:
    """A planner that proposes what it is told to and keeps what it was shown."""

    def __init__(self, *decisions: Any) -> None:
        self.decisions = list(decisions)
        self.shown: list[str] = []

    async def propose(self, view: PlannerView) -> Any:
        names = {name: view.names[name] for name in ("session", "messages", "calls", "results", "step")}
        self.shown.append(repr((view.messages, view.problems, names)))
        if not self.decisions:
            raise PlannerError("nothing more")
        return self.decisions.pop(0)


async def test_a_planner_is_not_shown_in_a_message_what_it_is_not_shown_in_its_place() -> None:
    planner = Asking(DONE)
    await Ran().run(sealed(), planner=planner, message="I am CANARY-user, pay it", user="CANARY-user")
    assert "CANARY" not in planner.shown[0]


async def test_a_planner_is_not_shown_a_marked_value_in_the_message_of_a_result() -> None:
    rules = (
        ALLOW + "\n  - {id: no, tools: writes, effect: deny, when: input.pin == 42, message: 'Not {{ input.iban }}'}"
    )
    planner = Asking(acts(call("a", "pay", iban="CANARY-user", pin=42)), DONE)
    await Ran().run(sealed(rules=rules), planner=planner)
    assert "CANARY" not in planner.shown[1]


TOLD = [
    # the reason is told of a tool that has something marked, and the words of one that has nothing
    (INPUT, "tool_error: what the tool said is not shown"),
    (PLAIN, "no row for canary-ib"),
]


@pytest.mark.parametrize(("given", "says"), TOLD)
async def test_a_model_is_not_told_what_a_failing_tool_says_that_may_hold_something_marked(
    given: str, says: str
) -> None:
    first = s.decides("I guess CANARY-user or CANARY-x", ("row", {"iban": "CANARY-iban", "pin": 42}), done=False)
    path, text = agent("[row]")
    text = text.replace("description: bot\n", "description: bot\nsealed_with: ${secret:SEAL_KEY}\n", 1)
    text = text.replace("zip: {type: integer}", "user: {type: string, x-sensitive: true}")
    async with s.serving(first, s.decides("Bye")) as server:
        model = f"  model: {{kind: openai, model: m, base_url: '{server.url}/v1', api_key: '${{secret:MODEL_KEY}}'}}\n"
        text = text.replace("planner: script\nplanners:\n", f"planner: model\nplanners:\n{model}")
        prices = ("specs/prices/all.yaml", "kind: Prices\nname: all\nmodels: {m: {input_usd: 1, output_usd: 10}}\n")
        code = ("specs/tools/code.py", REPEATS)
        made = bundle((path, text), prices, code, tool("row", input=given, more=python("row")))
        await Sessions({**SECRETS, **KEY}).run(made, user="CANARY-user")
    asked = json.dumps(server.asked[1].body)
    assert says in asked
    assert "CANARY-user" not in asked
    # and not which of its guesses was right
    assert "CANARY-x" not in asked


# -- what else is written


@pytest.mark.parametrize("stream", ["true", "false"])
async def test_a_recording_does_not_hold_what_a_model_wrote_into_a_marked_field(tmp_path: Path, stream: str) -> None:
    path, text = agent("[pay]", policies="[rules]")
    text = text.replace("description: bot\n", "description: bot\nsealed_with: ${secret:SEAL_KEY}\n", 1)
    first = s.decides("Paying", ("pay", {"iban": "CANARY-rec", "pin": 42}), done=False)
    async with s.serving(first, s.decides("Bye CANARY-rec")) as server:
        model = (
            f"  model: {{kind: openai, model: m, base_url: '{server.url}/v1', api_key: '${{secret:MODEL_KEY}}', "
            f"stream: {stream}}}\n"
        )
        text = text.replace("planner: script\nplanners:\n", f"planner: model\nplanners:\n{model}")
        prices = ("specs/prices/all.yaml", "kind: Prices\nname: all\nmodels: {m: {input_usd: 1, output_usd: 10}}\n")
        made = bundle((path, text), policy(ALLOW), prices, tool("pay", "write", input=INPUT))
        sessions = Sessions({**SECRETS, **KEY}, record=tmp_path / "kept")
        state = await sessions.run(made)
    assert state.status.value == "done"
    kept = [one.read_text() for one in sorted((tmp_path / "kept").glob("*.json"))]
    assert len(kept) == 2
    # of a streamed answer the pieces stand apart
    said = ["".join(_contents(json.loads(one)["response"]["body"])) for one in kept]
    assert holding([*kept, *said], "CANARY") == []


def _contents(body: str) -> list[str]:
    lines = [line[6:] for line in body.split("\n") if line.startswith("data: {")] or [body or "{}"]
    choices = [choice for line in lines for choice in json.loads(line).get("choices", ())]
    return [str((one.get("delta") or one.get("message") or {}).get("content") or "") for one in choices]


async def test_a_value_can_not_be_found_by_trying_all_of_them_against_a_stored_digest() -> None:
    made = sealed(acts(call("a", "pay", iban="XQ9", pin=42)), DONE)
    ran = await Ran().run(made)
    tried = {call_digest(made.tools["pay"], "pay", {"iban": "XQ9", "pin": pin}) for pin in range(100)}
    stored = [e.payload.get("digest") for e in await ran.store.load(ran.state.session_id)]
    assert tried.isdisjoint(stored)
