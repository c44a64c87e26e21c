"""How things stand: how sessions ended, what people were asked and said, and what waits for longest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.diagnostic.visible import line as visible
from engine.ports.records import RequestRow, SessionRow
from engine.session.state.state import FINAL


@dataclass(frozen=True, slots=True)
class AskedGroup:
    """What a group was asked, and what became of it."""

    group: str
    open: int
    answered: int
    closed: int
    oldest: str


@dataclass(frozen=True, slots=True)
class Overview:
    """All of it; each count with its name."""

    sessions: int
    ends: tuple[tuple[str, int], ...]
    alive: tuple[tuple[str, int], ...]
    groups: tuple[AskedGroup, ...]
    tools: tuple[tuple[str, int], ...]


def overview_of(sessions: Sequence[SessionRow], requests: Sequence[RequestRow], now: datetime) -> Overview:
    """What stands in a store, as far as somebody may see it."""
    ends = Counter(visible(row.outcome or row.state) for row in sessions if row.state in FINAL)
    alive = Counter(row.state.replace("_", " ") for row in sessions if row.state not in FINAL)
    by_group: dict[str, list[RequestRow]] = {}
    for row in requests:
        by_group.setdefault(visible(", ".join(row.payload.get("groups") or ()) or "anybody"), []).append(row)
    tools = Counter(visible(str(row.payload.get("tool") or row.kind)) for row in requests)
    return Overview(
        len(sessions), tuple(ends.most_common()), tuple(alive.most_common()),
        tuple(_group(name, rows, now) for name, rows in sorted(by_group.items())), tuple(tools.most_common(10)),
    )  # fmt: skip


def _group(name: str, rows: Sequence[RequestRow], now: datetime) -> AskedGroup:
    status = Counter(row.status for row in rows)
    waiting = [row.opened_at for row in rows if row.status == "open" and row.opened_at is not None]
    oldest = f"{int((now - min(waiting)).total_seconds() // 60)} min" if waiting else ""
    closed = sum(count for what, count in status.items() if what not in ("open", "answered"))
    return AskedGroup(name, status["open"], status["answered"], closed, oldest)
