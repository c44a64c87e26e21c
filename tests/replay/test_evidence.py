"""Coverage, mutants and the nearest change: over fixtures of a small bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.bundle.files import BundleFiles
from engine.bundle.load import LoadedBundle, load, load_directory
from engine.coverage.catalogue import ABOVE, ABSENT, AT, BELOW, FALSE, MATCHED, TRUE, catalogue
from engine.coverage.coverage import Coverage, Observations
from engine.coverage.missing_fixtures import EQUIVALENT, WRITTEN, missing
from engine.coverage.mutants import mutants
from engine.coverage.mutation import KILLED, SURVIVED, fates
from engine.coverage.page import page
from engine.explain.nearest import nearest
from engine.explain.verdict_text import AUDITOR, MODEL, REVIEWER, VerdictText
from engine.fixtures.scenario import run_fixture
from engine.replay.judgements import Judgement, judgements
from engine.spec.bundle import Bundle
from tests.bundle_texts import CODE, agent, policy, reviewers, tool
from tests.replay.test_whatif import held, made

ROOT = Path(__file__).resolve().parent.parent.parent

FIELDS = "{n: {type: integer, minimum: 0}, vip: {type: boolean}}"
INPUT = f"{{type: object, properties: {FIELDS}, required: [n], additionalProperties: false}}"
RULES = """
  - {id: open, tools: [write], effect: allow, when: input.n >= 0}
  - id: large
    tools: [write]
    effect: require_approval
    when: input.n > params.most and not (input.vip != null and input.vip)
    approvers: [leads]
"""


def fixture(name: str, n: int, verdict: str, vip: str = "") -> tuple[str, str]:
    return f"fixtures/{name}.yaml", (
        f"kind: Fixture\nname: {name}\nagent: bot\nmessage: hi\nattributes: {{tenant: acme}}\n"
        f"decisions:\n  - {{message: x, tool_calls: [{{id: c, name: write, input: {{n: {n}{vip}}}}}], done: false}}\n"
        "  - {message: done, tool_calls: [], done: true}\n"
        f"expect: {{events: [{{kind: verdict, verdict: {verdict}}}]}}\n"
    )


def loaded(*fixtures: tuple[str, str]) -> tuple[LoadedBundle, Bundle]:
    documents = [
        agent("[write]", policies="[rules]"), policy(RULES, params="{most: 10}"), reviewers("leads", "[dana]"),
        tool("write", "write", input=INPUT), ("specs/tools/code.py", CODE), *fixtures,
    ]  # fmt: skip
    found = load(BundleFiles({path: text.encode() for path, text in documents}))
    assert found.bundle is not None, found.diagnostics
    return found, found.bundle


def coverage(found: LoadedBundle, bundle: Bundle) -> Coverage:
    observed = Observations(bundle, catalogue(found.documents, bundle))
    for document in found.documents.well_formed("Fixture"):
        for log in run_fixture(bundle, document.plain).logs:
            observed.log(log)
    return observed.coverage()


def never(found: Coverage) -> set[tuple[str, str]]:
    return {(item.what, item.text) for item in found.items if not item.covered}


def test_nothing_is_covered_without_a_fixture_and_the_catalogue_knows_what_schemas_rule_out() -> None:
    found = coverage(*loaded())
    assert found.percent == 0
    about = {(item.what, item.text) for item in found.items}
    # no input can be below the schema's minimum
    assert (TRUE, "input.n >= 0") in about
    assert (FALSE, "input.n >= 0") not in about
    assert (BELOW, "input.n >= 0") not in about
    assert {(what, "input.n > params.most") for what in (BELOW, AT, ABOVE, TRUE, FALSE)} <= about
    assert (ABSENT, "input.vip") in about
    assert (MATCHED, "large") in about


def test_each_side_each_boundary_and_what_is_absent_is_met_by_a_fixture() -> None:
    few = coverage(*loaded(fixture("small", 3, "allow")))
    assert (FALSE, "input.n > params.most") not in never(few)
    assert {(TRUE, "input.n > params.most"), (AT, "input.n > params.most"), (MATCHED, "large")} <= never(few)
    all_ = coverage(
        *loaded(
            fixture("zero", 0, "allow"), fixture("one", 1, "allow"), fixture("under", 9, "allow"),
            fixture("at", 10, "allow"), fixture("above", 11, "require_approval"),
            fixture("vip", 11, "allow", ", vip: true"), fixture("no-vip", 11, "require_approval", ", vip: false"),
        )
    )  # fmt: skip
    assert never(all_) == set()
    assert all_.percent == 100
    assert all_.matched == {"open": 7, "large": 2}


def test_the_page_shows_the_policy_with_what_is_missing() -> None:
    found, bundle = loaded(fixture("small", 3, "allow"))
    html = page(coverage(found, bundle), found.sources, "title")
    assert 'class="part" title="never: true' in html
    assert 'class="none"' in html
    assert "params.most" in html


def judged(*fixtures: tuple[str, str]) -> dict[str, Any]:
    found, bundle = loaded(*fixtures)
    documents = [d.plain for d in found.documents.well_formed("Fixture")]
    logs = {str(d["name"]): run_fixture(bundle, d).logs for d in documents}
    files = {path: text for path, text in bundle.files.items() if not path.startswith("fixtures/")}
    every = list(fates(files, mutants(found.documents, bundle), documents, logs, workers=1))
    survivors = [fate.mutant for fate in every if fate.status == SURVIVED]
    known = list(missing(bundle, files, survivors, list(logs)))
    return {"fates": {(f.mutant.rule, f.mutant.what): f.status for f in every}, "missing": known, "files": files}


BOUNDARY = ("large", "`input.n > params.most` with `>=`")


def test_a_mistake_at_a_boundary_is_noticed_by_the_fixture_that_stands_there() -> None:
    assert judged(fixture("small", 3, "allow"))["fates"][BOUNDARY] == SURVIVED
    assert judged(fixture("at", 10, "allow"))["fates"][BOUNDARY] == KILLED


def test_a_survivor_is_proved_equivalent_or_a_fixture_is_written_that_fails_under_it() -> None:
    found = judged(fixture("small", 3, "allow"), fixture("large", 50, "require_approval"))
    by_mutant = {(one.mutant.rule, one.mutant.what): one for one in found["missing"]}
    assert by_mutant["open", "`input.n >= 0` with `>`"].status == WRITTEN
    assert by_mutant["open", "0 becomes -1"].status == EQUIVALENT
    assert {one.status for one in found["missing"]} <= {EQUIVALENT, WRITTEN, "caught"}
    written = [one.fixture for one in found["missing"] if one.status == WRITTEN]
    _, bundle = loaded()
    assert written
    assert all(run_fixture(bundle, document).passed for document in written)


def test_the_mutants_of_a_policy_are_the_mistakes_that_people_make() -> None:
    whats = {what for _, what in judged(fixture("small", 3, "allow"))["fates"]}
    assert {
        "the rule is dropped", "allow becomes deny", "require_approval becomes allow",
        "`input.n > params.most` is dropped", "param `most`: 10 becomes 9", "param `most`: 10 becomes 11",
        "`input.vip != null` with `==`",
    } <= whats  # fmt: skip


PRIVATE = """
  - {id: anybody, tools: [look], effect: allow}
  - {id: own-only, tools: [look], effect: deny, release_unless: output.tenant == session.tenant}
  - {id: not-that, tools: [look], effect: deny, when: "input.to != null and input.to != 'a'", message: "{{ len(input.to) }}"}
