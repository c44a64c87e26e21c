"""One cause, one diagnostic: what follows from a broken document is not complained about."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.bundle.files import BundleFiles
from engine.bundle.load import load, load_directory
from tests.marked_base import BASE, CLERK, FIND, PAY, POLICY, WORDS, changed, codes_of
from tests.test_marked import MARKED

ROOT = MARKED.parent.parent
RETAIL = MARKED.parent / "bundles/retail"

VOCABULARY = """kind: Vocabulary
name: words
session: {born: date, plan: "string?"}
params: {limit_usd: 100, states: [open]}
facts:
  order: {tool: find_order, input: {order_id: input.order_id}, max_age: 60s}
established:
  first_shop: {type: string, from: [session.shop]}
let:
  known: input.note != null
  small: input.amount_usd <= params.limit_usd
  ids: "[c.input.order_id for c in calls.refund_order]"
"""
# reads each word in the way that only its type allows
READS = (
    "known and len(input.note) > 1 and session.born < date(now) and order.found and small"
    " and any(i == input.order_id for i in ids) and not any(s == order.state for s in params.states)"
    " and (session.plan == null or len(session.plan) > 1) and (first_shop == null or len(first_shop) > 0)"
)


def world(vocabulary: str = VOCABULARY) -> dict[str, str]:
    policy = f"""kind: Policy
name: refunds
uses: [words]
let:
  own: known and small
rules:
  - id: small-refund
    tools: [refund_order]
    effect: allow
    when: "{READS}"
  - id: another
    tools: [refund_order]
    effect: require_approval
    approvers: [leads]
    when: own and len(input.note) > params.limit_usd
    message: "Above {{{{ params.limit_usd }}}}, {{{{ ids }}}}"
