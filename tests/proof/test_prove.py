"""Guarantees are proved for all calls, or refuted by one that the gate itself judges so."""

from __future__ import annotations

import pytest

from engine.fixtures.scenario import run_fixture
from engine.proof.diff import Change, diff, other_words
from engine.proof.fixture import fixture_of
from engine.proof.prove import NOT_PROVED, PROVED, REFUTED, VACUOUS, Finding, handled, promising_nothing, prove
from engine.spec.bundle import Bundle
from tests.bundle_texts import agent, bundle, policy, reviewers, tool

INPUT = (
    "{type: object, properties: {n: {type: integer}, text: {type: string, maxLength: 9}, "
    "tags: {type: array, items: {type: string}, maxItems: 20}}, required: [n, text, tags], additionalProperties: false}"
)
ACCOUNT = "{type: object, properties: {ok: {type: boolean}, most: {type: number}}, required: [ok, most]}"
BASE = """
  - {id: open, tools: [write], effect: allow, when: account.ok}
  - {id: large, tools: [write], effect: require_approval, when: input.n > params.most, approvers: [leads]}
"""


def made(rules: str = BASE, never: str = "", *, most: int = 10, let: str = "{}") -> Bundle:
    path, text = policy(rules, params=f"{{most: {most}}}", facts="{account: {tool: look, input: {n: input.n}}}")
    promise = f"let: {let}\n" + (f'guarantees:\n  - {{id: promise, never: "{never}"}}\n' if never else "")
    return bundle(
        agent("[write, look]", policies="[rules]"), (path, text + promise), reviewers("leads", "[dana]"),
        tool("write", "write", input=INPUT), tool("look", output=ACCOUNT, input="{type: object}"),
    )  # fmt: skip


def of_write(own: Bundle) -> Finding:
    return next(finding for finding in prove(own) if finding.tool == "write")


UNATTENDED = "verdict == 'allow' and call.name == 'write' and input.n > 10"


def test_a_promise_that_the_rules_keep_is_proved() -> None:
    assert of_write(made(never=UNATTENDED)).status == PROVED


def test_a_promise_is_refuted_by_a_call_that_becomes_a_fixture() -> None:
    own = made(never=UNATTENDED, most=12)
    found = of_write(own)
    assert found.status == REFUTED
    assert found.witness is not None
    assert 10 < found.witness.input["n"] <= 12
    assert [fact.output["ok"] for fact in found.witness.facts] == [True]
    written = fixture_of(own, found.witness, "breaks", "it breaks the promise")
    assert written is not None
    assert run_fixture(own, written.document).passed
    assert not run_fixture(made(never=UNATTENDED), written.document).passed


@pytest.mark.parametrize("never", [
    "len(input.text) > 9", "account.most != account.most",
    "verdict == 'allow' and 'leads' in approvers", "verdict == 'deny' and 'leads' in approvers", "account.most + 1 < account.most",
])  # fmt: skip
def test_a_promise_that_no_call_can_break_under_any_rules_is_vacuous_and_not_proved(never: str) -> None:
    found = list(prove(made(never=never if "call.name" in never else f"call.name == 'write' and {never}")))
    assert {finding.status for finding in found} == {VACUOUS}
    assert promising_nothing(found) == ["promise"]


@pytest.mark.parametrize("never", [
    UNATTENDED, "call.name == 'write' and verdict == 'require_approval' and 'customer' in approvers", "input.n > 10 and verdict == 'allow'",
])  # fmt: skip
def test_a_promise_that_rules_could_break_is_proved_by_them_for_the_tools_that_it_speaks_of(never: str) -> None:
    never = never if "call.name" in never else f"call.name == 'write' and {never}"
    found = list(prove(made(never=never)))
    assert {finding.tool: finding.status for finding in found} == {"write": PROVED, "look": VACUOUS}
    assert promising_nothing(found) == []


