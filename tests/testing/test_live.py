"""A fixture acts on nothing that is real unless it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from tests.bundle_texts import CODE, agent, bundle, policy, tool
from tests.model import server as s
from tests.testing.live import KEYED, KINDS, fixture, made, ran, said


async def ok(exchange: s.Exchange) -> None:
    await exchange.json({})


def then(kind: str) -> dict[str, Any]:
    return {"then": [{"work": True}]} if kind.endswith("job") else {}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_tool_that_leaves_the_process_does_not_act_and_fails_the_fixture(kind: str, tmp_path: Path) -> None:
    async with s.serving(ok) as server:
        report = await ran(made(kind, tmp_path / "mark", server.url), fixture("act", **then(kind)))
    assert not (tmp_path / "mark").exists()
    assert server.asked == []
    assert report.not_live == {"act"}
    first, *_ = said(report).splitlines()
    assert "tool `act`" in first
    assert "`stubs: {act: {output: ...}}`" in first, "what stands in for it"
    assert "`live: [act]`" in first, "how it may act all the same"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mcp"])
async def test_a_tool_that_the_fixture_calls_live_acts(kind: str, tmp_path: Path) -> None:
    async with s.serving(ok) as server:
        report = await ran(made(kind, tmp_path / "mark", server.url), fixture("act", live=["act"], **then(kind)))
    assert report.passed, said(report)
    assert (tmp_path / "mark").exists() != bool(server.asked)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stub_acts_in_its_place(kind: str, tmp_path: Path) -> None:
    stubs: dict[str, Any] = {"act": {"output": {}}}
    async with s.serving(ok) as server:
        report = await ran(made(kind, tmp_path / "mark", server.url), fixture("act", stubs=stubs, **then(kind)))
    assert report.passed, said(report)
    assert not (tmp_path / "mark").exists()
    assert server.asked == []


@pytest.mark.parametrize("kind", ["http-write", "command-read", "python-write"])
async def test_what_is_live_is_kept_and_noted_where_nothing_is_to_act_for_real(kind: str, tmp_path: Path) -> None:
    async with s.serving(ok) as server:
        made_ = made(kind, tmp_path / "mark", server.url)
        report = await ran(made_, fixture("act", live=["act"]), real=False)
    assert not (tmp_path / "mark").exists()
    assert server.asked == []
    assert (report.not_live, report.untried) == (frozenset(), frozenset({"act"}))


async def test_a_fact_is_no_exception() -> None:
    fact = "  - {id: own, tools: [write], effect: allow, when: f != null}\n"
    async with s.serving(ok) as server:
        adapter = f"adapter: {{kind: http, url: '{server.url}/x', allow_private: true}}"
        made_ = bundle(
            agent("[write]", policies="[rules]"), policy(fact, facts="{f: {tool: look}}"),
            tool("look", more=f"offered_to: runtime\n{adapter}"), tool("write", "write", more=KEYED),
        )  # fmt: skip
        report = await ran(made_, fixture("write", stubs={"write": {"output": {}}}))
    assert server.asked == []
    assert "tool `look`" in said(report)


async def test_a_fixture_passes_whose_pathway_never_comes_to_what_leaves_the_process(tmp_path: Path) -> None:
    report = await ran(made("http-write", tmp_path, "http://127.0.0.1:9"), fixture())
    assert report.passed, said(report)


async def test_a_failure_that_the_fixture_expects_does_not_hide_that_something_would_have_acted(tmp_path: Path) -> None:
    expect = {"calls": [{"tool": "act", "status": "terminal_error"}], "state": "done"}
    report = await ran(made("http-read", tmp_path, "http://127.0.0.1:9"), fixture("act", expect=expect))
    assert [failure.what for failure in report.failures] == ["tool `act`"]


async def test_each_tool_is_told_once_however_often_it_would_have_acted(tmp_path: Path) -> None:
    report = await ran(made("http-read", tmp_path, "http://127.0.0.1:9"), fixture("act", "act", "act"))
    assert [failure.what for failure in report.failures] == ["tool `act`"]


async def test_reads_of_python_run_as_ever() -> None:
    report = await ran(bundle(agent("[look]"), tool("look")), fixture("look"))
    assert report.passed, said(report)


@pytest.mark.parametrize(("live", "asked"), [([], False), (["script"], True)])
async def test_a_model_is_asked_only_if_it_is_live(live: list[str], asked: bool) -> None:
    async with s.serving(s.says('{"message": "bye", "tool_calls": [], "done": true}')) as server:
        path, text = agent("[]")
        model = f"planners:\n  script: {{kind: openai, model: m, base_url: '{server.url}/v1'}}\n"
        text = text.replace(text[text.index("planners:") : text.index("tools:")], model)
        given = fixture(live=live)
        del given["decisions"]
        report = await ran(bundle((path, text)), given)
    assert (bool(server.asked), report.passed) == (asked, asked), said(report)
    assert asked or "`live: [script]`" in said(report)


# -- what a fixture may say


def complaints(more: str) -> list[tuple[int, str, str]]:
    text = f"kind: Fixture\nname: one\nagent: bot\nmessage: hello\nattributes: {{tenant: acme}}\n{more}\nexpect: {{state: done}}\n"
    files = dict([agent("[act]"), tool("act"), ("fixtures/one.yaml", text), ("specs/tools/code.py", CODE)])
    found = load(BundleFiles({path: value.encode() for path, value in files.items()})).diagnostics
    return [(d.place.line, d.code, f"{d.message} {d.help}") for d in found if d.place.file == "fixtures/one.yaml"]


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        ("live: [acct]", "E302", "`act`"),
        ("live: act", "E202", "live"),
        ("live: [script]", "E302", "script"),
        ("live: [act]\nstubs: {act: {output: {}}}", "E206", "either"),
    ],
)
def test_what_can_not_be_live_is_told_at_its_place(more: str, code: str, says: str) -> None:
    ((line, found, message),) = complaints(more)
    assert (line, found) == (6, code)
    assert says in message


def test_a_tool_may_be_live() -> None:
    assert complaints("live: [act]") == []


@pytest.mark.parametrize(
    "moment", ["soon", "2027-02-30T00:00:00Z", "'7'", "2027-03-04", "2027-03-04T05:06:07", "0001-01-01T00:00:00Z"]
)
def test_what_is_no_moment_is_told_at_its_place(moment: str) -> None:
    assert [(line, code) for line, code, _ in complaints(f"now: {moment}")] == [(6, "E206")]


@pytest.mark.parametrize("moment", ["2027-03-04T05:06:07Z", "2027-03-04T06:06:07+01:00"])
async def test_a_session_begins_at_the_moment_that_its_fixture_names(moment: str) -> None:
    since, until = (f"datetime('2027-03-04T05:{minute}:00Z')" for minute in ("06", "07"))
    rule = f'  - {{id: open, tools: [act], effect: allow, when: "now >= {since} and now < {until}"}}\n'
    made_ = bundle(agent("[act]", policies="[rules]"), policy(rule), tool("act", "write", more=KEYED))
    expect = {"calls": [{"tool": "act", "status": "ok"}]}
    report = await ran(made_, fixture("act", stubs={"act": {"output": {}}}, now=moment, expect=expect))
    assert report.passed, said(report)
    assert report.logs[0][0].at.isoformat() == "2027-03-04T05:06:07+00:00"
