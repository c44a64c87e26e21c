"""Names of data are names of data, whatever else they might mean to a schema, a template or the engine."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from engine.runtime.host_secrets import HostSecrets
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.session.state.event import EventKind
from engine.store.memory import MemoryStore
from tests.bundle_texts import agent, bundle, tool
from tests.model import server as s
from tests.model.acting import Sessions
from tests.tool.stubbing import Importing, errors, listed, loaded, with_input

# all that these reach of the core others reach too, under coverage
pytestmark = pytest.mark.untraced

PRICES = ("specs/prices/all.yaml", "kind: Prices\nname: all\nmodels: {m: {input_usd: 1, output_usd: 10}}\n")


def modelled(url: str, *tools: tuple[str, str], kind: str = "openai", more: str = "", head: str = "",
             attributes: str = "", files: tuple[tuple[str, str], ...] = ()) -> list[tuple[str, str]]:  # fmt: skip
    """The documents of an agent whose planner is a model at a URL."""
    names = ", ".join(Path(path).stem for path, _ in tools)
    path, text = agent(f"[{names}]")
    base = f"{url}/v1" if kind == "openai" else url
    model = f"  model: {{kind: {kind}, model: m, base_url: '{base}', timeout: 2s{more}}}\n"
    text = text.replace("planner: script\nplanners:\n", f"{head}planner: model\nplanners:\n{model}")
    if attributes:
        before, _, after = text.partition("attributes:")
        text = f"{before}attributes: {attributes}\n{after.partition(chr(10))[2]}"
    return [(path, text), *tools, PRICES, *files]


async def asked(documents: Any, act: s.Act, given: dict[str, Any] | None = None) -> tuple[dict[str, Any], Sessions]:
    """The first request that a model gets."""
    sessions = Sessions()
    async with s.serving(act) as server:
        made = bundle(*documents(server.url))
        async with sessions.engine:
            await sessions.engine.run(made, Opening("bot", "Hello", given or {"tenant": "acme"}), Path("."))
    assert server.asked, [e.payload for e in sessions.events][-4:]
    return server.asked[0].body, sessions


# -- import


def test_a_property_that_is_called_as_a_keyword_is_imported_as_a_property(tmp_path: Path) -> None:
    inner: dict[str, Any] = {"type": "object", "properties": {"$schema": {"type": "string"}}, "required": ["$schema"]}
    schema: dict[str, Any] = {
        "$schema": "http://json-schema.org/draft-07/schema#", **inner,
        "properties": {
            **inner["properties"], "$id": {"type": "string"}, "id": {"type": "string"}, "$ref": {"type": "string"},
            "definitions": {"type": "string"}, "items": {"type": "string"}, "dependencies": {"type": "string"},
            "exclusiveMinimum": {"type": "boolean"}, "inner": {"type": "array", "items": inner},
            "value": {"const": {"$schema": "v5"}}, "values": {"enum": [{"$schema": "v5", "x-a": 1}]},
            "usual": {"type": "object", "default": {"$schema": "v5"}, "examples": [{"$schema": "v5"}]},
        },
    }  # fmt: skip
    one = Importing(tmp_path, listed("chart", schema))
    assert one.imported().code == 0
    taken = one.loaded.tools["s_chart"].input_schema
    assert {**taken["properties"], "$schema": None}.keys() == {**schema["properties"]}.keys()
    assert taken["properties"] == schema["properties"]
    assert taken["required"] == ["$schema"]
    assert "$schema" not in taken
    assert one.loaded.tools["s_chart"].check_input({"$schema": "v5", "value": {"$schema": "v5"}}) == []


# -- what a model is told


AS_DATA = (
    "{type: object, properties: {x-request-id: {type: string, x-note: ours}, x-unit: {type: number, x-unit: usd}, "
    "kept: {const: {x-a: 1, type: string}}, some: {enum: [{x-b: 2, type: string}]}, "
    "usual: {type: object, default: {x-c: 3, type: string}}, "
    "pairs: {type: object, dependentRequired: {x-d: [x-e]}}}, "
    "required: [x-request-id], additionalProperties: false}"
)


@pytest.mark.parametrize(("kind", "mode"), [
    ("openai", "tools"), ("openai", "json_schema"), ("anthropic", "tools"),
])  # fmt: skip
@pytest.mark.parametrize("bounded", ["", ", max_text: 20"])
async def test_a_model_gets_properties_and_values_as_they_are_called(kind: str, mode: str, bounded: str) -> None:
    more = f", answers: {mode}, stream: false{bounded}"
    act = s.decides("Bye") if kind == "openai" and mode != "tools" else s.message("Bye")
    body, _ = await asked(lambda url: modelled(url, tool("ping", input=AS_DATA), kind=kind, more=more), act)
    sent = json.dumps(body)
    schema = _schema_of("ping", body)
    properties = schema["properties"]
    assert set(schema["required"]) <= set(properties)
    assert {"x-request-id", "x-unit", "kept", "some", "usual", "pairs"} == set(properties)
    assert properties["kept"]["const"] == {"x-a": 1, "type": "string"}
    assert properties["some"]["enum"] == [{"x-b": 2, "type": "string"}]
    assert properties["usual"]["default"] == {"x-c": 3, "type": "string"}
    assert properties["pairs"]["dependentRequired"] == {"x-d": ["x-e"]}
    # our own keywords are not for it
    assert "ours" not in sent
    assert "usd" not in json.dumps(properties["x-unit"])


def _schema_of(name: str, body: dict[str, Any]) -> dict[str, Any]:
    for one in body.get("tools", ()):
        function = one.get("function", one)
        if function["name"] == name:
            found: dict[str, Any] = function.get("parameters", function.get("input_schema"))
            return found
    beside: dict[str, Any] = _input_beside(name, body["response_format"]["json_schema"]["schema"])
    return beside


def _input_beside(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        named = value.get("properties", {})
        if isinstance(named, dict) and named.get("name", {}).get("enum") == [name]:
            return named["input"]
        return next((one for inner in value.values() if (one := _input_beside(name, inner)) is not None), None)
    if isinstance(value, list):
        return next((one for inner in value if (one := _input_beside(name, inner)) is not None), None)
    return None


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_a_tool_that_is_called_finish_is_refused_or_runs(kind: str) -> None:
    documents = modelled("http://127.0.0.1:9", tool("finish"), kind=kind, more=", answers: tools")
    made, found = loaded(*documents)
    if made is None:
        assert any("finish" in one for one in errors(found))
        return
    async with s.serving(s.message("Bye")) as server:
        sessions = Sessions()
        await sessions.run(bundle(*modelled(server.url, tool("finish"), kind=kind, more=", answers: tools")))
    tools = server.asked[0].body["tools"]
    names = [one.get("function", one)["name"] for one in tools]
    assert len(names) == len(set(names)) == 2


def test_a_tool_that_is_called_finish_is_nothing_special_without_function_calls() -> None:
    documents = modelled("http://127.0.0.1:9", tool("finish"), more=", answers: json_schema")
    assert errors(loaded(*documents)[1]) == []
    assert errors(loaded(agent("[finish]"), tool("finish"))[1]) == []


# -- prompts


NAMES = ("keys", "items", "values", "get", "copy", "update", "pop", "clear", "setdefault", "fromkeys")


def prompted(text: str, url: str) -> list[tuple[str, str]]:
    properties = ", ".join(f"{name}: {{type: string}}" for name in NAMES)
    inner = f"{{type: object, properties: {{{properties}}}}}"
    attributes = f"{{type: object, properties: {{{properties}, inner: {inner}, list: {{type: array}}}}}}"
    head = "prompt: mine\n" if text else ""
    files = (("prompts/mine.md.j2", text),) if text else ()
    return modelled(url, tool("look"), head=head, attributes=attributes, files=files)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("owner", ["session", "session.inner"])
async def test_an_attribute_that_is_called_as_a_method_is_its_value_in_a_prompt(name: str, owner: str) -> None:
    text = (
        f"[{{{{ {owner}.{name} }}}}] {{% for one in [{owner}] %}}[{{{{ one.{name} }}}}]{{% endfor %}} {{{{ history }}}}"
    )
    values = dict.fromkeys(NAMES, "DATA")
    given = {**values, "inner": values}
    body, _ = await asked(lambda url: prompted(text, url), s.decides("Bye"), given)
    system = "\n".join(message["content"] for message in body["messages"])
    assert system.count("[DATA]") == 2
    assert "built-in" not in system


async def test_the_prompt_of_an_agent_without_one_tells_every_attribute_whatever_it_is_called() -> None:
    values = {name: f"of-{name}" for name in NAMES}
    body, _ = await asked(lambda url: prompted("", url), s.decides("Bye"), values)
    system = "\n".join(message["content"] for message in body["messages"])
    for name in NAMES:
        assert f"of-{name}" in system


async def test_methods_of_what_a_prompt_is_given_work_where_no_value_is_called_so() -> None:
    text = "{% for name, value in session.inner.items() %}<{{ name }}={{ value }}>{% endfor %} {{ history }}"
    attributes = "{type: object, properties: {inner: {type: object, properties: {a: {type: string}}}}}"
    body, _ = await asked(
        lambda url: modelled(url, tool("look"), head="prompt: mine\n", attributes=attributes,
                             files=(("prompts/mine.md.j2", text),)),
        s.decides("Bye"), {"inner": {"a": "one"}},
    )  # fmt: skip
    assert "<a=one>" in body["messages"][0]["content"]


# -- schemas


@pytest.mark.parametrize("name", ["default", "const", "enum", "examples", "x-mine", "$schema", "pattern", "$defs"])
def test_a_property_that_is_called_as_a_keyword_is_checked_like_any_other(name: str) -> None:
    for wrong in ("{type: string, pattern: '('}", "{'$ref': '#/nowhere'}", "{'$ref': 'http://other.example/x'}"):
        schema = f"{{type: object, properties: {{'{name}': {wrong}}}}}"
        assert errors(with_input(schema)[1]), schema
        assert errors(with_input(f"{{type: object, '$defs': {{'{name}': {wrong}}}}}")[1])


NO_SCHEMAS = ["{pattern: '('}", "{'$ref': 'http://other.example/x'}", "{minLenght: 3}", "{type: string, items: [1]}"]
VALUES = ["default: %s", "const: %s", "enum: [%s]", "examples: [%s]"]


@pytest.mark.parametrize(
    ("keyword", "data"),
    [*itertools.product([*VALUES, "x-mine: %s"], NO_SCHEMAS), *itertools.product(VALUES, ["{x-sensitive: true}"])],
)
def test_a_value_within_a_schema_is_no_schema(keyword: str, data: str) -> None:
    schema = f"{{type: object, properties: {{a: {{{keyword % data}}}}}}}"
    made, found = with_input(schema)
    assert errors(found) == []
    assert made is not None


def test_a_property_that_is_called_as_the_mark_of_a_sensitive_value_is_none() -> None:
    made, found = with_input("{type: object, properties: {x-sensitive: true, a: {type: string}}}")
    assert errors(found) == []
    assert made is not None


# -- SQL, and the command line


async def test_a_field_of_the_input_that_is_called_as_a_parameter_of_the_engine_is_refused_or_its_own(
    tmp_path: Path,
) -> None:
    schema = "{type: object, properties: {now: {type: string}, idempotency_key: {type: string}}}"
    adapter = "adapter: {kind: sql, database: shop, sql: 'SELECT :now AS a, :idempotency_key AS b'}\n"
    database = ("specs/databases/shop.yaml", "kind: Database\nname: shop\npath: shop.db\ninit: [shop.sql]\n")
    init = ("shop.sql", "CREATE TABLE t (a);")
    made, found = loaded(agent("[act]"), tool("act", input=schema, output="{}", more=adapter), database, init)
    told = [one for one in errors(found) if "now" in one or "idempotency_key" in one]
    if told:
        return
    assert made is not None, errors(found)
    from tests.tool.peers import run

    assert await run(made, "act", root=tmp_path, now="mine", idempotency_key="own") == {"a": "mine", "b": "own"}


# -- the log


@pytest.mark.parametrize("name", ["owner", "state", "outcome", "limit", "digest", "effect", "verdict", "how", "agent"])
async def test_a_sensitive_field_in_a_summary_is_sealed_whatever_it_is_called(name: str) -> None:
    output = f"{{type: object, properties: {{{name}: {{type: string, x-sensitive: true}}}}}}"
    path, text = agent("[look]")
    text = text.replace("description: bot\n", "description: bot\nsealed_with: ${secret:SEAL_KEY}\n", 1)
    calls = "[{message: a, tool_calls: [{id: a, name: look, input: {}}]}, {message: bye, done: true}]"
    text = text.replace("[{message: hi, done: true}]", calls)
    code = f"def act(**given):\n    return {{'{name}': 'DE-4411'}}\n"
    made, found = loaded((path, text), tool("look", output=output, more=f"summary: [{name}]"),
                         ("specs/tools/code.py", code))  # fmt: skip
    if made is None:
        assert any(name in one for one in errors(found)), errors(found)
        return
    store = MemoryStore()
    engine = Runner(store, secrets=HostSecrets({"SEAL_KEY": "a key of the tests that is long enough to be one"}))
    async with engine:
        state = await engine.run(made, Opening("bot", "Look", {"tenant": "acme"}), Path("."))
    stored = await store.load(state.session_id)
    assert any(event.kind is EventKind.TOOL_RESULT and event.payload["status"] == "ok" for event in stored)
    assert "DE-4411" not in repr([event.payload for event in stored])
