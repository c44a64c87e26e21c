"""What the formulas say holds of the gate: no difference of two bundles goes unsaid, and nothing false is proved."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest

from engine.proof.diff import Change, diff
from engine.proof.patterns import matching
from engine.proof.prove import PROVED, REFUTED, prove
from engine.spec.bundle import Bundle
from tests.bundle_texts import agent, bundle, policy, reviewers, tool

FORM = (
    "{type: object, properties: {kind: {const: %s}, net: {type: string, enum: [%s]}}, required: [kind, net], "
    "additionalProperties: false}"
)
FIELDS = (
    "{amount: {type: number, minimum: 0}, due: {type: string}, any: {}, "
    "lines: {type: array, items: {type: number}, maxItems: 20}, "
    "codes: {type: array, items: {type: string}, maxItems: 3}, "
    "stock: {type: object, additionalProperties: {type: number}}, day: {type: string}, "
    f"to: {{oneOf: [{FORM % ('card', 'visa, mc')}, {FORM % ('bank', 'sepa, swift')}]}}}}"
)
ALLOW = "  - {id: ok, tools: [pay], effect: allow}\n"


@dataclass(frozen=True)
class Desk:
    """A bundle of one rule, and what stands around it."""

    rule: str = ""
    params: str = "{}"
    facts: str = "{}"
    session: str = "{}"
    time: str = "{}"
    most: int = 1000
    trust: str = "untrusted"
    read: str = ""
    promise: str = ""

    def made(self) -> Bundle:
        rules = ALLOW + (f'  - {{id: shut, tools: [pay], effect: deny, when: "{self.rule}"}}\n' if self.rule else "")
        path, text = policy(rules + self.read, params=self.params, facts=self.facts)
        promise = f'guarantees:\n  - {{id: promise, never: "{self.promise}"}}\n' if self.promise else ""
        output = (
            f"{{type: object, properties: {{score: {{type: number, maximum: {self.most}}}, state: {{type: string}}}}, "
            "required: [score, state]}"
        )
        return bundle(
            ("specs/agents/bot.yaml",
             "kind: Agent\nname: bot\ndescription: bot\nplanner: script\n"
             "planners:\n  script: {kind: scripted, decisions: [{message: hi, done: true}]}\n"
             "tools: [pay, look]\npolicies: [rules]\n"
             "attributes: {type: object, properties: {tenant: {type: string}, since: {type: string}, "
             "other: {type: string}}, required: [tenant]}\nstop:\n  - {outcome: answered, message: Done}\n"),
            ("specs/vocabularies/words.yaml",
             f"kind: Vocabulary\nname: words\nsession: {self.session}\ntime: {self.time}\n"),
            (path, f"{text}uses: [words]\n{promise}"), reviewers("leads", "[dana]"),
            tool("pay", "write", input=f"{{type: object, required: [amount], properties: {FIELDS}}}"),
            tool("look", output=output, input="{type: object, properties: {id: {type: string}}}",
                 more=f"trust: {self.trust}"),
        )  # fmt: skip


FROZEN = "any(r.output.state == 'frozen' for r in all_)"
EACH = "{all_: {tool: look, for_each: {c: input.codes}, input: {id: c}, at_most: %s}}"
SINCE = "session.since != null and session.since > date('2026-01-01')"
ONE = "{one: {tool: look, input: {id: session.tenant}}}"

PAIRS: dict[str, tuple[Desk, Desk]] = {
    "forms that share a field": (
        Desk("input.to != null and input.to.kind == 'card' and input.to.net == 'visa'"),
        Desk("input.to != null and ((input.to.kind == 'card' and input.to.net == 'visa') "
             "or (input.to.kind == 'bank' and input.to.net == 'swift'))"),
    ),
    "the zone of the time": (
        Desk("input.due != null and datetime(input.due) > now", time="{zone: '+01:00'}"),
        Desk("input.due != null and datetime(input.due) > now", time="{zone: '-08:00'}"),
    ),
    "what the time is": (
        Desk("now > datetime('2026-06-01T00:00:00Z')", time="{now: session.since}"),
        Desk("now > datetime('2026-06-01T00:00:00Z')", time="{now: session.other}"),
    ),
    "that the time is told": (
        Desk("now > datetime('2026-06-01T00:00:00Z')", time="{now: session.since}"),
        Desk("now > datetime('2026-06-01T00:00:00Z')"),
    ),
    "a param in brackets within what is known by name": (
        Desk("input.lines != null and any(l > params['most'] for l in input.lines)", "{most: 10}"),
        Desk("input.lines != null and any(l > params['most'] for l in input.lines)", "{most: 20}"),
    ),
    "a table that is looked up by what is not known": (
        Desk("session.since != null and input.amount > params.of[session.since]", "{of: {a: 10, b: 20}}"),
        Desk("session.since != null and input.amount > params.of[session.since]", "{of: {a: 10, b: 2000}}"),
    ),
    "an output that may be more, and a rule about it": (
        Desk("one.score > 90", facts=ONE, most=100),
        Desk("one.score > 90 and one.score <= 500", facts=ONE),
    ),
    "an attribute that can't be read": (
        Desk(f"{SINCE} and input.amount > 100", session="{since: date?}"),
        Desk(f"input.amount > 100 and {SINCE}", session="{since: date?}"),
    ),
    "a key that a map may not have": (
        Desk("input.stock != null and input.stock['a1'] > 5 and input.amount > 10"),
        Desk("input.stock != null and input.amount > 10 and input.stock['a1'] > 5"),
    ),
    "what is of no one kind": (
        Desk("input.any != null and input.any == 1"), Desk("input.any != null and input.any in [1]"),
    ),
    "two lists of which one can't be read": (
        Desk("input.codes != null and not any(c == 'vip' for c in input.codes + [one.state])", facts=ONE),
        Desk("input.codes != null and not (any(c == 'vip' for c in input.codes) or one.state == 'vip')", facts=ONE),
    ),
    "how many reads are too many": (
        Desk(f"input.codes != null and {FROZEN}", facts=EACH % 1),
        Desk(f"input.codes != null and {FROZEN}", facts=EACH % 3),
    ),
    "whom a tool speaks for": (
        Desk("input.due != null and origin(input.due) == 'untrusted'", trust="untrusted"),
        Desk("input.due != null and origin(input.due) == 'untrusted'", trust="trusted"),
    ),
    "a day beyond all years": (
        Desk("input.day != null and is_date(input.day) and date(input.day) + duration('30d') < date('9999-01-01')"),
        Desk("input.day != null and is_date(input.day) and date(input.day) < date('9998-12-02')"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_a_difference_is_never_passed_over(pair: tuple[Desk, Desk]) -> None:
    one, other = (desk.made() for desk in pair)
    assert list(diff(one, other)), "nothing differs"
    assert not list(diff(one, one))


def test_a_result_that_is_kept_after_a_yes_is_compared_too() -> None:
    ask = "  - {id: ask, tools: [look], effect: require_approval, approvers: [leads]}\n"
    keeps = "  - {id: keeps, tools: [look], effect: deny, release_unless: output.state == 'open'}\n"
    changes: list[Change] = list(diff(Desk(read=ask + keeps).made(), Desk(read=ask).made()))
    assert [(c.tool, c.kind, c.loosens, c.status) for c in changes] == [("look", "withheld→allow", True, "certain")]


PROMISES = {
    "of a form": Desk(
        "input.to != null and input.to.kind == 'card' and input.to.net == 'visa'",
        promise="verdict == 'allow' and input.to != null and input.to.kind == 'bank' and input.to.net == 'swift'",
    ),
    "of an attribute": Desk(
        SINCE, session="{since: date?}", promise="verdict == 'deny' and input.amount <= 100 and session.tenant == 'x'",
    ),
    "of a map": Desk(
        "input.stock != null and input.stock['a1'] > 5",
        promise="verdict == 'deny' and input.stock != null and len(input.stock) == 0",
    ),
    "of what is of no one kind": Desk(
        "input.any != null and input.any > 5", promise="verdict == 'deny' and input.amount < 5 and input.any == 'x'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("desk", PROMISES.values(), ids=PROMISES)
def test_nothing_false_is_proved(desk: Desk) -> None:
    found = {finding.tool: finding.status for finding in prove(desk.made())}
    assert found["pay"] != PROVED


def test_dates_that_no_text_can_be_are_no_fault() -> None:
    one = Desk("input.due != null and not (datetime(input.due) < now)").made()
    other = Desk("input.due != null and datetime(input.due) > now and input.amount > 5").made()
    assert list(diff(one, other))


def test_a_guarantee_about_a_field_with_a_pattern_is_refuted_by_a_text_that_fits() -> None:
    fields = "amount: {type: number}, iban: {type: string, pattern: '^[A-Z]{2}[0-9]{4}$'}"
    own = bundle(
        agent("[pay]", policies="[rules]"),
        ("policies/rules.yaml",
         f"kind: Policy\nname: rules\nrules:\n{ALLOW}"
         "  - {id: shut, tools: [pay], effect: deny, when: \"input.iban == 'DE0000'\"}\nguarantees:\n"
         "  - {id: promise, never: \"verdict == 'allow' and input.iban != 'DE0000' and input.iban != 'deny'\"}\n"),
        tool("pay", "write", input=f"{{type: object, required: [amount, iban], properties: {{{fields}}}}}"),
    )  # fmt: skip
    (found,) = prove(own)
    assert (found.status, found.witness is not None) == (REFUTED, True)
    assert found.witness is not None
    assert re.fullmatch("[A-Z]{2}[0-9]{4}", found.witness.input["iban"])


def test_a_table_that_is_looked_up_has_a_formula() -> None:
    desk = Desk(
        "session.since == null or not (session.since in params.most) or input.amount >= params.most[session.since]",
        "{most: {basic: 50, gold: 100}}", promise="verdict == 'allow' and call.name == 'pay' and input.amount > %s",
    )  # fmt: skip
    for most, status in ((100, PROVED), (70, REFUTED)):
        found = {f.tool: f.status for f in prove(replace(desk, promise=desk.promise % most).made())}
        assert found["pay"] == status


@pytest.mark.parametrize(
    "pattern",
    ["^[A-Z]{2}[0-9]{4}$", r"^\d{3}-\w+$", "^(a|b)c*$", "^[^x]{3}$", "ab?c", r"^(?:x|y)\s.$", "^$", "^[a-f0-9]+$"],
)
def test_a_text_is_made_to_a_pattern(pattern: str) -> None:
    found = [matching(pattern, number) for number in range(3)]
    assert all(text is not None and re.search(pattern, text) for text in found)
    assert matching("(", 0) is None


def test_policies_that_read_an_attribute_in_two_ways_are_not_taken_to_see_the_same() -> None:
    def read(by_p: str, by_q: str, allow: str, never: str) -> str:
        own = bundle(
            ("specs/agents/bot.yaml",
             "kind: Agent\nname: bot\ndescription: bot\nplanner: script\n"
             "planners:\n  script: {kind: scripted, decisions: [{message: hi, done: true}]}\n"
             "tools: [pay]\npolicies: [p, q]\n"
             "attributes: {type: object, properties: {a: {type: string}, b: {type: string}}, required: [a, b]}\n"
             "stop:\n  - {outcome: answered, message: Done}\n"),
            ("specs/vocabularies/v.yaml", f"kind: Vocabulary\nname: v\n{by_p}\n"),
            ("specs/vocabularies/w.yaml", f"kind: Vocabulary\nname: w\n{by_q}\n"),
            ("policies/p.yaml",
             "kind: Policy\nname: p\nuses: [v]\nrules:\n"
             f'  - {{id: ok, tools: [pay], effect: allow, when: "{allow}"}}\n'),
            ("policies/q.yaml",
             "kind: Policy\nname: q\nuses: [w]\nrules:\n  - {id: shut, tools: [pay], effect: deny, when: input.n > 9}\n"
             f'guarantees:\n  - {{id: promise, never: "{never}"}}\n'),
            tool("pay", "write", input="{type: object, required: [n, at], properties: "
                 "{n: {type: integer}, at: {type: array, items: {type: string}, maxItems: 20}}}"),
        )  # fmt: skip
        return next(iter(prove(own))).status

    plain, typed = "let: {unused: input.n}", "session: {a: datetime, b: datetime}"
    late = "session: {a: datetime}\ntime: {zone: '-05:00'}"
    assert read(typed, typed, "session.a == session.b", "verdict == 'allow' and session.a != session.b") == PROVED
    assert read(typed, plain, "session.a == session.b", "verdict == 'allow' and session.a != session.b") != PROVED
    early = "session: {a: datetime}"
    assert read(early, late, "session.a < now", "verdict == 'allow' and session.a >= now") != PROVED
    told, when = "time: {now: session.a}", "any(now > datetime(l) for l in input.at)"
    assert read(told, told, when, f"verdict == 'allow' and not {when}") == PROVED
    assert read(told, plain, when, f"verdict == 'allow' and not {when}") != PROVED


@pytest.mark.parametrize(
    "field", ["{type: string, minLength: 2, maxLength: 1}", "{type: number, minimum: 5, maximum: 1}",
              "{type: array, items: {type: string}, minItems: 3, maxItems: 2}"],
)  # fmt: skip
def test_nothing_is_proved_of_what_can_not_be(field: str) -> None:
    def made(most: int) -> Bundle:
        return bundle(
            agent("[pay]", policies="[rules]"),
            ("policies/rules.yaml",
             f"kind: Policy\nname: rules\nparams: {{most: {most}}}\nrules:\n{ALLOW}"
             '  - {id: shut, tools: [pay], effect: deny, when: "input.x == null and input.n > params.most"}\n'
             "guarantees:\n"
             "  - {id: promise, never: \"input.x == null and verdict == 'allow' and input.n == 5\"}\n"),
            tool("pay", "write",
                 input=f"{{type: object, required: [n], properties: {{n: {{type: integer}}, x: {field}}}}}"),
        )  # fmt: skip

    assert [finding.status for finding in prove(made(10))] != [PROVED]
    assert list(diff(made(10), made(1000)))
