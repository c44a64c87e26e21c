"""The ratios of every kept run, in `benchmarks/history.jsonl`, and a run held against the last of them.

A ratio is of two least figures of one run, and less is better: times of one machine say nothing on another.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.speed.figures import Ask, bytes_step, cpu_step, seconds_session

ROOT = Path(__file__).resolve().parent.parent.parent
HISTORY = ROOT / "benchmarks" / "history.jsonl"

# how much larger than the last kept one a ratio may be: what runs beside a measurement moves it
TOLERANCE = 1.25

One = tuple[str, str, Callable[[dict[str, Any]], float]]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure over another, or the figure itself; each is a subject, what was done, and how it is read."""

    name: str
    of: One
    over: One | None = None


def _rule_us(found: dict[str, Any]) -> float:
    return float(found["us"]) / float(found["rules"])


def _state(found: dict[str, Any]) -> float:
    return float(found["state_bytes"])


def _resume(found: dict[str, Any]) -> float:
    return 1000 * float(found["resume_cpu"])


def _us(found: dict[str, Any]) -> float:
    return float(found["us"])


_FLOOR: One = ("floor", "many 1000", cpu_step)
_ONE: One = ("ours", "one", seconds_session)
_STEP: One = ("ours", "many 1000", cpu_step)

RATIOS = (
    Ratio("CPU a step, 1,000 at once, to the fair floor", _STEP, _FLOOR),
    Ratio("the same to the bare floor", _STEP, ("bare_floor", "many 1000", cpu_step)),
    Ratio("the same to LangGraph", _STEP, ("langgraph", "many 1000", cpu_step)),
    Ratio("the same to DBOS", _STEP, ("dbos", "many 300", cpu_step)),
    Ratio("CPU a step, 10,000 at once to 1,000", ("ours", "many 10000", cpu_step), _STEP),
    Ratio("one session at a time, to the fair floor", ("ours", "one", cpu_step), ("floor", "one", cpu_step)),
    Ratio("the same by the clock, to LangGraph", _ONE, ("langgraph", "one", seconds_session)),
    Ratio("CPU a step at 1,000 steps to 10", ("ours", "long 1000", cpu_step), ("ours", "long 10", cpu_step)),
    Ratio("CPU a step at 5,000 steps to 10", ("ours", "long 5000", cpu_step), ("ours", "long 10", cpu_step)),
    Ratio("bytes a step, 1,000 at once", ("ours", "many 1000", bytes_step)),
    Ratio("a real session, to a step of the fair floor", ("real", "many", cpu_step), _FLOOR),
    Ratio("the gate, 20 rules, to Python by hand", ("gate", "rules 20", _us), ("by_hand", "rules 20", _us)),
    Ratio("the gate, a rule of 1,000 to one of 20", ("gate", "rules 1000", _rule_us), ("gate", "rules 20", _rule_us)),
    Ratio("bytes of memory of a session of 1,000 steps", ("ours", "resume 1000", _state)),
    Ratio("CPU of its resume, to a step of the fair floor", ("ours", "resume 1000", _resume), _FLOOR),
)  # fmt: skip


def ratios(ask: Ask) -> dict[str, float]:
    """The ratios of a run; those of which something was not measured are left out."""
    found: dict[str, float] = {}
    for ratio in RATIOS:
        figures = [None if one is None else ask(*one) for one in (ratio.of, ratio.over)]
        if figures[0] is None or (ratio.over is not None and figures[1] is None):
            continue
        found[ratio.name] = round(figures[0].least / (figures[1].least if figures[1] else 1), 4)
    return found


def keep(found: Mapping[str, float], machine: str, versions: list[str], path: Path = HISTORY) -> None:
    """One more line of the history."""
    line = {"commit": commit(), "machine": machine, "versions": versions, "ratios": dict(found)}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def commit() -> str:
    """What was measured: the commit, with a `+` where the files are not as it has them."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude", "*"], cwd=ROOT, capture_output=True, text=True
    )
    return told.stdout.strip() or "unknown"


def last(path: Path = HISTORY) -> dict[str, Any] | None:
    """The newest kept run; None where none was kept."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return json.loads(lines[-1]) if lines else None


def compared(before: Mapping[str, float], now: Mapping[str, float]) -> tuple[list[str], bool]:
    """A table of what both have, and whether all of it is within the tolerance."""
    rows, good = [f"{'ratio (less is better)':<48}{'kept':>12}{'now':>12}{'change':>9}"], True
    for name in before:
        if name not in now:
            continue
        change = now[name] / before[name] if before[name] else 1.0
        worse = change > TOLERANCE
        good = good and not worse
        rows.append(f"{name:<48}{before[name]:>12,.2f}{now[name]:>12,.2f}{change:>8.2f}x{'  WORSE' if worse else ''}")
    if len(rows) == 1:
        return ["nothing was measured that the last kept run has"], False
    return rows, good
