"""What reads as if it protected or proved something, and does not, is told when a bundle enters."""

from __future__ import annotations

import json

import pytest

from engine.bundle.load import load_stored
from tests.marked_base import BASE, CLERK, FIND, PAY, POLICY, changed, said_of, with_when

BYE = "fixtures/bye.yaml"
LEADS = "specs/reviewers/leads.yaml"
EXPECTS = "  state: done\n  outcome: answered\n"
STUB = '{found: false, total_usd: 0, placed_at: "2026-01-01T00:00:00Z", state: open}}'
WHEN = "when: input.amount_usd > params.limit_usd"
AMOUNT = "amount_usd: {type: number}"
METER = "meters: {paid: {sum: input.amount_usd, over: [refund_order], limit: 9, per: session.shop, window: 1h}}"


def codes(files: dict[str, str]) -> list[str]:
    return [d.code for d in said_of(files)]


def with_rule(tools: str, effect: str = "deny", more: str = "") -> dict[str, str]:
    rule = f"  - {{id: more, tools: {tools}, effect: {effect}{more}}}\n"
    return {POLICY: BASE[POLICY] + rule}


@pytest.mark.parametrize("span", ["0s", "0.0s", "00h", "0.000000d", "0ms", "0.0004ms"])
@pytest.mark.parametrize(("path", "old", "new"), [
    (FIND, "effect: read\n", "effect: read\ntimeout: SPAN\n"), (PAY, "  honoured_by: tool\n", "  honoured_by: tool\n  window: SPAN\n"),
    (CLERK, "wall_clock: 1m", "wall_clock: SPAN"), (CLERK, "wall_clock: 1m", "step_time: SPAN"),
    (CLERK, "wall_clock: 1m", "expires: {approval: SPAN}"), (CLERK, "wall_clock: 1m", METER.replace("1h", "SPAN")),
    (BYE, EXPECTS, EXPECTS + "then:\n  - work: {dies_after: SPAN}\n"),
])  # fmt: skip
def test_a_time_of_nothing_is_refused_where_it_would_protect_nothing(path: str, old: str, new: str, span: str) -> None:
    found = said_of(changed(path, (old, new.replace("SPAN", span))))
    assert [(d.code, d.message.rpartition("` ")[2], d.on_entry) for d in found] == [
        ("E206", "must be more than 0", True)
    ]
    assert codes(changed(path, (old, new.replace("SPAN", "1s")))) in ([], ["W607"])


@pytest.mark.parametrize(("path", "old", "new"), [
    (CLERK, "wall_clock: 1m", "grace: 0s"), (POLICY, "max_age: 60s", "max_age: 0s"),
    (BYE, "stubs:\n", "stubs:\n  greet: {after: 0s, output: {text: hi}}\n"), (CLERK, "wall_clock: 1m", "calls_per_tool: {greet: 0}"),
])  # fmt: skip
def test_nothing_is_taken_where_it_says_something(path: str, old: str, new: str) -> None:
    assert codes(changed(path, (old, new))) == []


@pytest.mark.parametrize(("path", "old", "new"), [
    (CLERK, "wall_clock: 1m", METER.replace("sum: input.amount_usd", "sum: 0")),
    (CLERK, "wall_clock: 1m", METER.replace("sum: input.amount_usd", "sum: -5")), (LEADS, "members: [", "members: ['', "),
    (BYE, EXPECTS, "  ran: [{tool: greet, times: -1}]\n"), (BYE, EXPECTS, "  steps_at_most: 0\n"),
])  # fmt: skip
def test_a_bound_that_bounds_nothing_is_refused_when_it_enters(path: str, old: str, new: str) -> None:
    files = changed(path, (old, new))
    assert [(d.code, d.on_entry) for d in said_of(files) if d.severity == "error"] == [("E206", True)]
    assert load_stored({name: text.encode() for name, text in {**BASE, **files}.items()}).bundle is not None


@pytest.mark.parametrize(("expects", "said"), [
    ("  ran: []\n  rows: []\n", True), ("  message_contains: ['']\n", True), ("  events: [{}]\n", True),
    ("  calls: []\n  requests: []\n", False), ("  never_ran: [greet]\n", False), ("  exit_code: 0\n  ran: []\n", False),
    ("  message_contains: ['', Bye]\n", False), ("  events: [{kind: verdict}]\n", False), ("  calls: [{tool: greet}]\n", False),
])  # fmt: skip
def test_an_expectation_that_can_not_fail_is_refused(expects: str, said: bool) -> None:
    found = [d for d in said_of(changed(BYE, (EXPECTS, expects))) if d.code == "E206"]
    assert [d.on_entry for d in found] == [True] * said


