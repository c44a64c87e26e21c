"""Help that offers something to write: done literally, what was complained of is gone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from engine.bundle.files import from_directory
from engine.diagnostic import Diagnostic, SourceFile
from tests.bundle.test_help import TOOL
from tests.marked_base import BASE, CLERK, FIND, PAY, POLICY, changed, said_of
from tests.test_marked import CASES

# what is offered, and what may stand behind it: more of the same, or nothing
_OFFERED = re.compile(
    r"(?:\bwrite|\bdid you mean|\buse|in quotes:|without braces.*?:|in the others:|numbers?, without quotes:) (`[^`]+`(?:,? or `[^`]+`)*)(?!, one of)"
)
_OFFER = re.compile(r"`([^`]+)`")
_FORM = re.compile(r"(?<![\w.'])(?:[abckx]|list|text|part)(?![\w'(])|\.\.\.|NAME")
_AFTER = ("E302", "E303", "E305", "E402", "E403", "E404", "E409", "E509", "W618", "W613")


def offers(found: Diagnostic) -> list[str]:
    """What a help offers to write; forms with letters for anything can't be written as they are."""
    match = _OFFERED.search(found.help)
    return _OFFER.findall(match[1]) if match is not None and not _FORM.search(found.help) else []


def after(text: str, found: Diagnostic, offer: str) -> Iterator[str]:
    """A file with an offer in the place of what is underlined, of a part around it, or of its whole entry."""
    source = SourceFile("", text)
    start = source.offset(found.place.line - 1, found.place.column - 1)
    end = source.offset(found.place.end_line - 1, found.place.end_column - 1)
    line = text.rfind("\n", 0, start) + 1, (text.find("\n", start) + 1 or len(text) + 1) - 1
    ends = [one.end() + line[0] for one in re.finditer(r"\w+|[^\w\s]", text[slice(*line)])]
    starts = [one.start() + line[0] for one in re.finditer(r"\w+|[^\w\s]", text[slice(*line)])]
    yield text[:start] + offer + text[end:]
    for first in reversed([one for one in starts if one <= start]):
        yield from (text[:first] + offer + text[last:] for last in ends if last >= end)
    yield from (text[:first] + offer + text[last:] for first in starts for last in ends if start < first < last <= end)


def gone(files: dict[str, str], found: Diagnostic, offer: str) -> bool:
    """Whether an offer that is done literally mends what is complained of, or leads one step further."""
    before = {(d.code, d.message) for d in said_of(files)}
    for text in after({**BASE, **files}[found.place.file], found, offer):
        now = [(d.code, d.message) for d in said_of({**files, found.place.file: text})]
        if (found.code, found.message) not in now and all(one in before or one[0] in _AFTER for one in now):
            return True
    return False


def hold(files: dict[str, str], path: str = "") -> None:
    """Each offer that is made for these files is worth it."""
    for found in said_of(files):
        if found.place.file in {**BASE, **files} and (not path or found.place.file == path):
            for offer in offers(found):
                assert gone(files, found, offer), (found.code, found.message, found.help, offer)


# what is offered there lies in another place than what is complained of
_ELSEWHERE = {"E518-without-key", "W618-moment"}


@pytest.mark.parametrize("case", [one for one in CASES if one.name not in _ELSEWHERE], ids=lambda case: case.name)
def test_each_offer_for_a_wrong_bundle_mends_it(case: object) -> None:
    assert hasattr(case, "rglob")
    raw = from_directory(case).files  # type: ignore[arg-type]
    texts = {
        path: content.decode("utf-8", "replace")
        for path, content in raw.items()
        if path.endswith((".yaml", ".sql", ".j2"))
    }
    hold({path: re.sub(r"  #! [EW]\d{3} .+", "", text) for path, text in texts.items()})


def with_rule(condition: str) -> dict[str, str]:
    rules = "kind: Policy\nname: refunds\nparams:\n  good: [open, closed]\n  wait: 24h\nrules:\n"
    rule = f"  - id: one\n    tools: [refund_order]\n    effect: deny\n    when: {json.dumps(condition, ensure_ascii=False)}\n"
    return {**TOOL, POLICY: rules + rule}