def test_errors_are_part_of_a_proof() -> None:
    """A fact that can't be read fails closed, and a deny of nothing else would be broken by it."""
    assert of_write(made(never="verdict == 'allow' and call.name == 'write' and not account.ok")).status == PROVED
    denied = of_write(made(never="verdict == 'deny' and call.name == 'write' and account.ok"))
    assert denied.status == PROVED
    unread = of_write(made(never="verdict == 'deny' and call.name == 'write'"))
    assert unread.status == REFUTED
    # no account is so: what denies is that nobody could read it
    never = "  - {id: never, tools: [write], effect: deny, when: account.most - account.most > 1}\n"
    rules = "  - {id: open, tools: [write], effect: allow}\n" + never
    only_unread = of_write(made(rules, "verdict == 'deny' and call.name == 'write'"))
    assert only_unread.status == REFUTED
    assert only_unread.witness is not None
    assert only_unread.witness.facts[0].output is None


def test_what_rests_on_a_name_is_proved_whatever_it_is_and_never_refuted_by_it_alone() -> None:
    said = BASE + "  - {id: unsaid, tools: [write], effect: deny, unless: said_by_customer(input.text)}\n"
    kept = "verdict == 'allow' and call.name == 'write' and not said_by_customer(input.text)"
    assert of_write(made(said, kept)).status == PROVED
    found = of_write(made(said, "verdict == 'allow' and call.name == 'write' and input.n == 3"))
    assert found.status == NOT_PROVED
    assert "said_by_customer(input.text)" in found.why


def test_a_counterexample_with_lists_is_found_and_confirmed() -> None:
    rule = BASE + "  - {id: no-bad, tools: [write], effect: deny, when: any(tag == 'bad' for tag in input.tags)}\n"
    found = of_write(made(rule, "verdict == 'deny' and call.name == 'write' and account.ok and len(input.tags) > 0"))
    assert found.status == REFUTED
    assert found.witness is not None
    assert found.witness.input["tags"] == ["bad"]
    kept = "verdict != 'deny' and call.name == 'write' and any(tag == 'bad' for tag in input.tags)"
    assert of_write(made(rule, kept)).status == PROVED


def test_a_counterexample_may_need_a_history() -> None:
    once = BASE + "  - {id: once, tools: [write], effect: deny, when: any(c.input.n == input.n for c in calls.write)}\n"
    found = of_write(made(once, "verdict == 'deny' and call.name == 'write' and account.ok"))
    assert found.status == REFUTED
    assert found.witness is not None
    assert [past.tool for past in found.witness.past] == ["write"]


def test_every_rule_says_which_of_its_parts_are_known_by_name_only() -> None:
    rules = BASE + "  - {id: rounded, tools: [write], effect: deny, when: input.n / 3 > account.most}\n"
    known = {one.rule: [text for text, _ in one.by_name] for one in handled(made(rules))}
    assert known["large"] == []
    assert known["rounded"] == ["input.n / 3"]


def only(old: Bundle, new: Bundle) -> Change:
    (found,) = diff(old, new)
    return found


def test_bundles_that_judge_alike_do_not_differ_however_they_are_written() -> None:
    other = BASE.replace("input.n > params.most", "not (input.n <= params.most)").replace("large", "big")
    assert list(diff(made(), made(other))) == []
    assert list(diff(made(), made(let="{unused: input.n}"))) == []


@pytest.mark.parametrize(("most", "kind", "loosens"), [(20, "approval→allow", True), (5, "allow→approval", False)])
def test_a_change_has_its_region_a_witness_and_the_rules_that_make_it(most: int, kind: str, loosens: bool) -> None:
    change = only(made(), made(most=most))
    assert (change.tool, change.kind, change.loosens, change.status) == ("write", kind, loosens, "certain")
    low, high = sorted((10, most))
    assert change.where["input.n"] == f"from {low + 1} to {high}"
    assert change.rules == ("large",)
    assert change.witness is not None
    assert low < change.witness.input["n"] <= high


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [("['a']", "['a', 'b', 'c']", "'b' or 'c'"), ("['a', 'b', 'c']", "['a']", "'b' or 'c'")],
)
def test_a_region_tells_which_texts_it_is_about(before: str, after: str, told: str) -> None:
    rule = BASE + '  - {id: words, tools: [write], effect: deny, when: "input.text in %s"}\n'
    changes = list(diff(made(rule % before), made(rule % after)))
    assert {change.where["input.text"] for change in changes} == {told}
    other = BASE + '  - {id: words, tools: [write], effect: deny, unless: "input.text in %s"}\n'
    changes = list(diff(made(BASE), made(other % "['a', 'b']")))
    assert {change.where["input.text"] for change in changes} == {"not 'a' or 'b'"}