@pytest.mark.parametrize(("stub", "said"), [
    ("{output: {found: true}}", True), ("{calls: [{input: {order_id: a}, output: {found: 1}}]}", True), ("{output: null}", True),
    ("{error: down}", False), ("{after: 9s}", False), ("{error: down, fails: 1, output: {found: 1}}", True),
    ("{calls: [{input: {order_id: a}, error: down}]}", False),
])  # fmt: skip
def test_a_stub_gives_what_its_tool_can_give(stub: str, said: bool) -> None:
    assert codes(changed(BYE, ("{output: " + STUB[:-1] + "}", stub))) == ["W622"] * said


STUBBED = "{calls: [{input: %s, error: down}]}"


@pytest.mark.parametrize(("given", "place"), [
    ("{ordr_id: a}", "ordr_id"), ("{order_id: 5}", "order_id"), ("{order_id: a, zzz: 1, ordr_id: 2}", "zzz ordr_id"),
    ("{order_id: a}", ""), ("{}", ""),
])  # fmt: skip
@pytest.mark.parametrize("confirmed", [False, True])
def test_an_input_of_a_fixture_is_one_that_a_call_can_have(given: str, place: str, confirmed: bool) -> None:
    if confirmed:
        # a yes is to a whole call
        given = given.replace("order_id: a", "order_id: a, amount_usd: 5")
        text = f"{BASE[BYE]}then:\n  - confirmed: {{tool: refund_order, input: {given}}}\n"
        place = "{}" if given == "{}" else place
    else:
        text = BASE[BYE].replace("{output: " + STUB[:-1] + "}", STUBBED % given)
    files = {BYE: text}
    found = [d for d in said_of(files) if d.severity == "error"]
    assert [(d.code, d.on_entry) for d in found] == [("E509", True)] * len(found)
    lines = text.splitlines()
    assert " ".join(lines[d.place.line - 1][d.place.column - 1 : d.place.end_column - 1] for d in found) == place
    assert load_stored({name: text.encode() for name, text in {**BASE, **files}.items()}).bundle is not None


@pytest.mark.parametrize(("tools", "code"), [
    ("[]", "E519"), ("[greet], except: [greet]", "E519"), ("writes, except: [refund_order]", "E519"),
    ("reads, except: [find_order]", ""), ("[greet]", ""), ("all", ""),
])  # fmt: skip
@pytest.mark.parametrize("effect", ["deny", "allow", "require_approval, approvers: [leads]"])
def test_a_rule_covers_some_tool(tools: str, code: str, effect: str) -> None:
    found = said_of(with_rule(tools, effect))
    assert [(d.code, d.on_entry) for d in found if d.severity == "error"] == ([(code, True)] if code else [])


def test_a_rule_that_names_a_tool_that_can_not_be_read_is_not_at_fault() -> None:
    assert codes({**with_rule("writes, except: [refund_order]"), PAY: "kind: Tool\nname: refund_order\n: :\n"}) == [
        "E102"
    ]
    assert codes(with_rule("[gret]")) == ["E302"]


def test_a_rule_over_a_kind_of_which_its_agents_have_none_is_told() -> None:
    write = (
        BASE[PAY]
        .replace("name: refund_order", "name: other")
        .replace("idempotency:\n  key: [input.order_id]\n", "idempotency:\n  key: [input.order_id]\n")
    )
    found = codes({**with_rule("writes, except: [refund_order]"), "specs/tools/other.yaml": write})
    assert found == ["W611", "W605"]


@pytest.mark.parametrize("condition", [
    "false", "not true", "order.total_usd > 50 and order.total_usd < 20", "order.total_usd > 5 and not order.total_usd > 5",
    "order.total_usd >= 5 and 5 > order.total_usd", "order.found and false",
    "not (order.total_usd <= 5 or order.total_usd > 5)",
])  # fmt: skip
def test_a_condition_that_contradicts_itself_is_refused(condition: str) -> None:
    found = [d for d in said_of(with_when(condition)) if d.severity == "error"]
    assert [(d.code, d.on_entry) for d in found] == [("E516", True)]


@pytest.mark.parametrize("condition", [
    "input.order_id == 'a' and input.order_id == 'b'", "input.order_id in ['a', 'c'] and not input.order_id != 'b'",
    "order.total_usd == 5 and order.total_usd > 7", "5 < order.total_usd < 3", "order.total_usd == 5 and order.total_usd != 5.0",
    "order.found and (order.total_usd > 9 and order.total_usd < 3 or order.total_usd == 1 and order.total_usd == 2)",
])  # fmt: skip
def test_constants_that_exclude_each_other_are_known_however_they_are_compared(condition: str) -> None:
    assert "E516" in codes(with_when(condition.replace("'", '"')))