@pytest.mark.parametrize(("condition", "wants"), [
    ("input.status == open", "'open'"), ("input.status in [open, closed]", "'open'"), ("input.status == opne", "'open'"),
    ("input.status == 'open' or 'closed'", "input.status in ['open', 'closed']"),
    ("input.status != 'open' and 'closed'", "input.status not in ['open', 'closed']"),
    ("input.status == 'open', 'closed'", "input.status in ['open', 'closed']"),
    ("input.amount_usd > 12,5", "12.5"), ("input.amount_usd > 1,000", "1000"), ("input.amount_usd == '12,5'", "12.5"),
    ("now < 2026-01-01", "datetime('2026-01-01')"), ("now < 2026-12-24", "datetime('2026-12-24')"),
    ("date(now) < 2026-12-24", "date('2026-12-24')"), ("input.email == 2026-12-24", "'2026-12-24'"),
    ("input.status in [params.good, 'open']", "input.status in params.good or input.status in ['open']"),
    ("input.email == b-1", "'b-1'"), ("input.amount_usd > €100,50", "100.50"),
])  # fmt: skip
def test_what_was_meant_by_a_condition_is_offered_and_holds(condition: str, wants: str) -> None:
    files = with_rule(condition)
    found = [d for d in said_of(files) if d.code.startswith("E")]
    assert any(f"`{wants}`" in d.help for d in found), [(d.message, d.help) for d in found]
    hold(files, POLICY)


@pytest.mark.parametrize(("condition", "part"), [
    ("input.amount_usd > 1.000,5,5", ""), ("refund_order.amount_usd > 5", "`input` is of the call"), ("now > 18:00", "`now - datetime(date(now))"),
    ("now.hour > 18", "`now - datetime(date(now))"), ("input.urgent, input.urgent", "join conditions by `and`"),
    ("input.email, 5", "a condition is one expression"), ("input.status == frobnicate", "`'closed'`, `'open'`"),
    ("input.amount_usd | money > 5", "no filters"), ("input.email | upper == 'A'", "`lower(input.email)`"),
    ("input.amount_usd | round > 5", "nothing is rounded"), ("input.amount_usd > $1.250", "without separators"),
])  # fmt: skip
def test_what_can_not_be_offered_is_told_otherwise(condition: str, part: str) -> None:
    assert any(part in d.help for d in said_of(with_rule(condition)) if d.code.startswith("E"))


@pytest.mark.parametrize(("written", "part"), [
    ("100,50", "`100.50`"), ("0,5", "`0.5`"), ("100,5 EUR", "`100.5`"), ("1.250 EUR", "without quotes and separators"),
    ("1.000 EUR", "without quotes and separators"), ("1_000", "`1000`"), ("5%", "`5`, or `0.05` for the share"), ("12 min", ""),
])  # fmt: skip
def test_a_param_is_never_answered_with_another_number(written: str, part: str) -> None:
    (found,) = [d for d in said_of(changed(POLICY, ("limit_usd: 100", f"limit_usd: {written}"))) if d.code == "E403"]
    assert part in found.help
    assert bool(part) == bool(found.help)


@pytest.mark.parametrize(("path", "right", "wrong", "offer"), [
    (POLICY, "tools: [refund_order]", 'tools: "*"', "all"), (POLICY, "tools: [refund_order]", "tools: any", "all"),
    (POLICY, "tools: [refund_order]", "tools: write", "writes"), (POLICY, "tools: [refund_order]", "tools: refund_order", "[refund_order]"),
    (POLICY, "tools: [refund_order]", "tools: [refund-order]", "refund_order"), (POLICY, "name: refunds", "name: refunds\nurgent: true", "tighten"),
    (CLERK, "steps: 6", 'steps: "8"', "8"), (CLERK, "steps: 6", "steps: infinite", "unlimited"), (CLERK, "steps: 6", "steps: 6\n  calls_per_tool: 4", "{other: 4}"),
    (CLERK, "kind: Agent", "kind: Agent\nsealed_with: SEAL_KEY", "${secret:SEAL_KEY}"),
    (PAY, "effect: write", "effect: write\nretry: 3", "{attempts: 3, on: [retryable]}"),
    ("fixtures/refunded.yaml", "kind: Fixture", "kind: Fixture\nnow: 2026-01-01", "2026-01-01T00:00:00Z"),
    (POLICY, "when: order.found and input.amount_usd <= order.total_usd", "when: [order.found]", "order.found"),
    (POLICY, "message: ", "mesage: ", "message"), (POLICY, "params:", "parameters:", "params"),
    (POLICY, "    effect: allow", "   effect: allow", None), (POLICY, "limit_usd: 100", "limit_usd:100", None),
    (POLICY, "tools: [refund_order]", "tools: - refund_order", None),
])  # fmt: skip
def test_what_was_meant_by_a_value_is_offered_and_holds(path: str, right: str, wrong: str, offer: str | None) -> None:
    files = changed(path, (right, wrong))
    found = said_of(files)
    assert offer is None or any(f"`{offer}`" in d.help for d in found), [(d.message, d.help) for d in found]
    hold(files, path)


