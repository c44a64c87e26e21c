"""A session is one trace, made from its log: whatever processes drove it, and however long it waited."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio

from engine.api.answers import Approve
from engine.api.engine import open_engine
from engine.bundle.load import load_directory
from engine.config.load import load_settings
from engine.runtime.host_secrets import HostSecrets
from engine.store.memory import MemoryStore
from engine.telemetry.otlp import TraceExporter, TraceTarget, body_of
from engine.telemetry.spans import TraceSpan, spans_of, trace_id
from engine.telemetry.told_values import told_values
from tests.bundle_texts import agent, bundle, tool
from tests.cli.shell import CHARGED, copy_of_root
from tests.model import server as s
from tests.session.play import Play, call


async def refunded(store: MemoryStore, at: Path) -> str:
    """A refund that a person approved."""
    bundle = load_directory(copy_of_root(at)).bundle
    assert bundle is not None
    async with open_engine(store) as engine:
        session = await engine.start(
            bundle, agent="support-triage", message=CHARGED, attributes={"tenant": "acme", "account_id": "acct_1002"}
        )
        await session.settled()
        (request,) = await session.open_requests()
        await engine.answer(request.id, Approve(by="dana", note="fine"), digest=request.digest)
        await session.settled()
        return session.id


def by_name(spans: list[TraceSpan]) -> dict[str, TraceSpan]:
    return {span.name: span for span in spans}


async def test_a_session_its_calls_and_the_wait_for_a_person_are_spans_of_one_trace(tmp_path: Path) -> None:
    store = MemoryStore()
    session = await refunded(store, tmp_path)
    log = await store.load(session)
    spans = spans_of(log)
    found = by_name(spans)
    root, call, wait = (
        found[name] for name in ("invoke_agent support-triage", "execute_tool open_refund_case", "wait approval")
    )
    assert {span.trace for span in spans} == {trace_id(session)}
    assert len({span.id for span in spans}) == len(spans)
    assert (root.parent, call.parent, wait.parent) == ("", root.id, call.id)
    assert root.began <= call.began <= wait.began <= wait.ended <= call.ended <= root.ended
    assert (root.began, root.ended) == (log[0].at, [e for e in log if e.kind == "state_transition"][-1].at)
    assert call.attributes["steadyhand.rule"] == "refund-threshold"
    assert (wait.attributes["steadyhand.answer"], wait.attributes["steadyhand.groups"]) == (
        "approve",
        ["refund-reviewers"],
    )
    assert spans_of(log) == spans
    # one that goes on has none yet
    assert spans_of(log[:-1]) == [] or log[-1].kind != "state_transition"
    assert spans_of(log[:3]) == []


async def test_no_value_and_nobodys_words_are_in_a_trace(tmp_path: Path) -> None:
    store = MemoryStore()
    session = await refunded(store, tmp_path)
    spans = spans_of(await store.load(session))
    text = json.dumps(body_of(spans))
    for word in ("acct_1002", CHARGED, "dana", "fine", "acme"):
        assert word not in text, word
    # an amount is no part of an id by chance
    assert not {480, "480", "480.00"} & {str(value) for span in spans for value in span.attributes.values()}


async def test_a_collector_gets_each_session_once_and_what_it_did_not_take_again(tmp_path: Path) -> None:
    answers, store = [503, 200, 200], MemoryStore()

    async def act(exchange: s.Exchange) -> None:
        await exchange.json({}, answers.pop(0))

    session = await refunded(store, tmp_path)
    async with s.serving(act) as server:
        target = TraceTarget(f"{server.url}/v1/traces", {"authorization": "Bearer ${secret:OTLP_KEY}"})
        exporter = TraceExporter(store, target, HostSecrets({"OTLP_KEY": "a-key-of-a-collector"}))
        with pytest.raises(httpx2.HTTPStatusError):
            await exporter.export()
        assert await exporter.export() == 1
        assert await exporter.export() == 0
    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer a-key-of-a-collector"] * 2
    assert server.asked[0].body == server.asked[1].body
    (resource,) = server.asked[1].body["resourceSpans"]
    (scope,) = resource["scopeSpans"]
    sent: list[dict[str, Any]] = scope["spans"]
    assert {one["traceId"] for one in sent} == {trace_id(session)}
    for one in sent:
        assert (len(one["traceId"]), len(one["spanId"])) == (32, 16)
        assert int(one["startTimeUnixNano"]) <= int(one["endTimeUnixNano"])
        assert all(len(attribute["value"]) == 1 for attribute in one["attributes"])


async def test_what_a_collector_refuses_keeps_nothing_else_waiting(tmp_path: Path) -> None:
    store, taken = MemoryStore(), []
    sessions = [await refunded(store, tmp_path / str(number)) for number in range(3)]

    async def act(exchange: s.Exchange) -> None:
        text = json.dumps(exchange.asked.body)
        refused = trace_id(sessions[1]) in text
        taken.extend([] if refused else [one for one in sessions if trace_id(one) in text])
        await exchange.json({}, 413 if refused else 200)

    async with s.serving(act) as server:
        exporter = TraceExporter(store, TraceTarget(server.url), HostSecrets({}))
        assert await exporter.export() == 3
        assert await exporter.export() == 0
    assert taken == [sessions[0], sessions[2]]


async def test_a_collector_that_never_ends_its_answer_keeps_nothing_and_nobody_waiting(tmp_path: Path) -> None:
    store = MemoryStore()
    await refunded(store, tmp_path)
    stopping = trio.Event()

    async def act(exchange: s.Exchange) -> None:
        await exchange.stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 300000000\r\n\r\n")
        stopping.set()
        while True:
            await exchange.stream.send_all(b"x" * 1000)

    async with s.serving(act) as server:
        exporter = TraceExporter(store, TraceTarget(server.url), HostSecrets({}))
        with trio.fail_after(600):
            await exporter.run(stopping)
            assert await exporter.export() in (0, 1)


def test_a_call_that_no_rule_has_judged_is_told_by_no_word_of_who_proposed_it(tmp_path: Path) -> None:
    play = Play(bundle(agent("[look]"), tool("look")))
    play.plan(call("my-iban", "ada@mail.example", n=1), call("other-iban", "look"))
    play.returns("other-iban", {})
    play.plan(done=True)
    spans = spans_of(play.log)
    assert "iban" not in json.dumps(body_of(spans))
    assert sorted(span.name for span in spans if "tool" in span.name) == ["execute_tool look", "execute_tool unknown"]


SCHEMA = """{type: object, additionalProperties: false, properties: {
  kind: {type: string, x-telemetry: true}, amount: {type: number, x-telemetry: true}, n: {type: integer},
  iban: {type: string, x-telemetry: true, x-sensitive: true}, list: {type: array, x-telemetry: true}}}"""


def test_a_value_is_told_where_its_schema_says_so_and_never_a_sensitive_one() -> None:
    tools = bundle(agent("[look]", more="sealed_with: ${secret:K}"), tool("look", input=SCHEMA, output=SCHEMA)).tools
    values = {"kind": "refund\u202e", "amount": Decimal("4.80"), "n": 7, "iban": "DE89", "list": [1]}
    told = dict(told_values("input", values, tools["look"].input_schema))
    assert told.keys() == {"steadyhand.input.kind", "steadyhand.input.amount"}
    assert told["steadyhand.input.amount"] == 4.8
    assert "\u202e" not in told["steadyhand.input.kind"]
    assert dict(told_values("output", None, tools["look"].output_schema)) == {}
    assert dict(told_values("input", {"kind": "sealed:1:k:x"}, None)) == {}


def test_what_a_schema_says_is_told_stands_with_its_call() -> None:
    kind = "{type: object, properties: {kind: {type: string, x-telemetry: true}}}"
    made = bundle(agent("[look]"), tool("look", input=kind))
    play = Play(made)
    play.plan(call("c", "look", kind="refund"))
    play.returns("c", {})
    play.plan(done=True)
    (span,) = (one for one in spans_of(play.log, made.tools) if one.name == "execute_tool look")
    assert span.attributes["steadyhand.input.kind"] == "refund"
    assert "refund" not in json.dumps(body_of(spans_of(play.log)))


def test_where_traces_go_is_configured_and_its_secret_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "engine.yaml").write_text(
        "kind: Service\ntraces: {url: 'http://127.0.0.1:4318/v1/traces', headers: {authorization: 'Bearer ${secret:K}'}}\n"
    )
    made = load_settings(tmp_path / "engine.yaml", {}, {}, "memory:").settings
    assert made is not None
    assert made.traces == TraceTarget("http://127.0.0.1:4318/v1/traces", {"authorization": "Bearer ${secret:K}"})
    assert [told for told in made.missing_secrets(HostSecrets({})) if "K" in told]
