"""The words of a policy at work: lets, facts for each of several things, what was learnt, vocabularies."""

from __future__ import annotations

from engine.policy.bindings import Bindings
from engine.policy.rule import PolicyRules
from engine.session.state import inputs
from engine.session.state.state import Phase
from engine.spec.bundle import Bundle
from tests.bundle_texts import agent, bundle, policy, reviewers, tool
from tests.session.play import Play, call

ORDER = (
    "{type: object, properties: {found: {type: boolean}, owner: {type: [string, 'null']}, placed: {type: string}, "
    "items: {type: array, maxItems: 5, items: {type: object, properties: {sku: {type: string}, "
    "price: {type: number}}, required: [sku, price]}}}, required: [found, owner, placed, items]}"
)
STOCK = "{type: object, properties: {left: {type: integer}}, required: [left]}"
USER = "{type: object, properties: {user_id: {type: [string, 'null']}}, required: [user_id]}"
SKU = "{type: object, properties: {sku: {type: string}}, required: [sku]}"
ID = "{type: object, properties: {order_id: {type: string}, n: {type: integer}}, required: [order_id]}"

VOCABULARY = """kind: Vocabulary
name: shop
session: {tenant: string, since: date?}
established:
  customer: {type: string, from: [{call: find_user, value: output.user_id}]}
  broken: {type: string, from: [{call: find_user, value: "[output.user_id][3]"}]}
  newest: {type: string, keep: last, from: [session.tenant, {call: find_user, value: output.user_id}]}
params:
  window: 24h
  fees: {small: 1, large: 5}
facts:
  order: {tool: get_order, input: {order_id: input.order_id}}
  stock: {tool: get_stock, input: {sku: item.sku}, for_each: {item: "order.items"}, as: state, at_most: 3}
let:
  own: customer != null and order.owner == customer
  total: sum(i.price for i in order.items)
  fee: {cancel: params.fees.small, ship: "params.fees['large']"}
"""


def made(rules: str, more: str = "", vocabulary: str = VOCABULARY) -> Bundle:
    attributes = (
        "kind: Agent\nname: bot\ndescription: bot\nplanner: script\n"
        "planners:\n  script: {kind: scripted, decisions: [{message: hi, done: true}]}\n"
        "tools: [cancel, ship, find_user]\npolicies: [rules]\n"
        "attributes: {type: object, properties: {tenant: {type: string}, since: {type: string}}, required: [tenant]}\n"
        "stop:\n  - {outcome: answered, message: bye}\n"
    )
    path, text = policy(rules)
    return bundle(
        (agent("[]")[0], attributes),
        (path, text.replace("params: {}\nfacts: {}", f"uses: [shop]\n{more}")),
        ("specs/vocabularies/shop.yaml", vocabulary),
        tool("cancel", "write", input=ID),
        tool("ship", "write", input=ID),
        tool("find_user", input="{type: object, properties: {email: {type: string}}}", output=USER),
        tool("get_order", input=ID, output=ORDER),
        tool("get_stock", input=SKU, output=STOCK),
    )


def order(owner: str | None = "ada", *prices: int) -> dict[str, object]:
    items = [{"sku": f"s{n}", "price": price} for n, price in enumerate(prices)]
    return {"found": True, "owner": owner, "placed": "2026-01-01", "items": items}


def learn(play: Play, id_: str, user: str | None) -> None:
    play.plan(call(id_, "find_user", email="x"))
    play.pass_time(1)
    play.returns(id_, {"user_id": user})


def test_what_is_learnt_first_is_kept_and_null_until_then() -> None:
    play = Play(made("  - {id: own, tools: [cancel], effect: allow, when: own}"))
    play.plan(call("early", "cancel", order_id="o"))
    play.read(order())
    assert play.result("early") == ("blocked", "no_rule_allows")
    learn(play, "a", None)
    learn(play, "b", "ada")
    learn(play, "c", "bela")
    play.plan(call("mine", "cancel", order_id="o"))
    play.read(order("ada"))
    assert play.running == ["mine"]
    play.returns("mine")
    play.plan(call("other", "cancel", order_id="p"))
    play.read(order("bela"))
    assert play.result("other") == ("blocked", "no_rule_allows")