@pytest.mark.parametrize(("line", "offer"), [
    ('when: "order.state == "open""', """when: 'order.state == "open"'"""), ("when: 'order.state == 'open''", """when: "order.state == 'open'\""""),
    ("message: 'We don't'", """message: "We don't\""""), ("tools: - refund_order", "tools: [refund_order]"),
    ("message: Sorry: it was shipped", 'message: "Sorry: it was shipped"'),
])  # fmt: skip
def test_a_line_that_yaml_can_not_read_is_answered_with_one_that_it_can(line: str, offer: str) -> None:
    text = BASE[POLICY].replace("    when: input.amount_usd > params.limit_usd\n", f"    {line}\n", 1)
    (found,) = said_of({POLICY: text})
    assert (found.code, f"`{offer}`" in found.help) == ("E102", True), found.help
    assert "E102" not in {d.code for d in said_of({POLICY: text.replace(line, offer)})}


def test_an_expression_in_braces_keeps_its_own_key() -> None:
    line = "input: {order_id: {{ input.order_id }}}, max_age: 60s"
    (found,) = said_of(changed(POLICY, ("input: {order_id: input.order_id}, max_age: 60s", line)))
    assert '`order_id: "input.order_id"`' in found.help


@pytest.mark.parametrize(("right", "wrong", "place"), [
    ("    effect: allow", "   effect: allow", "10:4"), ("limit_usd: 100", "limit_usd:100", "4:3"), ("  - id: small-refund", "    id: small-refund", "12:3"),
])  # fmt: skip
def test_an_indent_is_offered_only_where_the_line_can_be_read_with_it(right: str, wrong: str, place: str) -> None:
    (found,) = said_of(changed(POLICY, (right, wrong)))
    assert str(found.place) == f"{POLICY}:{place}"
    number = re.search(r"indent this line by (\d)", found.help)
    if number is not None:
        text = changed(POLICY, (right, " " * int(number[1]) + wrong.lstrip()))
        assert "E102" not in {d.code for d in said_of(text)}


@pytest.mark.parametrize(("schema", "help_"), [
    ("{type: number, min: 3}", "write `minimum`"), ("{type: number, MAX: 3}", "write `maximum`"), ("{type: string, values: [a]}", "write `enum`"),
    ("{type: string, regex: a}", "write `pattern`"), ("{type: string, optional: true}", "what is required is listed under `required`, beside `properties`"),
    ("{type: string, format: phone}", "write a `pattern`, or remove it"), ("{type: string, pattern: /^x$/}", "write `^x$`"),
    ("{type: string, frobnicate: 1}", "remove it, or call it `x-...`"), ("{type: string, enum: [a, null]}", "add `'null'` to the types, or write it in quotes for text"),
    ("{type: string, enum: [a, true]}", "a text that reads like true or false is written in quotes"),
])  # fmt: skip
def test_a_word_that_no_schema_has_is_answered_with_one_that_it_has(schema: str, help_: str) -> None:
    amount = "amount_usd: {type: number}"
    assert [d.help for d in said_of(changed(PAY, (amount, f"{amount}\n    other: {schema}")))] == [help_]


def test_null_among_types_is_told_to_stand_in_quotes() -> None:
    amount = "amount_usd: {type: number}"
    (found,) = said_of(changed(PAY, (amount, f"{amount}\n    other: {{type: [string, null]}}")))
    assert "`'null'`" in found.message


