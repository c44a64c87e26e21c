"""HTTP as APIs have it: lists in queries, answers that are compressed unasked, outputs, and redirects."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import h11
import pytest

from tests.bundle_texts import agent, tool
from tests.model import server as s
from tests.tool.peers import failure, run, with_tool
from tests.tool.stubbing import errors, loaded
from tests.tool.test_http import answers, http, redirects


async def path_of(rest: str, path: str = "/v1/items", **given: Any) -> str:
    async with s.serving(answers({"ok": True})) as server:
        await run(with_tool("get", http(server, rest, path)), "get", **given)
    return server.asked[0].path


# -- lists in a query


@pytest.mark.parametrize(("value", "query"), [
    (["a", "b"], "tags=a&tags=b"), (["a"], "tags=a"), ([1, True, "x y"], "tags=1&tags=true&tags=x%20y"),
    (["a&b=c", "ü"], "tags=a%26b%3Dc&tags=%C3%BC"), (["a", None, "b"], "tags=a&tags=b"), ([""], "tags="),
])  # fmt: skip
async def test_a_list_in_a_query_is_the_parameter_repeated(value: Any, query: str) -> None:
    path = await path_of("query: {tags: '{{ input.list }}', q: '{{ input.q }}'}", list=value, q="z")
    assert path == f"/v1/items?{query}&q=z"


@pytest.mark.parametrize("value", [[], None, [None]])
async def test_an_empty_list_in_a_query_is_left_out(value: Any) -> None:
    assert await path_of("query: {tags: '{{ input.list }}'}", list=value) == "/v1/items"


async def test_a_list_in_a_query_stands_after_what_the_url_has_already() -> None:
    path = await path_of("query: {tags: '{{ input.list }}'}", "/v1/items?page=1", list=["a", "b"])
    assert path == "/v1/items?page=1&tags=a&tags=b"


@pytest.mark.parametrize("value", [{"a": 1}, [["a"]], [{"a": 1}]])
async def test_a_query_that_has_no_form_in_a_url_is_refused_before_anything_is_sent(value: Any) -> None:
    async with s.serving(answers({"ok": True})) as server:
        made = with_tool("get", http(server, "query: {tags: '{{ input.list }}'}"))
        error = await failure(made, "get", list=value)
    assert error.reason in ("bad_url", "bad_query")
    assert not error.acted
    assert server.asked == []


@pytest.mark.parametrize("place", [
    "url: 'http://127.0.0.1:9/v1?tags={{ input.tags }}'", "url: 'http://127.0.0.1:9/v1/{{ input.tags }}'",
    "url: 'http://127.0.0.1:9/v1', headers: {X-Tags: '{{ input.tags }}'}",
    "url: 'http://127.0.0.1:9/v1', query: {tags: 'all of {{ input.tags }}'}",
])  # fmt: skip
@pytest.mark.parametrize("kind", ["{type: array, items: {type: string}}", "{type: object}"])
def test_a_list_or_a_map_where_only_a_text_can_stand_is_told_at_load(place: str, kind: str) -> None:
    schema = f"{{type: object, properties: {{tags: {kind}}}, required: [tags]}}"
    adapter = f"adapter: {{kind: http, {place}, allow_private: true}}\n"
    found = loaded(agent("[act]"), tool("act", input=schema, more=adapter))[1]
    told = [one for one in found if "list" in one.message or "map" in one.message]
    assert told, [one.message for one in found]


# -- compression that nobody asked for


def compressed(raw: bytes, coding: str, status: int = 200, **more: str) -> s.Act:
    async def act(exchange: s.Exchange) -> None:
        head = {"content_type": "application/json", "content_encoding": coding, "content_length": str(len(raw)), **more}
        await exchange.head(status, **head)
        await exchange.send(h11.Data(data=raw))
        await exchange.send(h11.EndOfMessage())

    return act


BODY = json.dumps({"n": 1, "text": "ü" * 50}).encode()
RAW_DEFLATE = (lambda c: c.compress(BODY) + c.flush())(zlib.compressobj(wbits=-15))


@pytest.mark.parametrize(("raw", "coding"), [
    (gzip.compress(BODY), "gzip"), (gzip.compress(BODY), "x-gzip"), (gzip.compress(BODY), "GZIP"),
    (zlib.compress(BODY), "deflate"), (RAW_DEFLATE, "deflate"), (BODY, "identity"),
    (gzip.compress(gzip.compress(BODY)), "gzip, gzip"),
    (gzip.compress(BODY[:20]) + gzip.compress(BODY[20:]), "gzip"),
])  # fmt: skip
async def test_an_answer_that_is_compressed_unasked_is_read(raw: bytes, coding: str) -> None:
    async with s.serving(compressed(raw, coding)) as server:
        output = await run(with_tool("get", http(server, "output: {n: response.body.n}")), "get")
    assert output == {"n": 1}
    assert server.asked[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(("raw", "coding"), [
    (b"what", "zzz"), (b"what", "gzip"), (gzip.compress(BODY)[:-12], "gzip"), (b"", "br, zzz"),
])  # fmt: skip
@pytest.mark.parametrize("effect", ["read", "write"])
async def test_a_coding_that_can_not_be_undone_is_named(raw: bytes, coding: str, effect: str) -> None:
    async with s.serving(compressed(raw or b"x", coding)) as server:
        made = with_tool("act", http(server, "method: POST"), effect)
        error = await failure(made, "act")
    assert error.reason in ("invalid_output", "no_answer")
    assert error.acted == (effect == "write")
    assert coding.split(", ")[-1] in error.message


async def test_the_bound_of_an_answer_holds_for_what_it_unpacks_to() -> None:
    bomb = gzip.compress(b'"' + b"x" * 30_000_000 + b'"')
    twice = gzip.compress(bomb)
    for raw, coding in ((bomb, "gzip"), (twice, "gzip, gzip")):
        async with s.serving(compressed(raw, coding)) as server:
            error = await failure(with_tool("get", http(server, "max_response: 100000")), "get")
        assert error.reason == "response_too_large"


async def test_an_error_that_is_compressed_is_told_in_words() -> None:
    raw = gzip.compress(b'{"error": "no such item"}')
    async with s.serving(compressed(raw, "gzip", 404)) as server:
        error = await failure(with_tool("get", http(server, "method: GET")), "get")
    assert "no such item" in error.message


# -- outputs


async def test_an_output_can_be_a_part_of_the_answer() -> None:
    answer = {"person": {"name": "Ada", "n": 2.5}, "keys": {"items": 1}}
    for output, expected in (
        ("response.body.person", {"name": "Ada", "n": 2.5}), ("response.body.keys", {"items": 1}),
        ("response.body", answer),
    ):  # fmt: skip
        async with s.serving(answers(answer)) as server:
            found = await run(with_tool("get", http(server, f"output: {output}")), "get")
        assert json.loads(json.dumps(found, default=float)) == expected


async def test_an_output_that_the_answer_does_not_have_is_said() -> None:
    async with s.serving(answers({"other": 1})) as server:
        made = with_tool("get", http(server, "output: response.body.person"))
        assert (await failure(made, "get")).reason == "output_error"


def test_an_output_of_one_expression_is_checked_at_load() -> None:
    adapter = "adapter: {kind: http, url: 'http://127.0.0.1:9/v1', output: responce.body.person, allow_private: true}\n"
    told = errors(loaded(agent("[act]"), tool("act", more=adapter))[1])
    assert any("responce" in one for one in told), told


# -- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("effect", ["read", "write"])
async def test_a_redirect_never_leads_to_another_port(status: int, effect: str) -> None:
    async with s.serving(answers({"n": 2})) as other, s.serving(redirects(other.url + "/x", status)) as server:
        made = with_tool("act", http(server, "redirects: 2, method: POST"), effect)
        error = await failure(made, "act")
    assert error.reason == "host_refused"
    assert error.lost == (effect == "write")
    assert other.asked == []


@pytest.mark.parametrize("to", ["/x", "x", "?a=1", "//127.0.0.1:PORT/x", "http://127.0.0.1:PORT/x"])
async def test_a_redirect_on_the_same_server_keeps_its_port(to: str) -> None:
    async def act(exchange: s.Exchange) -> None:
        port = exchange.asked.headers["host"].rpartition(":")[2]
        await redirects(to.replace("PORT", port), 307)(exchange)

    async with s.serving(act, answers({"n": 2})) as server:
        made = with_tool("act", http(server, "redirects: 1, headers: {Authorization: '${secret:API_KEY}'}"))
        assert await run(made, "act") == {"n": 2}
    hosts = [asked.headers["host"] for asked in server.asked]
    assert hosts[0] == hosts[1] == f"127.0.0.1:{server.port}"
    # it is the same server, and is told the same
    assert server.asked[1].headers["authorization"] == "canary-0815-secret"


async def test_the_case_of_a_host_makes_no_other_server() -> None:
    async def act(exchange: s.Exchange) -> None:
        await redirects("http://LOCALHOST:" + exchange.asked.headers["host"].rpartition(":")[2] + "/x", 307)(exchange)

    async with s.serving(act, answers({"n": 2})) as server:
        adapter = http(server, "method: POST, redirects: 1, body: {a: 1}").replace("127.0.0.1", "localhost")
        assert await run(with_tool("act", adapter, "write"), "act") == {"n": 2}
    assert server.asked[1].body == {"a": 1}