"""
LOOKS = """
kind: Fixture
name: looks
agent: bot
message: hi
attributes: {tenant: acme}
stubs: {look: {output: {tenant: acme}}}
decisions:
  - {message: x, tool_calls: [{id: c, name: look, input: {}}], done: false}
  - {message: done, tool_calls: [], done: true}
expect: {events: [{kind: verdict, verdict: allow}]}
"""


def test_a_rule_that_nobody_tests_is_missed_when_it_is_dropped_also_one_about_results() -> None:
    output = "{type: object, properties: {tenant: {type: string}}, required: [tenant]}"
    documents = [
        agent("[look]", policies="[rules]"), policy(PRIVATE), tool("look", output=output), ("specs/tools/code.py", CODE),
        ("fixtures/looks.yaml", LOOKS),
    ]  # fmt: skip
    found = load(BundleFiles({path: text.encode() for path, text in documents}))
    assert found.bundle is not None, found.diagnostics
    (document,) = [d.plain for d in found.documents.well_formed("Fixture")]
    logs = {"looks": run_fixture(found.bundle, document).logs}
    every = fates(found.bundle.files, mutants(found.documents, found.bundle), [document], logs, workers=1)
    dropped = {fate.mutant.rule: fate.status for fate in every if fate.mutant.what == "the rule is dropped"}
    assert dropped == {"anybody": SURVIVED, "own-only": SURVIVED, "not-that": SURVIVED}


def test_every_rule_of_the_shipped_bundle_can_be_dropped() -> None:
    found = load_directory(ROOT)
    assert found.bundle is not None
    dropped = [m for m in mutants(found.documents, found.bundle) if m.what == "the rule is dropped"]
    assert {m.rule for m in dropped} >= {"refund-threshold"}
    assert [m.rule for m in dropped if m.load(found.bundle.files).bundle is None] == []


# -- the nearest change


def told() -> VerdictText:
    own = made("  - {id: open, tools: [write, other], effect: allow}\n" + ASK, most=10)
    moment = next(m for m in judgements(held(own).log) if isinstance(m, Judgement))
    return VerdictText(moment, own, tuple(nearest(moment, own)))


ASK = """
  - id: large
    tools: [write]
    effect: require_approval
    when: input.n != null and input.n > params.most
    approvers: [leads]
    message: "above {{ params.most }}"
  - id: secret
    tools: [write]
    effect: require_approval
    when: input.n == 50
    approvers: [bosses]
    disclose: false