def test_what_is_learnt_last_replaces_what_was_there() -> None:
    play = Play(made("  - {id: last, tools: [cancel], effect: allow, when: newest == 'bela'}"))
    play.plan(call("early", "cancel", order_id="o"))
    assert play.result("early")[0] == "blocked"
    learn(play, "a", "ada")
    learn(play, "b", "bela")
    play.plan(call("now", "cancel", order_id="o"))
    assert play.running == ["now"]


def test_a_fact_for_each_of_several_things_is_read_in_a_second_wave_and_gives_a_list_of_records() -> None:
    rules = "  - {id: all-in-stock, tools: [ship], effect: allow, when: all(s.state.left > 0 for s in stock)}"
    play = Play(made(rules))
    play.plan(call("a", "ship", order_id="o"))
    assert play.reading == ["get_order"]
    play.read(order("ada", 5, 6), until=1)
    assert play.reading == ["get_stock", "get_stock"]
    play.read({"left": 1})
    assert play.running == ["a"]
    assert play.state.used.fact_reads == 3


def test_a_fact_of_more_things_than_declared_is_an_error_and_fails_closed() -> None:
    rules = "  - {id: all-in-stock, tools: [ship], effect: allow, when: all(s.state.left > 0 for s in stock)}"
    play = Play(made(rules))
    play.plan(call("a", "ship", order_id="o"))
    play.read(order("ada", 1, 2, 3, 4))
    assert play.result("a")[0] == "blocked"
    verdict = next(e for e in reversed(play.log) if e.kind == "verdict")
    assert "more than 3" in verdict.payload["rules"][0]["error"]


def test_a_thing_that_can_not_be_read_makes_its_fact_unreadable() -> None:
    rules = "  - {id: all-in-stock, tools: [ship], effect: allow, when: all(s.state.left > 0 for s in stock)}"
    play = Play(made(rules))
    play.plan(call("a", "ship", order_id="o"))
    play.read(order("ada", 1), until=1)
    play.read(problem="the line is down")
    assert play.result("a")[0] == "blocked"


def test_a_let_may_mean_something_else_for_each_tool() -> None:
    rules = "  - {id: cheap, tools: [cancel, ship], effect: allow, when: fee < 3 and total > 0}"
    play = Play(made(rules))
    play.plan(call("a", "cancel", order_id="o"))
    play.read(order("ada", 4))
    play.returns("a")
    play.plan(call("b", "ship", order_id="o"))
    play.read(order("ada", 4))
    assert play.result("b")[0] == "blocked"


def test_a_let_without_a_value_fails_closed() -> None:
    more = "let: {ratio: 1 / (total - total)}\n"
    play = Play(made("  - {id: odd, tools: [cancel], effect: allow, when: ratio > 0}", more))
    play.plan(call("a", "cancel", order_id="o"))
    play.read(order("ada", 4))
    assert play.result("a")[0] == "blocked"


def test_an_attribute_is_read_as_the_vocabulary_says_it_is() -> None:
    rules = "  - {id: old, tools: [cancel], effect: allow, when: session.since != null and session.since < date(now)}"
    play = Play(made(rules), tenant="acme", since="2020-05-01")
    play.plan(call("a", "cancel", order_id="o"))
    assert play.running == ["a"]
    for since in ("2030-05-01", "someday"):
        other = Play(made(rules), tenant="acme", since=since)
        other.plan(call("a", "cancel", order_id="o"))
        assert other.result("a")[0] == "blocked"


def test_an_attribute_that_is_absent_stays_null_and_a_source_without_a_value_teaches_nothing() -> None:
    rules = "  - {id: none, tools: [cancel], effect: allow, when: session.since == null and broken == null}"
    play = Play(made(rules))
    learn(play, "a", "ada")
    play.plan(call("c", "cancel", order_id="o"))
    assert play.running == ["c"]


def test_a_second_wave_begins_while_the_first_is_still_under_way() -> None:
    more = "facts: {other: {tool: get_order, input: {order_id: session.tenant}}}\n"
    rules = (
        "  - {id: both, tools: [ship], effect: allow,"
        " when: other.found and all(s.state.left > 0 for s in stock) and len(step.calls) == 1}"
    )
    play = Play(made(rules, more))
    play.plan(call("a", "ship", order_id="o"))
    first = [e for e in play.effects if e.input["order_id"] == "o"]  # type: ignore[union-attr]
    play.say(inputs.FactReturned(first[0].fact_key, first[0].gate, order("ada", 1), play.now, play.now))  # type: ignore[union-attr]
    assert sorted(play.reading) == ["get_order", "get_stock"]
    rest = {e.tool: e for e in play.effects}  # type: ignore[union-attr]
    for name, output in (("get_stock", {"left": 1}), ("get_order", order())):
        play.say(inputs.FactReturned(rest[name].fact_key, rest[name].gate, output, play.now, play.now))  # type: ignore[union-attr]
    assert play.running == ["a"]
    assert play.state.used.fact_reads == 3


