"""The results as a page: the aims with what was reached, all figures, and a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

STEPS = 3
NAMES = {"ours": "this engine", "floor": "the floor", "langgraph": "LangGraph, SQLite saver", "dbos": "DBOS, SQLite"}


@dataclass(frozen=True, slots=True)
class Figures:
    """A median with its spread."""

    median: float
    least: float
    most: float

    def text(self, digits: int = 2) -> str:
        return f"{self.median:,.{digits}f} ({self.least:,.{digits}f} to {self.most:,.{digits}f})"


class Ask(Protocol):
    """Figures of a subject."""

    def __call__(self, subject: str, what: str, of: Callable[[dict[str, Any]], float]) -> Figures | None: ...


def cpu_step(one: dict[str, Any]) -> float:
    """Milliseconds of CPU a step."""
    return float(1000 * one["cpu"] / one["sessions"] / one["steps"])


def steps_second(one: dict[str, Any]) -> float:
    """Durable steps a second."""
    return float(one["sessions"] * one["steps"] / one["wall"])


def sessions_second(one: dict[str, Any]) -> float:
    """Sessions a second."""
    return float(one["sessions"] / one["wall"])


def bytes_step(one: dict[str, Any]) -> float:
    """Bytes on disk a step."""
    return float(one["bytes"] / one["sessions"] / one["steps"])


def write(path: Path, ask: Ask, rounds: int, machine: str, versions: list[str]) -> None:
    """The page, and the picture beside it."""
    lines = [
        "# Results", "",
        f"`make bench`, {rounds} rounds of one run, the subjects in turn; medians with least and most. {machine}.",
        "Only the ratios of one run say something: the machine is shared.", "",
        f"{', '.join(versions)}.", "",
        "The session: three steps, two parallel reads, one write, an answer; a scripted planner, tools that return at",
        "once, twenty policy rules over each call, schemas checked, every transition durable (`synchronous=FULL`).",
        "The floor is the least code on Trio and SQLite that does the same appends (`benchmarks/speed/floor.py`): no",
        "resume, no approvals, no budgets, no verdicts in its log.", "",
        "## What was aimed at", "",
        "| what | aim | least | measured | |", "| --- | --- | --- | --- | --- |",
        *_aims(ask), "",
        "![CPU a step and durable steps a second](RESULTS.svg)", "",
        "## 1,000 sessions at once", "",
        "| | CPU a step, ms | durable steps/s | bytes a step |", "| --- | --- | --- | --- |",
        *_rows(ask, "many", steps_second), "",
        "DBOS is given 300 sessions at once, or a run would take an hour.", "",
        "## One session at a time", "",
        "| | CPU a step, ms | sessions/s | bytes a step |", "| --- | --- | --- | --- |",
        *_rows(ask, "one", sessions_second), "",
    ]  # fmt: skip
    path.write_text("\n".join(lines), "utf-8")
    path.with_suffix(".svg").write_text(_picture(ask), "utf-8")


def _rows(ask: Ask, what: str, pace: Callable[[dict[str, Any]], float]) -> list[str]:
    found = []
    for subject, name in NAMES.items():
        cpu, speed, size = ask(subject, what, cpu_step), ask(subject, what, pace), ask(subject, what, bytes_step)
        if cpu is not None and speed is not None and size is not None:
            found.append(f"| {name} | {cpu.text()} | {speed.text(0)} | {size.text(0)} |")
    return found


def _aims(ask: Ask) -> list[str]:
    ours, floor, graph = (ask(name, "many", cpu_step) for name in ("ours", "floor", "langgraph"))
    pace = ask("ours", "many", steps_second)
    one, other = ask("ours", "one", sessions_second), ask("langgraph", "one", sessions_second)
    short, long = (ask("ours", f"long {n}", cpu_step) for n in (10, 1000))
    small, big = (ask("ours", f"long {n}", bytes_step) for n in (10, 1000))
    sync = ask("ours", "syncs", lambda found: found["n"])
    parked, idle = (ask("ours", "parked", lambda found, key=key: found[key]) for key in ("parked_bytes", "idle_share"))
    rules = ask("ours", "rules", lambda found: found["us"])
    start, check = (ask("ours", name, lambda found: found["cpu"]) for name in ("help", "validate"))
    rows: list[tuple[str, str, str, str, bool | None]] = []
    if ours and floor and graph:
        below, above = graph.median / ours.median, ours.median / floor.median
        rows.append(
            ("CPU per durable step, 1,000 sessions at once", "2x of the floor, 20x below LangGraph",
             "10x below LangGraph",
             f"{ours.median:.2f} ms: {above:.1f}x of the floor, {below:.1f}x below LangGraph", below >= 10)
        )  # fmt: skip
    if pace:
        rows.append(("durable steps/s, the same", "4,500", "2,000", f"{pace.median:,.0f}", pace.median >= 2000))
    if one and other:
        times = one.median / other.median
        told = f"{sync.median:.1f} syncs, {times:.1f}x" if sync else f"{times:.1f}x"
        rows.append(
            ("one session at a time", "7 syncs a session or fewer, 3x LangGraph", "2.5x", told, times >= 2.5)
        )  # fmt: skip
    if short and long:
        ratio = long.median / short.median
        rows.append(("cost per step at 1,000 steps against 10", "1.1x", "1.2x", f"{ratio:.2f}x", ratio <= 1.2))
    if small and big:
        told = f"{big.median:,.0f} at 1,000 steps"
        rows.append(("bytes per step on disk", "flat, 1.5 KB", "flat, 2.5 KB", told, big.median <= 2500))
    if parked and idle:
        told = f"{parked.median:,.0f} bytes, {100 * idle.median:.2f} % of a core"
        good = parked.median <= 1024 and idle.median < 0.01
        rows.append(("a parked session, 1,000 of them", "1 KB of memory, under 1 % of a core", "the same", told, good))
    if rules:
        rows.append(("20 policy rules", "5 us", "15 us", f"{rules.median:.1f} us", rules.median <= 15))
    if start and check:
        told = f"{start.median:.2f} s; {check.median:.2f} s"
        good = start.median <= 0.35 and check.median <= 0.6
        rows.append(("CPU of `engine --help`; of `engine validate .`", "0.2 s; 0.4 s", "0.35 s; 0.6 s", told, good))
    return [f"| {what} | {aim} | {least} | {told} | {_verdict(good)} |" for what, aim, least, told, good in rows]


def _verdict(good: bool | None) -> str:
    return "the least is reached" if good else "**short of the least**"


def _picture(ask: Ask) -> str:
    """Bars on a logarithmic scale, for both figures of a thousand sessions at once."""
    import math

    parts, y = [], 24
    for title, of, digits in (
        ("CPU a step, ms (less is better)", cpu_step, 2), ("durable steps a second (more is better)", steps_second, 0),
    ):  # fmt: skip
        found = [(name, ask(subject, "many", of)) for subject, name in NAMES.items()]
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
