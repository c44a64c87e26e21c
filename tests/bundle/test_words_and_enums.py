"""Words that are written in params, lists and tables are held against the enums that they meet, as literals are."""

from __future__ import annotations

import pytest

from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from tests.marked_base import BASE, CLERK, FIND, POLICY, WORDS, changed, codes_of, said_of, with_when

MISSPELT = [
    ("order.state == params.s", "s: shiped", ""),
    ("order.state != params.s", "s: shiped", ""),
    ("params.s == order.state", "s: shiped", ""),
    ("order.state in params.s", "s: [open, shiped]", ""),
    ("order.state not in params.s", "s: [open, shiped]", ""),
    ("order.state in params.s.over", "s: {over: [open, shiped]}", ""),
    ("order.state in params.s['over']", "s: {over: [open, shiped]}", ""),
    ("order.state == params.s[0]", "s: [shiped]", ""),
    ("order.state == first(params.s)", "s: [shiped]", ""),
    ("order.state == (params.s if order.found else 'open')", "s: shiped", ""),
    ("order.state in params.s + ['open']", "s: [shiped]", ""),
    ("order.state in set(params.s)", "s: [open, shiped]", ""),
    ("order.state in distinct(params.s)", "s: [open, shiped]", ""),
    ("order.state in values(params.s)", "s: {a: open, b: shiped}", ""),
    ("order.state in [x for x in params.s]", "s: [open, shiped]", ""),
    ("any(order.state == x for x in params.s)", "s: [open, shiped]", ""),
    ("any(order.state == x for x in ['open', 'shiped'])", "", ""),
    ("contains(params.s, order.state)", "s: [open, shiped]", ""),
    ("order.state in params.s", "s: {open: 1, shiped: 2}", ""),
    ("params.s[order.state] > 0", "s: {open: 1, shipped: 2, paid_back: 3, shiped: 4}", ""),
    ("order.state in ['open'] + ['shiped']", "", ""),
    ("order.state in set(['open', 'shiped'])", "", ""),
    ("order.state == record(a='shiped').a", "", ""),
    ("[order.state] == params.s", "s: [shiped]", ""),
    ("order.state in over", "", "let:\n  over: \"['open', 'shiped']\"\n"),
    ("order.state == over", "", "let:\n  over: \"'shiped'\"\n"),
    ("order.state in over", "s: [open, shiped]", "let:\n  over: params.s\n"),
    ("over", "s: [open, shiped]", "let:\n  over: order.state in params.s\n"),
    ("call.name in params.s", "s: [refund_order, refund_ordr]", ""),
]


@pytest.mark.parametrize(("condition", "params", "lets"), MISSPELT)
def test_a_word_that_an_enum_does_not_have_is_an_error_wherever_it_is_written(
    condition: str, params: str, lets: str
) -> None:
    found = said_of(with_when(condition, params=f"  {params}\n" if params else "", lets=lets))
    assert len(found) == 1
    assert found[0].code in ("E402", "E403")
    text = found[0].message + found[0].help
    assert "shiped" in text or "refund_ordr" in text
    assert "did you mean `shipped`" in text or "did you mean `refund_order`" in text


RIGHT = [
    ("order.state == params.s", "s: shipped"),
    ("order.state in params.s", "s: [open, shipped]"),
    ("order.state in params.s", "s: []"),
    ("params.s[order.state] > 0", "s: {open: 1, shipped: 2, paid_back: 3}"),
    ("order.state in params.s and input.order_id in params.s", "s: [open, shipped]"),
    ("input.order_id in params.s", "s: [o-1, anything]"),
    ("input.order_id == params.s", "s: anything"),
    ("any(order.state == x for x in params.s)", "s: [open, shipped]"),
    ("call.name in params.s", "s: [refund_order, find_order]"),
]


@pytest.mark.parametrize(("condition", "params"), RIGHT)
def test_words_that_an_enum_has_and_words_that_meet_free_text_are_fine(condition: str, params: str) -> None:
    assert codes_of(with_when(condition, params=f"  {params}\n")) == []


def test_a_word_that_a_tools_input_can_not_be_is_an_error_where_the_input_is_built() -> None:
    asked = changed(
        FIND,
        ("order_id: {type: string}", "order_id: {type: string}\n    state: {enum: [open, shipped]}"),
        ("order_id = :order_id", "order_id = :order_id AND state = :state"),
    )
    for written in ("\"'opn'\"", "params.s"):
        rules = changed(
            POLICY, ("limit_usd: 100", "limit_usd: 100\n  s: opn"),
            ("{order_id: input.order_id}", "{order_id: input.order_id, state: " + written + "}"),
        )  # fmt: skip
        assert codes_of({**asked, **rules}) in ([("E509", POLICY)], [("E403", POLICY)]), written


