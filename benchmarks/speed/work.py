"""The work that every subject does: three steps, two parallel reads, one write, an answer; twenty rules a call."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from typing import Any

READS = [("read_customer", {"customer_id": "c1"}), ("read_order", {"order_id": "o1"})]
WRITE = [("refund", {"order_id": "o1", "amount_usd": 120.5})]
OUTPUTS: dict[str, dict[str, Any]] = {
    "read_customer": {"customer_id": "c1", "verified": True, "tenant": "acme", "status": "active"},
    "read_order": {"order_id": "o1", "total_usd": 120.5, "paid": True},
    "refund": {"order_id": "o1", "refunded_usd": 120.5, "reference": "r-o1"},
}
RULES = 20


def planned(step: int, steps: int) -> list[tuple[str, dict[str, Any]]]:
    """The calls of a step, counted from 1; none in the last, which answers."""
    if step == steps:
        return []
    return READS if step % 2 else WRITE


class Meter:
    """Seconds by the wall and of this process' CPU, over a block."""

    def __enter__(self) -> Meter:
        self.cpu, self.wall = _cpu(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.cpu, self.wall = _cpu() - self.cpu, time.perf_counter() - self.wall


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def memory() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def stored(path: Path) -> int:
    """Bytes of a SQLite file with what belongs to it."""
    return sum(file.stat().st_size for file in path.parent.glob(path.name + "*"))


def tell(**figures: Any) -> None:
    """One line of JSON for who collects."""
    print(json.dumps(figures), flush=True)
