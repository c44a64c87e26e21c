"""Help that is right: for what people write who know other languages, and for what YAML reads first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.bundle.load import load_directory
from tests.marked_base import BASE, CLERK, PAY, POLICY, changed, said_of
from tests.test_marked import MARKED, bundle_of

FIELDS = (
    "amount_usd: {type: number}\n    note: {type: string}\n    urgent: {type: boolean}\n    when: {type: string}\n"
    "    email: {type: string}\n    tags: {type: array, maxItems: 5, items: {type: string}}\n"
    "    status: {type: string, enum: [open, closed]}"
)
TOOL = changed(PAY, ("amount_usd: {type: number}", FIELDS),
               ("required: [order_id, amount_usd]", "required: [order_id, amount_usd, urgent, email, tags, status, when]"))  # fmt: skip


def of_condition(condition: str) -> tuple[str, str]:
    """Message and help of the one thing that is said of a condition."""
    rules = f"kind: Policy\nname: refunds\nrules:\n  - {{id: one, tools: [refund_order], effect: deny, when: {json.dumps(condition, ensure_ascii=False)}}}\n"
    found = [d for d in said_of({**TOOL, POLICY: rules}) if d.code.startswith("E")]
    assert len({d.place.line for d in found}) == 1
    assert len(found) == 1, [(d.code, d.message) for d in found]
    return found[0].message, found[0].help


@pytest.mark.parametrize(("condition", "wants"), [
    # signs that hold an `=` turn nothing round
    ("input.status !== 'open'", "`!=`"), ("input.amount_usd => 5", "`>=`"), ("input.amount_usd =< 5", "`<=`"),
    ("input.amount_usd === 5", "`==`"), ("input.amount_usd <> 5", "`!=`"), ("input.status =! 'open'", "`!=`"),
    ("input.status = 'open'", "`==`"), ("input.email =~ '^a'", "glob"), ("input.email !~ '^a'", "glob"),
    ("input.status ~= 'a'", "glob"), ("input.amount_usd := 5", "`==`"),
    # signs of other writing
    ("input.amount_usd ≥ 5", "`>=`"), ("input.amount_usd ≤ 5", "`<=`"), ("input.status ≠ 'open'", "`!=`"),
    ("input.amount_usd × 2 > 5", "`*`"), ("input.amount_usd − 2 > 5", "`-`"), ("input.amount_usd – 2 > 5", "`-`"),
    ("input.amount_usd ÷ 2 > 5", "`/`"),
    ("input.status == ‘open’", "`'`"), ("input.status == “open”", "`'`"), ("input.status == `open`", "`'`"),
    ("input.status == «open»", "`'`"), ("input.urgent && true", "`and`"), ("input.urgent || true", "`or`"),
    ("!input.urgent", "`not`"), ("input.urgent & true", "`and`"), ("input.urgent | true", "`or`"),
    ("input.note ?? 'x' == 'x'", "null"), ("input?.note == 'x'", "null"), ("input.note ?: 'x' == 'x'", "null"),
    ("input.urgent ? true : false", "if"), ("if input.urgent then true else false", "if"),
    # words of other languages
    ("input.tags is empty", "len("), ("input.tags is not empty", "len("), ("input.note is null", "`== null`"),
    ("input.note is not null", "`!= null`"), ("input.note exists", "is_set"),
    ("input.email like '%a%'", "glob"), ("input.email matches 'a.*'", "glob"),
    ("input.amount_usd between 1 and 5", "`1 <= "), ("input.email contains 'a'", "contains("),
    ("input.tags includes 'x'", "contains("), ("input.email startswith 'a'", "starts_with("),
    ("input.email ends with 'a'", "ends_with("), ("input.urgent AND input.amount_usd > 1", "`and`"),
    ("input.urgent OR input.amount_usd > 1", "`or`"), ("NOT input.urgent", "`not`"),
    ("input.status NOT IN ['open']", "`not in`"), ("input.urgent xor input.urgent", "`!=`"),
    ("input.status in {'open', 'closed'}", "`[`"), ("input.amount_usd > 1_000", "`1000`"),
    ("input.amount_usd > 1,000", "`1000`"), ("input.amount_usd > 1e3", "`1000`"),
    ("input.amount_usd > 100USD", "`100`"), ("input.amount_usd > $100", "`100`"), ("input.amount_usd > 5%", "`5"),
    ("now > datetime(input.when) + 1h", "duration('1h')"), ("now > datetime(input.when) + 24h", "duration('24h')"),
    ("now - datetime(input.when) > 30m", "duration('30m')"), ("now - datetime(input.when) > 24 hours", "duration('24h')"),
    ("now - datetime(input.when) > '24h'", "duration('24h')"),
    ("input.status in ('open')", "['open']"), ("input.urgent == 'true'", "`true`"), ("input.tags[0:2] == ['a']", "one element"),
    # methods and fields of values
    ("input.tags.length > 3", "len(input.tags)"), ("input.tags.size > 3", "len(input.tags)"),
    ("input.tags.count > 3", "len(input.tags)"), ("input.email.length > 3", "len(input.email)"),
    ("input.tags.size() > 3", "len(input.tags)"), ("input.tags.length() > 3", "len(input.tags)"),
    ("input.tags.first == 'x'", "first(input.tags)"), ("input.tags.contains('x')", "contains(input.tags, 'x')"),
    ("input.tags.includes('x')", "contains(input.tags, 'x')"), ("input.tags.isEmpty()", "len(input.tags) == 0"),
    ("input.email.endsWith('@acme.com')", "ends_with(input.email, '@acme.com')"),
    ("input.email.startsWith('a')", "starts_with(input.email, 'a')"), ("input.email.lower() == 'a'", "lower(input.email)"),
    ("input.email.toLowerCase() == 'a'", "lower(input.email)"), ("input.email.matches('a.*')", "glob(input.email"),
    ("input.tags.any(t => t == 'x')", "any("), ("input.tags.exists(t, t == 'x')", "any("),
    ("input.tags.all(t, t == 'x')", "all("), ("input.get('note') == 'x'", "input.note"),
    # functions of other languages
    ("size(input.tags) > 3", "`len`"), ("length(input.tags) > 3", "`len`"), ("count(input.tags) > 3", "`len`"),
    ("has(input.note)", "`is_set`"), ("exists(input.note)", "`is_set`"), ("defined(input.note)", "`is_set`"),
    ("isEmpty(input.tags)", "`len`"), ("is_null(input.note)", "null"), ("now() > datetime(input.when)", "`now`"),
    ("today() > date(input.when)", "date(now)"), ("timestamp(input.when) < now", "`datetime`"),
    ("startsWith(input.email, 'a')", "`starts_with`"), ("matches(input.email, 'a')", "`glob`"),
    ("regex(input.email, 'a')", "`glob`"), ("some(t == 'x' for t in input.tags)", "`any`"),
    ("every(t == 'x' for t in input.tags)", "`all`"), ("unique(input.tags) == []", "`distinct`"),
    ("tolower(input.email) == 'a'", "`lower`"), ("includes(input.tags, 'a')", "`contains`"),
    # names of other languages
    ("input.note == NULL", "`null`"), ("input.note == none", "`null`"), ("input.note == nil", "`null`"),
    ("input.note == undefined", "`null`"), ("input.urgent == TRUE", "`true`"), ("input.urgent == yes", "`true`"),
    ("input.urgent == off", "`false`"), ("args.amount_usd > 5", "`input"), ("arguments.amount_usd > 5", "`input"),
    ("amount_usd > 5", "`input.amount_usd`"), ("params.amount_usd > 5", "`input.amount_usd`"),
    ("user.shop == 'a'", "`session"), ("context.shop == 'a'", "`session"), ("tool == 'refund_order'", "`call.name`"),
])  # fmt: skip
def test_what_other_languages_have_leads_to_the_word_of_this_one(condition: str, wants: str) -> None:
    message, help_ = of_condition(condition)
    assert wants in help_, (message, help_)
    assert "defined here" not in help_


@pytest.mark.parametrize("condition", ["input.status !== 'open'", "input.status =! 'open'", "input.status <> 'open'"])
def test_help_never_turns_a_condition_round(condition: str) -> None:
    assert "`==`" not in of_condition(condition)[1]


@pytest.mark.parametrize("condition", [
    "input.status != 'a=b' and input.amount_usd = 5", "input.note == 'x!=y' and input.amount_usd = 5",
    "input.note == '&&' and input.amount_usd = 5", "input.note == 'is empty' and input.amount_usd = 5",
    "input.note == 'a ? b : c' and input.amount_usd = 5", "input.note == '≥' and input.amount_usd = 5",
])  # fmt: skip
def test_what_stands_inside_of_text_is_no_sign(condition: str) -> None:
    message, help_ = of_condition(condition)
    assert "`==`" in help_, (message, help_)


def test_a_list_of_names_shows_what_is_near_in_meaning_and_no_inner_names() -> None:
    for condition in ("frobnicate(input.tags) > 3", "frobnicate > 3"):
        _, help_ = of_condition(condition)
        assert "origin()" not in help_


@pytest.mark.parametrize(("condition", "word"), [
    ("input.when > '2026-01-01'", "datetime("), ("'2026-01-01T00:00:00Z' <= input.when", "datetime("),
    ("input.amount_usd >= 100 <= 200", "always"),
])  # fmt: skip
def test_what_is_accepted_and_not_meant_is_a_warning(condition: str, word: str) -> None:
    moment = {PAY: TOOL[PAY].replace("when: {type: string}", "when: {type: string, format: date-time}")}  # fmt: skip
    given = changed(
        "fixtures/refunded.yaml",
        (
            "order_id: o-1,",
            "when: '2026-01-01T00:00:00Z', urgent: true, email: a@b.cd, tags: [], status: open, order_id: o-1,",
        ),
    )
    rules = BASE[POLICY] + f"  - {{id: odd, tools: [refund_order], effect: deny, when: {json.dumps(condition)}}}\n"
    found = [d for d in said_of({**moment, **given, POLICY: rules}) if d.code != "W613"]
    assert [d.severity.value for d in found] == ["warning"]
    assert word in found[0].message + found[0].help


# -- what YAML reads first


def of_line(line: str, path: str = POLICY) -> list[tuple[str, str]]:
    text = BASE[POLICY].replace("    when: input.amount_usd > params.limit_usd\n", f"    {line}\n", 1)
    return [(d.code, d.help) for d in said_of({path: text}) if d.code.startswith("E")]


@pytest.mark.parametrize("line", [
    "when: 'shipped' == order.state", 'when: "shipped" == order.state', "when: {{ order.state == 'shipped' }}",
    "when: order.state == 'a: b'", 'when: messages[-1] == "a: b"', "when: order.state == 'a #b'",
    "when: messages[-1] == 'x' and order.state == 'a #b'", "when: %foo", "when: @foo", "when: `foo`",
    "when: [1, 2] == [input.amount_usd]", "when: [-1] == [input.amount_usd]", "when: > input.amount_usd",
    "when: order.found ? true : false", "message: Sorry: it was shipped", "when: *foo == 'a'", "when: - input.amount_usd > 5",
    "when: {'a': 1} == 5", "when: 'it''s' == messages[-1]",
])  # fmt: skip
def test_a_scalar_that_yaml_reads_first_is_told_to_stand_in_quotes(line: str) -> None:
    found = of_line(line)
    assert len(found) == 1, found
    assert "quotes" in found[0][1]


@pytest.mark.parametrize("line", ["when: !order.found", "when: !(order.found)", "when: ! order.found"])
def test_an_exclamation_mark_before_a_scalar_is_told_to_be_not(line: str) -> None:
    found = of_line(line)
    assert len(found) == 1, found
    assert "`not" in found[0][1]


def test_a_mark_that_yaml_takes_for_itself_never_turns_a_condition_round() -> None:
    """`! x` is YAML's for `x` as it is; the author meant `not x`."""
    for line in ("when: ! order.found", "unless: ! order.found"):
        assert len(of_line(line)) == 1, line


