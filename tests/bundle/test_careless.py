"""What is told of what a careless author writes, at load, each once and where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.bundle.foreign_words import span_instead
from engine.bundle.load import load_directory, load_files, load_stored
from tests.marked_base import BASE, CLERK, FIND, PAY, POLICY, changed, said_of
from tests.test_marked import MARKED, bundle_of

SQL = "  sql: SELECT 1 AS found, total_usd, placed_at, state FROM orders WHERE order_id = :order_id\n"
AMOUNT = "amount_usd: {type: number}"
WHEN = "    when: input.amount_usd > params.limit_usd\n"
RULES = "rules:\n"


def told(files: dict[str, str]) -> list[tuple[str, str, str]]:
    return [(d.code, d.message, d.help) for d in said_of(files)]


@pytest.mark.parametrize(("absent", "codes"), [
    ("{found: false, total_usd: 0, placed_at: now, state: \"'open'\"}", []),
    ("{found: 0, total_usd: 0, placed_at: now, state: \"'open'\"}", ["E403"]),
    ("{found: false, total_usd: null, placed_at: now, state: \"'open'\"}", ["E403"]),
    ("{found: false, total_usd: 0, placed_at: now, state: \"'opne'\"}", ["E403"]),
    ("{found: false, total_usd: 0, placed_at: now, state: \"'open'\", more: 1}", ["E402"]),
    ("{found: false}", ["E511", "E511", "E511"]), ("{found: fals, total_usd: 0, placed_at: now, state: \"'open'\"}", ["E305"]),
])  # fmt: skip
def test_what_a_tool_gives_without_a_row_fits_its_output(absent: str, codes: list[str]) -> None:
    assert [code for code, _, _ in told(changed(FIND, (SQL, f"{SQL}  absent: {absent}\n")))] == codes


@pytest.mark.parametrize(("schema", "part"), [
    ("{type: number, format: date}", "`format` is for text"), ("{type: integer, minLength: 1}", "`minLength` is for text"),
    ("{type: [number, 'null'], pattern: a}", "`pattern` is for text"), ("{type: number, items: {}}", "`items` is for lists"),
    ("{type: number, minimum: 5, maximum: 1}", "between `minimum` and `maximum`"),
    ("{type: number, exclusiveMinimum: 5, maximum: 5}", "between `exclusiveMinimum` and `maximum`"),
    ("{enum: []}", "empty `enum`"), ("{type: object, properties: {name: {}}, required: [nmae], maxProperties: 3}", "`nmae` is required"),
])  # fmt: skip
def test_a_keyword_that_does_nothing_is_told(schema: str, part: str) -> None:
    found = told(changed(PAY, (AMOUNT, f"{AMOUNT}\n    other: {schema}")))
    assert [(code, part in message) for code, message, _ in found] == [("W619", True)]


@pytest.mark.parametrize("schema", [
    "{type: integer, format: int64}", "{type: [string, number], minLength: 1}", "{minLength: 1}", "{type: number, minimum: 5, maximum: 5}",
    "{type: object, properties: {a: {}}, required: [b], additionalProperties: true}", "{type: object, required: [b]}",
    "{type: object, required: [b], properties: {a: {}}, additionalProperties: false, patternProperties: {b: {}}}", "{type: number, x-note: a}",
])  # fmt: skip
def test_a_keyword_that_does_something_is_not(schema: str) -> None:
    assert told(changed(PAY, (AMOUNT, f"{AMOUNT}\n    other: {schema}"))) == []


def test_a_misspelt_mark_of_ours_keeps_a_bundle_out_that_enters_and_none_that_is_stored() -> None:
    files = {**BASE, **changed(PAY, (AMOUNT, "amount_usd: {type: number, x-sensitiv: true}"))}
    raw = {path: text.encode() for path, text in files.items()}
    assert [d.code for d in load_files(raw).diagnostics] == ["E208"]
    assert load_stored(raw).bundle is not None


def test_a_number_that_an_enum_has_not_is_told_without_a_word_that_the_rule_never_matches() -> None:
    files = {
        **changed(PAY, (AMOUNT, f"{AMOUNT}\n    level: {{type: integer, enum: [1, 2, 3]}}"), ("[order_id, amount_usd]", "[order_id, amount_usd, level]")),
        **changed(POLICY, (WHEN, "    when: input.level == 4 and input.amount_usd > params.limit_usd\n")),
        **changed("fixtures/refunded.yaml", ("order_id: o-1,", "level: 1, order_id: o-1,")),
    }  # fmt: skip
    assert [d.code for d in said_of(files) if d.place.file == POLICY] == ["E403"]
    raw = {path: text.encode() for path, text in {**BASE, **files}.items()}
    assert load_stored(raw).bundle is not None


@pytest.mark.parametrize(("never", "codes"), [
    ("'leads' in approvers and verdict == 'deny'", []), ("'customer' in approvers", []), ("approvers == set(['ledas'])", ["E307"]),
    ("'leads' not in approvers and 'boss' in approvers", ["E307"]), ("verdict == 'alow'", ["E403"]), ("'x' in", ["E401"]),
])  # fmt: skip
def test_a_guarantee_names_groups_that_there_are(never: str, codes: list[str]) -> None:
    found = told(
        changed(POLICY, (RULES, f"guarantees:\n  - id: asked\n    never: {never!r}\n{RULES}".replace("\\'", "''")))
    )
    assert [code for code, _, _ in found] == codes
    assert all(message.startswith("guarantee `asked`: ") for _, message, _ in found)


@pytest.mark.parametrize(("written", "help_"), [
    ("60", "a span of time has a unit: write `60s`, `60m`, `60h` or `60d`"), ("'60'", "a span of time has a unit: write `60s`, `60m`, `60h` or `60d`"),
    ("1 minute", "write `1m`"), ("1h30m", "write `90m`"), ("2 Weeks", "write `14d`"), ("a while", ""), ("1 moment", ""), ("5m or so", ""),
])  # fmt: skip
def test_a_span_without_a_unit_of_ours_is_answered_with_one(written: str, help_: str) -> None:
    assert [h for _, _, h in told(changed(POLICY, ("max_age: 60s", f"max_age: {written}")))] == [help_]


def test_nothing_is_made_of_no_time() -> None:
    assert span_instead("0 hours") == ""


@pytest.mark.parametrize(("param", "part"), [
    ("'100'", "without quotes: `100`"), ("1,000", "without quotes: `1000`"), ("100 USD", "without quotes: `100`"), ("1OO", ""),
])  # fmt: skip
def test_a_param_of_the_wrong_type_is_told_with_its_place(param: str, part: str) -> None:
    (found,) = said_of(changed(POLICY, ("limit_usd: 100", f"limit_usd: {param}")))
    assert (found.code, found.note) == ("E403", f"`params.limit_usd` is text, written at {POLICY}:4:14")
    assert part in found.help
    assert bool(part) == bool(found.help)


def test_where_fields_come_from_is_said_of_schemas_only() -> None:
    notes = {}
    for when in (
        "input.amout_usd > 1",
        "params.fees.smal > 1",
        "meters.spendd.used > 1",
        "call.nam == 'x'",
        "table.smal > 1",
    ):
        params = "limit_usd: 100\n  fees: {small: 1}"
        files = changed(
            POLICY,
            ("limit_usd: 100", params),
            (RULES, f"let: {{table: params.fees}}\n{RULES}"),
            (WHEN, f"    when: {when}\n"),
        )
        meters = changed(
            CLERK, ("budgets:\n", "budgets:\n  meters: {spent: {add: input.amount_usd, of: refund_order, limit: 5}}\n")
        )
        notes[when] = {d.note for d in said_of({**files, **(meters if "meters" in when else {})}) if d.code == "E402"}
    assert [bool(note) for found in notes.values() for note in found] == [True, False, False, False]


@pytest.mark.parametrize(("path", "right", "wrong", "help_"), [
    (POLICY, "input: {order_id: input.order_id}", "input: {id: input.order_id}", "did you mean `order_id`?"),
    (POLICY, "    approvers: [leads]\n", "", "add `approvers: [...]`, of `customer`, `leads`"),
    (POLICY, "    approvers: [leads]\n", "    approvers: leads\n", "write `[leads]`"),
    (POLICY, "    when: input", "    when:\n    reason: a\n    x: input", ""),
    (PAY, AMOUNT, "amount_usd: {type: float}", ""), (PAY, AMOUNT, "amount_usd: number", ""),
    (PAY, "    amount_usd", "     amount_usd", "indent this line by 4 spaces, as those above it"),
    (POLICY, "    effect: allow", "    effect allow", "an entry is written `key: value`, with a space behind the colon"),
    (POLICY, "    effect: allow", "\teffect: allow", "indent with spaces"),
    (POLICY, "effect: allow", 'effect: "allow', 'close the text of line 10 with `"`'), (POLICY, "name: refunds", "name: 'refunds", "close the text with `'`"),
    (POLICY, "name: refunds", 'name: "re\\dunds"', "between double quotes `\\` begins an escape: write `\\\\`, or use single quotes"),
    (POLICY, "approvers: [leads]", "approvers: [leads", "close the `[` of line 17 with `]`"),
    (POLICY, "when: order.found and", "when: !!bool order.found and", "leave it out; text that looks like something else stands in quotes"),
    (POLICY, "    effect: allow\n", "    effect: allow\n    - a\n", None),
])  # fmt: skip
def test_a_slip_is_answered_with_how_to_mend_it(path: str, right: str, wrong: str, help_: str | None) -> None:
    found = said_of(changed(path, (right, wrong)))
    assert found[0].place.file == path
    if help_ is not None and found[0].code not in ("E202", "E208"):
        assert [d.help for d in found] == [help_]


def test_a_type_of_another_language_leads_to_ours() -> None:
    for written, word in (("float", "`number`"), ("datetime", "`format: date-time`"), ("strng", "`string`")):
        assert word in told(changed(PAY, (AMOUNT, f"amount_usd: {{type: {written}}}")))[0][1]
    assert "`{type: number}`" in told(changed(PAY, (AMOUNT, "amount_usd: number")))[0][1]


def test_what_is_wrong_for_some_tools_is_said_once_with_their_names() -> None:
    rule = "  - {id: wide, tools: all, effect: deny, when: input.amount_usd > 1 or input.nothing}\n"
    found = [d for d in said_of(changed(POLICY, (RULES, RULES + rule))) if d.code == "E402"]
    assert [(d.note, d.help) for d in found] == [
        ("for calls of `find_order` and `greet`, not of `refund_order`", "ask for the tool first: `call.name == 'refund_order' and ...`"),
        ("fields come from the tools' input and output schemas and the agent's attributes", found[1].help),
    ]  # fmt: skip
    both = rule.replace("input.amount_usd > 1 or input.nothing", "input.order_id == 'a'")
    (only,) = [d for d in said_of(changed(POLICY, (RULES, RULES + both))) if d.code == "E402"]
    assert only.help == "ask for the tool first: `call.name in ['find_order', 'refund_order']`"


def test_a_let_that_has_nothing_for_a_tool_says_so_where_it_is_read_for_it() -> None:
    lets = "let:\n  fee: {refund_order: params.limit_usd}\n"
    wide = "  - {id: wide, tools: all, effect: deny, when: fee > params.limit_usd}\n"
    narrow = wide.replace("when: ", "when: call.name == 'refund_order' and ")
    (found,) = said_of(changed(POLICY, (RULES, lets + RULES + wide)))
    assert (found.code, found.message) == ("E305", "let `fee` has no entry for the tool")
    assert told(changed(POLICY, (RULES, lets + RULES + narrow))) == []


def test_files_that_are_content_or_say_nothing_of_a_kind_are_no_documents(tmp_path: Path) -> None:
    at = bundle_of(MARKED / "base", tmp_path / "bundle")
    for name in (
        "specs/tools/data.json",
        "prompts/README.md",
        "notes.yaml",
        "docs/policy.yaml",
        ".hidden.yaml",
        "specs/big.json",
    ):
        (at / name).parent.mkdir(exist_ok=True)
        (at / name).write_text("kind: Desk\n" if "docs" not in name else "kind: Policy\n")
    assert load_directory(at).diagnostics == ()


@pytest.mark.parametrize(("path", "right", "wrong", "codes"), [
    (POLICY, "{order_id: input.order_id}", "{order_id: max(input.order_id, input.order_id)}", ["E401"]),
    (POLICY, "{order_id: input.order_id}", "{order_id: first([input.order_id, 'a'])}", ["E102"]),
    (POLICY, "facts:\n  order: {tool: find_order, input: {order_id: input.order_id}, max_age: 60s}\n",
     "facts:\n  order: {tool: find_order, input: {order_id: input.order_id}, max_age: 60s, at_most: len(a, b)}\n", ["E202", "E201"]),
])  # fmt: skip
def test_an_expression_that_a_comma_cuts_is_told_to_stand_in_quotes(
    path: str, right: str, wrong: str, codes: list[str]
) -> None:
    found = told(changed(path, (right, wrong)))
    assert [code for code, _, _ in found] == codes
    assert "quotes" in found[-1][2]


def test_nothing_is_no_word_of_a_list_as_well() -> None:
    for empty in ("", " ~", " null"):
        assert [code for code, _, _ in told(changed(PAY, ("effect: write", f"effect:{empty}")))] == ["E202"]


def test_a_misspelt_field_behind_a_test_of_the_tool_keeps_its_own_help() -> None:
    rule = "  - {id: wide, tools: all, effect: deny, when: call.name == 'refund_order' and input.amout_usd > 1}\n"
    assert [h for _, _, h in told(changed(POLICY, (RULES, RULES + rule)))] == ["did you mean `amount_usd`?"]


def test_what_only_some_tools_lack_is_noted_where_nothing_else_is() -> None:
    rule = (
        "  - {id: wide, tools: [greet, find_order], effect: deny, when: input.who > 1 or call.name == 'find_order'}\n"
    )
    (found,) = [d for d in said_of(changed(POLICY, (RULES, RULES + rule))) if d.code == "E402"]
    assert (found.code, found.note) == ("E402", "for calls of `find_order`, not of `greet`")
    narrow = rule.replace("input.who > 1 or call.name == 'find_order'", "call.name == 'greet' and input.who > 1")
    assert [(d.code, d.note) for d in said_of(changed(POLICY, (RULES, RULES + narrow)))] == [
        ("E403", "for calls of `greet`")
    ]


def test_a_text_that_conditions_before_it_rule_out_is_said_to_be() -> None:
    rule = (
        "  - {id: two, tools: [refund_order], effect: deny, when: order.state == 'open' and order.state == 'shipped'}\n"
    )
    assert [h for _, _, h in told(changed(POLICY, (RULES, RULES + rule)))] == ["the conditions before it rule it out"]


@pytest.mark.parametrize(("schema", "part"), [
    ("{$ref: '#/properties/other'}", "refers to itself"), ("{allOf: [{$ref: '#/properties/other'}]}", "refers to itself"),
    ("{anyOf: [{type: string}, {$ref: '#/properties/other'}]}", "refers to itself"), ("{not: {$ref: '#/properties/other'}}", "refers to itself"),
    ("{type: object, properties: {a: {$ref: '#/properties/other'}}, required: [a]}", "asks for itself"),
    ("{type: array, minItems: 1, items: {$ref: '#/properties/other'}}", "asks for itself"),
])  # fmt: skip
def test_a_schema_that_refers_to_itself_without_end_is_told(schema: str, part: str) -> None:
    found = said_of(changed(PAY, (AMOUNT, f"{AMOUNT}\n    other: {schema}")))
    assert [(d.code, part in d.message, d.on_entry) for d in found] == [("E208", True, True)]


@pytest.mark.parametrize("schema", [
    "{type: object, properties: {a: {$ref: '#/properties/other'}}}", "{type: array, items: {$ref: '#/properties/other'}}",
    "{anyOf: [{type: 'null'}, {type: object, properties: {a: {$ref: '#/properties/other'}}, required: [a]}]}",
    "{$ref: '#/properties/order_id'}",
])  # fmt: skip
def test_a_schema_that_holds_itself_and_ends_is_not(schema: str) -> None:
    assert told(changed(PAY, (AMOUNT, f"{AMOUNT}\n    other: {schema}"))) == []


@pytest.mark.parametrize(("schema", "said"), [
    ("{type: string, default: 5}", True), ("{enum: [a, b], default: c}", True), ("{type: string, pattern: '^a$', default: b}", True),
    ("{type: integer, maximum: 3, default: 9}", True), ("{type: integer, examples: [1, two]}", True), ("{type: integer, default: 3}", False),
    ("{type: object, properties: {a: {type: integer}}, default: {a: b}}", True), ("{default: anything}", False),
    ("{type: integer, examples: [1, 2]}", False), ("{type: object, properties: {default: {type: string}}}", False),
])  # fmt: skip
def test_a_default_fits_its_schema(schema: str, said: bool) -> None:
    assert [code for code, _, _ in told(changed(PAY, (AMOUNT, f"{AMOUNT}\n    other: {schema}")))] == ["W614"] * said