def test_who_is_asked_is_part_of_a_verdict() -> None:
    crew = BASE.replace("approvers: [leads]", "approvers: [customer]")
    kinds = {(change.kind, change.loosens, change.why) for change in diff(made(), made(crew))}
    assert kinds == {
        ("approval→approval", True, "less is needed for a yes"),
        ("approval→approval", False, "more is needed for a yes"),
    }


def test_a_group_that_may_say_yes_as_well_loosens_and_two_yeses_are_more_than_either() -> None:
    either = BASE.replace("approvers: [leads]", "approvers: [leads, customer]")
    assert [(c.loosens, c.due) for c in diff(made(), made(either))] == [(True, "large")]
    assert [(c.loosens, c.due) for c in diff(made(either), made())] == [(False, "large")]
    further = "  - {id: further, tools: [write], effect: require_approval, approvers: [customer], when: input.n > 10}\n"
    loosened = list(diff(made(BASE + further), made(either)))
    assert {(c.kind, c.loosens, c.due) for c in loosened} == {
        ("approval→approval", True, "large"), ("approval→approval", True, "further"),
    }  # fmt: skip


def test_each_rule_that_makes_a_difference_is_named_with_a_call_of_its_own() -> None:
    who = BASE + "  - {id: who, tools: [write], effect: require_approval, approvers: [leads], when: input.n == 3}\n"
    found = {change.due: change for change in diff(made(who), made(most=20))}
    assert {due: change.kind for due, change in found.items()} == {
        "large": "approval→allow", "who": "approval→allow",
    }  # fmt: skip
    assert found["who"].witness is not None
    assert found["who"].witness.input["n"] == 3


def test_what_is_judged_alike_by_another_rule_is_told_apart_only_where_it_is_asked_for() -> None:
    twice = "  - {id: %s, tools: [write], effect: deny, reason: %s, when: input.n > 90}\n"
    one, other = BASE + twice % ("a", "much") + twice % ("b", "more"), BASE + twice % ("b", "more")
    assert list(diff(made(one), made(other))) == []
    (change,) = other_words(made(one), made(other))
    assert (change.kind, change.loosens, change.status) == ("deny→deny", False, "certain")
    assert list(other_words(made(one), made(one))) == []
    asks = "  - {id: %s, tools: [write], effect: require_approval, approvers: [leads], when: input.n > 90}\n"
    (asked,) = other_words(made(BASE + asks % "z"), made(BASE))
    assert asked.kind == "approval→approval"


def test_results_that_are_withheld_are_part_of_the_comparison() -> None:
    keeps = BASE + "  - {id: keeps, tools: [look], effect: deny, release_unless: output.ok}\n"
    change = only(made(), made(keeps))
    assert (change.tool, change.kind) == ("look", "allow→withheld")
    assert change.witness is not None
    assert change.witness.output["ok"] is False


def test_a_tool_that_is_gone_or_new_is_told() -> None:
    fewer = bundle(
        agent("[write]", policies="[rules]"), policy("  - {id: open, tools: [write], effect: allow}"),
        tool("write", "write", input=INPUT),
    )  # fmt: skip
    assert ("look", "removed→deny") in {(change.tool, change.kind) for change in diff(made(), fewer)}
    assert ("look", "deny→added") in {(change.tool, change.kind) for change in diff(fewer, made())}


TWO_PEOPLE = "verdict != 'deny' and call.name == 'write' and input.n > 10 and people_asked < 2"
CREW = reviewers("leads", "[dana, bo, cy]")


