"""The gate as a call pays it: a judgement and its payload for the log, beside the rules as Python by hand.

usage: gate.py RULES
"""

from __future__ import annotations

import sys
import time
import timeit
from datetime import UTC, datetime
from typing import Any

from benchmarks.speed.ours import made
from benchmarks.speed.work import WRITE, tell
from engine.language.value import exact
from engine.policy.gate import judge
from engine.policy.rule import Effect
from engine.policy.verdict import Verdict
from engine.session.expression_names import gate_names
from engine.session.identity import call_digest
from engine.session.judge import past_state
from engine.session.state.state import Call

REPEATS = 15


def least(run: Any) -> float:
    """Microseconds, the least of several runs."""
    run()
    once = timeit.timeit(run, number=5) / 5
    loops = max(3, int(0.02 / once))
    return min(timeit.repeat(run, number=loops, repeat=REPEATS, timer=time.process_time)) / loops * 1e6


def measure(rules: int) -> dict[str, float]:
    """Microseconds of a judgement with its payload, and of the same by hand."""
    bundle = made(rules=rules)
    agent, now, name, given = bundle.agents["bot"], datetime(2026, 1, 1, tzinfo=UTC), WRITE[0][0], exact(WRITE[0][1])
    tool = bundle.tools[name]
    call = Call("judged", name, given, 2, tool.effect, now, call_digest(tool, name, given))
    state = past_state(bundle, agent, (), {"tenant": "acme", "n": "0"}, now, call)
    guard = agent.guards[name]
    assert sum(len(policy.rules) for policy in guard.policies) == rules

    def judged() -> dict[str, Any]:
        verdict = judge(guard, gate_names(state, call, bundle), lambda need: None)
        assert isinstance(verdict, Verdict)
        return verdict.payload()

    assert judged()["verdict"] == Effect.ALLOW.value
    places = [rule.place for policy in guard.policies for rule in policy.rules]
    return {"gate": least(judged), "by_hand": least(lambda: by_hand(places, "acme", 2, 250, given))}


def by_hand(places: list[str], tenant: str, step: int, limit: int, given: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rules as a programmer would write them who keeps what each of them read."""
    found: list[tuple[Any, ...]] = []
    for number, place in enumerate(places):
        kind = number % 4
        if kind == 0:
            found.append((place, tenant == "acme", {"session.tenant": tenant}))
        elif kind == 1:
            found.append((place, tenant != "acme", {"session.tenant": tenant}))
        elif kind == 2:
            found.append((place, step > 100_000 and limit > 0, {"step.number": step}))
        else:
            found.append((place, given["amount_usd"] > 100_000, {"input.amount_usd": given["amount_usd"]}))
    return found


if __name__ == "__main__":
    tell(rules=int(sys.argv[1]), **measure(int(sys.argv[1])))
