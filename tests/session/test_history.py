"""Calls judged after a given history: what is recorded is taken as it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from engine.session.judge import CALL, CONFIRMED, FACT_READ, MESSAGE, JudgedCall, PriorEvent, judge_after
from engine.spec.bundle import Bundle
from tests.bundle_texts import agent, bundle, policy, tool
from tests.session.play import START

RULES = """
  - {id: own, tools: [write], effect: allow, when: order.owner == session.tenant}
  - {id: once, tools: [write], effect: deny, when: any(c.input.n == input.n for c in calls.write)}
  - {id: loud, tools: [write], effect: deny, when: len(messages) > 1}
  - {id: sure, tools: [write], effect: require_approval, approvers: [customer]}
"""


def made() -> Bundle:
    return bundle(
        agent("[look, write]", policies="[rules]"),
        policy(RULES, facts="{order: {tool: look, input: {n: input.n}}}"),
        tool("look", output="{type: object, properties: {owner: {type: string}}, required: [owner]}"),
        tool("write", "write", input="{type: object, properties: {n: {type: integer}}, required: [n]}"),
    )


def read(n: int, owner: str) -> PriorEvent:
    return PriorEvent(CALL, "look", {"n": n}, {"owner": owner})


def judged(
    *past: PriorEvent, tool_name: str = "write", session: dict[str, Any] | None = None, **input_: Any
) -> JudgedCall:
    bundle_ = made()
    attributes = {"tenant": "acme"} if session is None else session
    return judge_after(bundle_, bundle_.agents["bot"], past, attributes, tool_name, input_, START)


def test_recorded_reads_are_the_facts_and_a_yes_just_before_answers_the_customers_question() -> None:
    asked = judged(read(1, "acme"), n=1)
    assert (asked.verdict, asked.rules, asked.ask_groups) == ("require_approval", ("sure",), ("customer",))
    assert judged(read(1, "acme"), PriorEvent(CONFIRMED), n=1).ask_groups == ()
    assert judged(PriorEvent(CONFIRMED), read(1, "acme"), n=1).ask_groups == ()
    assert judged(read(1, "other"), n=1).verdict == "deny"
    assert judged(read(1, "other"), read(1, "acme"), n=1).verdict == "require_approval"


def test_a_yes_counts_for_the_next_write_and_for_the_call_that_it_names() -> None:
    other = PriorEvent(CALL, "write", {"n": 2}, {})
    assert judged(read(1, "acme"), PriorEvent(CONFIRMED), other, n=1).ask_groups == ("customer",)
    assert judged(read(1, "acme"), PriorEvent(CONFIRMED, "write", {"n": 1}), n=1).ask_groups == ()
    assert judged(read(1, "acme"), PriorEvent(CONFIRMED, "write", {"n": 2}), n=1).ask_groups == ("customer",)


def test_an_output_is_judged_by_whether_the_planner_may_see_it() -> None:
    rules = "\n  - {id: own, tools: [look], effect: deny, release_unless: output.owner == session.tenant}"
    made_ = bundle(
        agent("[look]", policies="[rules]"),
        policy(rules),
        tool("look", output="{type: object, properties: {owner: {type: string}}, required: [owner]}"),
    )

    def seen(output: Any) -> JudgedCall:
        return judge_after(made_, made_.agents["bot"], [], {"tenant": "acme"}, "look", {}, START, output)

    assert seen({"owner": "acme"}).verdict == "allow"
    assert (seen({"owner": "other"}).verdict, seen({"owner": "other"}).rules) == ("deny", ("own",))
    assert seen(None).errors


def test_what_was_not_read_or_failed_can_not_be_known() -> None:
    nothing = judged(n=1)
    assert nothing.verdict == "deny"
    assert "was not read before" in nothing.errors[0]
    failed = judged(PriorEvent(CALL, "look", {"n": 1}, None, "not found"), n=1)
    assert "not found" in failed.errors[0]


def test_recorded_calls_and_messages_are_the_history() -> None:
    done = PriorEvent(CALL, "write", {"n": 1}, {})
    assert judged(read(1, "acme"), done, n=1).rules == ("once",)
    assert (
        judged(read(1, "acme"), PriorEvent(CALL, "write", {"n": 1}, None, "failed"), n=1).verdict == "require_approval"
    )
    assert judged(read(1, "acme"), PriorEvent(MESSAGE, text="a"), PriorEvent(MESSAGE, text="b"), n=1).rules == ("loud",)
    assert judged(read(1, "acme"), PriorEvent(CALL, "unheard_of", {}, {}), n=1).verdict == "require_approval"


def test_all_reads_that_are_missing_are_named_at_once_and_each_once() -> None:
    order = "{tool: look, input: {n: input.n}}"
    rules = """
  - {id: own, tools: [write], effect: allow, when: order.n == same.n and next.n == other.n}
