"""What can be covered of a comparison, by the values that its schema lets through; and of which let it is."""

from __future__ import annotations

import pytest

from engine.bundle.files import BundleFiles
from engine.bundle.load import LoadedBundle, load
from engine.coverage.catalogue import ABOVE, AT, BELOW, FALSE, TRUE, catalogue
from engine.coverage.coverage import Coverage, Observations
from engine.coverage.mutants import mutants
from engine.fixtures.scenario import run_fixture
from engine.spec.bundle import Bundle
from tests.bundle_texts import CODE, agent, tool

OPEN = "  - {id: open, tools: writes, effect: allow}\n"
BOUNDARIES = {BELOW, AT, ABOVE}


def loaded(
    input_: str, *policies: str, tools: str = "[write]", fixtures: tuple[tuple[str, int], ...] = ()
) -> LoadedBundle:
    names = ["rules", *(f"more{n}" for n in range(1, len(policies)))]
    documents = [
        agent(tools, policies=f"[{', '.join(names)}]"), ("specs/tools/code.py", CODE),
        *(tool(name, "write", input=input_) for name in tools.strip("[]").split(", ")),
        *(
            (f"policies/{name}.yaml", f"kind: Policy\nname: {name}\n{text}")
            for name, text in zip(names, policies, strict=True)
        ),
        *(
            (f"fixtures/f{number}.yaml",
             f"kind: Fixture\nname: f{number}\nagent: bot\nmessage: hi\nattributes: {{tenant: acme}}\ndecisions:\n"
             f"  - {{message: x, tool_calls: [{{id: c, name: {name}, input: {{n: {n}}}}}], done: false}}\n"
             "  - {message: done, tool_calls: [], done: true}\nexpect: {state: done}\n")
            for number, (name, n) in enumerate(fixtures)
        ),
    ]  # fmt: skip
    found = load(BundleFiles({path: text.encode() for path, text in documents}))
    assert found.bundle is not None, found.diagnostics
    return found


def coverage(found: LoadedBundle) -> Coverage:
    assert found.bundle is not None
    observed = Observations(found.bundle, catalogue(found.documents, found.bundle))
    for document in found.documents.well_formed("Fixture"):
        for log in run_fixture(found.bundle, document.plain).logs:
            observed.log(log)
    return observed.coverage()


def of_comparison(schema: str, when: str) -> set[str]:
    """What can be covered of a comparison of the field `n`."""
    rule = f'rules:\n{OPEN}  - {{id: shut, tools: [write], effect: deny, when: "{when}"}}\n'
    found = coverage(loaded(f"{{type: object, properties: {{n: {schema}}}, required: [n]}}", rule))
    return {item.what for item in found.items if item.owner == "shut"} - {"matched"}


@pytest.mark.parametrize(
    ("schema", "when", "reached"),
    [
        ("{type: integer}", "input.n > 5", {TRUE, FALSE, *BOUNDARIES}),
        ("{type: integer, exclusiveMinimum: 0}", "input.n >= 1", {TRUE, AT, ABOVE}),
        ("{type: integer, exclusiveMaximum: 10}", "input.n > 9", {FALSE, BELOW, AT}),
        ("{type: integer, enum: [1, 2, 3]}", "input.n <= 3", {TRUE, BELOW, AT}),
        ("{type: integer, enum: [1, 2, 3]}", "input.n >= 3", {TRUE, FALSE, BELOW, AT}),
        ("{type: integer}", "input.n > 2.5", {TRUE, FALSE, BELOW, ABOVE}),
        ("{type: integer, multipleOf: 5}", "input.n > 12", {TRUE, FALSE, BELOW, ABOVE}),
        ("{type: integer, multipleOf: 5, maximum: 14}", "input.n > 12", {FALSE, BELOW}),
        ("{type: integer, maximum: 3}", "input.n > 10", {FALSE}),
        ("{type: array, items: {type: string}, maxItems: 4}", "len(input.n) >= 4", {TRUE, FALSE, BELOW, AT}),
        ("{type: string, minLength: 2, maxLength: 9}", "len(input.n) > 2", {TRUE, FALSE, AT, ABOVE}),
        ("{type: integer}", "input.n < -10", {TRUE, FALSE, *BOUNDARIES}),
    ],
)
def test_what_no_value_of_the_schema_can_reach_is_not_asked_for(schema: str, when: str, reached: set[str]) -> None:
    assert of_comparison(schema, when) == reached