def with_promise(never: str) -> dict[str, str]:
    return {POLICY: BASE[POLICY] + f"guarantees:\n  - {{id: promise, never: {json.dumps(never)}}}\n"}


@pytest.mark.parametrize("never", [
    "false", "not true", "verdict != 'deny' and input.amount_usd > 250 and input.amount_usd < 100",
    "call.name == 'greet' and call.name == 'refund_order'", "true and not (verdict == 'deny' or verdict != 'deny')",
])  # fmt: skip
def test_a_guarantee_that_contradicts_itself_is_refused(never: str) -> None:
    found = said_of(with_promise(never))
    assert [(d.code, d.on_entry) for d in found if d.severity == "error"] == [("E516", True)]
    assert load_stored({n: x.encode() for n, x in {**BASE, **with_promise(never)}.items()}).bundle is not None


@pytest.mark.parametrize("never", [
    "verdict == 'allow' and call.name == 'refund_order'", "call.name == 'find_order' and verdict == 'deny'", "verdict in ['allow', 'deny']",
])  # fmt: skip
def test_one_that_a_verdict_can_break_is_not(never: str) -> None:
    assert [d.code for d in said_of(with_promise(never)) if d.severity == "error"] == []


def with_release(release: str) -> dict[str, str]:
    return with_rule("[find_order]", more=f", release_unless: {json.dumps(release)}")


@pytest.mark.parametrize(
    "release", ["true", "not false", "output.found or true", "output.found or not output.found", "3 > 2 or true"]
)
def test_a_rule_that_withholds_nothing_is_refused(release: str) -> None:
    found = said_of(with_release(release))
    assert [(d.code, d.on_entry) for d in found if d.severity == "error"] == [("E516", True)]


@pytest.mark.parametrize("release", ["output.found", "output.total_usd > 1 or output.total_usd < 0", "false"])
def test_one_that_may_withhold_is_not(release: str) -> None:
    assert [d.code for d in said_of(with_release(release)) if d.severity == "error"] == []


@pytest.mark.parametrize("value", ["false", "true", "0", "1.5", "[true]", "['false']", "yes"])
@pytest.mark.parametrize("key", ["never", "release_unless"])
def test_no_help_offers_a_condition_that_always_comes_out_the_same(key: str, value: str) -> None:
    promise = {POLICY: BASE[POLICY] + f"guarantees:\n  - {{id: promise, never: {value}}}\n"}
    files = promise if key == "never" else with_rule("[find_order]", more=f", release_unless: {value}")
    (found,) = [d for d in said_of(files) if d.severity == "error"]
    assert value.strip("[]'") not in found.help


@pytest.mark.parametrize("condition", [
    "order.total_usd > 20 and order.total_usd < 50", "order.total_usd > 50 or order.total_usd < 20", "params.off",
    "order.total_usd > params.high and order.total_usd < params.low", "order.total_usd >= 5 and order.total_usd <= 5",
])  # fmt: skip
def test_one_that_a_dial_decides_or_that_can_be_met_is_not(condition: str) -> None:
    found = said_of(with_when(condition, params="  off: false\n  high: 50\n  low: 20\n"))
    assert [d.code for d in found if d.severity == "error"] == []


@pytest.mark.parametrize(("bounds", "condition", "said"), [
    ("maximum: 60", "input.amount_usd > 100", True), ("maximum: 60", "input.amount_usd > 60", True), ("maximum: 60", "input.amount_usd >= 60", False),
    ("exclusiveMaximum: 60", "input.amount_usd >= 60", True), ("minimum: 0", "input.amount_usd < 0", True), ("minimum: 0", "0 > input.amount_usd", True),
    ("exclusiveMinimum: 0", "input.amount_usd <= 0", True), ("minimum: 0", "input.amount_usd <= 0", False), ("maximum: 60", "not input.amount_usd <= 70", True),
    ("exclusiveMinimum: 0", "input.amount_usd == 0", True), ("exclusiveMinimum: 0", "input.amount_usd in [0, -1]", True),
    ("maximum: 60", "60 < input.amount_usd < 70", True), ("maximum: 60, minimum: 0", "input.amount_usd > 60 or input.amount_usd < 0", True),
    ("allOf: [{maximum: 60}]", "input.amount_usd > 60", True), ("enum: [5, 10]", "input.amount_usd > 10", True), ("const: 5", "input.amount_usd < 5", True),
    ("maximum: 60", "input.amount_usd in [60, 70]", False), ("maximum: 60", "not 50 < input.amount_usd <= 60", False), ("anyOf: [{maximum: 60}]", "input.amount_usd > 60", False),
    ("maximum: 60", "input.amount_usd > 100 or order.found", False), ("maximum: 60", "order.total_usd > 100", False),
])  # fmt: skip
def test_a_condition_beyond_the_bounds_of_a_schema_is_told(bounds: str, condition: str, said: bool) -> None:
    files = {
        **changed(PAY, (AMOUNT, f"amount_usd: {{type: number, {bounds}}}")),
        **changed(POLICY, (WHEN, f"when: '{condition}'"), ("limit_usd: 100", "limit_usd: 10")),
    }
    assert [code for code in codes(files) if code not in ("W613", "E306")] == ["W621"] * said