"""
    shop = "shop: {type: string}\n    born: {type: string}\n    plan: {type: [string, 'null']}"
    given = ("attributes: {shop: north}", "attributes: {shop: north, born: '2000-01-01', plan: null}")
    return {
        POLICY: policy, WORDS: vocabulary,
        **changed(CLERK, ("shop: {type: string}", shop), ("required: [shop]", "required: [shop, born, plan]")),
        **changed(PAY, ("amount_usd: {type: number}", "amount_usd: {type: number}\n    note: {type: string}")),
        **changed("fixtures/bye.yaml", given), **changed("fixtures/refunded.yaml", given),
    }  # fmt: skip


def test_the_bundle_that_is_broken_here_is_clean() -> None:
    assert [c for c in codes_of(world()) if c[0] != "E411"] == []


BROKEN = [
    ("known: input.note", "known: [input.note", "E102"),
    ("let:", "lett:", "E201"),
    ("kind: Vocabulary", "kind: Vocabluary", "E207"),
    ("max_age: 60s", "max_age: soon", "E206"),
    ("established:", "zzz: 1\nestablished:", "E201"),
    ("params: {limit_usd: 100, states: [open]}", "params: [1]", "E202"),
    ("  small:", "  known: 'true'\n  small:", "E103"),
    ("name: words", "name: wrds", "E314"),
    ("born: date", "born: dat", "E204"),
    ("input.note != null", "input.nte != null", "E402"),
    ("input.note != null", "input.note =! null", "E401"),
    ("calls.refund_order]", "calls.refnd_order]", "E302"),
    ("tool: find_order", "tool: find_ordr", "E302"),
]


@pytest.mark.parametrize(("right", "wrong", "code"), BROKEN)
def test_a_bad_line_in_a_vocabulary_is_one_error(right: str, wrong: str, code: str) -> None:
    assert right in VOCABULARY
    found = codes_of(world(VOCABULARY.replace(right, wrong, 1)))
    assert [c for c in found if c[0] != "E411"] == [(code, POLICY if code == "E314" else WORDS)]


@pytest.mark.parametrize(("path", "right", "wrong", "code"), [
    (PAY, "effect: write", "effect: wrte", "E204"),
    (PAY, "effect: write", "efect: write", "E201"),
    (PAY, "honoured_by: tool", "honoured_by: tol", "E204"),
    (PAY, "kind: Tool", "kind: Tol", "E207"),
    (PAY, "name: refund_order", "name: [refund_order", "E102"),
    (FIND, "effect: read", "effect: raed", "E204"),
])  # fmt: skip
@pytest.mark.parametrize("tools", ["writes", "all", "reads", "[refund_order]"])
def test_a_misspelt_word_in_a_tool_is_one_error_whatever_the_rules_cover(
    path: str, right: str, wrong: str, code: str, tools: str
) -> None:
    rules = f"kind: Policy\nname: refunds\nrules:\n  - {{id: open, tools: {tools}, effect: allow}}\n"
    assert codes_of({**changed(path, (right, wrong)), POLICY: rules}) == [(code, path)]


def test_a_broken_table_of_prices_is_one_error_and_no_model_without_a_price() -> None:
    files = load_directory(ROOT).documents.files
    broken = {**files.files, "specs/prices/local.yaml": files.files["specs/prices/local.yaml"] + b"\nzzz: 1\n"}
    found = load(BundleFiles(broken, files._read, files._find)).diagnostics
    assert [d.code for d in found] == ["E201"]


def test_a_bad_line_in_the_vocabulary_of_a_real_bundle_is_one_error() -> None:
    files = load_directory(RETAIL).documents.files
    path = "specs/vocabularies/retail.yaml"
    for more in (b"\nx: [a\n", b"\nzzz: 1\n"):
        found = load(BundleFiles({**files.files, path: files.files[path] + more}, files._read, files._find)).diagnostics
        assert [(d.code[0], d.place.file) for d in found if d.code.startswith("E")] == [("E", path)]


def test_a_variable_of_a_loop_is_no_word_that_a_broken_vocabulary_may_have_meant() -> None:
    rules = (
        BASE[POLICY]
        .replace("facts:\n", "uses: [words]\nfacts:\n", 1)
        .replace("when: order.found", "when: count(w == 'a' for w in ['a', 'b']) == 1 and order.found", 1)
    )
    assert codes_of({POLICY: rules, WORDS: "kind: Vocabulary\nname: words\nzzz: 1\n"}) == [("E201", WORDS)]


def test_causes_come_first(tmp_path: Path) -> None:
    """Where two things are wrong, that of the vocabulary stands before what its readers have of their own."""
    files = world(VOCABULARY.replace("input.note != null", "input.nte != null", 1))
    files[POLICY] = files[POLICY].replace("order.found and", "order.fund and", 1)
    found = [c for c in codes_of(files) if c[0] == "E402"]
    assert found == [("E402", WORDS), ("E402", POLICY)]


@pytest.mark.parametrize("unusable", [
    "{type: object, properties: {shop: {type: string}}, required: [[shop, other]]}",
    "{type: object, properties: {shop: {type: string}}, required: [{shop: true}]}",
    "{type: object, properties: {shop: {type: string}}, required: {shop: true}}",
    "{type: object, properties: {shop: {type: string}}, required: [1]}",
    "{type: object, properties: {shop: {type: {string: x}}}, required: [shop]}",
    "{type: object, properties: {shop: {type: [[string]]}}, required: [shop]}",
    "{type: object, properties: {shop: {type: [{a: b}]}}, required: [shop]}",
    "{type: object, properties: {shop: {type: object, properties: {}, required: [[a]]}}}",
    "{type: object, properties: [[shop]]}", "{type: array, items: [string]}", "{type: array, items: {type: string}}",
    "{type: object, $ref: [a]}", "{type: object, $ref: '#/$defs/none'}", "{type: object, enum: {a: b}}",
])  # fmt: skip
@pytest.mark.parametrize("more", ["", "sealed_for: shop\nsealed_with: '${secret:SEAL_KEY}'\n"])
def test_attributes_that_are_no_usable_schema_are_one_error_whatever_they_hold(unusable: str, more: str) -> None:
    block = "attributes:\n  type: object\n  properties:\n    shop: {type: string}\n  required: [shop]\n"
    broken = changed(CLERK, (block, f"attributes: {unusable}\n{more}"))
    assert codes_of(broken) == [("E208", CLERK)]


@pytest.mark.parametrize(("path", "old", "new"), [
    (FIND, "effect: read\n", "effect: read\ntimeout: 10\n"), (PAY, "  honoured_by: tool\n", "  honoured_by: tool\n  window: 30\n"),
    (CLERK, "wall_clock: 1m", "wall_clock: 60"),
])  # fmt: skip
def test_a_span_without_a_unit_is_one_error(path: str, old: str, new: str) -> None:
    assert codes_of(changed(path, (old, new))) == [("E202", path)]