"""
    made_ = bundle(
        agent("[look, write]", policies="[rules]"),
        policy(rules, facts=f"{{order: {order}, same: {order}, other: {{tool: count, input: {{}}}}, "
               "next: {tool: look, input: {n: order.n}}}"),
        tool("look", output="{type: object, properties: {n: {type: integer}}, required: [n]}"),
        tool("count", output="{type: object, properties: {n: {type: integer}}, required: [n]}"),
        tool("write", "write"),
    )  # fmt: skip

    def needs(*past: PriorEvent) -> tuple[Any, ...]:
        return judge_after(made_, made_.agents["bot"], past, {"tenant": "acme"}, "write", {"n": 1}, START).needs

    first = needs()
    assert first == (("count", {}), ("look", {"n": 1}))
    assert judged(n=1).payload()["needs"] == [{"tool": "look", "args": {"n": 1}}]
    one, two = PriorEvent(CALL, "look", {"n": 1}, {"n": 2}), PriorEvent(FACT_READ, "count", {}, {"n": 1})
    assert needs(one, two) == (("look", {"n": 2}),), "what depends on others is known when they are"
    assert needs(one, two, PriorEvent(FACT_READ, "look", {"n": 2}, None, "not found")) == ()


def test_a_result_that_can_not_be_judged_needs_what_its_rule_reads() -> None:
    rules = "\n  - {id: own, tools: [look], effect: deny, release_unless: output.n == most.n}"
    number = "{type: object, properties: {n: {type: integer}}, required: [n]}"
    made_ = bundle(
        agent("[look]", policies="[rules]"), policy(rules, facts="{most: {tool: count, input: {}}}"),
        tool("look", output=number), tool("count", output=number),
    )  # fmt: skip
    found = judge_after(made_, made_.agents["bot"], [], {"tenant": "acme"}, "look", {}, START, {"n": 1})
    assert (found.verdict, found.rules, found.needs) == ("deny", ("own",), (("count", {}),))


def test_a_read_of_the_runtimes_own_is_a_fact_and_no_call() -> None:
    rules = """
  - {id: own, tools: [write], effect: allow, when: order.owner == session.tenant}
  - {id: called, tools: [write], effect: deny, unless: len(calls.look) == 0 and budget.calls.used == 1}
  - {id: seen, tools: [write], effect: deny, unless: len(seen.look) == 2 and budget.fact_reads.used == 3}
  - {id: first, tools: [write], effect: deny, unless: step.number == 1}
"""
    output = "{type: object, properties: {owner: {type: string}}, required: [owner]}"
    made_ = bundle(
        agent("[look, write]", policies="[rules]"), policy(rules, facts="{order: {tool: look, input: {n: input.n}}}"),
        tool("look", output=output), tool("write", "write"),
    )  # fmt: skip
    past = [PriorEvent(FACT_READ, "look", {"n": n}, {"owner": "acme"}) for n in (1, 2)]
    past.append(PriorEvent(FACT_READ, "look", {"n": 3}, None, "not found"))
    found = judge_after(made_, made_.agents["bot"], past, {"tenant": "acme"}, "write", {"n": 1}, START)
    assert (found.verdict, found.rules) == ("allow", ("own",))
    failed = judge_after(made_, made_.agents["bot"], past, {"tenant": "acme"}, "write", {"n": 3}, START)
    assert (failed.verdict, failed.needs, "not found" in failed.errors[0]) == ("deny", (), True)


def test_an_approval_that_was_given_is_satisfied() -> None:
    assert judged(read(1, "acme"), PriorEvent(CONFIRMED), n=1).satisfied
    assert not judged(read(1, "acme"), n=1).satisfied
    assert not judged(read(1, "other"), n=1).satisfied


def test_what_can_not_be_called_is_denied_with_its_reason() -> None:
    assert "no tool" in judged(tool_name="nothing").errors[0]
    assert judged(n="one").verdict == "deny"
    assert judged(session={}, n=1).errors


def test_a_judgement_is_plain_json() -> None:
    assert judged(read(1, "acme"), n=1).payload() == {
        "verdict": "require_approval", "rules": ["sure"], "approvers": ["customer"], "satisfied": False, "errors": [],
    }  # fmt: skip


def test_what_was_learnt_first_is_what_came_first_whatever_the_tool() -> None:
    text = "{type: string}"
    rules = """
  - {id: own, tools: [write], effect: allow, when: who == 'ada'}
  - {id: one-call, tools: [write], effect: deny, unless: len(step.calls) == 1 and step.number == 3}
  - {id: late, tools: [write], effect: deny, when: "now - calls.two[0].at < duration('1h')"}
  - {id: left, tools: [write], effect: deny, unless: budget.calls.limit == 7 and budget.calls.used == 3}"""
    path, policy_ = policy(rules)
    made_ = bundle(
        agent("[one, two, write]", policies="[rules]", budgets="{calls: 7}"),
        (path, policy_.replace("rules:\n", "uses: [w]\nrules:\n", 1)),
        ("specs/vocabularies/w.yaml", """kind: Vocabulary
