"""The retail bundle: right calls happen, violations are stopped by the rule that they break."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from engine.bundle.load import load_directory
from engine.fixtures.scenario import run_fixture
from engine.language.value import loads
from engine.policy.rule import Effect, Rule
from engine.spec.bundle import Bundle
from tests.retail.__main__ import BUNDLE
from tests.retail.conversation import conversation
from tests.retail.data import OWN, VARIABLE, Data, read, recorded
from tests.retail.fixtures import fixture
from tests.retail.proof import prove
from tests.retail.run import alike
from tests.retail.sentences import sentences
from tests.retail.violations import violations

needs_recorded = pytest.mark.skipif(recorded() is None, reason=f"the recorded domain is not here; see ${VARIABLE}")


@cache
def bundle() -> Bundle:
    loaded = load_directory(BUNDLE)
    assert loaded.bundle is not None
    return loaded.bundle


@cache
def own() -> Data:
    return read(OWN)


def rules() -> dict[str, Rule]:
    agent = next(iter(bundle().agents.values()))
    return {r.id: r for guard in agent.guards.values() for policy in guard.policies for r in policy.rules}


def unenforceable() -> set[str]:
    rows = [
        line.split("|")[1] for line in (BUNDLE / "not-enforceable.md").read_text("utf-8").splitlines() if "|" in line
    ]
    return {name.strip() for row in rows[2:] for name in row.split(",")}


def sources() -> set[str]:
    return {source.strip() for rule in rules().values() for source in rule.source.split(";")}


def test_our_own_shop_is_served_and_none_of_its_rules_can_be_broken() -> None:
    proof = prove(bundle(), own())
    assert [what for count in proof.counts() for what in count.wrong] == []
    assert proof.holds
    assert min(count.all for count in proof.rules.values()) >= 5


@needs_recorded
def test_the_recorded_domain_is_served_and_none_of_its_rules_can_be_broken() -> None:
    place = recorded()
    assert place is not None
    data = read(place)
    # the short form: `make retail` runs all of them
    proof = prove(bundle(), replace(data, episodes=data.episodes[::15]))
    assert [what for count in proof.counts() for what in count.wrong] == []
    assert proof.holds


def test_every_rule_that_stops_calls_has_violations() -> None:
    stopping = {id_ for id_, rule in rules().items() if rule.effect is not Effect.ALLOW}
    told = [conversation(episode) for episode in own().episodes]
    assert set(violations(own().db, told)) == stopping


def test_every_rule_names_the_sentence_that_it_enforces() -> None:
    assert [id_ for id_, rule in rules().items() if not rule.source] == []
    assert sources() & unenforceable() == set()


@needs_recorded
def test_every_sentence_is_enforced_by_a_rule_or_listed_with_the_reason() -> None:
    place = recorded()
    assert place is not None
    assert sources() | unenforceable() == set(sentences(place / "policy.md"))


def told_as_fixtures() -> list[object]:
    told = [conversation(episode) for episode in own().episodes]
    broken = [several[0] for several in violations(own().db, told).values()]
    return [pytest.param(one, id=one.name) for one in (*told, *broken)]


@pytest.mark.parametrize("told", told_as_fixtures())
def test_a_case_runs_as_a_fixture(told: object) -> None:
    document = fixture("retail-support", own().db, told)  # type: ignore[arg-type]
    report = run_fixture(bundle(), document)
    assert report.failures == ()


def test_outputs_are_compared_to_the_cent() -> None:
    recorded_, exact = loads('{"a": [0.20999999999999375], "b": null}'), loads('{"b": null, "a": [0.21]}')
    assert alike(recorded_, exact)
    assert not alike(loads('{"a": [0.22], "b": null}'), exact)
    assert not alike({"a": True}, {"a": 1})
    assert not alike({"a": None}, {})


def test_sentences_are_counted_by_section(tmp_path: Path) -> None:
    (tmp_path / "p.md").write_text("# T\n\nOne. Two!\n\n- three\n\n## S\n\nBe 'x y'. (no)\n", "utf-8")
    found = sentences(tmp_path / "p.md")
    assert list(found) == ["Preamble 1", "Preamble 2", "Preamble 3", "S 1"]
    assert all(re.fullmatch(r".+ \d+", name) for name in found)
