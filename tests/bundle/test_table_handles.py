"""A decision table asks of a marked value only what its handle can say."""

from __future__ import annotations

import pytest

from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from tests.bundle_texts import tool

AGENT = """\
kind: Agent
name: bot
description: bot
planner: table
planners:
  table:
    kind: rules
    rows:
      - {when: "WHEN", message: a}
      - {message: bye, done: true}
tools: [look]
policies: []
sealed_with: ${secret:SEAL_KEY}
attributes:
  type: object
  properties:
    iban: {type: string, x-sensitive: true}
    vip: {type: boolean, x-sensitive: true}
    amount: {type: integer, x-sensitive: true}
    tags: {type: array, maxItems: 9, items: {type: string, x-sensitive: true}}
    tenant: {type: string}
  required: [iban, vip, amount, tags, tenant]
stop: [{outcome: answered, message: bye}]
"""
OUTPUT = "{type: object, required: [ssn, n], properties: {ssn: {type: string, x-sensitive: true}, n: {type: integer}}}"


def said(when: str, *, lets: str = "{}") -> list[tuple[str, str]]:
    agent = AGENT.replace("WHEN", when) + f"let: {lets}\n"
    files = dict([("specs/agents/bot.yaml", agent), tool("look", output=OUTPUT)])
    files["specs/tools/code.py"] = "def act(**given):\n    return {}\n"
    loaded = load(BundleFiles({path: text.encode() for path, text in files.items()}))
    return [(one.code, one.message) for one in loaded.diagnostics if one.severity.value == "error"]


@pytest.mark.parametrize(
    ("when", "what"),
    [
        ("session.iban == 'DE89'", "session.iban"),
        ("session.iban == session.tenant", "session.iban"),
        ("session.amount > 5", "session.amount"),
        ("session.vip", "session.vip"),
        ("not session.vip", "session.vip"),
        ("session.vip and session.tenant == 'acme'", "session.vip"),
        ("session.amount + 1 > 5", "session.amount"),
        ("starts_with(session.iban, 'DE')", "session.iban"),
        ("session.iban in ['DE89']", "session.iban"),
        ("'a' in session.tags", "session.tags"),
        ("session.tags[0] == 'a'", "session.tags[0]"),
        ("any(tag == 'a' for tag in session.tags)", "tag"),
        (
            "len(results.look) > 0 and results.look[-1].status == 'ok' and results.look[-1].output.ssn == 'x'",
            "results.look[-1].output.ssn",
        ),
        ("any(r.output.ssn == 'x' for r in calls.look)", "r.output.ssn"),
    ],
)
def test_what_only_the_value_could_say_is_refused(when: str, what: str) -> None:
    found = said(when)
    assert [code for code, _ in found] == ["E404"], found
    assert f"`{what}` is marked x-sensitive" in found[0][1]


@pytest.mark.parametrize(
    "when",
    [
        "session.tenant == 'acme'",
        "is_set(session.iban)",
        "session.iban != null",
        "any(r.output.ssn == session.iban for r in calls.look)",
        "any(r.output.n > 3 for r in calls.look)",
        "len(session.tags) > 2",
        "len(results.look) == 0",
    ],
)
def test_what_is_true_of_a_handle_where_it_is_of_the_value_may_be_asked(when: str) -> None:
    assert said(when) == []


@pytest.mark.parametrize(
    ("lets", "when", "what"),
    [
        ("{german: \"starts_with(session.iban, 'DE')\"}", "german", "session.iban"),
        ("{account: session.iban}", "account == 'DE89'", "account"),
        ("{account: session.iban}", "account == session.tenant or account == 'DE89'", "account"),
        ("{labels: session.tags}", "any(tag == 'a' for tag in labels)", "tag"),
        ("{a: b, b: session.vip}", "a and session.tenant == 'acme'", "a"),
    ],
)
def test_a_let_hides_no_question_that_only_the_value_could_answer(lets: str, when: str, what: str) -> None:
    found = said(when, lets=lets)
    assert {code for code, _ in found} == {"E404"}, found
    assert f"`{what}` is marked x-sensitive" in found[0][1]


@pytest.mark.parametrize(
    ("lets", "when"),
    [
        ("{acme: session.tenant == 'acme'}", "acme or not acme"),
        ("{account: session.iban}", "account == session.iban and account != null"),
        ("{known: is_set(session.iban)}", "known"),
    ],
)
def test_a_let_may_ask_what_is_true_of_a_handle_too(lets: str, when: str) -> None:
    assert said(when, lets=lets) == []