@pytest.mark.parametrize(("path", "right", "wrong"), [
    (POLICY, "{order_id: input.order_id}", "{order_id: messages[-1]}"),
    (CLERK, '{order_id: "messages[-1]"}', "{order_id: messages[-1]}"),
    (POLICY, "{order_id: input.order_id}", "{order_id: [messages[-1]]}"),
    (POLICY, "{order_id: input.order_id}", "{order_id: {{ input.order_id }}}"),
])  # fmt: skip
def test_an_expression_with_brackets_in_a_map_of_one_line_is_told_to_stand_in_quotes(
    path: str, right: str, wrong: str
) -> None:
    found = said_of(changed(path, (right, wrong)))
    assert [(d.code, d.place.file, "quotes" in d.help) for d in found] == [("E102", path, True)]


@pytest.mark.parametrize("merged", ["{<<: *b, id: a2}", "{id: a2, <<: *b}", "{<<: [*b, *b], id: a2}"])
def test_a_merge_key_is_one_error_that_says_so(merged: str) -> None:
    anchor = "  - &b {id: a1, tools: [refund_order], effect: deny, when: order.state == 'shipped'}\n"
    found = said_of({POLICY: BASE[POLICY] + anchor + f"  - {merged}\n"})
    assert len(found) == 1, [(d.code, d.message) for d in found]
    assert "merge" in found[0].message + found[0].help


