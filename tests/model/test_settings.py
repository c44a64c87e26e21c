"""A planner says what its server takes; a strict schema is one that strict servers take."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.bundle.files import BundleFiles
from engine.bundle.load import LoadedBundle, load
from engine.session.state.event import EventKind
from engine.spec.bundle import Bundle
from tests.bundle_texts import CODE, agent, tool
from tests.model import server as s
from tests.model.acting import Sessions, made
from tests.model.test_cassettes import lay_out, shell


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_what_a_planner_says_of_its_server_is_sent(kind: str) -> None:
    more = ", top_p: 0.9, extra_body: {seed: 7, thinking: {type: disabled}}"
    more += ", reasoning_effort: low" if kind == "openai" else ""
    act = s.decides() if kind == "openai" else s.message(None, ("z", "finish", {}))
    async with s.serving(act) as server:
        await Sessions().run(made(server.url, kind=kind, more=more))
    body = server.asked[0].body
    assert (body["top_p"], body["seed"], body["thinking"]) == (0.9, 7, {"type": "disabled"})
    assert body.get("reasoning_effort") == ("low" if kind == "openai" else None)


async def test_what_a_planner_says_of_its_server_never_replaces_what_is_ours() -> None:
    mine = "extra_body: {messages: [], tools: [], model: other, stream: false}"
    base = made("http://127.0.0.1:9")
    files = {"specs/tools/code.py": CODE.encode()}
    path, text = agent("[]")
    planner = f"  model: {{kind: openai, model: m, base_url: 'http://127.0.0.1:9/v1', {mine}}}\n"
    files[path] = text.replace("planner: script\nplanners:\n", f"planner: model\nplanners:\n{planner}").encode()
    loaded = load(BundleFiles(files))
    assert base.agents
    assert loaded.bundle is None
    assert any("extra_body" in d.message and "messages" in d.message for d in loaded.diagnostics)


async def test_a_version_in_the_query_of_a_url_is_kept_there() -> None:
    async with s.serving(s.decides()) as server:
        sessions = Sessions()
        bundle = made(server.url)
        bundle = _aimed(bundle, f"{server.url}/openai/deployments/d?api-version=2024-10-21")
        state = await sessions.run(bundle)
    assert server.asked[0].path == "/openai/deployments/d/chat/completions?api-version=2024-10-21"
    assert state.status.value == "done"


def _aimed(bundle: Bundle, url: str) -> Bundle:
    from dataclasses import replace

    bot = bundle.agents["bot"]
    planner = bot.planners["model"]
    assert planner.model is not None
    aimed = replace(planner, model=replace(planner.model, base_url=url))
    return replace(bundle, agents={"bot": replace(bot, planners={**bot.planners, "model": aimed})})


def takes_only(word: str, otherwise: s.Act, *, param: str, message: str) -> s.Act:
    """A server that refuses requests with one parameter, and wants another word in them."""

    async def act(exchange: s.Exchange) -> None:
        body = exchange.asked.body
        if param in body or (word and word not in body):
            said = {"error": {"message": message, "type": "invalid_request_error", "param": param,
                              "code": "unsupported_parameter"}}  # fmt: skip
            await exchange.json(said, 400)
            return
        await otherwise(exchange)

    return act


async def test_the_fault_of_a_limit_that_a_server_does_not_know_names_the_key_to_write() -> None:
    message = "Unsupported parameter: 'max_tokens' is not supported with this model."
    act = takes_only("max_completion_tokens", s.decides(), param="max_tokens", message=message)
    async with s.serving(act) as server:
        sessions = Sessions()
        await sessions.run(made(server.url))
    assert "max_completion_tokens" in sessions.of(EventKind.MODEL_CALLED)[0]["message"]


async def test_planners_check_finds_out_which_limit_a_server_takes_and_prints_the_key(tmp_path: Path) -> None:
    message = "Unsupported parameter: 'max_tokens' is not supported with this model."
    act = takes_only("max_completion_tokens", s.decides(), param="max_tokens", message=message)
    async with s.serving(act) as server:
        await trio.to_thread.run_sync(lay_out, tmp_path, server.url)
        code, said = await shell(tmp_path, "planners", "check", MODEL_KEY="canary-key")
    assert "max_completion_tokens" in said, (code, said)
    assert any("max_completion_tokens" in asked.body for asked in server.asked)


@pytest.mark.parametrize(
    ("param", "message"),
    [
        ("temperature", "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1)."),
        ("stream_options", "Unrecognized request argument supplied: stream_options"),
        ("response_format", "Invalid parameter: 'response_format' of type 'json_schema' is not supported"),
    ],
)
async def test_planners_check_finds_out_what_else_a_server_does_not_take(
    tmp_path: Path, param: str, message: str
) -> None:
    async def answers(exchange: s.Exchange) -> None:
        decides = s.calls_tools(("z", "finish", "{}")) if exchange.asked.body.get("tools") else s.decides()
        await decides(exchange)

    def written() -> None:
        path = tmp_path / "specs/agents/bot.yaml"
        path.write_text(path.read_text().replace("model: m,", "model: m, temperature: 0,"))

    async with s.serving(takes_only("", answers, param=param, message=message)) as server:
        await trio.to_thread.run_sync(lay_out, tmp_path, server.url)
        await trio.to_thread.run_sync(written)
        code, said = await shell(tmp_path, "planners", "check", MODEL_KEY="canary-key")
    assert any(param not in asked.body for asked in server.asked), (code, said)


# -- schemas

TABLE = "kind: Prices\nname: all\nmodels: {m: {input_usd: 1, output_usd: 10}}\n"


def objects(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Every schema within a schema: what stands under `properties` and `$defs` are names and no keywords."""
    if not isinstance(schema, dict):
        return
    yield schema
    for key, value in schema.items():
        if key in ("properties", "$defs") and isinstance(value, dict):
            for one in value.values():
                yield from objects(one)
        elif key in ("items", "additionalProperties", "not"):
            yield from objects(value)
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            for one in value:
                yield from objects(one)