def test_durations_and_tables_of_a_vocabulary_are_params() -> None:
    rules = (
        "  - {id: quick, tools: [cancel], effect: allow,"
        " when: now - datetime(order.placed) <= params.window and params.fees.small == 1}"
    )
    play = Play(made(rules))
    play.plan(call("a", "cancel", order_id="o"))
    play.read(order())
    assert play.running == ["a"]


def test_rules_that_need_no_fact_are_judged_before_anything_is_read() -> None:
    rules = (
        "  - {id: no, tools: [cancel], effect: deny, when: input.order_id == 'bad'}\n"
        "  - {id: own, tools: [cancel], effect: allow, when: own}"
    )
    play = Play(made(rules))
    play.plan(call("a", "cancel", order_id="bad"))
    assert play.reading == []
    assert play.result("a") == ("blocked", "no")


def test_the_verdict_shows_the_words_that_a_rule_read() -> None:
    play = Play(made("  - {id: own, tools: [cancel], effect: allow, when: total > 3 and own}"))
    learn(play, "b", "ada")
    play.plan(call("a", "cancel", order_id="o"))
    play.read(order("ada", 4))
    verdict = next(e for e in reversed(play.log) if e.kind == "verdict")
    assert verdict.payload["rules"][0]["values"] == {"total": 4, "own": True}


# -- history, declared arguments, withheld results, a yes beforehand


def small(rules: str, *tools_: tuple[str, str], offered: str = "[look, write]") -> Bundle:
    return bundle(
        agent(offered, policies="[rules]"),
        policy(rules, facts="{fact: {tool: look, input: {n: input.n}}}"),
        tool("look", output="{type: object, properties: {owner: {type: string}}, required: [owner]}"),
        tool("write", "write"),
        reviewers("leads", "[ana]"),
        *tools_,
    )


ASKED = """
  - {id: open, tools: [write], effect: allow}
  - {id: sure, tools: [write], effect: require_approval, approvers: [customer]}
"""


def test_seen_holds_calls_and_the_reads_of_the_runtime_and_calls_only_calls() -> None:
    rules = (
        "  - {id: read-before, tools: [write], effect: allow,"
        " when: fact.owner == 'ada' and len(seen.look) == 2 and len(calls.look) == 1}"
    )
    play = Play(small(rules))
    play.plan(call("a", "look", n=1))
    play.returns("a", {"owner": "x"})
    play.plan(call("w", "write", n=1))
    play.read({"owner": "ada"})
    assert play.running == ["w"]


def test_denied_holds_what_people_refused() -> None:
    rules = ASKED + "  - {id: once, tools: [write], effect: deny, when: any(d.input.n == 7 for d in denied.write)}\n"
    play = Play(small(rules))
    play.plan(call("a", "write", n=7))
    play.say(play.answer("deny", "customer"))
    play.claim()
    play.plan(call("b", "write", n=8))
    assert play.result("b") == ("blocked", "once")


def test_a_declared_argument_is_judged_and_recorded_and_never_reaches_the_tool() -> None:
    declaring = tool("send", "write", more="declares: {why: {type: string, enum: [asked, urgent]}}")
    rules = "  - {id: urgent, tools: [send], effect: allow, when: input.why == 'urgent'}"
    made_ = small(rules, declaring, offered="[look, send]")
    play = Play(made_)
    play.plan(call("a", "send", n=1, why="asked"), call("b", "send", n=1))
    assert play.result("a")[0] == "blocked"
    assert play.result("b") == ("blocked", "invalid_input")
    play.plan(call("c", "send", n=1, why="urgent"))
    (effect,) = play.effects
    assert effect.input == {"n": 1}  # type: ignore[union-attr]
    assert play.call("c").input == {"n": 1, "why": "urgent"}


