"""The formulas and the gate agree, on random policies and random calls."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import z3  # type: ignore[import-untyped]
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from engine.language.value import canonical, loads
from engine.policy.approvals import people_needed
from engine.policy.bindings import FactNeed, FactOutput
from engine.policy.gate import MissingFacts, judge
from engine.policy.rule import Effect
from engine.proof.bounds import exactly
from engine.proof.solve import CAN, NEVER, can_be
from engine.proof.term import DATETIME
from engine.proof.terms import EPOCH, MICRO, SymbolTable
from engine.proof.verdicts import GateFormulas, VerdictFormula
from engine.session.expression_names import gate_names
from engine.session.identity import call_digest
from engine.session.judge import past_state
from engine.session.state.state import Call
from engine.spec.bundle import WRITE, Bundle
from tests.bundle_texts import agent, reviewers, tool

# policies of one run, and calls for each of them: tens of thousands with AGREEMENT=2000
POLICIES = int(os.environ.get("AGREEMENT", "60"))
CALLS = 15

INPUT = """
{type: object, additionalProperties: false, required: [amount, state, ok, tags],
 properties: {
   amount: {type: number, multipleOf: 0.5},
   whole: {type: integer},
   state: {type: string, enum: [open, shut, held]},
   name: {type: [string, "null"], maxLength: 10},
   ok: {type: boolean},
   day: {type: string},
   tags: {type: array, maxItems: 3, items: {type: string}},
   lines: {type: array, maxItems: 2, items: {
     type: object, required: [price], properties: {price: {type: number}, live: {type: boolean}}}}}}
"""
OUTPUT = """
{type: object, required: [found, limit],
 properties: {found: {type: boolean}, limit: {type: number}, owner: {type: [string, "null"]}}}