UNKNOWN = frozenset({
    "oneOf", "allOf", "not", "if", "then", "else", "patternProperties", "propertyNames", "dependentRequired",
    "dependentSchemas", "unevaluatedProperties", "default", "prefixItems", "contains", "uniqueItems", "minProperties",
    "maxProperties", "$id", "$anchor", "$schema", "definitions",
})  # fmt: skip


def resolved(root: Any, ref: str) -> Any:
    found = root
    assert ref == "#" or ref.startswith("#/"), ref
    for part in ref.split("/")[1:]:
        found = found[int(part) if isinstance(found, list) else part.replace("~1", "/").replace("~0", "~")]
    return found


def wrong_with(schema: Any) -> list[str]:
    """What a strict server says of a schema."""
    found: list[str] = []
    if schema.get("type") != "object" or "anyOf" in schema:
        found.append("the root is no object")
    for one in objects(schema):
        found += [f"`{name}` is not permitted" for name in one if name in UNKNOWN or name.startswith("x-")]
        if one.get("type") == "object" or "properties" in one:
            if one.get("additionalProperties") is not False:
                found.append(f"additionalProperties must be false: {sorted(one.get('properties', {}))}")
            if sorted(one.get("required", [])) != sorted(one.get("properties", {})):
                found.append(f"required must name all of {sorted(one.get('properties', {}))}")
        if "$ref" in one:
            try:
                resolved(schema, one["$ref"])
            except (LookupError, AssertionError, ValueError):
                found.append(f"{one['$ref']} does not resolve")
        if not one and one is not schema:
            found.append("a schema without a type")
    return found


PARENT = "{type: object, properties: {id: {type: string}}, required: [id], additionalProperties: false}"
OTHER = "{type: object, properties: {key: {type: integer}}, required: [key], additionalProperties: false}"
NODE = ("{type: object, properties: {name: {type: string}, next: {$ref: '#/$defs/Node'}}, required: [name], "
        "additionalProperties: false}")  # fmt: skip

TOOLS = {
    "optional": "{type: object, properties: {n: {type: integer}, to: {type: string}}, additionalProperties: false}",
    "inner": f"{{type: object, $defs: {{Parent: {PARENT}}}, properties: {{parent: {{$ref: '#/$defs/Parent'}}}}, "
             "required: [parent], additionalProperties: false}",
    "other": f"{{type: object, $defs: {{Parent: {OTHER}}}, properties: {{parent: {{$ref: '#/$defs/Parent'}}}}, "
             "required: [parent], additionalProperties: false}",
    "recursive": f"{{type: object, $defs: {{Node: {NODE}}}, properties: {{node: {{$ref: '#/$defs/Node'}}}}, "
                 "required: [node], additionalProperties: false}",
    "itself": "{type: object, properties: {name: {type: string}, child: {$ref: '#'}}, required: [name], "
              "additionalProperties: false}",
    "pointing": "{type: object, properties: {a: {type: string}, b: {$ref: '#/properties/a'}}, required: [a, b], "
                "additionalProperties: false}",
    "enum": "{type: object, properties: {size: {type: string, enum: [small, large]}}, additionalProperties: false}",
    "default": "{type: object, properties: {n: {type: integer, default: 3}}, additionalProperties: false}",
    "names": "{type: object, properties: {properties: {type: string}, required: {type: string}, "
             "$ref: {type: string}}, required: [properties], additionalProperties: false}",
    "deep": "{type: object, properties: {list: {type: array, items: {type: object, properties: {n: {type: integer}}, "
            "additionalProperties: false}}}, required: [list], additionalProperties: false}",
}  # fmt: skip


def loaded(url: str, tools: Mapping[str, str], more: str, kind: str = "openai") -> LoadedBundle:
    path, text = agent(f"[{', '.join(tools)}]")
    base = f"{url}/v1" if kind == "openai" else url
    planner = f"  model: {{kind: {kind}, model: m, base_url: '{base}', retry: {{attempts: 1}}{more}}}\n"
    files = dict(tool(name, input=schema) for name, schema in tools.items())
    planned = text.replace("planner: script\nplanners:\n", f"planner: model\nplanners:\n{planner}")
    files |= {path: planned,
              "specs/tools/code.py": CODE,
              "specs/prices/all.yaml": TABLE}  # fmt: skip
    return load(BundleFiles({name: content.encode() for name, content in files.items()}))