# -- vocabularies

LETS = (
    "  again: len(seen.find_order) > 1 or len(denied.refund_order) > 0\n"
    "  told: said_by_customer(input.order_id) or origin(input.order_id) == 'session'\n"
    "  few: \"[c for c in ['a'] if len(seen.find_order) > 1]\"\n"
)
VOCABULARY = f"kind: Vocabulary\nname: words\nlet:\n{LETS}"


@pytest.mark.parametrize("reads", [None, "again", "told and again"])
@pytest.mark.parametrize("covers", ["[refund_order]", "[refund_order, find_order]", "all"])
def test_a_let_of_a_vocabulary_may_ask_what_was_seen_denied_and_told_read_or_not(
    reads: str | None, covers: str
) -> None:
    more = f"  - {{id: more, tools: {covers}, effect: allow, when: input.order_id != ''}}\n"
    covered = more if "all" not in covers else "  - {id: more, tools: all, effect: allow}\n"
    files = with_when(reads) if reads is not None and covers == "[refund_order]" else changed(POLICY)
    files[POLICY] = files[POLICY].replace("facts:\n", "uses: [words]\nfacts:\n", 1) + covered
    assert codes_of({**files, WORDS: VOCABULARY}) == []


def test_a_let_of_a_policy_for_several_tools_may_ask_what_was_seen_before_any_rule_reads_it() -> None:
    files = changed(POLICY, ("rules:\n", f"let:\n{LETS}rules:\n  - {{id: more, tools: all, effect: allow}}\n"))
    assert [c for c in codes_of(files) if c[0] in ("E305", "E404")] == []


def test_what_is_wrong_in_a_let_that_nobody_reads_is_said_all_the_same() -> None:
    files = changed(POLICY, ("facts:\n", "uses: [words]\nfacts:\n"))
    assert codes_of({**files, WORDS: VOCABULARY + "  wrong: nosuch.x > 1\n"}) == [("E305", WORDS)]


# -- nullable enums

PLANS = "[north, south, null]"


def with_plan(where: str, type_: str, condition: str) -> dict[str, str]:
    files = with_when(condition)
    files[POLICY] = files[POLICY].replace("facts:\n", "uses: [words]\nfacts:\n", 1)
    word = (
        f"session:\n  shop: {type_}\n"
        if where == "session"
        else (f"established:\n  shop_: {{type: {type_}, from: [session.shop]}}\n")
    )
    shop = "shop: {enum: [north, south, null]}"
    return {**files, **changed(CLERK, ("shop: {type: string}", shop)), WORDS: f"kind: Vocabulary\nname: words\n{word}"}


@pytest.mark.parametrize("where", ["session", "established"])
def test_an_enum_of_a_session_or_of_what_is_learnt_may_be_null(where: str) -> None:
    name = "session.shop" if where == "session" else "shop_"
    assert codes_of(with_plan(where, PLANS, f"{name} == null or {name} == 'north'")) == []
    wrong = said_of(with_plan(where, PLANS, f"{name} == null or {name} == 'nroth'"))
    assert [d.code for d in wrong] == ["E403"]
    assert "`north`" in wrong[0].help


def test_null_in_an_enum_is_no_text() -> None:
    found = said_of(with_plan("session", PLANS, "session.shop == 'None' or session.shop == 'null'"))
    assert [d.code for d in found] == ["E403", "E403"]


def test_an_enum_that_may_be_null_has_to_be_tested_before_it_is_used_as_text() -> None:
    assert [d.code for d in said_of(with_plan("session", PLANS, "len(session.shop) > 1"))] == ["E409"]
    assert codes_of(with_plan("session", PLANS, "session.shop != null and len(session.shop) > 1")) == []


def test_an_attribute_that_may_be_null_does_not_fit_an_enum_that_may_not() -> None:
    found = said_of(with_plan("session", "[north, south]", "session.shop == 'north'"))
    assert [d.code for d in found] == ["E515"]
    assert "is text, and must be text" not in found[0].message


def test_the_base_is_clean() -> None:
    assert load(BundleFiles({path: text.encode() for path, text in BASE.items()})).diagnostics == ()
