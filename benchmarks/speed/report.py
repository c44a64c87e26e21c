"""The results as a page: the aims with what was reached, all figures, and a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import service_results
from benchmarks.speed.figures import Ask, Figures, bytes_step, cpu_step, sessions_second, steps_second

NAMES = {
    "ours": "this engine",
    "floor": "the fair floor",
    "bare_floor": "the bare floor",
    "langgraph": "LangGraph, SQLite saver",
    "dbos": "DBOS, SQLite",
}
MANY = {name: "many 300" if name == "dbos" else "many 1000" for name in NAMES}
ONE = dict.fromkeys(NAMES, "one")


def write(path: Path, ask: Ask, rounds: int, machine: str, versions: list[str]) -> None:
    """The page, and the picture beside it."""
    lines = [
        "# Results", "",
        f"`make bench`, {rounds} rounds of one run, the subjects in turn; least and median. {machine}.",
        "Only the ratios of one run say something: the machine is shared. Ratios are of the least figures, and",
        "`benchmarks/history.jsonl` keeps those of every run.", "",
        f"{', '.join(versions)}.", "",
        "The session: three steps, two parallel reads, one write, an answer; a scripted planner, tools that return at",
        "once, twenty policy rules over each call, schemas checked, every transition durable (`synchronous=FULL`).",
        "The fair floor (`benchmarks/speed/floor.py`) is the least code on Trio and SQLite whose store holds the same",
        "evidence; the bare floor (`benchmarks/speed/bare_floor.py`) does as many appends of about the same size, and",
        "has no verdicts and no chain in its log.", "",
        "## What was aimed at", "",
        "| what | aim | measured | |", "| --- | --- | --- | --- |",
        *_aims(ask), "",
        "![CPU a step and durable steps a second](RESULTS.svg)", "",
        "## 1,000 sessions at once", "",
        "| | CPU a step, ms | durable steps/s | bytes a step |", "| --- | --- | --- | --- |",
        *_rows(ask, NAMES, MANY, steps_second), "",
        "DBOS is given 300 sessions at once, or a run would take an hour.", "",
        "## One session at a time", "",
        "| | CPU a step, ms | sessions/s | bytes a step |", "| --- | --- | --- | --- |",
        *_rows(ask, NAMES, ONE, sessions_second), "",
        "## This engine, by how many and how long", "",
        "| | CPU a step, ms | durable steps/s | bytes a step |", "| --- | --- | --- | --- |",
        *(row for told, what in _SIZES for row in _rows(ask, {"ours": told}, {"ours": what}, steps_second)), "",
    ]  # fmt: skip
    service = service_results.section(path.read_text("utf-8")) if path.exists() else ""
    path.write_text("\n".join(lines) + (f"\n{service}" if service else ""), "utf-8")
    path.with_suffix(".svg").write_text(_picture(ask), "utf-8")


_SIZES = (
    ("100 sessions at once", "many 100"),
    ("1,000", "many 1000"),
    ("10,000", "many 10000"),
    ("a session of 10 steps, one at a time", "long 10"),
    ("of 1,000", "long 1000"),
    ("of 5,000", "long 5000"),
)


def _rows(ask: Ask, names: dict[str, str], whats: dict[str, str], pace: Callable[[dict[str, Any]], float]) -> list[str]:
    found = []
    for subject, name in names.items():
        what = whats[subject]
        cpu, speed, size = ask(subject, what, cpu_step), ask(subject, what, pace), ask(subject, what, bytes_step)
        if cpu is not None and speed is not None and size is not None:
            # of what is better when it is more, the best of a run is the most
            fastest = f"{speed.most:,.0f}, {speed.median:,.0f}"
            found.append(f"| {name} | {cpu.text()} | {fastest} | {size.text(0)} |")
    return found


Row = tuple[str, str, str, bool]


def _aims(ask: Ask) -> list[str]:
    rows = [*_of_many(ask), *_of_one(ask), *_of_gate(ask), *_of_start(ask)]
    return [f"| {what} | {aim} | {told} | {_verdict(good)} |" for what, aim, told, good in rows]


def _verdict(good: bool) -> str:
    return "reached" if good else "**not reached**"


def _ratio(one: Figures | None, other: Figures | None) -> float | None:
    return one.least / other.least if one and other else None


def _of_many(ask: Ask) -> list[Row]:
    rows: list[Row] = []
    ours, floor, graph = (ask(name, "many 1000", cpu_step) for name in ("ours", "floor", "langgraph"))
    above, below = _ratio(ours, floor), _ratio(graph, ours)
    if above:
        rows.append(("CPU a step, 1,000 sessions at once", "3.5x of the fair floor", f"{above:.1f}x", above <= 3.5))
    if below:
        rows.append(("the same against LangGraph", "9x below", f"{below:.1f}x below", below >= 9))
    if pace := ask("ours", "many 1000", steps_second):
        rows.append(("durable steps/s, the same", "2,200", f"{pace.most:,.0f}", pace.most >= 2200))
    if more := _ratio(ask("ours", "many 10000", cpu_step), ours):
        rows.append(("CPU a step at 10,000 at once against 1,000", "1.3x", f"{more:.2f}x", more <= 1.3))
    real, speed = ask("real", "many", cpu_step), ask("real", "many", sessions_second)
    if real and speed:
        told, good = f"{real.least:.1f} ms, {speed.most:,.0f}/s", real.least <= 5 and speed.most >= 190
        rows.append(("a session of support-triage in a batch", "5 ms of CPU, 190 sessions/s", told, good))
    parked, idle = (ask("ours", "parked", lambda found, key=key: found[key]) for key in ("parked_bytes", "idle_share"))
    if parked and idle:
        told = f"{parked.least:,.0f} bytes, {100 * idle.least:.2f} % of a core"
        good = parked.least <= 1024 and idle.least < 0.01
        rows.append(("a parked session, 1,000 of them", "1 KB of memory, under 1 % of a core", told, good))
    return rows


def _of_one(ask: Ask) -> list[Row]:
    rows: list[Row] = []
    one, other = ask("ours", "one", sessions_second), ask("langgraph", "one", sessions_second)
    sync = ask("ours", "syncs", lambda found: found["n"])
    if one and other:
        times = one.most / other.most
        told = f"{sync.median:.1f} syncs, {times:.1f}x" if sync else f"{times:.1f}x"
        rows.append(("one session at a time", "7 syncs a session or fewer, 3x LangGraph", told, times >= 3))
    if ratio := _ratio(ask("ours", "long 1000", cpu_step), ask("ours", "long 10", cpu_step)):
        rows.append(("CPU a step at 1,000 steps against 10", "1.1x", f"{ratio:.2f}x", ratio <= 1.1))
    if big := ask("ours", "long 1000", bytes_step):
        rows.append(("bytes a step on disk at 1,000 steps", "1,500", f"{big.median:,.0f}", big.median <= 1500))
    resume, held = (
        ask("ours", "resume 1000", lambda found, key=key: found[key]) for key in ("resume_cpu", "state_bytes")
    )
    if resume and held:
        told = f"{1000 * resume.least:.0f} ms"
        rows.append(("resume of 1,000 steps from a snapshot", "30 ms", told, resume.least <= 0.03))
        told = f"{held.least / 1e6:.1f} MB"
        rows.append(("memory of a session of 1,000 steps", "4 MB", told, held.least <= 4e6))
    return rows


def _of_gate(ask: Ask) -> list[Row]:
    rows: list[Row] = []
    gate, many = (ask("gate", f"rules {n}", lambda found: found["us"]) for n in (20, 1000))
    if gate and many:
        rows.append(("the gate as a call pays it, 20 rules", "12 us", f"{gate.least:.1f} us", gate.least <= 12))
        each = many.least / 1000
        rows.append(("the same, a rule of 1,000", "1 us", f"{each:.2f} us", each <= 1))
    if rate := ask("ours", "whatif", lambda found: found["rate"]):
        told, good = f"{rate.most:,.0f}", rate.most >= 20_000
        rows.append(("`engine whatif`, 500 refunds: decisions a second and core", "20,000", told, good))
    if conditions := ask("ours", "rules", lambda found: found["us"]):
        told, good = f"{conditions.least:.1f} us", conditions.least <= 15
        rows.append(("the conditions of 20 rules alone", "15 us", told, good))
    return rows


def _of_start(ask: Ask) -> list[Row]:
    start, check = (ask("ours", name, lambda found: found["cpu"]) for name in ("help", "validate"))
    if not start or not check:
        return []
    told = f"{start.least:.2f} s; {check.least:.2f} s"
    good = start.least <= 0.35 and check.least <= 0.6
    return [("CPU of `engine --help`; of `engine validate .`", "0.35 s; 0.6 s", told, good)]


def _picture(ask: Ask) -> str:
    """Bars on a logarithmic scale, for both figures of a thousand sessions at once."""
    import math

    parts, y = [], 24
    for title, of, digits in (
        ("CPU a step, ms (less is better)", cpu_step, 2), ("durable steps a second (more is better)", steps_second, 0),
    ):  # fmt: skip
        found = [(name, ask(subject, MANY[subject], of)) for subject, name in NAMES.items()]
        values = [(name, figures.median) for name, figures in found if figures is not None]
        parts.append(f'<text x="8" y="{y}" font-weight="bold">{title}</text>')
        low = min(value for _, value in values) / 2
        span = math.log(max(value for _, value in values) / low)
        for name, value in values:
            y += 26
            width = 380 * math.log(value / low) / span
            parts.append(f'<text x="8" y="{y}">{name}</text>')
            parts.append(f'<rect x="200" y="{y - 13}" width="{width:.0f}" height="17" fill="#4472a8"/>')
            parts.append(f'<text x="{206 + width:.0f}" y="{y}">{value:,.{digits}f}</text>')
        y += 40
    body = "\n".join(parts)
    style = "font-family: sans-serif; font-size: 13px"
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="680" height="{y}" style="{style}">\n{body}\n</svg>\n'