"""


def test_a_verdict_tells_the_nearest_change_that_flips_it() -> None:
    own = made("  - {id: open, tools: [write, other], effect: allow}\n" + ASK.split("  - id: secret")[0], most=10)
    moment = next(m for m in judgements(held(own).log) if isinstance(m, Judgement))
    assert [str(near) for near in nearest(moment, own)] == ["allowed up to 10 (input.n)"]


def near(rules: str, n: int, *, most: int = 10, facts: str = "{}") -> list[str]:
    own = made("  - {id: open, tools: [write, other], effect: allow}\n" + rules, most=most, facts=facts)
    moment = next(m for m in judgements(held(own, n).log) if isinstance(m, Judgement))
    return [str(one) for one in nearest(moment, own)]


def test_a_range_that_ends_is_told_with_its_end() -> None:
    rules = (
        "  - {id: high, tools: [write], effect: deny, when: input.n != null and input.n > 300}\n"
        "  - {id: low, tools: [write], effect: deny, when: input.n != null and input.n < 200}\n"
    )
    assert near(rules, 400) == ["allowed from 200 to 300 (input.n)"]
    moment_own = made("  - {id: open, tools: [write, other], effect: allow}\n" + rules)
    moment = next(m for m in judgements(held(moment_own, 400).log) if isinstance(m, Judgement))
    # a model is not told where it ends: that may be due to a rule that is not disclosed
    assert (
        VerdictText(moment, moment_own, tuple(nearest(moment, moment_own))).lines(MODEL)[-1]
        == "  allowed at 300 (input.n)"
    )


def test_the_nearest_of_a_sum_is_found_by_halving() -> None:
    rules = "  - {id: sum, tools: [write], effect: deny, when: input.n != null and input.n + 7 > 100}\n"
    more = "  - {id: small, tools: [write], effect: deny, when: input.n != null and input.n < 5}\n"
    assert near(rules + more, 400) == ["allowed from 5 to 93 (input.n)"]


RULE = '  - {id: %s, tools: [write], effect: %s, when: "input.n != null and %s"}\n'


def test_an_end_that_a_rule_computes_is_found_too() -> None:
    ask = RULE % ("ask", "require_approval, approvers: [leads]", "input.n > 100")
    assert near(ask + RULE % ("twice", "deny", "input.n * 2 > 300"), 50) == ["asked about from 101 to 150 (input.n)"]


def test_one_value_among_some_is_no_range() -> None:
    some = RULE % ("some", "deny", "input.n not in [3, 7] and input.n < 20")
    assert "allowed at 7 (input.n)" in near(some, 10)


def test_a_denial_that_needed_no_fact_tells_what_would_have_to_be_read_instead() -> None:
    rules = (
        "  - {id: high, tools: [write], effect: deny, when: input.n != null and input.n > 300}\n"
        "  - {id: seen, tools: [write], effect: deny, when: fact.n > 5}\n"
    )
    facts = "{fact: {tool: look, input: {n: input.n}}}"
    assert near(rules, 400, facts=facts) == ["not denied for this up to 300 (input.n): what is then read decides"]


def test_the_reviewer_reads_what_decided_and_what_it_compared() -> None:
    lines = told().lines(REVIEWER)
    assert lines[0] == "c write needs approval by bosses and by leads"
    assert "  above 10" in lines
    assert "    params.most = 10" in lines


def test_the_model_reads_only_what_the_policy_discloses() -> None:
    lines = told().lines(MODEL)
    assert lines[:2] == ["write needs approval", "  above 10"]
    assert not any("secret" in line or "bosses" in line for line in lines)


def test_the_auditor_reads_everything() -> None:
    text = "\n".join(told().lines(AUDITOR))
    for part in ("session s1, event", "bundle ", 'input {"amount_usd": 50, "n": 50}', "secret matched", "open matched"):
        assert part in text or part.replace('"amount_usd": 50, "n": 50', '"n": 50, "amount_usd": 50') in text