HTTP = ("adapter:\n  kind: http\n  method: GET\n  url: https://api.example.com/orders/{{ input.order_id }}\n"
        "  output: {found: true, total_usd: 1, placed_at: \"'2026-01-01T00:00:00Z'\", state: \"'open'\"}\n")  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "offer"), [
    ("{{ input.order_id }}", "{order_id}", "{{ input.order_id }}"), ("{{ input.order_id }}", ":order_id", "{{ input.order_id }}"),
    ("{{ input.order_id }}", "<order_id>", "{{ input.order_id }}"), ("{{ input.order_id }}", "${input.order_id}", "{{ input.order_id }}"),
    ("  output:", "  query: {q: input.order_id}\n  output:", '"{{ input.order_id }}"'),
    ("  output:", '  headers: {X-Key: "${HOUSE_KEY}"}\n  output:', "${secret:HOUSE_KEY}"),
    ("  output:", "  headers: {X-Key: $HOUSE_KEY}\n  output:", "${secret:HOUSE_KEY}"),
    ("  output:", '  headers: {X-Key: "${secrets:HOUSE_KEY}"}\n  output:', "${secret:HOUSE_KEY}"),
    ("  output:", "  headers: {X-Key: \"{nothing} ${secret:A} {{ input.order_id }} $5\"}\n  output:", None),
    ("{{ input.order_id }}", "{session}/:nothing/{input.nothing}", None),
])  # fmt: skip
def test_what_stands_in_a_text_as_it_is_written_is_told_with_what_is_filled_in(
    right: str, wrong: str, offer: str | None
) -> None:
    tool = BASE[FIND][: BASE[FIND].index("adapter:")] + HTTP
    assert said_of({FIND: tool}) == []
    assert right in tool
    found = said_of({FIND: tool.replace(right, wrong, 1)})
    assert [(d.code, d.help) for d in found] == ([("W618", f"write `{offer}`")] if offer else [])


@pytest.mark.parametrize(("condition", "word"), [
    ("glob(input.order_id, '^o.*$')", "`*`"), ("contains(messages, 'refund')", "contains(messages[-1], 'refund')"),
    ("'refund' in messages", "contains(messages[-1], 'refund')"), ("'refund' not in messages", "contains(messages[-1], 'refund')"),
    ("input.order_id != input.order_id", "compare it"), ("input.amount_usd > input.amount_usd", "compare it"),
    ("order.found and input.order_id == input.order_id", "compare it"), ("input.order_id == 'session.shop'", "`session.shop`"),
    ("input.order_id in ['a', 'input.amount_usd']", "`input.amount_usd`"), ("origin('input.order_id') == 'untrusted'", "`origin(input.order_id)`"),
    ("said_by_customer('order_id')", "`said_by_customer(input.amount)`"), ("origin(params.limit_usd) == 'untrusted'", "`origin(input.amount)`"),
    ("lower(messages[-1]) == 'Refund'", "`'refund'`"), ("lower(messages[-1]) in ['no', 'Yes']", "`'yes'`"),
    ("contains(lower(messages[-1]), 'Refund')", "`'refund'`"), ("starts_with(lower(messages[-1]), 'I was')", "`'i was'`"),
    ("glob(lower(messages[-1]), 'A*')", "`'a*'`"), ("'A' != lower(input.order_id)", "`'a'`"),
])  # fmt: skip
def test_a_call_that_is_right_and_of_little_use_is_a_warning(condition: str, word: str) -> None:
    rule = f"  - {{id: odd, tools: [refund_order], effect: deny, when: {json.dumps(condition)}}}\n"
    (found,) = said_of({POLICY: BASE[POLICY] + rule})
    assert (found.code, word in found.help) == ("W618", True)


@pytest.mark.parametrize("condition", [
    "messages[-1] in ['yes', 'no']", "input.order_id == 'input.txt'", "input.order_id == 'session'", "lower(messages[-1]) == 'straße 5'",
    "contains(messages[-1], 'Refund')", "origin(input.order_id) == 'untrusted'", "any(len(m) > len(input.order_id) for m in messages)",
])  # fmt: skip
def test_what_only_looks_like_that_is_none(condition: str) -> None:
    rule = f"  - {{id: odd, tools: [refund_order], effect: deny, when: {json.dumps(condition)}}}\n"
    assert said_of({POLICY: BASE[POLICY] + rule}) == []


@pytest.mark.parametrize("word", ["nul", "nil", "NULL"])
def test_a_misspelt_null_is_no_text(word: str) -> None:
    rule = f"  - {{id: odd, tools: [refund_order], effect: deny, when: input.order_id == {word}}}\n"
    assert "write `null`" in next(d for d in said_of({POLICY: BASE[POLICY] + rule}) if d.code == "E305").help


def test_a_group_of_tools_in_a_list_and_a_group_that_is_misspelt_are_told() -> None:
    (found,) = [d for d in said_of(changed(POLICY, ("tools: [refund_order]", "tools: [all]"))) if d.code == "E302"]
    assert found.help == "write `tools: all`, without a list"
    (found,) = [
        d for d in said_of(changed(CLERK, ("steps: 6", "steps: 6\n  calls_per_tool: {others: 4}"))) if d.code == "E302"
    ]
    assert found.help == "did you mean `other`?"