async def schema_for(tools: Mapping[str, str], more: str, kind: str = "openai") -> Any:
    """The schema of a decision as the server gets it."""
    act = (
        s.decides()
        if kind == "openai"
        else s.message(None, ("a", "decide", {"message": "x", "tool_calls": [], "done": True}))
    )
    async with s.serving(act) as server:
        found = loaded(server.url, tools, more, kind).bundle
        assert found is not None
        await Sessions().run(found)
    body = server.asked[0].body
    return body["response_format"]["json_schema"]["schema"] if kind == "openai" else body["tools"][0]["input_schema"]


@pytest.mark.parametrize("names", [*[[name] for name in TOOLS], list(TOOLS)], ids=lambda names: "+".join(names)[:20])
async def test_a_strict_response_format_gets_a_schema_that_strict_servers_take(names: list[str]) -> None:
    schema = await schema_for({name: TOOLS[name] for name in names}, ", strict: true")
    assert wrong_with(schema) == []


async def test_optional_fields_are_nullable_in_a_strict_schema() -> None:
    text = json.dumps(await schema_for({"enum": TOOLS["enum"]}, ", strict: true"))
    assert '"null"' in text
    assert "null]" in text or '"anyOf"' in text


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_every_reference_of_a_tool_resolves_in_the_schema_of_a_decision(kind: str) -> None:
    names = ("inner", "other", "recursive", "itself", "pointing")
    schema = await schema_for({name: TOOLS[name] for name in names}, ", answers: json_schema", kind)
    refs = [one["$ref"] for one in objects(schema) if "$ref" in one]
    assert refs
    for ref in refs:
        resolved(schema, ref)
    text = json.dumps(schema)
    assert '"id": {"type": "string"' in text
    assert '"key": {"type": "integer"' in text


async def test_the_null_of_an_optional_field_is_a_field_that_is_left_out() -> None:
    act = s.decides("", ("optional", {"n": None, "to": "ada"}))
    async with s.serving(act, s.decides("Done.")) as server:
        bundle = loaded(server.url, {"optional": TOOLS["optional"]}, ", strict: true").bundle
        assert bundle is not None
        sessions = Sessions()
        await sessions.run(bundle)
    assert [dict(call["input"]) for call in sessions.of(EventKind.CALL_PROPOSED)] == [{"to": "ada"}]
    assert [result["status"] for result in sessions.of(EventKind.TOOL_RESULT)] == ["ok"]


async def test_the_null_of_a_field_that_may_be_null_stays() -> None:
    item = "{type: object, properties: {m: {type: integer}}, additionalProperties: false}"
    fields = f"{{n: {{type: [integer, 'null']}}, list: {{type: array, items: {item}}}}}"
    schema = f"{{type: object, properties: {fields}, additionalProperties: false}}"
    act = s.decides("", ("nullable", {"n": None, "list": [{"m": None}]}))
    async with s.serving(act, s.decides("Done.")) as server:
        bundle = loaded(server.url, {"nullable": schema}, ", strict: true").bundle
        assert bundle is not None
        sessions = Sessions()
        await sessions.run(bundle)
    assert [dict(call["input"]) for call in sessions.of(EventKind.CALL_PROPOSED)] == [{"n": None, "list": [{}]}]


LOOSE = {
    "free": "{type: object, properties: {data: {type: object}}, additionalProperties: false}",
    "open": "{type: object, properties: {n: {type: integer}}}",
    "mapped": "{type: object, properties: {m: {type: object, additionalProperties: {type: string}}}, "
              "additionalProperties: false}",
    "patterned": "{type: object, properties: {m: {type: object, patternProperties: {'^a': {type: string}}}}, "
                 "additionalProperties: false}",
    "anything": "{type: object, properties: {n: {}}, additionalProperties: false}",
    "negated": "{type: object, properties: {n: {not: {type: string}}}, additionalProperties: false}",
}  # fmt: skip


@pytest.mark.parametrize("name", LOOSE)
def test_what_can_not_be_said_strictly_is_said_at_load_with_its_tool(name: str) -> None:
    found = loaded("http://127.0.0.1:9", {name: LOOSE[name]}, ", strict: true")
    assert any("strict" in d.message and name in d.message for d in found.diagnostics), found.diagnostics
    silent = loaded("http://127.0.0.1:9", {name: LOOSE[name]}, "")
    assert not any("strict" in d.message for d in silent.diagnostics)


def test_what_can_be_said_strictly_is_not_complained_about() -> None:
    found = loaded("http://127.0.0.1:9", TOOLS, ", strict: true")
    assert found.bundle is not None
    assert not any("strict" in d.message for d in found.diagnostics)