def test_a_result_that_is_not_for_this_session_is_withheld() -> None:
    rules = (
        "  - {id: own, tools: [look], effect: deny, release_unless: output.owner == session.tenant}\n"
        "  - {id: z-odd, tools: [look], effect: deny, release_unless: 1 / (len(output.owner) - 5) > -9}\n"
    )
    play = Play(small(rules))
    play.plan(call("a", "look", n=1), call("b", "look", n=2))
    play.returns("a", {"owner": "acme"})
    play.returns("b", {"owner": "other"})
    assert play.result("a") == ("ok", "")
    assert play.result("b") == ("blocked", "result_withheld")
    kept = play.call("b").result
    assert kept is not None
    assert (kept.output, kept.rule) == (None, "own")
    odd = Play(small(rules.replace("session.tenant", "'abcde'")))
    odd.plan(call("a", "look", n=1))
    odd.returns("a", {"owner": "abcde"})
    assert odd.call("a").result is not None
    assert odd.call("a").result.rule == "z-odd"  # type: ignore[union-attr]


def test_a_yes_that_came_before_counts_for_this_very_call_once() -> None:
    play = Play(small(ASKED))
    play.say(inputs.ActionConfirmed("write", {"n": 1}, play.now))
    play.plan(call("a", "write", n=2))
    assert play.call("a").phase is Phase.HELD
    play.say(play.answer("deny", "customer"))
    play.claim()
    play.plan(call("b", "write", n=1))
    assert play.running == ["b"]
    play.returns("b")
    play.plan(call("c", "write", n=1))
    assert play.call("c").phase is Phase.HELD


def test_a_yes_that_came_before_leaves_other_groups_to_be_asked() -> None:
    rules = ASKED + "  - {id: lead, tools: [write], effect: require_approval, approvers: [leads]}\n"
    play = Play(small(rules))
    play.say(inputs.ActionConfirmed("write", {"n": 1}, play.now))
    play.plan(call("a", "write", n=1))
    assert [request.groups for request in play.state.open_requests()] == [("leads",)]
    play.say(play.answer("approve", "ana"))
    play.claim()
    assert play.running == ["a"]


def test_a_yes_to_what_the_agent_can_not_do_or_to_a_session_that_is_over_is_refused() -> None:
    play = Play(small(ASKED))
    assert play.refused(inputs.ActionConfirmed("nothing", {}, play.now)) == "unknown_tool"
    play.plan(message="bye", done=True)
    assert play.refused(inputs.ActionConfirmed("write", {}, play.now)) == "session_over"


def test_a_fact_that_can_not_be_asked_for_counts_against_the_call() -> None:
    rules = "  - {id: own, tools: [write], effect: allow, when: fact.owner == 'x'}"
    made_ = bundle(
        agent("[write]", policies="[rules]"),
        policy(rules, facts='{fact: {tool: look, input: {n: "messages[7]"}}}'),
        tool("look", input="{type: object, properties: {n: {}}}", output="{type: object, properties: {owner: {}}}"),
        tool("write", "write"),
    )
    play = Play(made_)
    play.plan(call("w", "write", n=1))
    assert play.result("w")[0] == "blocked"


def test_words_are_a_mapping_of_all_names() -> None:
    policy_ = PolicyRules("p", {"x": 1}, {}, (), "", {}, {}, {})
    words = Bindings(policy_, {"input": {}}, lambda need: None)
    assert set(words) == {"params", "input"}
    assert len(words) == 2


def test_a_call_that_teaches_nothing_takes_nothing_from_what_others_taught() -> None:
    value = "['ada', 'bela'][len(output.user_id)] if output.user_id != null else null"
    old = "{type: string, from: [{call: find_user, value: output.user_id}]}"
    found = VOCABULARY.replace(old, old.replace("output.user_id", f'"{value}"'), 1)
    assert found != VOCABULARY
    rules = "  - {id: known, tools: [cancel], effect: allow, when: customer == 'ada'}"
    play = Play(made(rules, vocabulary=found))
    learn(play, "a", "too long")
    learn(play, "b", "")
    learn(play, "c", "too long")
    play.plan(call("w", "cancel", order_id="o"))
    assert play.running == ["w"]


ZONED = """kind: Vocabulary
name: shop
time: {now: session.since, zone: "-05:00"}
session: {tenant: string}
"""


