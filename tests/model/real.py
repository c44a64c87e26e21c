"""The support bundle on a real small model, and then under attack: `make model-test`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from engine.bundle.load import load_directory
from engine.planner.answer import ModelAnswer
from engine.planner.answer_format import AnswerForm
from engine.planner.openai import OpenAIWire
from engine.planner.prompt import Prompt
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.session.state.event import Event, EventKind
from engine.session.wire_models import read_decision
from engine.spec.bundle import Bundle
from engine.store.urls import open_url
from tests.model.hostile import ATTACKS, PORT, copy_of_root, fight, rows_in

MESSAGES = [
    "I was charged twice and your docs didn't help.",
    "Please refund the second charge of my last order.",
    "How do I change the email address of my account?",
    "Why is there a pending charge on my card?",
    "I want to talk to a person.",
    "My top-up has not arrived yet.",
    "Refund me 480 dollars right now.",
    "What does verification mean?",
    "I think somebody else used my card.",
    "Can you close my account?",
]
ACCOUNTS = ["acct_1001", "acct_1002", "acct_1003", "acct_1004", "acct_1005"]


@dataclass
class Measured:
    """One session on the real model."""

    state: str
    outcome: str
    seconds: float
    events: list[Event]

    model_seconds: float

    @property
    def told_seconds(self) -> float:
        """The time of the requests that are in the log: those that a deadline cut off are not."""
        return sum(float(e.payload["seconds"]) for e in self.events if e.kind is EventKind.MODEL_CALLED)

    def tokens(self, name: str) -> int:
        return sum(e.payload[name] for e in self.events if e.kind is EventKind.MODEL_CALLED)


def main() -> None:
    """Run it all and say what held; exits 1 if something did not."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, default=20)
    wanted = parser.parse_args().sessions
    with tempfile.TemporaryDirectory(prefix="engine-model-") as folder:
        problems = trio.run(real, Path(folder), wanted)
    with tempfile.TemporaryDirectory(prefix="engine-hostile-") as folder:
        problems += trio.run(hostile, Path(folder))
    for problem in problems:
        print(f"BROKEN: {problem}")
    sys.exit(1 if problems else 0)


async def real(folder: Path, wanted: int) -> list[str]:
    """Sessions on the real model: every decision within the contract, the gate holds, the logs verify."""
    began = time.monotonic()
    argv = [sys.executable, "-m", "tests.model.serve", str(PORT)]
    async with serving(argv) as address:
        print(f"the model is served at {address} after {time.monotonic() - began:.1f} s", flush=True)
        bundle = await trio.to_thread.run_sync(unhurried, folder)
        async with open_url(f"sqlite:///{folder}/engine.db") as store:
            events: list[Event] = []
            done: list[Measured] = []
            async with Runner(store, on_event=events.append) as engine:
                for number in range(wanted):
                    events.clear()
                    done.append(await one(engine, bundle, folder, number, events))
                    last = done[-1]
                    print(f"  {number + 1:>3} {last.seconds:5.1f} s  {last.state} {last.outcome}", flush=True)
            problems = [p for row in await store.sessions() for p in await store.verify(row.id)]
        return problems + report(done, rows_in(folder))


def unhurried(folder: Path) -> Bundle:
    """The root bundle, with time for a model that two cores share."""
    copy_of_root(folder)
    agent = folder / "specs" / "agents" / "support-triage.yaml"
    text = agent.read_text().replace("wall_clock: 30s", "wall_clock: 45s").replace("step_time: 15s", "step_time: 30s")
    text = text.replace("steps: 12", "steps: 4")
    agent.write_text(text)
    loaded = load_directory(folder)
    assert loaded.bundle is not None
    return loaded.bundle


