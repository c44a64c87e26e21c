"""What was measured of a subject, and how its figures are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Figures:
    """What several rounds gave."""

    median: float
    least: float
    most: float

    def text(self, digits: int = 2) -> str:
        return f"{self.least:,.{digits}f}, {self.median:,.{digits}f}"


class Ask(Protocol):
    """Figures of a subject; None where it was not measured."""

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


def seconds_session(one: dict[str, Any]) -> float:
    """Seconds a session."""
    return float(one["wall"] / one["sessions"])


def bytes_step(one: dict[str, Any]) -> float:
    """Bytes on disk a step."""
    return float(one["bytes"] / one["sessions"] / one["steps"])