def crew(rules: str, never: str = TWO_PEOPLE) -> Bundle:
    path, text = policy(rules, params="{most: 10}", facts="{account: {tool: look, input: {n: input.n}}}")
    promise = f'guarantees:\n  - {{id: promise, never: "{never}"}}\n'
    return bundle(
        agent("[write, look]", policies="[rules]"), (path, text + promise), CREW, reviewers("risk", "[dana, mo]"),
        tool("write", "write", input=INPUT), tool("look", output=ACCOUNT, input="{type: object}"),
    )  # fmt: skip


RISK = "  - {id: risk, tools: [write], effect: require_approval, when: input.n > params.most, approvers: [risk]%s}\n"


def test_two_rules_that_ask_two_groups_do_not_promise_two_people_unless_one_is_distinct() -> None:
    found = of_write(crew(BASE + RISK % ""))
    assert found.status == REFUTED, "one person may be in both groups"
    assert of_write(crew(BASE + RISK % ", distinct: true")).status == PROVED


def test_a_count_of_people_is_promised_where_it_is_asked() -> None:
    assert of_write(crew(BASE)).status == REFUTED
    assert of_write(crew(BASE.replace("[leads]", "[leads], count: 2"))).status == PROVED
    least = "verdict == 'require_approval' and people_asked < 1"
    assert of_write(crew(BASE, f"call.name == 'write' and {least}")).status == VACUOUS


def test_that_fewer_people_are_asked_is_a_loosening_with_a_call_that_shows_it() -> None:
    two = BASE.replace("[leads]", "[leads], count: 2")
    for many, few in ((two, BASE), (BASE + RISK % ", distinct: true", BASE + RISK % "")):
        loosened = {(one.kind, one.loosens, one.status) for one in diff(crew(many), crew(few))}
        assert loosened == {("approval→approval", True, "certain")}
        tightened = {(one.kind, one.loosens) for one in diff(crew(few), crew(many))}
        assert tightened == {("approval→approval", False)}


SECOND = "  - {id: second, tools: [write], effect: require_approval, approvers: [leads], distinct: true}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # whoever said yes to the second says it to nothing else: two leads become one
        (BASE + SECOND, BASE.replace("approvers: [leads]", "approvers: [leads, risk]") + SECOND),
        (BASE + SECOND, BASE.replace("approvers: [leads]", "approvers: [risk]") + SECOND),
        (BASE + SECOND + RISK % ", count: 2", "  - {id: open, tools: [write], effect: allow}\n" + SECOND + RISK % ", count: 2"),
    ],
)  # fmt: skip
def test_one_distinct_yes_covers_nothing_else(before: str, after: str) -> None:
    assert any(change.loosens for change in diff(crew(before), crew(after)))


def test_two_people_are_needed_where_the_customer_and_a_group_are_asked() -> None:
    both_ = BASE + "  - {id: own, tools: [write], effect: require_approval, approvers: [customer]}\n"
    assert of_write(crew(both_)).status == PROVED


NAMED = """
  - {{id: open, tools: [write], effect: allow, when: account.ok}}
  - {{id: owned, tools: [write], effect: require_approval, approvers: [{{group: owners, of: {of}}}]}}
"""


def test_a_guarantee_knows_a_group_of_which_facts_name_the_people_by_its_name() -> None:
    never = "verdict != 'deny' and 'owners' not in approvers and call.name == 'write'"
    assert of_write(made(NAMED.format(of="input.text"), never)).status == PROVED
    assert of_write(made(NAMED.format(of="input.text"), "'owners' in approvers")).status == REFUTED


@pytest.mark.parametrize(
    ("before", "after", "lets"),
    [
        ("input.text", "input.tags", ("{}", "{}")),
        ("who", "who", ("{who: input.text}", "{who: lower(input.text)}")),
    ],
)
def test_who_is_named_belongs_to_what_is_compared(before: str, after: str, lets: tuple[str, str]) -> None:
    old = made(NAMED.format(of=before), let=lets[0])
    assert list(diff(old, made(NAMED.format(of=after), let=lets[1]))) != []
    assert list(diff(old, made(NAMED.format(of=before.replace(".", " . ")), let=lets[0]))) == []