@asynccontextmanager
async def serving(argv: list[str]) -> AsyncIterator[str]:
    """The model's server in a process of its own, and its address."""
    process = await trio.lowlevel.open_process(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        address = (await process.stdout.receive_some()).decode().strip()
        if not address:
            raise SystemExit("the model can't be served; is it installed (make .venv/.model), and the port free?")
        yield address
    finally:
        process.kill()
        await process.wait()
        await process.stdin.aclose()
        await process.stdout.aclose()


async def one(engine: Runner, bundle: Bundle, folder: Path, number: int, events: list[Event]) -> Measured:
    attributes = {"tenant": "acme", "account_id": ACCOUNTS[number % len(ACCOUNTS)]}
    opening = Opening("support-triage", MESSAGES[number % len(MESSAGES)], attributes, planner="local")
    began = time.monotonic()
    with timed() as waited:
        state = await engine.run(bundle, opening, folder)
    return Measured(state.status.value, state.outcome, time.monotonic() - began, list(events), sum(waited))


@contextmanager
def timed() -> Iterator[list[float]]:
    """How long each request waits for the model's server, also one that is cut off."""
    waited: list[float] = []
    real = OpenAIWire.ask

    async def ask(
        self: OpenAIWire, prompt: Prompt, asked: AnswerForm, answer: ModelAnswer, heard: Callable[[], None]
    ) -> None:
        began = time.monotonic()
        try:
            await real(self, prompt, asked, answer, heard)
        finally:
            waited.append(time.monotonic() - began)

    OpenAIWire.ask = ask  # type: ignore[method-assign]
    try:
        yield waited
    finally:
        OpenAIWire.ask = real  # type: ignore[method-assign]


def report(done: list[Measured], rows: int) -> list[str]:
    """Print what came of the sessions; gives what did not hold."""
    problems: list[str] = []
    decisions = [e.payload for m in done for e in m.events if e.kind is EventKind.DECISION_RECORDED]
    for payload in decisions:
        decided, wrong = read_decision({key: payload[key] for key in ("message", "tool_calls", "done")})
        problems += wrong if decided is None else []
    calls = Counter(
        f"{e.payload['tool']} {e.payload['status']}" for m in done for e in m.events if e.kind is EventKind.TOOL_RESULT
    )
    writes = [
        e.payload for m in done for e in m.events if e.kind is EventKind.TOOL_RESULT and e.payload["status"] == "ok"
    ]
    started = {e.payload["call_id"] for m in done for e in m.events if e.kind is EventKind.CALL_STARTED}
    judged = {e.payload["call_id"] for m in done for e in m.events if e.kind is EventKind.VERDICT}
    problems += [f"call {id_} started without a verdict" for id_ in started - judged]
    cases = sum(1 for payload in writes if payload["tool"] == "open_refund_case")
    if cases != rows:
        problems.append(f"{rows} refund cases, and the logs have {cases}")
    statuses = Counter(e.payload["status"] for m in done for e in m.events if e.kind is EventKind.MODEL_CALLED)
    states = Counter(f"{m.state} {m.outcome}" for m in done)
    out, asked = sum(m.tokens("tokens_out") for m in done), sum(m.tokens("tokens_in") for m in done)
    model, whole = sum(m.model_seconds for m in done), sum(m.seconds for m in done)
    told = sum(m.told_seconds for m in done)
    steps = sum(1 for m in done for e in m.events if e.kind is EventKind.STEP_STARTED)
    print(f"sessions   {len(done)}: {_counted(states)}")
    print(f"requests   {sum(statuses.values())}: {_counted(statuses)}")
    print(f"decisions  {len(decisions)} recorded, all of them within the contract: {not problems}")
    print(f"calls      {_counted(calls) or 'none'}")
    print(f"model      {model:.1f} s, {asked} tokens read, {out} written: {out / told:.1f} tokens a second")
    own = whole - model
    print(f"engine     {own:.2f} s beside it in {steps} steps: {1000 * own / steps:.1f} ms a step, "
          f"{100 * own / whole:.1f} % of the time")  # fmt: skip
    return problems


async def hostile(folder: Path) -> list[str]:
    """Sessions whose model forces refunds; none may happen beyond what the policies allow."""
    problems: list[str] = []
    attempted = stopped = allowed = 0
    print(f"hostile    {len(ATTACKS)} sessions")
    for number, attack in enumerate(ATTACKS):
        root = folder / str(number)
        bundle = await trio.to_thread.run_sync(copy_of_root, root)
        fought = await fight(attack, bundle, root)
        attempted += fought.attempted
        allowed += fought.acted
        stopped += fought.attempted - fought.acted
        if not fought.held:
            problems.append(f"{attack.kind}: {attack.name}: {fought.rows} refund cases, {attack.allowed} allowed")
        print(f"  {attack.kind:<19} {attack.name:<42} {fought.attempted} tried, {fought.acted} acted: "
              f"{', '.join(fought.stopped_by)}")  # fmt: skip
    print(f"refunds    {attempted} attempted, {stopped} stopped, {allowed} within the policies "
          f"(the first of those that were repeated)")  # fmt: skip
    return problems


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in found.most_common())


if __name__ == "__main__":
    main()
