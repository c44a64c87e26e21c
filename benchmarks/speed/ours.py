"""The three-step session on this engine: SQLite, synchronous=FULL, policy and schemas on.

usage: ours.py MODE SESSIONS STEPS, where MODE is one, many, parked, long or resume.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import trio

from benchmarks.speed.work import OUTPUTS, RULES, Meter, memory, planned, stored, tell
from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from engine.planner.script import ScriptedPlanner
from engine.ports.store import Store
from engine.runtime.gc_tuning import tune_gc
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.runtime.state_loader import load_state
from engine.session.state.state import Status
from engine.spec.bundle import Bundle
from engine.spec.planner_spec import PlannerSpec
from engine.store.log_key import LogKey
from engine.store.sqlite import open_store

_SCHEMAS = {
    "read_customer": ("customer_id", "{customer_id: {type: string}, verified: {type: boolean}, "
                      "tenant: {type: string}, status: {type: string}}"),
    "read_order": ("order_id", "{order_id: {type: string}, total_usd: {type: number}, paid: {type: boolean}}"),
    "refund": ("order_id, amount_usd", "{order_id: {type: string}, refunded_usd: {type: number}, "
               "reference: {type: string}}"),
}  # fmt: skip
_KINDS = {"customer_id": "string", "order_id": "string", "amount_usd": "number"}


def made(held: bool = False, rules: int = RULES) -> Bundle:
    """The bundle with so many rules; `held` adds one that asks a person about every write."""
    files: dict[str, str] = {"specs/tools/act.py": ""}
    for name, (fields, output) in _SCHEMAS.items():
        files["specs/tools/act.py"] += f"async def {name}(**given):\n    return {OUTPUTS[name]!r}\n\n"
        properties = ", ".join(f"{field}: {{type: {_KINDS[field]}}}" for field in fields.split(", "))
        effect = "write" if name == "refund" else "read"
        files[f"specs/tools/{name}.yaml"] = (
            f"kind: Tool\nname: {name}\ndescription: {name}\neffect: {effect}\n"
            f"input: {{type: object, properties: {{{properties}}}, required: [{fields}], "
            "additionalProperties: false}\n"
            f"output: {{type: object, properties: {output}, additionalProperties: false}}\n"
            f"adapter: {{kind: python, file: specs/tools/act.py, function: {name}}}\n"
            + ("idempotency: none\n" if effect == "write" else "")
        )
    files["policies/rules.yaml"] = "kind: Policy\nname: rules\nparams: {limit: 250}\nrules:\n" + "".join(
        _rules(held, rules)
    )
    files["specs/reviewers/leads.yaml"] = "kind: Reviewers\nname: leads\nmembers: [ana]\n"
    files["specs/agents/bot.yaml"] = (
        "kind: Agent\nname: bot\ndescription: bot\nplanner: script\n"
        "planners: {script: {kind: scripted, decisions: [{message: done, done: true}]}}\n"
        "tools: [read_customer, read_order, refund]\npolicies: [rules]\n"
        "budgets: {steps: unlimited, calls: unlimited, calls_per_tool: {other: unlimited}, wall_clock: unlimited}\n"
        "attributes: {type: object, properties: {tenant: {type: string}, n: {type: string}}, required: [tenant, n]}\n"
        "stop: [{outcome: answered, message: '{{ decision.message }}'}]\n"
    )
    loaded = load(BundleFiles({path: text.encode() for path, text in files.items()}))
    assert loaded.bundle is not None, loaded.diagnostics
    return loaded.bundle


def _rules(held: bool, rules: int) -> list[str]:
    """As many rules as the work says, which all cover every call."""
    conditions = [
        ("allow", "session.tenant == 'acme'"),
        ("deny", "session.tenant != 'acme'"),
        ("deny", "step.number > 100000 and params.limit > 0"),
        ("deny", "call.name == 'refund' and input.amount_usd > 100000"),
    ]
    listed = []
    for n in range(rules):
        effect, when = conditions[n % len(conditions)]
        tools = "[refund]" if "input" in when else "all"
        when = when.replace("call.name == 'refund' and ", "")
        listed.append(f'  - {{id: rule-{n}, tools: {tools}, effect: {effect}, when: "{when}"}}\n')
    if held:
        listed.append("  - {id: ask, tools: [refund], effect: require_approval, approvers: [leads]}\n")
    return listed


def decided(steps: int) -> tuple[dict[str, Any], ...]:
    """What is proposed in each step."""
    return tuple(
        {
            "message": "done" if not planned(step, steps) else "next",
            "tool_calls": [
                {"id": f"c{step}-{n}", "name": name, "input": given}
                for n, (name, given) in enumerate(planned(step, steps))
            ],
            "done": not planned(step, steps),
        }
        for step in range(1, steps + 1)
    )


def script(steps: int) -> ScriptedPlanner:
    """A planner that proposes the work."""
    return ScriptedPlanner(PlannerSpec("scripted", decisions=decided(steps)))


async def run(mode: str, sessions: int, steps: int, folder: Path) -> None:
    """Run a mode and tell its figures."""
    path = folder / "engine.db"
    bundle = made(held=mode == "parked")
    tune_gc()
    # without a key of the log no snapshot is kept
    key = LogKey((bytes(range(32)),)) if mode == "resume" else None
    async with open_store(path, key) as store:
        engine = Runner(store, planner=script(steps))

        async def one(number: int) -> None:
            opening = Opening("bot", "refund", {"tenant": "acme", "n": str(number)})
            state = await engine.run(bundle, opening, folder)
            wanted = Status.AWAITING_HUMAN_REVIEW if mode == "parked" else Status.DONE
            assert state.status is wanted, (state.status, state.told)

        async def parked() -> None:
            # sixteen at once: what is measured is what parked sessions leave, not what was there at the worst moment
            limit = trio.CapacityLimiter(16)

            async def in_turn(number: int) -> None:
                async with limit:
                    await one(number)

            async with trio.open_nursery() as nursery:
                for number in range(sessions):
                    nursery.start_soon(in_turn, number)

        await one(0)
        if mode == "parked":
            # what the process needs for itself is there after as many
            await parked()
        gc.collect()
        before, size = memory(), stored(path)
        with Meter() as meter:
            if mode == "parked":
                await parked()
            elif mode == "many":
                async with trio.open_nursery() as nursery:
                    for number in range(1, sessions + 1):
                        nursery.start_soon(one, number)
            else:
                for number in range(1, sessions + 1):
                    await one(number)
        figures = {"cpu": meter.cpu, "wall": meter.wall, "bytes": stored(path) - size}
        if mode == "parked":
            figures |= await _idle(before, sessions)
        if mode == "resume":
            figures |= await _resumed(store)
        tell(mode=mode, sessions=sessions, steps=steps, **figures)


async def _idle(before: int, sessions: int) -> dict[str, float]:
    """What parked sessions cost while nobody answers."""
    gc.collect()
    with Meter() as meter:
        await trio.sleep(3)
    return {"parked_bytes": (memory() - before) / sessions, "idle_share": meter.cpu / meter.wall}


async def _resumed(store: Store) -> dict[str, float]:
    """What the newest session's state takes to load: seconds of CPU, and bytes of memory."""
    (row,) = await store.sessions(limit=1)
    seconds = []
    for _ in range(5):
        with Meter() as meter:
            await load_state(store, row.id)
        seconds.append(meter.cpu)
    tracemalloc.start()
    state = await load_state(store, row.id)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert state.final
    return {"resume_cpu": min(seconds), "state_bytes": held}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        trio.run(run, sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(place))
