"""What a customer is told: always a sentence, never a text of the engine's own, and the agent's words where it has some."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from engine.language.blank_text import says_something
from engine.policy.flip_names import NOT_OFFERED
from engine.policy.gate import NO_RULE_ALLOWS, POLICY_ERROR
from engine.session import customer_texts as texts
from engine.session.state import inputs
from engine.session.state.event import EventKind
from engine.session.state.state import FINAL, Status
from engine.spec.bundle import Bundle
from engine.spec.retry import FailureKind
from tests.bundle_texts import ALLOW, CODE, agent, bundle, policy, reviewers, tool
from tests.session.play import Play, call

INPUT = "{type: object, properties: {n: {type: integer}}, required: [n], additionalProperties: false}"
STOP = (
    "stop:\n  - outcome: answered\n    message: 'Not done. {{ results.write[-1].message if len(results.write) > 0"
    " else decision.message }}'\n"
)
SHUT = f"{ALLOW}\n  - {{id: shut-rule, tools: [write], effect: deny"
UNSEEN = """, message: "{{ '\\u200b' }}"}"""
ASK = f"{ALLOW}\n  - {{id: ask-rule, tools: [write], effect: require_approval, approvers: [leads]}}"
CORE = Path(texts.__file__).parent

# words of the engine, of its people and of its dials: none of them is for a customer
INTERNAL = re.compile(
    r"has no value|division by zero|shut-rule|ask-rule|kim|required property|calls_per_step|calls_per_tool"
    r"|some_meter|of 0 is used up|psycopg|10\.0\.0\.3|\bnull\b|[a-z]+_[a-z]+|\(\w+:"
)


def made(rules: str = "", *, budgets: str = "{}", more: str = "", stop: str = STOP, write: str = "") -> Bundle:
    return bundle(
        agent("[write, look]", policies="[rules]" if rules else "[]", budgets=budgets, more=stop + more),
        tool("write", "write", input=INPUT, more=write), tool("look"), reviewers("leads", "[kim]"),
        *([policy(rules)] if rules else []),
    )  # fmt: skip


def told_at_the_end(play: Play) -> str:
    """What is told when the planner, which has nothing to say itself, is done."""
    if not play.state.final:
        play.plan(message="", done=True)
    assert play.state.final, play.state.status
    return play.state.told


def for_a_customer(text: str) -> None:
    """It is a sentence beyond what the agent wrote, and nobody's but the customer's."""
    said = text.removeprefix("Not done.").strip()
    assert re.search(r"[A-Za-z]{2,}", said), f"there is nothing but {text!r}"
    assert not INTERNAL.search(said), text


@pytest.mark.parametrize(
    ("rules", "budgets"),
    [
        pytest.param("", "{}", id="no rule allows it"),
        pytest.param(f"{SHUT}}}", "{}", id="a rule without a message"),
        pytest.param(f"{SHUT}, message: 'at {{{{ 10 / (input.n - 1) }}}}'}}", "{}", id="a message without a value"),
        pytest.param(f"{SHUT}, message: '{{{{ session.zip }}}}'}}", "{}", id="a message that is null"),
        pytest.param(f"{SHUT}, message: '{{{{ session.zip }}}}.'}}", "{}", id="a message that is null and a full stop"),
        pytest.param(SHUT + UNSEEN, "{}", id="a message in which nothing is to be seen"),
        pytest.param(f"{SHUT}, when: 10 / (input.n - 1) > 3, message: no}}", "{}", id="a condition without a value"),
        pytest.param(ALLOW, "{calls_per_step: 0}", id="a limit of a step"),
        pytest.param(ALLOW, "{calls_per_tool: {write: 0}}", id="a limit of a tool"),
        pytest.param(ALLOW, "{meters: {some_meter: {sum: input.n, over: [write], limit: 0}}}", id="a meter"),
    ],
)
def test_a_call_that_is_blocked_is_told_in_words_for_the_customer(rules: str, budgets: str) -> None:
    play = Play(made(rules, budgets=budgets))
    play.plan(call("a", "write", n=1))
    for_a_customer(told_at_the_end(play))


def test_what_an_author_says_of_a_rule_is_told_as_it_is() -> None:
    play = Play(made(f"{SHUT}, message: 'No {{{{ input.n }}}} today'}}"))
    play.plan(call("a", "write", n=1))
    assert told_at_the_end(play) == "Not done. No 1 today"
    silent = Play(made("  - {id: never, tools: [write], effect: allow, when: input.n > 4}\nno_rule_allows: Not here"))
    silent.plan(call("a", "write", n=1))
    assert told_at_the_end(silent) == "Not done. Not here"


def test_an_input_that_does_not_fit_is_the_planners_to_know_and_not_the_customers() -> None:
    play = Play(made(ALLOW))
    play.plan(call("a", "write"))
    result = play.call("a").result
    assert result is not None
    assert "required" in result.message, "the planner needs it to repair its proposal"
    for_a_customer(told_at_the_end(play))


@pytest.mark.parametrize("note", ["", "kim knows this customer"])
def test_neither_who_denied_a_call_nor_why_is_told(note: str) -> None:
    play = Play(made(ASK))
    play.plan(call("a", "write", n=1))
    play.say(play.answer("deny", "kim", note=note))
    play.claim()
    assert "kim" in str([event.payload for event in play.log if event.kind is EventKind.TOOL_RESULT])
    assert told_at_the_end(play) == "Not done. It was declined"


def test_a_tools_own_error_is_not_told() -> None:
    play = Play(made(ALLOW))
    play.plan(call("a", "write", n=1))
    said = "psycopg.OperationalError: connection to 10.0.0.3 refused"
    play.say(inputs.ToolFailed("a", play.call("a").attempt, FailureKind.ERROR, "tool_error", said, False, play.now))
    assert told_at_the_end(play) == "Not done. It could not be done"


def test_a_success_tells_nothing_of_itself() -> None:
    keyed = "idempotency: {key: [input.n], honoured_by: engine}"
    play = Play(
        made(
            ALLOW, write=keyed, stop="stop:\n  - {outcome: answered, message: 'Done{{ results.write[-1].message }}'}\n"
        )
    )
    play.plan(call("a", "write", n=1))
    play.returns("a")
    assert told_at_the_end(play) == "Done"


def test_a_decision_table_speaks_in_the_customers_words_too() -> None:
    path, text = agent("[write]", policies="[rules]")
    rows = (
        "{kind: rules, rows: [{when: len(results.write) > 0, message: '{{ results.write[-1].message }}', done: true},"
        " {message: act, tool_calls: [{name: write, input: {n: '1'}}]}]}"
    )
    own = bundle(
        (path, text.replace("{kind: scripted, decisions: [{message: hi, done: true}]}", rows)),
        tool("write", "write", input=INPUT), policy(f"{SHUT}}}"),
    )  # fmt: skip
    from engine.session.planner_view import planner_view

    play = Play(own)
    play.plan(call("a", "write", n=1))
    row = own.agents["bot"].planners["script"].rows[0]
    assert row.message.render(planner_view(play.state, own).names) == "It can't be done"


# -- ends


ENDINGS = {
    "out_of_budget": "{steps: 1}",
    "timed_out": "{wall_clock: 1s}",
    "cancelled": "{}",
    "failed": "{repairs: 0}",
}


def ended(state: str, more: str = "") -> Play:
    play = Play(made(ALLOW, budgets=ENDINGS[state], more=more))
    if state == "cancelled":
        play.say(inputs.CancelRequested("mika", play.now))
        play.tick()
    elif state == "timed_out":
        play.tick(2)
    elif state == "failed":
        play.plan_raw("nonsense")
    else:
        play.plan(call("a", "look"))
        play.returns("a")
    assert play.state.status.value == state
    return play


@pytest.mark.parametrize("state", ENDINGS)
def test_every_end_is_told_as_a_sentence_and_the_log_has_its_reason(state: str) -> None:
    play = ended(state)
    for_a_customer(play.state.told)
    assert play.state.told.endswith(".")
    ending = next(event for event in play.log if event.kind is EventKind.SESSION_ENDING)
    assert ending.payload["reason"] in ("steps", "wall_clock", "cancelled by mika", "repairs")


@pytest.mark.parametrize("state", ENDINGS)
@pytest.mark.parametrize("message", ["x {{ calls.look[3].at }}", "{{ '' }}"])
def test_a_text_without_a_value_or_a_word_is_told_as_a_sentence_and_noted(state: str, message: str) -> None:
    play = ended(state, f'ends: {{{state}: {{message: "{message}"}}}}\n')
    for_a_customer(play.state.told)
    assert play.log[-1].payload["problem"].startswith("the message ")


def test_what_the_agent_says_of_an_end_is_told() -> None:
    assert ended("failed", "ends: {failed: {message: We call you}}\n").state.told == "We call you"


def test_a_planner_that_is_away_is_told_without_a_word_of_it() -> None:
    play = Play(made(ALLOW))
    play.say(inputs.PlannerFailed(play.state.asks, "10.0.0.3 refused", play.now, final=True))
    assert play.state.status is Status.FAILED
    for_a_customer(play.state.told)


def test_the_planners_silence_is_told_as_a_sentence() -> None:
    for stop in ("'{{ decision.message }}'", "'Not done. {{ messages[7] }}'"):
        play = Play(made(stop=f"stop:\n  - {{outcome: answered, message: {stop}}}\n"))
        assert told_at_the_end(play) == "This conversation has ended."


# -- what a customer is asked


@pytest.mark.parametrize(
    ("message", "asked"),
    [("", "Please say whether this is to be done."), (", message: Sure?", "Sure?"),
     (", message: 'at {{ 10 / (input.n - 1) }}'", "Please say whether this is to be done.")],
)  # fmt: skip
def test_a_customer_who_is_to_say_yes_is_asked_in_words_for_one(message: str, asked: str) -> None:
    rule = f"{ALLOW}\n  - {{id: ask-rule, tools: [write], effect: require_approval, approvers: [customer]{message}}}"
    play = Play(made(rule))
    play.plan(call("a", "write", n=1))
    opened = next(event for event in play.log if event.kind is EventKind.REQUEST_OPENED)
    assert opened.payload["message"] == asked


def test_reviewers_are_asked_with_the_words_of_the_rule_whatever_they_are() -> None:
    rule = ASK.replace("[leads]", "[leads], message: 'at {{ 10 / (input.n - 1) }}'")
    play = Play(made(rule))
    play.plan(call("a", "write", n=1))
    opened = next(event for event in play.log if event.kind is EventKind.REQUEST_OPENED)
    assert opened.payload["message"] == "(ask-rule: its message has no value)"


# -- the agent's own texts


def test_the_texts_of_reasons_are_the_agents_to_say() -> None:
    play = Play(made(ASK, more="texts: {denied_by_reviewer: Das hat jemand abgelehnt.}\n"))
    play.plan(call("a", "write", n=1))
    play.say(play.answer("deny", "kim"))
    play.claim()
    assert told_at_the_end(play) == "Not done. Das hat jemand abgelehnt."


def test_a_text_of_a_status_is_for_all_its_reasons_and_one_of_a_rule_for_that_rule() -> None:
    for more, told in (
        ("texts: {blocked: Das geht nicht}\n", "Not done. Das geht nicht"),
        ("texts: {blocked: Das geht nicht, shut_rule: Heute nicht}\n", "Not done. Heute nicht"),
    ):
        play = Play(made(f"{SHUT}}}", more=more))
        play.plan(call("a", "write", n=1))
        assert told_at_the_end(play) == told


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("texts: {repairs: Das war unklar}\n", "Das war unklar"),
        ("texts: {repairs: Das war unklar}\nends: {failed: {message: We call you}}\n", "We call you"),
        ("texts: {repairs: \"{{ '' }}\", no_message: Ende}\n", "Ende"),
    ],
)
def test_ends_have_texts_too_and_what_the_agent_says_of_the_end_goes_before(more: str, told: str) -> None:
    assert ended("failed", more).state.told == told


def test_a_text_may_go_by_what_the_session_was_started_with() -> None:
    text = (
        "{{ 'Nein' if session.tenant == 'acme' else 'No' }}, {{ 10 / (session.zip - 1) if session.zip != null else 0 }}"
    )
    more = f'texts: {{shut_rule: "{text}"}}\n'
    own = made(f"{SHUT}}}", more=more)
    for zip_, told in ((3, "Not done. Nein, 5"), (1, "Not done. It can't be done")):
        play = Play(own, tenant="acme", zip=zip_)
        play.plan(call("a", "write", n=1))
        assert told_at_the_end(play) == told


def test_a_text_of_an_unknown_reason_is_refused_with_the_one_that_is_meant() -> None:
    files = dict([agent("[]", more="texts: {denied_by_reviwer: no}\n"), ("specs/tools/code.py", CODE)])
    (found,) = load(BundleFiles({path: text.encode() for path, text in files.items()})).diagnostics
    assert (found.code, found.help) == ("E201", "did you mean `denied_by_reviewer`?")


# -- the table is whole


def reasons() -> Iterator[str]:
    """What the core writes as the reason of a result, in its own words."""
    places = {"result": 2, "make_unknown": 2, "block_by_limit": 3, "end_cancelled": 9}
    for path in CORE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in places and len(node.args) > places[name]:
                    yield from constants(node.args[places[name]])
                if name == "emit":
                    yield from (
                        text for one in node.keywords if one.arg == "reason" and "CALL_CANCELLED" in ast.unparse(node)
                        for text in constants(one.value)
                    )  # fmt: skip
            if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["reason"]:
                yield from constants(node.value)


def constants(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.JoinedStr):
        yield from (f"{kind}_expired" for kind in ("input", "choice"))
    elif isinstance(node, ast.IfExp):
        yield from (*constants(node.body), *constants(node.orelse))
    elif isinstance(node, ast.BoolOp):
        yield from (text for value in node.values for text in constants(value))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value


STATUSES = {"blocked", "retryable_error", "terminal_error", "unknown"}


def test_every_reason_of_the_core_has_a_text_and_no_text_is_of_none() -> None:
    known = {*reasons(), NO_RULE_ALLOWS, POLICY_ERROR, NOT_OFFERED}
    assert len(known) > 25
    ends = {texts.NO_MESSAGE, texts.CONFIRM, "planner_unavailable", "repairs"}
    assert known | STATUSES | ends == set(texts.TEXTS)


def test_every_end_has_a_text() -> None:
    assert set(texts.ENDS) == {status.value for status in FINAL - {Status.DONE}}


@pytest.mark.parametrize("text", [*texts.TEXTS.values(), *texts.ENDS.values()])
def test_no_text_of_a_reason_is_internal(text: str) -> None:
    for_a_customer(text)


@pytest.mark.parametrize(
    "message", ["{{ session.zip }}", "{{ null }}", "{{ session.zip }}.", "{{ '\u200b' if true else 'x' }}"]
)
def test_an_end_that_says_nothing_is_told_by_its_text_and_noted(message: str) -> None:
    play = Play(made(stop=f'stop:\n  - {{outcome: answered, message: "{message}"}}\n'))
    assert told_at_the_end(play) == texts.TEXTS[texts.NO_MESSAGE]
    (ended,) = [
        event for event in play.log if event.kind == EventKind.STATE_TRANSITION and event.payload["state"] == "done"
    ]
    assert ended.payload["problem"] == "the message says nothing"


def test_a_customer_is_asked_a_sentence_where_a_rules_message_is_null() -> None:
    made_of = made(f"{ALLOW}\n  - {{id: ask, tools: [write], effect: require_approval, approvers: [customer],"
                   " message: '{{ session.zip }}'}")  # fmt: skip
    play = Play(made_of)
    play.plan(call("a", "write", n=1))
    (asked,) = [event for event in play.log if event.kind == EventKind.REQUEST_OPENED]
    assert asked.payload["message"] == texts.TEXTS[texts.CONFIRM]


@pytest.mark.parametrize("text", ["5", "€", "ok", "ж", "👍", "A.", "- a"])
def test_a_letter_a_digit_or_a_symbol_says_something(text: str) -> None:
    assert says_something(text)


@pytest.mark.parametrize(
    "text", ["", " ", "-", ".", "—", "...", "\u200b", "\u2063", "\ufeff", "\u3164", "\u2800", "\u0301", "\x00"]
)
def test_nothing_that_is_to_be_seen_says_nothing(text: str) -> None:
    assert not says_something(text)
