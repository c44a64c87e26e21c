"""One bundle meets the world it is deployed in by `${env:NAME}`: named in its digest, filled in when it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.bundle.files import BundleFiles
from engine.bundle.load import LoadedBundle, apart_from_the_world, load
from engine.fixtures.scenario import run_fixture
from engine.planner.script import ScriptedPlanner
from engine.ports.resources import EnvironmentFault
from engine.replay.replay import replay
from engine.runtime.host_secrets import HostSecrets
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.session.state.event import EventKind
from engine.session.state.state import Status
from engine.spec.bundle import Bundle
from engine.spec.planner_spec import PlannerSpec
from engine.store.memory import MemoryStore
from engine.trio_clock import TrioClock
from tests.bundle_texts import ALLOW, CODE, agent, policy, reviewers, tool
from tests.model import server as s
from tests.session.play import START, call

BEGIN = Opening("bot", "hello", {"tenant": "acme"})
ADAPTER = "{kind: http, method: POST, url: '${env:BILLING_URL}/refunds', allow_private: true, body: '{{ input }}'}"
KEY = "idempotency: {key: [input.n], honoured_by: engine}\n"


def loaded(adapter: str, environment: Mapping[str, str], *more: tuple[str, str]) -> LoadedBundle:
    write = tool("write", "write", more=KEY)
    write = (write[0], write[1].replace(_adapter(write[1]), f"adapter: {adapter}\n"))
    documents = [agent("[write]", policies="[rules]"), policy(ALLOW), write, *more]
    documents += [("specs/tools/code.py", CODE), ("specs/init.sql", "CREATE TABLE t (n INTEGER);")]
    return load(BundleFiles({path: text.encode() for path, text in documents}), environment=environment)


def _adapter(text: str) -> str:
    return next(line for line in text.splitlines(keepends=True) if line.startswith("adapter:"))


def made(adapter: str, **environment: str) -> Bundle:
    found = loaded(adapter, environment)
    assert found.bundle is not None, found.diagnostics
    return found.bundle


def errors(adapter: str, *more: tuple[str, str], **environment: str) -> list[str]:
    return [one.code for one in loaded(adapter, environment, *more).diagnostics if one.code.startswith("E")]


def engine(store: MemoryStore, bundle: Bundle) -> Runner:
    decisions = ({"message": "", "tool_calls": [call("w", "write", n=1)]}, {"message": "bye", "done": True})
    planner = ScriptedPlanner(PlannerSpec("scripted", decisions=decisions))
    one = Runner(store, planner=planner, secrets=HostSecrets({}))
    one.bundles.know(bundle)
    return one


async def test_a_call_goes_where_the_environment_says(tmp_path: Path) -> None:
    async def act(exchange: s.Exchange) -> None:
        await exchange.json({"id": "r1"})

    async with s.serving(act) as server:
        bundle = made(ADAPTER, BILLING_URL=server.url)
        store = MemoryStore(TrioClock(START))
        async with engine(store, bundle) as one:
            state = await one.drive(await one.start(bundle, BEGIN, tmp_path))
    assert state.status is Status.DONE
    assert [asked.path for asked in server.asked] == ["/refunds"]
    log = await store.load(state.session_id)
    assert set(log[0].payload["environment"]) == {"BILLING_URL"}
    assert server.url not in str([event.payload for event in log if event.kind is EventKind.SESSION_STARTED])


def test_its_digest_knows_the_name_and_not_the_value() -> None:
    digests = {made(ADAPTER, **given).digest for given in ({}, {"BILLING_URL": "https://a.example"})}
    assert len(digests) == 1
    assert made(ADAPTER.replace("BILLING_URL", "OTHER_URL")).digest not in digests


def test_keys_of_what_another_environment_reaches_never_meet() -> None:
    urls = ("https://test.example", "https://live.example")
    test, live = (made(ADAPTER, BILLING_URL=url).tools["write"].connection for url in urls)
    assert test != live
    assert "example" not in test + live


async def test_what_is_not_set_is_found_before_anything_runs(tmp_path: Path) -> None:
    bundle = made(ADAPTER)
    async with engine(MemoryStore(TrioClock(START)), bundle) as one:
        session = await one.start(bundle, BEGIN, tmp_path)
        with pytest.raises(EnvironmentFault, match=r"BILLING_URL is not set.*tool write"):
            await one.drive(session)


async def test_who_has_other_values_gives_the_session_back(tmp_path: Path) -> None:
    store, url = MemoryStore(TrioClock(START)), "https://live.example"
    ours, others = made(ADAPTER, BILLING_URL=url), made(ADAPTER, BILLING_URL="https://test.example")
    async with engine(store, ours) as one:
        session = await one.start(ours, BEGIN, tmp_path)
    before = await store.load(session)
    for wrong in (others, made(ADAPTER)):
        async with engine(store, wrong) as two:
            with pytest.raises(EnvironmentFault, match="other values of BILLING_URL"):
                await two.drive(session)
    assert [event.kind for event in await store.load(session)][: len(before)] == [event.kind for event in before]
    assert not [event for event in await store.load(session) if event.kind is EventKind.CALL_STARTED]


@pytest.mark.parametrize(
    "value", ["", " ", "https://a.example\nX: y", "https://{{ input.to }}", "${secret:KEY}", "x" * 5000]
)
def test_a_value_that_can_not_stand_there_is_none(value: str) -> None:
    assert made(ADAPTER, BILLING_URL=value).variables == {"BILLING_URL": None}


def test_what_is_checked_of_an_address_is_checked_of_the_one_that_is_asked() -> None:
    host = "{kind: http, method: POST, url: 'https://${env:BILLING_HOST}/refunds'}"
    assert errors(host, BILLING_HOST="billing.example") == []
    assert errors(host, BILLING_HOST="user@billing.example") == ["E206"]
    assert errors(ADAPTER, BILLING_URL="billing.example") == ["E206"]
    assert errors(ADAPTER, BILLING_URL="file:///etc/passwd") == ["E206"]


@pytest.mark.parametrize("text", ["${env:}", "${env:A B}", "${env: A}", "${env:A", "${env:ENGINE_LOG_KEY}"])
def test_what_means_to_name_a_variable_and_does_not_is_told(text: str) -> None:
    assert errors(f"{{kind: http, method: POST, url: 'https://a.example/{text}'}}") == ["E206"]


def test_commands_databases_servers_and_models_take_them_too(tmp_path: Path) -> None:
    command = "{kind: command, argv: ['${env:TOOLS}/pay', '--to', '${env:DESK}']}"
    documents = [
        ("specs/databases/d.yaml", "kind: Database\nname: d\npath: '${env:DB}'\ninit: [specs/init.sql]\n"),
        ("specs/servers/s.yaml", "kind: Server\nname: s\nurl: '${env:MCP}'\n"),
    ]
    given = {"TOOLS": "/opt/tools", "DESK": "refunds", "DB": f"{tmp_path}/a.db", "MCP": "https://mcp.example"}
    found = loaded(command, given, *documents).bundle
    assert found is not None
    argv = found.tools["write"].adapter.settings["argv"]
    assert ["".join(map(str, part.parts)) for part in argv] == ["/opt/tools/pay", "--to", "refunds"]
    assert (found.databases["d"].path, found.servers["s"].url) == (given["DB"], given["MCP"])
    assert loaded(command, {}, *documents).bundle is not None
    outside = [("specs/databases/d.yaml", "kind: Database\nname: d\npath: /tmp/a.db\ninit: [specs/init.sql]\n")]
    assert "E106" in errors(command, *outside)
    assert "E106" in errors(command, *documents, **{**given, "DB": "../a.db"})


def test_a_fixture_reaches_nothing_of_a_deployment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    live = tmp_path / "live.db"
    documents = [
        agent("[write]", policies="[rules]"),
        policy(ALLOW),
        ("specs/databases/d.yaml", "kind: Database\nname: d\npath: '${env:DB}'\ninit: [specs/init.sql]\n"),
        ("specs/tools/write.yaml", _SQL_TOOL),
    ]
    files = {path: text.encode() for path, text in documents} | {"specs/init.sql": b"CREATE TABLE t (n INTEGER);"}
    monkeypatch.setenv("DB", str(live))
    bundle = load(BundleFiles(files)).bundle
    assert bundle is not None
    assert bundle.databases["d"].path == str(live)
    decisions = [{"tool_calls": [call("w", "write", n=1)]}, {"message": "bye", "done": True}]
    fixture: dict[str, Any] = {
        "kind": "Fixture", "name": "f", "agent": "bot", "attributes": {"tenant": "acme"}, "message": "hi",
        "decisions": decisions, "expect": {"state": "done"},
    }  # fmt: skip
    report = run_fixture(bundle, fixture)
    assert report.passed, report
    assert not live.exists()


def test_what_acts_for_real_in_a_fixture_goes_where_the_environment_says() -> None:
    bundle = made(ADAPTER, BILLING_URL="https://test.example")
    assert apart_from_the_world(bundle).variables == {"BILLING_URL": None}
    assert apart_from_the_world(bundle, ["write"]).variables == {"BILLING_URL": "https://test.example"}


def test_a_value_is_quoted_in_no_diagnostic() -> None:
    secret = "sk_live_TOPSECRET"
    documents = [
        ("specs/databases/d.yaml", "kind: Database\nname: d\npath: '../${env:KEY}.db'\ninit: [specs/init.sql]\n"),
        ("specs/servers/s.yaml", "kind: Server\nname: s\nurl: '${env:KEY}'\n"),
    ]
    for adapter in (ADAPTER.replace("BILLING_URL", "KEY"), "{kind: command, argv: [x], directory: '../${env:KEY}'}"):
        found = loaded(adapter, {"KEY": secret}, *documents)
        assert found.bundle is None
        told = [(one.message, one.note, one.help) for one in found.diagnostics]
        assert secret not in str(told), told


def test_an_alias_takes_a_value_nowhere_else() -> None:
    shared = "{kind: command, argv: [echo, &v '${env:V}', *v]}"
    assert errors(shared, V="crm") == ["E206"]


def test_a_value_forms_no_expression_with_what_stands_around_it() -> None:
    assert made("{kind: command, argv: [echo, '${env:A}{ input.n }}']}", A="{").variables == {"A": None}


def test_a_port_may_be_left_to_the_environment() -> None:
    adapter = "{kind: http, method: POST, url: 'https://${env:HOST}:${env:PORT}/x'}"
    assert errors(adapter) == []
    assert apart_from_the_world(made(adapter, HOST="api.example.com", PORT="8443")).variables["PORT"] is None


async def test_a_session_is_replayed_where_other_values_are_set(tmp_path: Path) -> None:
    async def act(exchange: s.Exchange) -> None:
        await exchange.json({"id": "r1"})

    async with s.serving(act) as server:
        bundle, store = made(ADAPTER, BILLING_URL=server.url), MemoryStore(TrioClock(START))
        async with engine(store, bundle) as one:
            state = await one.drive(await one.start(bundle, BEGIN, tmp_path))
    log = await store.load(state.session_id)
    for other in (made(ADAPTER), made(ADAPTER, BILLING_URL="https://test.example")):
        assert replay(log, other).difference is None


def test_a_reference_where_none_is_filled_in_is_told() -> None:
    found = loaded(ADAPTER, {"BOSS": "mallory"}, reviewers("leads", "['${env:BOSS}', ana]"))
    told = [(one.code, one.place.file) for one in found.diagnostics if one.code == "W618"]
    assert told == [("W618", "specs/reviewers/leads.yaml")]


_SQL_TOOL = """kind: Tool
name: write
description: write
effect: write
input: {type: object, properties: {n: {type: integer}}, required: [n], additionalProperties: false}
output: {type: object}
idempotency: {key: [input.n], honoured_by: engine}
adapter: {kind: sql, database: d, sql: 'INSERT INTO t (n) VALUES (:n) RETURNING n'}
"""