def test_a_vocabulary_says_what_time_it_is_and_where_days_begin() -> None:
    rules = """
  - {id: clock, tools: [cancel], effect: allow, when: now == datetime('2026-01-01T05:00:00Z')}
  - {id: day, tools: [cancel], effect: deny, unless: date(now) == date('2026-01-01')}
  - {id: midnight, tools: [cancel], effect: deny, unless: datetime(date(now)) == now}
  - {id: eve, tools: [cancel], effect: deny, when: "date(datetime('2026-01-01T02:00:00Z')) != date('2025-12-31')"}"""
    play = Play(made(rules, vocabulary=ZONED), tenant="acme", since="2026-01-01T00:00:00")
    play.plan(call("a", "cancel", order_id="o"))
    assert play.running == ["a"]


def test_a_time_that_can_not_be_read_fails_closed() -> None:
    rules = "  - {id: late, tools: [cancel], effect: allow, when: now > datetime('2020-01-01')}"
    play = Play(made(rules, vocabulary=ZONED), tenant="acme", since="noon")
    play.plan(call("a", "cancel", order_id="o"))
    assert play.result("a")[0] == "blocked"
    verdict = next(e for e in reversed(play.log) if e.kind == "verdict")
    assert "`now` has no value" in verdict.payload["rules"][0]["error"]


def test_without_that_attribute_it_is_the_sessions_own_time() -> None:
    rules = "  - {id: own, tools: [cancel], effect: allow, when: now == call.proposed_at}"
    play = Play(made(rules, vocabulary=ZONED), tenant="acme")
    play.plan(call("a", "cancel", order_id="o"))
    assert play.running == ["a"]


def test_a_day_at_the_edge_of_time_is_an_error_and_not_a_crash() -> None:
    rules = """
  - {id: a, tools: [cancel], effect: allow, when: "date(datetime('0001-01-01T00:00:00Z')) == date('2026-01-01')"}
  - {id: b, tools: [cancel], effect: allow, when: "datetime(date('9999-12-31')) + duration('1d') > now"}"""
    zoned = ZONED.replace("now: session.since, ", "")
    play = Play(made(rules, vocabulary=zoned), tenant="acme")
    play.plan(call("a", "cancel", order_id="o"))
    verdict = next(e for e in reversed(play.log) if e.kind == "verdict")
    assert all("range" in rule["error"] for rule in verdict.payload["rules"])


RELEASED = """
  - {id: own, tools: [look], effect: deny, when: input.n > 1, release_unless: output.owner == who.owner}"""


def released() -> Play:
    owner = "{type: object, properties: {owner: {type: string}}, required: [owner]}"
    number = "{type: object, properties: {n: {type: integer}}, required: [n]}"
    return Play(
        bundle(
            agent("[look]", policies="[rules]"),
            policy(RELEASED, facts="{who: {tool: ask, input: {n: input.n}}}"),
            tool("look", input=number, output=owner),
            tool("ask", input=number, output=owner),
        )
    )


def test_a_fact_that_releases_a_result_is_read_before_the_call_runs() -> None:
    play = released()
    play.plan(call("a", "look", n=2), call("b", "look", n=3))
    assert play.reading == ["ask", "ask"]
    play.read({"owner": "ada"})
    assert play.running == ["a", "b"]
    play.returns("a", {"owner": "ada"})
    play.returns("b", {"owner": "bela"})
    assert play.result("a") == ("ok", "")
    assert play.result("b") == ("blocked", "result_withheld")


def test_a_result_is_withheld_where_its_fact_could_not_be_read() -> None:
    play = released()
    play.plan(call("a", "look", n=2))
    play.read(problem="the line is down")
    play.returns("a", {"owner": "ada"})
    assert play.result("a") == ("blocked", "result_withheld")


def test_a_rule_withholds_only_where_its_condition_holds() -> None:
    play = released()
    play.plan(call("a", "look", n=1))
    play.read({"owner": "ada"})
    play.returns("a", {"owner": "bela"})
    assert play.result("a") == ("ok", "")


def test_a_fact_whose_input_is_null_is_not_asked_for() -> None:
    rules = "  - {id: own, tools: [write], effect: allow, when: who.owner == 'ada'}"
    play = Play(
        bundle(
            agent("[write]", policies="[rules]"),
            policy(rules, facts="{who: {tool: ask, input: {to: input.to}}}"),
            tool("write", "write", input="{type: object, properties: {to: {type: string}}}"),
            tool("ask", input="{type: object, properties: {to: {type: string}}, required: [to]}",
                 output="{type: object, properties: {owner: {type: string}}, required: [owner]}"),
        )
    )  # fmt: skip
    play.plan(call("a", "write"))
    assert play.result("a") == ("blocked", "no_rule_allows")
    verdict = next(e for e in reversed(play.log) if e.kind == "verdict")
    assert "its `to` is null" in verdict.payload["rules"][0]["error"]
    play.plan(call("b", "write", to="x"))
    assert play.reading == ["ask"]


