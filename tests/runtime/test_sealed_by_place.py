"""What is sealed goes by where it stands, whatever it is called there."""

from __future__ import annotations

import json

import pytest

from engine.runtime.runner import Runner
from engine.session.state.event import EventKind
from tests.bundle_texts import ALLOW, agent, bundle, policy, reviewers, tool
from tests.model import server as s
from tests.model.acting import SECRETS, Sessions
from tests.runtime.test_sensitive_borders import CODE, DONE, INPUT, KEY, Ran, acts, holding, python
from tests.session.play import call

SEALED = "description: bot\nsealed_with: ${secret:SEAL_KEY}\n"
READ = "{type: object, required: [name, on], properties: {name: {type: string, x-sensitive: true}, on: {type: boolean, x-sensitive: true}}}"
MORE = """
def person(**given):
    return {"name": "xq", "on": True}

def other(**given):
    return {"on": True}

def summed(**given):
    return {"sealed_fields": "CANARY", "person_key": "CANARY"}
"""


@pytest.mark.parametrize("name", ["rules", "asks", "person", "reason", "key", "tool"])
@pytest.mark.parametrize("loop", ["for_each: {t: input.tags}, ", ""])
async def test_what_a_rule_saw_of_a_fact_is_sealed_whatever_the_fact_is_called(name: str, loop: str) -> None:
    path, text = agent("[pay]", policies="[rules]")
    text = text.replace("description: bot\n", SEALED, 1)
    text = text.replace("[{message: hi, done: true}]", json.dumps([acts(call("a", "pay", tags=["ab"])), DONE]))
    when = f"len({name}) > 0" if loop else f"{name}.on"
    made = bundle(
        (path, text), ("specs/tools/code.py", CODE + MORE),
        policy(f"  - {{id: ok, tools: [pay], effect: allow, when: '{when}'}}", facts=f"{{{name}: {{tool: look, {loop}input: {{}}}}}}"),
        tool("pay", "write", input="{type: object, properties: {tags: {type: array, items: {type: string, x-sensitive: true}, maxItems: 9}}, required: [tags]}"),
        tool("look", input="{type: object}", output=READ, more=python("person")),
    )  # fmt: skip
    ran = await Ran().run(made)
    assert ran.state.calls["a"].ok
    for event in await ran.store.load(ran.state.session_id):
        if event.kind is EventKind.VERDICT:
            assert "xq" not in str(event.payload)
            assert "True}" not in str(event.payload["rules"][0]["values"])
            assert event.payload["rules"][0]["values"].get(f"{name}.on") is not True


async def test_facts_of_one_name_that_policies_read_otherwise_are_sealed_whole() -> None:
    path, text = agent("[pay]", policies="[first, second]")
    text = text.replace("description: bot\n", SEALED, 1)
    text = text.replace("[{message: hi, done: true}]", json.dumps([acts(call("a", "pay")), DONE]))
    plain = "{type: object, required: [on], properties: {on: {type: boolean}}}"
    made = bundle(
        (path, text), ("specs/tools/code.py", CODE + MORE),
        policy("  - {id: one, tools: [pay], effect: allow, when: who.on}", facts="{who: {tool: plain}}", name="first"),
        policy("  - {id: two, tools: [pay], effect: allow, when: who.on}", facts="{who: {tool: look}}", name="second"),
        tool("pay", "write", input="{type: object}"),
        tool("plain", input="{type: object}", output=plain, more=python("other")),
        tool("look", input="{type: object}", output=READ, more=python("person")),
    )  # fmt: skip
    ran = await Ran().run(made)
    (verdict,) = [e.payload for e in await ran.store.load(ran.state.session_id) if e.kind is EventKind.VERDICT]
    assert [trace["values"]["who.on"] is True for trace in verdict["rules"]] == [False, False]


async def test_a_summary_may_have_the_names_that_sealing_itself_uses() -> None:
    path, text = agent("[look]")
    text = text.replace("description: bot\n", SEALED, 1)
    text = text.replace("[{message: hi, done: true}]", json.dumps([acts(call("a", "look")), DONE]))
    output = (
        "{type: object, properties: {sealed_fields: {type: string}, person_key: {type: string, x-sensitive: true}}}"
    )
    made = bundle(
        (path, text), ("specs/tools/code.py", CODE + MORE),
        tool("look", input="{type: object}", output=output,
             more=f"summary: [sealed_fields, person_key]\n{python('summed')}"),
    )  # fmt: skip
    ran = await Ran().run(made)
    engine = Runner(ran.store, secrets=ran.engine.secrets)
    (result,) = [e.payload for e in await engine.log(ran.state.session_id) if e.kind is EventKind.TOOL_RESULT]
    assert (result["sealed_fields"], result["person_key"]) == ("CANARY", "CANARY")
    assert holding(await ran.strings(), "CANARY") == []


async def test_an_answer_that_has_a_field_called_happened_is_sealed_as_its_schema_says() -> None:
    async def answer(engine: Runner, session: str) -> None:
        await engine.answer(f"{session}.1", "answer", "ana", value={"happened": "xq"})

    path, text = agent("[ask]")
    text = text.replace("description: bot\n", SEALED, 1)
    text = text.replace("[{message: hi, done: true}]", json.dumps([acts(call("a", "ask")), DONE]))
    made = bundle(
        (path, text), reviewers("leads", "[ana]"),
        tool("ask", input="{type: object}",
             output="{type: object, required: [happened], properties: {happened: {type: string, x-sensitive: true}}}",
             more="adapter: {kind: handoff, reviewers: leads, asks: input, question: 'What?'}"),
    )  # fmt: skip
    ran = await Ran().run(made, answer)
    assert ran.state.calls["a"].ok, ran.refused
    assert holding(await ran.strings(), ": xq") == []


# -- while a model speaks


async def test_what_a_model_says_is_shown_without_values_and_handles_while_it_says_it() -> None:
    path, text = agent("[pay]", policies="[rules]")
    text = text.replace("description: bot\n", SEALED, 1)
    text = text.replace("tenant: {type: string}", "tenant: {type: string, x-sensitive: true}")
    first = s.decides("Paying CANARY-rec to acme", ("pay", {"iban": "CANARY-rec", "pin": 42}), done=False)
    async with s.serving(first, s.decides("Paid CANARY-rec of acme, twice CANARY-rec")) as server:
        model = f"  model: {{kind: openai, model: m, base_url: '{server.url}/v1', api_key: '${{secret:MODEL_KEY}}'}}\n"
        text = text.replace("planner: script\nplanners:\n", f"planner: model\nplanners:\n{model}")
        prices = ("specs/prices/all.yaml", "kind: Prices\nname: all\nmodels: {m: {input_usd: 1, output_usd: 10}}\n")
        made = bundle((path, text), policy(ALLOW), prices, tool("pay", "write", input=INPUT))
        sessions = Sessions({**SECRETS, **KEY})
        state = await sessions.run(made)
    assert state.status.value == "done"
    said = "\n".join(sessions.partial)
    assert "Paid [sensitive] of [sensitive], twice " in said
    # what a model makes up is known once it has proposed it
    assert not [one for one in sessions.partial if "acme" in one or ("Paid" in one and "CANARY" in one)]