def test_a_bound_in_a_let_is_known() -> None:
    files = {
        **changed(PAY, (AMOUNT, "amount_usd: {type: number, maximum: 60}")),
        POLICY: changed(POLICY, (WHEN, "when: large"))[POLICY] + "let: {large: input.amount_usd > params.limit_usd}\n",
    }
    assert [code for code in codes(files) if code != "W613"] == ["W621"]


def test_the_bounds_of_a_fact_are_known_too() -> None:
    files = {
        **changed(FIND, ("total_usd: {type: number}", "total_usd: {type: number, minimum: 0}")),
        **changed(POLICY, (WHEN, "when: order.total_usd < 0")),
    }
    assert codes(files) == ["W621"]


@pytest.mark.parametrize(
    "always", ["true", "not false", "len(calls.greet) >= 0", "step.number >= 1 or false", "true and step.number > 0"]
)
def test_an_outcome_behind_one_that_always_holds_is_told(always: str) -> None:
    first = "stop:\n  - {outcome: first, when: '" + always + "', message: First}\n"
    assert set(codes(changed(CLERK, ("stop:\n", first)))) - {"W609"} == {"W608"}


@pytest.mark.parametrize("sometimes", ["len(calls.greet) > 0", "step.number > 1", "true and len(calls.greet) > 0"])
def test_one_behind_another_is_not(sometimes: str) -> None:
    first = "stop:\n  - {outcome: first, when: '" + sometimes + "', message: First}\n"
    assert codes(changed(CLERK, ("stop:\n", first))) == ["W609"]


@pytest.mark.parametrize(("condition", "said"), [("true", True), ("step.number > 0", True), ("step.number > 1", False)])
def test_a_row_behind_one_that_always_holds_is_told(condition: str, said: bool) -> None:
    first = f"rows:\n      - {{when: {condition}, message: Wait}}\n"
    assert codes(changed(CLERK, ("rows:\n", first))) == ["W623"] * said


def test_a_condition_that_never_changes_is_told_behind_the_name_of_a_let_too() -> None:
    lets = "let: {ever: started and not false, never: greeted and len(calls.greet) < 0, greeted: len(calls.greet) > 0, started: step.number > 0}"
    row = ("rows:\n", "rows:\n      - {when: ever and ever, message: Wait}\n")
    assert codes(changed(CLERK, row, ("planners:\n", f"{lets}\nplanners:\n"))) == ["W623"]
    stop = ("stop:\n", "stop:\n  - {outcome: first, when: never and never, message: First}\n")
    assert codes(changed(CLERK, stop, ("planners:\n", f"{lets}\nplanners:\n"))) == ["W608", "W609"]


@pytest.mark.parametrize("key", ["as: found", "at_most: 5"])
def test_what_is_of_a_fact_for_each_of_several_is_refused_elsewhere(key: str) -> None:
    files = changed(POLICY, ("max_age: 60s", f"max_age: 60s, {key}"))
    found = [d for d in said_of(files) if d.severity == "error"]
    assert [(d.code, d.on_entry) for d in found] == [("E206", True)]


def test_a_rule_whose_exception_always_holds_never_matches() -> None:
    found = said_of(with_rule("[greet]", more=", unless: true"))
    assert [(d.code, d.on_entry) for d in found] == [("E516", True)]


@pytest.mark.parametrize("text", ["''", "'   '", "'.'", "'-'", '"\\u200b"'])
@pytest.mark.parametrize(("path", "old", "new"), [
    (POLICY, 'message: "Above {{ params.limit_usd }}"', "message: %s"), (CLERK, 'message: "Too slow"', "message: %s"),
    (CLERK, 'message: "Paid back by {{ session.shop }}"', "message: %s"),
    (CLERK, "planners:\n", "texts: {no_message: %s}\nplanners:\n"),
])  # fmt: skip
def test_a_message_that_is_written_and_says_nothing_is_refused(path: str, old: str, new: str, text: str) -> None:
    files = changed(path, (old, new % text))
    assert [(d.code, d.on_entry) for d in said_of(files) if d.severity == "error"] == [
        # an empty one of `texts` never was one
        ("E206", not ("texts" in new and text == "''"))
    ]
