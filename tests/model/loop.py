"""Nothing blocks the loop: a hundred sessions at once, with a model and a tool of every kind."""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import trio

from engine.runtime.gc_tuning import tune_gc
from engine.runtime.host_secrets import HostSecrets
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.spec.bundle import Bundle
from engine.store.urls import open_url
from tests.bundle_texts import agent, bundle, tool
from tests.long_form import either
from tests.model import server as s

# so many times what it takes here, at that moment, to read the largest thing that a tool of it gives
MOST = 30
PAGE = json.dumps({"list": list(range(30_000))})
SESSIONS = either(100, 25)
PEER = Path(__file__).resolve().parents[1] / "tool" / "mcp_peer.py"


class Blocks(trio.abc.Instrument):
    """How long the loop was busy with one task, or with all that was ready at once, in seconds of this thread's CPU.

    CPU and not the clock on the wall: what another process takes from this machine is no fault of the loop's.
    """

    def __init__(self) -> None:
        self.worst = 0.0
        self.who = ""
        self._began: float | None = None

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        spent = time.thread_time() - self._began if self._began is not None else 0
        if spent > self.worst:
            self.worst, self.who = spent, task.name


@contextmanager
def watched() -> Iterator[Blocks]:
    """With the cycle collector as `engine` sets it."""
    blocks, before = Blocks(), gc.get_threshold()
    tune_gc()
    trio.lowlevel.add_instrument(blocks)
    try:
        yield blocks
    finally:
        trio.lowlevel.remove_instrument(blocks)
        gc.set_threshold(*before)
        gc.unfreeze()


def everything(url: str) -> Bundle:
    """A model, and a tool of every kind, each of which gives a large output."""
    anything = "{type: object, properties: {n: {}}}"
    path, text = agent("[web, run, peer, rows, code]", budgets="{wall_clock: 5m, step_time: 120s}")
    planner = f"{{kind: openai, model: m, base_url: '{url}/v1', api_key: '${{secret:KEY}}', timeout: 60s}}"
    text = text.replace("planner: script\nplanners:\n", f"planner: model\nplanners:\n  model: {planner}\n")
    program = f"argv: ['{sys.executable}', -S, specs/tools/big.py], files: [specs/tools/*.py], stdin: nothing"
    page = f"kind: http, url: '{url}/page', allow_private: true"
    slow = "concurrency: 4\ntimeout: 60s\n"
    return bundle(
        (path, text),
        tool("web", input=anything, output="{}", more=f"adapter: {{{page}}}\n{slow}"),
        tool("run", input=anything, output="{}", more=f"adapter: {{kind: command, {program}}}\n{slow}"),
        tool("peer", input=anything, output="{}", more=f"adapter: {{kind: mcp, server: peer, tool: echo}}\n{slow}"),
        tool("rows", input=anything, output="{}", more="adapter: {kind: sql, database: big, sql: 'SELECT * FROM t', "
             f"result: rows}}\n{slow}"),
        tool("code", input=anything, output="{}",
             more=f"adapter: {{kind: python, file: specs/tools/code.py, function: act}}\n{slow}"),
        ("specs/tools/big.py", "import json; print(json.dumps({'list': list(range(10000))}))"),
        ("specs/servers/peer.yaml", f"kind: Server\nname: peer\ncommand: ['{sys.executable}', '{PEER}']\n"),
        ("specs/databases/big.yaml", "kind: Database\nname: big\npath: big.db\ninit: [specs/databases/big.sql]\n"),
        ("specs/databases/big.sql", "CREATE TABLE t (n INTEGER, word TEXT);\nWITH RECURSIVE c(x) AS (SELECT 1 UNION "
         "ALL SELECT x + 1 FROM c WHERE x < 500) INSERT INTO t SELECT x, 'a word and another' FROM c;"),
        ("specs/prices/m.yaml", "kind: Prices\nname: m\nmodels: {m: {input_usd: 0, output_usd: 0}}\n"),
    )  # fmt: skip


def answers() -> s.Act:
    """A model that calls every tool once in each session, and a page of 200 kB."""
    calls = json.dumps(
        {"message": "all of them", "done": False, "tool_calls": [
            {"name": name, "input": {"n": 1}} for name in ("web", "run", "peer", "rows", "code")]}
    )  # fmt: skip
    bye = json.dumps({"message": "bye " + "word " * 2000, "tool_calls": [], "done": True})

    async def act(exchange: s.Exchange) -> None:
        if exchange.asked.path == "/page":
            await exchange.text(PAGE)
            return
        prompt = json.dumps(exchange.asked.body)
        await s.says(bye if "(call-1-5)" in prompt else calls)(exchange)

    return act


async def measured(folder: Path) -> tuple[Blocks, list[str], float]:
    """A hundred sessions at once: what the loop was blocked by, how they ended, and the floor: see `MOST`."""
    async with s.serving(answers()) as server, open_url(f"sqlite:///{folder}/store.db") as store:
        made = everything(server.url)
        engine = Runner(store, secrets=HostSecrets({"KEY": "canary"}))
        opening = Opening("bot", "Go", {"tenant": "acme"})
        async with engine:
            # what is imported and compiled once is no session's doing
            assert (await engine.run(made, opening, folder)).status.value == "done"
            ended: list[str] = []

            async def one() -> None:
                ended.append((await engine.run(made, opening, folder)).status.value)

            floors: list[float] = []

            async def read_now_and_then() -> None:
                while True:
                    began = time.thread_time()
                    json.loads(PAGE)
                    floors.append(time.thread_time() - began)
                    await trio.sleep(0.05)

            with watched() as blocks:
                async with trio.open_nursery() as beside:
                    beside.start_soon(read_now_and_then)
                    async with trio.open_nursery() as nursery:
                        for _ in range(SESSIONS):
                            nursery.start_soon(one)
                    beside.cancel_scope.cancel()
    return blocks, ended, median(floors)


def main() -> None:
    """Measure, and exit 1 if something blocked the loop for too long."""
    with tempfile.TemporaryDirectory(prefix="engine-loop-") as folder:
        blocks, ended, floor = trio.run(measured, Path(folder))
    print(f"{len(ended)} sessions, {ended.count('done')} done")
    told = f"{blocks.worst / floor:.1f} times what it takes to read 200 kB ({1000 * blocks.worst:.1f} ms)"
    print(f"the loop was busy for {told} at most, with {blocks.who}")
    sys.exit(0 if ended == ["done"] * SESSIONS and blocks.worst < MOST * floor else 1)


if __name__ == "__main__":
    main()