@pytest.mark.parametrize(("path", "right", "wrong", "wants"), [
    (POLICY, "    when: input", "    if: input", "`when`"), (POLICY, "    when: input", "    condition: input", "`when`"),
    (POLICY, "    when: input", "    where: input", "`when`"), (POLICY, "effect: allow", "effect: permit", "`allow`"),
    (POLICY, "effect: allow", "effect: forbid", "`deny`"), (POLICY, "effect: allow", "effect: block", "`deny`"),
    (POLICY, "effect: require_approval", "effect: ask", "`require_approval`"),
    (POLICY, "    approvers: [leads]", "    reviewers: [leads]", "`approvers`"), (POLICY, "kind: Policy", "apiVersion: Policy", "`kind`"),
    (PAY, "input:\n", "parameters:\n", "`input`"), (PAY, "input:\n", "inputSchema:\n", "`input`"),
    (PAY, "output:\n", "returns:\n", "`output`"), (PAY, "effect: write", "effect: readonly", "`read`"),
    (CLERK, "prompt: clerk", "instructions: clerk", "`prompt`"),
])  # fmt: skip
def test_a_key_or_a_word_of_another_tool_leads_to_ours(path: str, right: str, wrong: str, wants: str) -> None:
    found = said_of(changed(path, (right, wrong)))
    assert any(wants in d.help and "defined here" not in d.help for d in found), [(d.code, d.help) for d in found]
    assert len(found) == 1, [(d.code, d.message) for d in found]