INTEGER = "{type: object, properties: {n: {type: integer}}, required: [n]}"


def met(found: Coverage, owner: str) -> set[tuple[str, str]]:
    return {(item.what, item.text) for item in found.items if item.owner == owner and item.covered}


def test_a_boundary_is_named_by_where_the_value_stands_to_the_constant_on_whichever_side_it_is() -> None:
    rule = f'rules:\n{OPEN}  - {{id: shut, tools: [write], effect: deny, when: "30 <= input.n"}}\n'
    found = coverage(loaded(INTEGER, rule, fixtures=(("write", 29),)))
    assert met(found, "shut") == {(BELOW, "30 <= input.n"), (FALSE, "30 <= input.n")}


def test_the_boundaries_of_a_chain_are_told_apart() -> None:
    rule = f'rules:\n{OPEN}  - {{id: shut, tools: [write], effect: deny, when: "10 <= input.n < 20"}}\n'
    found = coverage(loaded(INTEGER, rule, fixtures=(("write", 20),)))
    assert met(found, "shut") == {(AT, "input.n < 20"), (FALSE, "10 <= input.n < 20")}
    assert {item.text for item in found.items if item.what == AT} == {"10 <= input.n", "input.n < 20"}


def test_lets_of_one_name_and_text_are_each_covered_by_the_calls_that_read_them() -> None:
    rules = "let: {small: input.n < 5}\nrules:\n  - {id: %s, tools: [%s], effect: allow, when: small}\n"
    found = coverage(
        loaded(INTEGER, rules % ("one", "pay"), rules % ("two", "gift"), tools="[pay, gift]", fixtures=(("pay", 4),))
    )
    small = [(item.rules, item.covered) for item in found.items if item.owner == "small" and item.what == TRUE]
    assert sorted(small) == [(("one",), True), (("two",), False)]
    of_tool = "let: {small: {pay: input.n < 5, gift: input.n < 5}}\n" + OPEN.join(["rules:\n", ""]).replace(
        "allow", "allow, when: small"
    )
    each = coverage(loaded(INTEGER, of_tool, tools="[pay, gift]", fixtures=(("pay", 4),)))
    assert sorted(item.covered for item in each.items if item.owner == "small" and item.what == TRUE) == [False, True]


def changed(found: LoadedBundle) -> list[tuple[str, Bundle | None]]:
    assert found.bundle is not None
    files = found.bundle.files
    return [(m.what, m.load(files).bundle) for m in mutants(found.documents, found.bundle)]


def test_mutants_of_a_policy_with_durations_are_valid_and_a_duration_is_moved_by_a_second() -> None:
    text = (
        "params: {grace: 24h, top: 50, note: '24h', spans: [1h, 2h]}\n"
        f'rules:\n{OPEN}  - {{id: shut, tools: [write], effect: deny, when: "now - call.proposed_at > params.grace"}}\n'
        "  - {id: high, tools: [write], effect: deny, when: \"input.n > params.top or params.note == 'x'\"}\n"
        '  - {id: some, tools: [write], effect: deny, when: "now - call.proposed_at in params.spans"}\n'
    )
    made = changed(loaded(INTEGER, text))
    assert [what for what, bundle in made if bundle is None] == []
    whats = {what for what, _ in made}
    assert sum(what.startswith("param `grace`: 24h becomes") for what in whats) == 2
    assert not any(what.startswith("param `note`") for what in whats)


def test_a_negative_number_is_moved_too() -> None:
    text = f'rules:\n{OPEN}  - {{id: shut, tools: [write], effect: deny, when: "input.n < -10"}}\n'
    assert {"-10 becomes -11", "-10 becomes -9"} <= {what for what, _ in changed(loaded(INTEGER, text))}