"""

NUMBERS = ["0", "2.5", "input.amount", "params.most", "account.limit", "len(input.tags)", "len(input.state)", "-1"]
SET = ["input.whole", "count(t == 'a' for t in input.tags)", "sum(l.price for l in input.lines)"]
TEXTS = ["'a'", "'open'", "input.state", "lower(input.state)", "'A'"]

numbers = st.sampled_from(NUMBERS)
more_numbers = st.one_of(
    numbers,
    st.builds("({} {} {})".format, numbers, st.sampled_from(["+", "-", "*"]), st.sampled_from(["2", "params.most"])),
    st.builds("({} / {})".format, numbers, numbers),
    st.builds("(-{})".format, numbers),
    st.builds("min({}, {})".format, numbers, numbers),
    st.sampled_from(["count(t == 'a' for t in input.tags)", "count(t in params.words for t in input.tags)"]),
)
texts = st.sampled_from(TEXTS)
moments = st.sampled_from(["now", "now - params.window", "datetime('2026-01-01T00:00:00Z')", "call.proposed_at"])
orders = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])


def boolean(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.sampled_from(
            [
                "true", "false", "input.ok", "account.found", "big", "input.name == null", "is_set(input.name)",
                "input.name == account.owner", "account.owner == null", "input.name in params.words",
                "input.name != null and len(input.name) > 2", "input.name != null and contains(input.name, 'b')",
                "input.whole != null and input.whole > params.most", "input.day != null and is_date(input.day)",
                "input.day != null and date(input.day) < date('2026-02-01')", "said_by_customer(input.state)",
                "input.lines != null and any(l.price > 2 for l in input.lines)",
                "all(false for t in input.tags)", "any(true for t in input.tags if input.ok)",
                "input.lines != null and all(l.live != null and l.live for l in input.lines)",
                "input.lines != null and sum(l.price for l in input.lines) > params.most",
                "input.tags[0] == 'a'", "first(input.tags) == 'b'", "call.name == 'act'",
                "origin(input.state) == 'model'",
                "len(calls.act) > 0", "any(c.input.ok for c in calls.act)", "1 < input.amount <= 3",
                "params.table[input.state] > 1", "input.tags == ['a']", "budget.calls.used > 2",
            ]
        ),
        st.builds("{} {} {}".format, more_numbers, orders, more_numbers),
        st.builds("{} {} {}".format, texts, st.sampled_from(["==", "!="]), texts),
        st.builds("{} {} {}".format, moments, orders, moments),
        st.builds("{} {} input.tags".format, texts, st.sampled_from(["in", "not in"])),
        st.builds("{} in ['a', 'open']".format, texts),
        st.builds("starts_with({}, 'o')".format, texts),
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("(not {})".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({} if {} else {}) > 1".format, numbers, inner, numbers),
        st.builds("any({} and t != 'b' for t in input.tags)".format, inner),
        st.builds("all(t == {} for t in input.tags if {})".format, texts, inner),
    )  # fmt: skip


expressions = st.recursive(boolean(st.just("true")), boolean, max_leaves=5)
rule = st.fixed_dictionaries(
    {
        "effect": st.sampled_from(["allow", "allow", "require_approval", "deny"]),
        "group": st.sampled_from(["one", "other", "customer"]),
        "key": st.sampled_from(["when", "when", "unless"]),
        "text": expressions,
    }
)
word = st.sampled_from(["a", "b", "ab", "open", "2026-01-05", "", "longer"])
amount = st.integers(-6, 12).map(lambda n: loads(str(n / 2)))
line = st.fixed_dictionaries({"price": amount}, optional={"live": st.booleans()})
asked = st.fixed_dictionaries(
    {
        "amount": amount,
        "state": st.sampled_from(["open", "shut", "held"]),
        "ok": st.booleans(),
        "tags": st.lists(word, max_size=3),
    },
    optional={
        "whole": st.integers(-2, 5),
        "name": word | st.none(),
        "day": st.sampled_from(["2026-01-05", "2026-03-01", "never"]),
        "lines": st.lists(line, max_size=2),
    },
)
account = st.fixed_dictionaries({"found": st.booleans(), "limit": amount}, optional={"owner": word | st.none()})
call = st.tuples(asked, account | st.none(), st.integers(-3, 3))


def made(rules: list[dict[str, str]]) -> Bundle | None:
    """The bundle with those rules; None if they are no rules of the language."""
    lines = []
    for number, r in enumerate(rules):
        asks = f", approvers: [{r['group']}]" if r["effect"] == "require_approval" else ""
        lines.append(
            f"  - {{id: r{number}, tools: [act], effect: {r['effect']}{asks}, {r['key']}: {canonical(r['text'])}}}"
        )
    policy = (
        "kind: Policy\nname: rules\n"
        "params: {most: 2.5, window: 24h, words: [a, open], table: {open: 1, shut: 2, held: 3}}\n"
        "facts: {account: {tool: look, input: {}}}\nlet: {big: input.amount > params.most and account.found}\nrules:\n"
    )
    documents = [
        tool("act", "write", input=" ".join(INPUT.split())),
        tool("look", input="{type: object}", output=" ".join(OUTPUT.split())),
        agent("[act]", policies="[rules]"),
        reviewers("one", "[dana]"),
        reviewers("other", "[lee]"),
        ("policies/rules.yaml", policy + "\n".join(lines)),
        ("specs/tools/code.py", "def act(**given):\n    return {}\n"),
    ]
    return load(BundleFiles({path: text.encode() for path, text in documents})).bundle


@settings(max_examples=POLICIES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(rule, min_size=1, max_size=4), st.lists(call, min_size=CALLS, max_size=CALLS))
def test_what_the_gate_says_is_what_the_formulas_say(rules: list[dict[str, str]], calls: list[Any]) -> None:
    bundle = made(rules)
    assume(bundle is not None)
    assert bundle is not None
    bot = bundle.agents["bot"]
    world = SymbolTable()
    judged = GateFormulas(world, bundle, bot, bundle.tools["act"]).judged()
    for input_, output, hours in calls:
        agrees(bundle, world, judged, input_, output, hours)


def agrees(bundle: Bundle, world: SymbolTable, judged: VerdictFormula, input_: Any, output: Any, hours: int) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    spec, bot = bundle.tools["act"], bundle.agents["bot"]
    proposed = Call("c", "act", input_, 1, WRITE, now - timedelta(seconds=1), call_digest(spec, "act", input_))
    state = past_state(bundle, bot, [], {"tenant": "acme"}, now, proposed)

    def read(need: FactNeed) -> FactOutput:
        return FactOutput(output) if output is not None else FactOutput(problem="it is down")

    verdict = judge(bot.guards["act"], gate_names(state, proposed, bundle), read)
    assert not isinstance(verdict, MissingFacts)
    told = [
        *assigned(world, "input", input_),
        *assigned(world, "look()", output),
        z3.Bool("look() can't be read") == (output is None),
        *moment(world, "now", now),
        *moment(world, "call.proposed_at", proposed.proposed_at),
    ]
    about = f"{[(r.rule, r.matched, r.error) for r in verdict.rules]} for {input_}, {output}"
    assert can_be(world, judged.of(verdict.effect), *told).status == CAN, about
    asked = {ask.demand for ask in verdict.asks}
    asks = [known if demand in asked else z3.Not(known) for demand, known in judged.asks.items()]
    asks.append(judged.people == people_needed(asked))
    assert can_be(world, judged.of(verdict.effect), *asks, *told).status == CAN, about
    if not world.opaque and not history(world):
        for effect in Effect:
            if effect is not verdict.effect:
                assert can_be(world, judged.of(effect), *told).status == NEVER, about


def history(world: SymbolTable) -> bool:
    """Whether something is asked of the session's past, which is not told here."""
    return any(name.startswith(("calls", "budget", "seen")) for name in world.symbols)


def moment(world: SymbolTable, name: str, at: datetime) -> list[Any]:
    known = world.symbols.get(name)
    return [] if known is None else [known.term == (at - EPOCH) // MICRO]


def assigned(world: SymbolTable, root: str, value: Any) -> list[Any]:
    """Equalities for every symbol that belongs to a value."""
    found: list[Any] = []
    for name, known in list(world.symbols.items()):
        if name != root and not name.startswith((f"{root}.", f"{root}[")):
            continue
        at = reached(value, name[len(root) :])
        found.append(z3.Bool(f"{name} is null") == (at is None))
        if at is None:
            continue
        if known.kind == "list":
            found.append(known.length == len(at))
        elif known.term is not None:
            found.append(known.term == term(world, known.kind, at))
    return found


def reached(value: Any, path: str) -> Any:
    while path and value is not None:
        if path.startswith("["):
            index, _, path = path[1:].partition("]")
            value = value[int(index)] if int(index) < len(value) else None
        else:
            key = path[1:].split(".")[0].split("[")[0]
            path = path[1 + len(key) :]
            value = value.get(key) if isinstance(value, Mapping) else None
    return value


def term(world: SymbolTable, kind: str, value: Any) -> Any:
    if kind == "number":
        return exactly(value)
    if kind == "text":
        return world.text(value)
    assert kind != DATETIME
    return value