def test_equal_reads_of_a_fact_count_once_against_its_bound() -> None:
    rules = "  - {id: all-in-stock, tools: [ship], effect: allow, when: len(stock) == 4}"
    play = Play(made(rules))
    play.plan(call("a", "ship", order_id="o"))
    found = order("ada", 1, 2, 3, 4)
    items = found["items"]
    assert isinstance(items, list)
    items[3] = items[0]
    play.read(found, until=1)
    play.read({"left": 1})
    assert play.running == ["a"]


def test_a_rule_for_several_tools_may_ask_which_it_is_and_what_was_done_with_it() -> None:
    rules = """
  - {id: go, tools: writes, effect: allow}
  - id: once
    tools: [cancel, ship]
    effect: deny
    when: any(c.input.order_id == input.order_id for c in calls[call.name])
  - {id: small, tools: [cancel, ship], effect: deny, when: call.name == 'cancel' and len(input.order_id) > 3}"""
    play = Play(made(rules))
    play.plan(call("a", "cancel", order_id="o"))
    play.returns("a")
    play.plan(call("b", "ship", order_id="o-long"))
    play.returns("b")
    play.plan(call("c", "cancel", order_id="o"))
    assert play.result("c") == ("blocked", "once")
    play.plan(call("d", "cancel", order_id="o-long"))
    assert play.result("d") == ("blocked", "small")


def test_a_yes_that_came_before_counts_where_the_customer_is_one_of_several_who_may_say_it() -> None:
    rules = ASKED.replace("approvers: [customer]", "approvers: [customer, leads]")
    play = Play(small(rules))
    play.say(inputs.ActionConfirmed("write", {"n": 1}, play.now))
    play.plan(call("a", "write", n=1))
    assert play.running == ["a"]


def test_a_result_is_withheld_where_what_releases_it_asks_for_another_fact_by_now() -> None:
    owner = "{type: object, properties: {owner: {type: string}}, required: [owner]}"
    rules = "\n  - {id: own, tools: [look], effect: deny, release_unless: output.owner == who.owner}"
    play = Play(
        bundle(
            agent("[look]", policies="[rules]"),
            policy(rules, facts='{who: {tool: ask, input: {to: "messages[-1]"}}}'),
            tool("look", output=owner),
            tool("ask", output=owner),
        )
    )
    play.plan(call("a", "look"))
    play.read({"owner": "ada"})
    play.say(inputs.MessageSent("somebody else", play.now))
    play.returns("a", {"owner": "ada"})
    assert play.result("a") == ("blocked", "result_withheld")


def test_a_fact_for_too_many_combinations_is_an_error() -> None:
    loops = ", ".join(f"i{n}: order.items" for n in range(6))
    vocabulary = VOCABULARY.replace('for_each: {item: "order.items"}', f"for_each: {{{loops}}}").replace(
        "input: {sku: item.sku}", "input: {sku: i0.sku}"
    )
    rules = "  - {id: all-in-stock, tools: [ship], effect: allow, when: len(stock) == 4}"
    play = Play(made(rules, vocabulary=vocabulary))
    play.plan(call("a", "ship", order_id="o"))
    play.read(order("ada", 1, 2, 3, 4, 5))
    verdict = next(e for e in reversed(play.log) if e.kind == "verdict")
    assert "more than 10000 combinations" in verdict.payload["rules"][0]["error"]


def test_what_is_not_of_its_type_was_never_learnt() -> None:
    vocabulary = """kind: Vocabulary
name: shop
session: {tenant: string}
established:
  tier: {type: [basic, gold], from: [{call: find_user, value: output.user_id}]}
  id: {type: string, from: [{call: find_user, value: output.user_id}]}
"""
    rules = "  - {id: known, tools: [cancel], effect: allow, when: tier == 'gold' and id == 'odd'}"
    play = Play(made(rules, vocabulary=vocabulary))
    learn(play, "a", "odd")
    learn(play, "b", "gold")
    play.plan(call("w", "cancel", order_id="o"))
    assert play.running == ["w"]
