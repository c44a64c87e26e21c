"""The http adapter against real servers: what it sends, what it makes of answers, and where it never goes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import h11
import pytest
import trio

from engine.net.address import AddressRefused, NoAddress, allowed_address, is_public
from tests.model import server as s
from tests.tool.peers import SECRETS, failure, run, with_tool

PRIVATE = "allow_private: true"


def http(server: s.ModelServer, rest: str, path: str = "/v1/items") -> str:
    return f"{{kind: http, url: '{server.url}{path}', {PRIVATE}, {rest}}}"


def answers(body: Any, status: int = 200, **headers: str) -> s.Act:
    async def act(exchange: s.Exchange) -> None:
        await exchange.json(body, status, **headers)

    return act


async def test_values_are_encoded_for_the_place_where_they_stand() -> None:
    async with s.serving(answers({"ok": True})) as server:
        made = with_tool(
            "get",
            http(
                server,
                "method: POST, query: {q: '{{ input.q }}', none: '{{ input.n }}', list: '{{ input.list }}'}, "
                "headers: {X-Tenant: '{{ session.tenant }}', Authorization: 'Bearer ${secret:API_KEY}'}, "
                "body: {text: 'to {{ input.q }}', same: '{{ input.q }}', all: ['{{ input.list }}', 7, null]}",
                path="/v1/{{ input.id }}/x",
            ),
        )
        hostile = 'a/../b?c=d&e="f"\n{{ x }} ${secret:API_KEY} ü'
        output = await run(made, "get", id=hostile, q=hostile, list=[1, Decimal("2.50")])
    asked = server.asked[0]
    assert output == {"ok": True}
    assert asked.path.startswith("/v1/a%2F..%2Fb%3Fc%3Dd%26e%3D%22f%22%0A%7B%7B%20x%20%7D%7D%20%24%7Bsecret")
    assert asked.path.count("?") == 1
    assert "none=" not in asked.path
    assert asked.headers["x-tenant"] == "acme"
    assert asked.headers["authorization"] == "Bearer canary-0815-secret"
    assert asked.body == {"text": f"to {hostile}", "same": hostile, "all": [[1, 2.5], 7, None]}
    assert "canary" not in asked.path


async def test_a_value_can_not_leave_its_place_in_the_path_or_in_a_header() -> None:
    async with s.serving(answers({})) as server:
        made = with_tool("get", http(server, "headers: {X-A: '{{ input.q }}'}", path="/v1/{{ input.id }}"))
        assert (await failure(made, "get", id="..", q="x")).reason == "bad_url"
        for hostile in ("a\r\nX-Evil: 1", "a\0", "ü"):
            assert (await failure(made, "get", id="1", q=hostile)).reason == "bad_header"
    assert server.asked == []


async def test_the_key_travels_in_its_header() -> None:
    async with s.serving(answers({"id": "r1"}, 201)) as server:
        adapter = http(server, "method: POST, body: '{{ input }}', idempotency_header: Idempotency-Key")
        made = with_tool("pay", adapter, "write")
        assert await run(made, "pay", key="tenant:pay:1", id=1, q=None) == {"id": "r1"}
    assert server.asked[0].headers["idempotency-key"] == "tenant:pay:1"
    assert server.asked[0].body == {"id": 1, "q": None}


async def test_an_answer_is_mapped_to_the_output() -> None:
    async with s.serving(answers({"item": {"price": 2.5}}, x_page="2")) as server:
        rest = (
            "output: {price: response.body.item.price, page: \"response.headers['x-page']\", status: response.status}"
        )
        made = with_tool("get", http(server, rest))
        assert await run(made, "get") == {"price": Decimal("2.5"), "page": "2", "status": 200}
        wrong = with_tool("get", http(server, "output: {price: response.body.nothing}"))
        assert (await failure(wrong, "get")).reason == "output_error"


async def test_one_connection_serves_many_calls() -> None:
    opened = 0

    async def keeps(exchange: s.Exchange) -> None:
        raw = b'{"n": 1}'
        await exchange.send(h11.Response(status_code=200, headers=[("content-length", str(len(raw)))]))
        await exchange.send(h11.Data(data=raw))
        await exchange.send(h11.EndOfMessage())
        nonlocal opened
        opened += 1
        while True:
            data = await exchange.stream.receive_some()
            if not data:
                return
            await exchange.stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n" + raw)

    async with s.serving(keeps) as server:
        made = with_tool("get", http(server, "method: GET"))
        assert await run(made, "get", times=5) == {"n": 1}
    assert opened == 1


# how each status ends: reason, retryable, acted, lost - for a read, and for a write
STATUSES = [
    (400, (False, False, False), (False, False, False)),
    (401, (False, False, False), (False, False, False)),
    (404, (False, False, False), (False, False, False)),
    (408, (True, False, False), (False, True, True)),
    (409, (False, False, False), (False, False, False)),
    (429, (True, False, False), (True, False, False)),
    (500, (True, False, False), (False, True, True)),
    (502, (True, False, False), (False, True, True)),
    (503, (True, False, False), (False, True, True)),
    (301, (False, False, False), (False, True, True)),
]


@pytest.mark.parametrize(("status", "read", "write"), STATUSES)
async def test_a_status_says_whether_anything_was_done_and_whether_trying_again_may_help(
    status: int, read: tuple[bool, bool, bool], write: tuple[bool, bool, bool]
) -> None:
    async with s.serving(answers({"error": "no"}, status)) as server:
        error = await failure(with_tool("get", http(server, "method: GET")), "get")
        assert (error.retryable, error.acted, error.lost) == read
        assert error.reason == f"http_{status}"
        error = await failure(with_tool("pay", http(server, "method: POST"), "write"), "pay")
        assert (error.retryable, error.acted, error.lost) == write


async def test_what_a_status_means_can_be_declared() -> None:
    async with s.serving(answers({"gone": True}, 404)) as server:
        made = with_tool("get", http(server, "outcomes: {'404': ok, 5xx: rejected}"))
        assert await run(made, "get") == {"gone": True}
    async with s.serving(answers({}, 500)) as server:
        made = with_tool("pay", http(server, "method: POST, outcomes: {5xx: rejected}"), "write")
        error = await failure(made, "pay")
        assert (error.acted, error.lost) == (False, False)


async def test_retry_after_is_heeded() -> None:
    async with s.serving(answers({}, 429, retry_after="7")) as server:
        assert (await failure(with_tool("get", http(server, "method: GET")), "get")).wait == 7


@pytest.mark.parametrize(("act", "reason"), [
    (s.closes, "no_answer"), (s.cuts, "no_answer"), (s.raw("{"), "invalid_output"),
    (s.raw('{"a": NaN}'), "invalid_output"), (s.raw("x" * 2000), "response_too_large"),
])  # fmt: skip
async def test_an_answer_that_does_not_come_is_lost_for_a_write_and_retried_for_a_read(act: s.Act, reason: str) -> None:
    async def posted(exchange: s.Exchange) -> None:
        exchange.asked.body = exchange.asked.body or {}
        await act(exchange)

    async with s.serving(posted) as server:
        error = await failure(with_tool("pay", http(server, "method: POST, max_response: 1000"), "write"), "pay")
        assert (error.reason, error.lost, error.retryable) == (reason, True, False)
        error = await failure(with_tool("get", http(server, "max_response: 1000")), "get")
        assert (error.reason, error.lost) == (reason, False)


async def test_a_server_that_is_not_there_has_done_nothing() -> None:
    made = with_tool("pay", "{kind: http, method: POST, url: 'http://127.0.0.1:9/x', allow_private: true}", "write")
    error = await failure(made, "pay")
    assert (error.reason, error.retryable, error.acted, error.lost) == ("unreachable", True, False, False)


async def test_why_a_secure_connection_can_not_be_had_is_told() -> None:
    async with s.serving(answers({})) as server:
        adapter = http(server, "method: POST").replace("http://", "https://")
        error = await failure(with_tool("pay", adapter, "write"), "pay")
    assert (error.reason, error.acted) == ("unreachable", False)
    assert "SSL" in error.message


async def test_a_call_that_is_cut_off_closes_its_connection() -> None:
    async with s.serving(s.hangs) as server:
        with pytest.raises(BaseExceptionGroup) as group:
            await run(with_tool("get", http(server, "method: GET")), "get", timeout=0.3)
        assert group.group_contains(trio.TooSlowError, depth=None)
        with trio.fail_after(600):
            while server.open:  # noqa: ASYNC110
                await trio.sleep(0.01)


async def test_a_secret_that_is_missing_is_named_before_anything_is_sent() -> None:
    from engine.ports.resources import MissingSecret

    async with s.serving(answers({})) as server:
        made = with_tool("get", http(server, "headers: {A: '${secret:API_KEY}'}"))
        with pytest.raises(BaseExceptionGroup) as group:
            await run(made, "get", secrets={})
        assert group.group_contains(MissingSecret, depth=None)
    assert server.asked == []


# -- where it never goes


def redirects(to: str, status: int = 302) -> s.Act:
    async def act(exchange: s.Exchange) -> None:
        await exchange.text("", status, location=to)

    return act


async def test_redirects_are_off_unless_they_are_allowed_and_bounded() -> None:
    async with s.serving(redirects("/elsewhere"), answers({"n": 1})) as server:
        assert (await failure(with_tool("get", http(server, "method: GET")), "get")).reason == "http_302"
    async with s.serving(redirects("/elsewhere"), answers({"n": 1})) as server:
        assert await run(with_tool("get", http(server, "redirects: 1")), "get") == {"n": 1}
    async with s.serving(redirects("/elsewhere")) as server:
        assert (await failure(with_tool("get", http(server, "redirects: 3")), "get")).reason == "too_many_redirects"
        assert len(server.asked) == 4


async def test_a_redirect_leads_to_declared_hosts_only_and_takes_no_secret_along() -> None:
    async with s.serving(answers({"n": 2})) as other:
        to_other = redirects(other.url.replace("127.0.0.1", "localhost") + "/x", 307)
        rest = "redirects: 1, headers: {Authorization: '${secret:API_KEY}'}"
        async with s.serving(to_other) as server:
            assert (await failure(with_tool("get", http(server, rest)), "get")).reason == "host_refused"
            assert other.asked == []
            assert await run(with_tool("get", http(server, rest + f", hosts: ['localhost:{other.port}']")), "get") == {
                "n": 2
            }
    assert server.asked[-1].headers["authorization"] == "canary-0815-secret"
    assert "authorization" not in other.asked[0].headers


async def test_a_redirect_with_303_is_a_get_without_a_body() -> None:
    async with s.serving(redirects("/done", 303), answers({"n": 3})) as server:
        adapter = http(server, "method: POST, redirects: 1, body: {a: 1}")
        assert await run(with_tool("pay", adapter, "write"), "pay") == {"n": 3}
    assert [asked.body for asked in server.asked] == [{"a": 1}, None]


@pytest.mark.parametrize("scheme", ["ftp://h/x", "file:///etc/passwd", "http://user@127.0.0.1/x"])
async def test_a_redirect_to_another_way_to_ask_is_refused(scheme: str) -> None:
    async with s.serving(redirects(scheme)) as server:
        assert (await failure(with_tool("get", http(server, "redirects: 1")), "get")).reason == "host_refused"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "10.0.0.1", "0.0.0.0", "[::1]",
                                  "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"])  # fmt: skip
async def test_no_request_goes_to_this_machine_or_its_network_unless_the_bundle_says_so(host: str) -> None:
    made = with_tool("get", f"{{kind: http, url: 'http://{host}:9/x'}}")
    error = await failure(made, "get")
    assert error.reason in ("host_refused", "unreachable")
    assert not error.acted
    with pytest.raises((AddressRefused, NoAddress)):
        await allowed_address(host, 80, private=False)


@pytest.mark.parametrize(("address", "public"), [
    ("8.8.8.8", True), ("2606:4700::1111", True), ("192.168.1.1", False), ("100.64.0.1", False), ("224.0.0.1", False),
    ("fe80::1", False), ("fc00::1", False), ("240.0.0.1", False), ("198.18.0.1", False), ("::", False),
])  # fmt: skip
def test_only_addresses_of_the_internet_are_public(address: str, public: bool) -> None:
    import ipaddress

    assert is_public(ipaddress.ip_address(address)) is public


@pytest.mark.parametrize("hidden", ["::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"])
async def test_an_address_within_an_address_is_judged(hidden: str) -> None:
    with pytest.raises(AddressRefused, match="not public"):
        await allowed_address(hidden, 80, private=False)


async def test_a_host_of_a_tool_is_the_one_that_is_named_in_the_request() -> None:
    async with s.serving(answers({})) as server:
        made = with_tool("get", f"{{kind: http, url: 'http://localhost:{server.port}/x', {PRIVATE}}}")
        await run(made, "get")
    assert server.asked[0].headers["host"] == f"localhost:{server.port}"


async def test_text_that_is_no_json_is_text() -> None:
    async def page(exchange: s.Exchange) -> None:
        await exchange.head(content_type="text/plain; charset=utf-8", content_length="5")
        await exchange.send(h11.Data(data=b"hello"))
        await exchange.send(h11.EndOfMessage())

    async with s.serving(page) as server:
        made = with_tool("get", http(server, "output: {text: response.body}"))
        assert await run(made, "get") == {"text": "hello"}


async def test_an_empty_answer_is_an_empty_object() -> None:
    async with s.serving(answers("", 200)) as server:
        assert await run(with_tool("get", http(server, "method: GET")), "get") == {}


# -- what was done when an answer leads on


@pytest.mark.parametrize("then", [
    answers({}, 404), answers({}, 503, retry_after="1"), answers({}, 429), answers({}, 500), s.closes,
])  # fmt: skip
async def test_a_write_that_was_sent_on_and_then_failed_may_have_acted(then: s.Act) -> None:
    async with s.serving(redirects("/done", 303), then) as server:
        error = await failure(
            with_tool("pay", http(server, "method: POST, redirects: 2, body: {a: 1}"), "write"), "pay"
        )
    assert (error.acted, error.lost, error.retryable) == (True, True, False)


@pytest.mark.parametrize("to", ["http://127.0.0.1:9/x", "//[", "https://[::1"])
async def test_a_write_that_is_sent_on_to_nowhere_may_have_acted(to: str) -> None:
    async with s.serving(redirects(to, 303)) as server:
        error = await failure(with_tool("pay", http(server, "method: POST, redirects: 2"), "write"), "pay")
    assert (error.acted, error.lost, error.retryable) == (True, True, False)


async def test_a_503_that_says_when_to_come_back_has_done_nothing() -> None:
    async with s.serving(answers({}, 503, retry_after="3")) as server:
        error = await failure(with_tool("pay", http(server, "method: POST"), "write"), "pay")
    assert (error.retryable, error.acted, error.lost, error.wait) == (True, False, False, Decimal(3))


async def test_a_body_is_not_taken_to_another_server() -> None:
    async with s.serving(answers({"n": 2})) as other, s.serving(redirects(other.url + "/x", 307)) as server:
        adapter = http(server, "method: POST, redirects: 1, body: {k: '${secret:API_KEY}'}")
        error = await failure(with_tool("pay", adapter, "write"), "pay")
    assert (error.reason, error.lost) == ("host_refused", True)
    assert other.asked == []


async def test_nothing_is_remembered_from_one_call_to_the_next() -> None:
    async with s.serving(answers({}, 200, set_cookie="sid=tenantA; Path=/")) as server:
        await run(with_tool("get", http(server, "method: GET")), "get", times=2)
    assert "cookie" not in server.asked[1].headers


@pytest.mark.parametrize("value", ["", "\ud800", "x" * 70_000, None])
async def test_a_value_that_makes_no_url_is_refused(value: str | None) -> None:
    async with s.serving(answers({})) as server:
        made = with_tool("drop", http(server, "method: DELETE", path="/v1/items/{{ input.id }}"), "write")
        error = await failure(made, "drop", id=value)
    assert (error.reason, error.acted) == ("bad_url", False)
    assert server.asked == []


async def test_a_secret_is_masked_before_what_the_server_says_is_cut() -> None:
    async with s.serving(answers("x" * 288 + SECRETS["API_KEY"], 400)) as server:
        made = with_tool("get", http(server, "headers: {A: '${secret:API_KEY}'}"))
        error = await failure(made, "get")
    assert "canary" not in error.message


async def test_an_answer_that_is_nested_without_end_is_refused() -> None:
    async with s.serving(s.raw("[" * 100_000)) as server:
        assert (await failure(with_tool("get", http(server, "method: GET")), "get")).reason == "invalid_output"