# -- what an error is about


def promised(never: str, more: str = "", facts: str = "") -> dict[str, str]:
    rules = f"{more}guarantees:\n  - id: kept-safe\n    never: {json.dumps(never)}\nrules:\n"
    return changed(
        POLICY,
        ("facts:\n", f"facts:\n{facts}"),
        ("rules:\n", rules + "  - {id: all-of-them, tools: all, effect: allow}\n"),
    )


def test_a_field_that_a_guarantee_reads_and_a_tool_has_not_is_said_with_all_three_names() -> None:
    found = said_of(promised("verdict == 'allow' and input.amount_usd > params.limit_usd"))
    assert {d.code for d in found} == {"E402"}
    told = " ".join(f"{d.message} {d.note} {d.help}" for d in found)
    assert "kept-safe" in told
    assert "`amount_usd`" in told
    assert "find_order" in told or "greet" in told


BIG = "let:\n  big: input.amount_usd > params.limit_usd\n  very: big and who.text == 'x'\n"
WHO = "  who: {tool: greet, input: {who: input.order_id}, max_age: 60s}\n"


@pytest.mark.parametrize("when", [
    "call.name == 'refund_order' and big", "call.name == 'refund_order' and who.text == 'x'",
    "call.name == 'refund_order' and very", "call.name in ['refund_order'] and very",
    "call.name != 'greet' and call.name != 'find_order' and very", "very if call.name == 'refund_order' else false",
    "not (call.name != 'refund_order' or not very)",
])  # fmt: skip
def test_asking_for_the_tool_narrows_facts_and_lets_as_it_does_the_input(when: str) -> None:
    rule = f"  - {{id: narrowed, tools: all, effect: deny, when: {json.dumps(when)}}}\n"
    files = changed(POLICY, ("facts:\n", f"facts:\n{WHO}"), ("rules:\n", f"{BIG}rules:\n{rule}"))
    assert [(d.code, d.message) for d in said_of(files) if d.code.startswith("E")] == []
    assert [
        d.code for d in said_of(promised(f"verdict == 'allow' and {when}", BIG, WHO)) if d.code.startswith("E")
    ] == []


def test_a_let_that_is_read_for_every_tool_is_typed_for_every_tool() -> None:
    rule = "  - {id: wide, tools: all, effect: deny, when: big}\n"
    files = changed(POLICY, ("rules:\n", f"{BIG.splitlines()[0]}\n{BIG.splitlines()[1]}\nrules:\n{rule}"))
    assert {d.code for d in said_of(files)} == {"E402"}


# -- files that are skipped


@pytest.mark.parametrize("name", ["policies/more.YAML", "policies/more.Yml", "policies/._refunds.yaml", "specs/tools/more.yaml.bak",
                                  "specs/tools/more.json", "prompts/clerk.md", "tools.yaml", "policy/more.yaml"])  # fmt: skip
def test_a_file_that_is_skipped_is_told(name: str, tmp_path: Path) -> None:
    at = bundle_of(MARKED / "base", tmp_path / "bundle")
    (at / name).parent.mkdir(exist_ok=True)
    (at / name).write_bytes(b"\0\5\x16\7" if "._" in name else BASE[POLICY].encode())
    loaded = load_directory(at)
    assert loaded.bundle is not None
    assert [(d.severity.value, d.place.file) for d in loaded.diagnostics] == [("warning", name)]
