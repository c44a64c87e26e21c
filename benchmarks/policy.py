"""Twenty rules over one call: this engine beside others that judge by expressions, in one run.

A ratio to a floor (the same conditions written as a Python function) says more than microseconds on one machine.
"""

from __future__ import annotations

import importlib
import statistics
import sys
import timeit
from collections.abc import Callable
from typing import Any

from simpleeval import EvalWithCompoundTypes

from engine.language import types
from engine.language.expression import compile_expression

RULES = 20
REPEATS, LOOPS = 9, 2000
GOAL, LIMIT = 5.0, 15.0

CALL: dict[str, Any] = {
    "input": {"amount_usd": 120, "account_id": "acct_1001", "tags": ["a", "b"]},
    "account": {"verified": True, "tenant": "acme", "status": "active"},
    "session": {"tenant": "acme"},
    "params": {"limit": 250},
}
SCOPE: dict[str, types.Type] = {
    "input": types.record(amount_usd=types.NUMBER, account_id=types.TEXT, tags=types.ListOf(types.TEXT)),
    "account": types.record(verified=types.BOOLEAN, tenant=types.TEXT, status=types.TEXT),
    "session": types.record(tenant=types.TEXT),
    "params": types.Record({"limit": types.Field(types.NUMBER)}, "param"),
}
CONDITIONS = [
    "account.verified and account.tenant == session.tenant and input.amount_usd > 0",
    "account.tenant != session.tenant",
    "input.amount_usd > params.limit",
    "account.status == 'active' and not (input.amount_usd <= 0)",
] * (RULES // 4)


def floor() -> Callable[[], Any]:
    """The conditions as a programmer would write them."""

    def judge() -> list[bool]:
        i, a, s, p = CALL["input"], CALL["account"], CALL["session"], CALL["params"]
        found = []
        for _ in range(RULES // 4):
            found += [
                a["verified"] and a["tenant"] == s["tenant"] and i["amount_usd"] > 0,
                a["tenant"] != s["tenant"],
                i["amount_usd"] > p["limit"],
                a["status"] == "active" and not (i["amount_usd"] <= 0),
            ]
        return found

    return judge


def ours(how: str) -> Callable[[], Any]:
    """This engine: compiled, compiled with what was read noted (as a verdict needs it), or the reference."""
    expressions = [compile_expression(text, SCOPE)[0] for text in CONDITIONS]
    if how == "reference":
        return lambda: [expression.reference(CALL) for expression in expressions]
    if how == "noted":
        return lambda: [expression.value(CALL, {}) for expression in expressions]
    return lambda: [expression.value(CALL) for expression in expressions]


def plain_simpleeval() -> Callable[[], Any]:
    """simpleeval as it comes, parsed beforehand; fields by its attribute access."""
    evaluator = EvalWithCompoundTypes(names=CALL)
    parsed = [evaluator.parse(text) for text in CONDITIONS]
    return lambda: [evaluator.eval("", previously_parsed=tree) for tree in parsed]


def cel() -> Callable[[], Any]:
    """CEL in Rust."""
    module = importlib.import_module("cel")
    translated = [text.replace(" and ", " && ").replace("not (", "!(") for text in CONDITIONS]
    programs = [module.compile(text) for text in translated]
    return lambda: [program.execute(CALL) for program in programs]


def cedar() -> Callable[[], Any]:
    """Cedar: one authorization over twenty policies."""
    module = importlib.import_module("cedarpy")
    conditions = [
        "context.verified && context.tenant == context.own && context.amount > 0",
        "context.tenant != context.own",
        "context.amount > context.limit",
        'context.status == "active" && !(context.amount <= 0)',
    ] * (RULES // 4)
    policies = "\n".join(f"permit(principal, action, resource) when {{ {text} }};" for text in conditions)
    context = {"verified": True, "tenant": "acme", "own": "acme", "amount": 120, "limit": 250, "status": "active"}
    request = {"principal": 'User::"a"', "action": 'Action::"b"', "resource": 'Thing::"c"', "context": context}
    return lambda: module.is_authorized(request, policies, [])


SUBJECTS: dict[str, Callable[[], Callable[[], Any]]] = {
    "python by hand (floor)": floor,
    "engine, compiled": lambda: ours("compiled"),
    "engine, values noted": lambda: ours("noted"),
    "engine, reference": lambda: ours("reference"),
    "simpleeval, parsed": plain_simpleeval,
    "CEL (common-expression-language)": cel,
    "Cedar (cedarpy)": cedar,
}


def measure(run: Callable[[], Any]) -> float:
    """Microseconds for twenty rules, the median of several runs."""
    run()
    once = timeit.timeit(run, number=20) / 20
    loops = max(20, min(LOOPS, int(0.2 / max(once, 1e-7))))
    return statistics.median(timeit.repeat(run, number=loops, repeat=REPEATS)) / loops * 1e6


def main() -> int:
    base = 0.0
    ours_took = 0.0
    print(f"{'20 rules':<36}{'us':>10}{'ratio':>9}")
    for name, make in SUBJECTS.items():
        try:
            took = measure(make())
        except ImportError as error:
            print(f"{name:<36}{'-':>10}{'-':>9}  not installed: {error.name}")
            continue
        base = base or took
        ours_took = took if name == "engine, compiled" else ours_took
        print(f"{name:<36}{took:>10.2f}{took / base:>9.1f}")
    print(f"the engine took {ours_took:.2f} us; the limit is {LIMIT:g}, the goal {GOAL:g}")
    return 0 if ours_took <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