name: w
established: {who: {type: string, from: [{call: one, value: output}, {call: two, value: output}]}}
"""),
        tool("one", output=text), tool("two", output=text), tool("write", "write"),
    )  # fmt: skip
    early = START - timedelta(hours=2)
    past = [PriorEvent(CALL, "two", {}, "ada", at=early), PriorEvent(CALL, "one", {}, "bela")]
    judged_ = judge_after(made_, made_.agents["bot"], past, {"tenant": "acme"}, "write", {}, START)
    assert (judged_.verdict, judged_.rules) == ("allow", ("own",))


def test_a_yes_to_this_very_call_outlives_other_writes_and_is_used_once() -> None:
    yes = PriorEvent(CONFIRMED, "write", {"n": 1})
    other, same = PriorEvent(CALL, "write", {"n": 2}, {}), PriorEvent(CALL, "write", {"n": 1}, None, "failed")
    assert judged(read(1, "acme"), yes, other, n=1).ask_groups == ()
    assert judged(read(1, "acme"), yes, same, n=1).ask_groups == ("customer",)


def test_a_let_that_spells_out_more_than_a_condition_may_go_over_has_no_value() -> None:
    bundle_ = bundle(
        agent("[write]", policies="[rules]"),
        policy(
            "  - {id: own, tools: [write], effect: allow, when: len(square) > 0}\n"
            "let: {square: '[input.ns for n in input.ns]'}"
        ),
        tool(
            "write",
            "write",
            input="{type: object, properties: {ns: {type: array, maxItems: 1000, items: {type: integer}}}, required: [ns]}",
        ),
    )
    few, many = (
        judge_after(bundle_, bundle_.agents["bot"], (), {"tenant": "acme"}, "write", {"ns": list(range(n))}, START)
        for n in (10, 1_000)
    )
    assert few.rules == ("own",)
    assert many.verdict == "deny"
    assert "more data than a condition may go over" in many.errors[0]


def test_what_the_gate_says_of_marked_values_names_none() -> None:
    marked = "{type: string, x-sensitive: true}"
    path, text = agent("[look, write]", policies="[rules]")
    text = text.replace("description: bot\n", "description: bot\nsealed_with: ${secret:KEY}\n", 1)
    facts = "{order: {tool: look, input: {who: session.tenant, note: input.note}}}"
    given = f"{{type: object, properties: {{who: {marked}, note: {{type: string}}}}, required: [who]}}"
    made_ = bundle(
        (path, text.replace("tenant: {type: string}", f"tenant: {marked}")),
        policy("\n  - {id: own, tools: [write], effect: allow, when: order.owner == session.tenant}", facts=facts),
        tool("look", input=given, output="{type: object, properties: {owner: {type: string}}, required: [owner]}"),
        tool("write", "write", input="{type: object, properties: {note: {type: string}}, required: [note]}"),
    )
    for tenant in ("xy", "canary-tenant"):
        came = judge_after(made_, made_.agents["bot"], (), {"tenant": tenant}, "write", {"note": f"of {tenant}"}, START)
        assert came.needs == (
            ("look", {"who": "[sensitive]", "note": "of xy" if tenant == "xy" else "of [sensitive]"}),
        )
        assert "canary" not in str(came)
        assert '"who":"[sensitive]"' in came.errors[0]
