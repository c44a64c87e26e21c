"""Every limit there is, its default, and what crossing it does.

Absent is never unlimited: what an agent leaves out has the default of this page, and `unlimited`
has to be written.  In the code and in the log an unlimited limit is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from typing import Any

from engine.policy.value import duration, duration_text

UNLIMITED = "unlimited"

REQUEST_KINDS = ("approval", "input", "choice", "settle", "budget")

BLOCK, STOP, REVIEW, FINISH = "block", "stop", "review", "finish"

# what crossing does unless the agent says otherwise; the limits that are not here have one meaning:
# the wall clock times out, the step time ends the step, repairs fail, concurrency queues
CROSSINGS: Mapping[str, str] = {
    "calls_per_step": BLOCK,
    "calls_per_tool": BLOCK,
    "calls": STOP,
    "fact_reads": BLOCK,
    "steps": STOP,
    "model_tokens": STOP,
    "model_cost_usd": STOP,
}


@dataclass(frozen=True, slots=True)
class Extension:
    """What a yes to a `budget` request grants, once for each request, and who may say it."""

    by: Any
    reviewers: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The resolved limits of one session; times are durations that count only while it runs."""

    steps: int | None = 12
    wall_clock: timedelta | None = timedelta(minutes=5)
    step_time: timedelta | None = timedelta(seconds=60)
    calls_per_step: int | None = 8
    calls: int | None = 32
    calls_per_tool: Mapping[str, int | None] = field(default_factory=dict)
    calls_per_other_tool: int | None = 8
    fact_reads: int | None = 64
    retries_per_call: int | None = 3
    retries_per_session: int | None = 16
    repairs: int | None = 3
    concurrency: int | None = 8
    grace: timedelta | None = timedelta(seconds=2)
    expires: Mapping[str, timedelta | None] = field(
        default_factory=lambda: {kind: timedelta(hours=24) for kind in REQUEST_KINDS}
    )
    meters: Mapping[str, Any] = field(default_factory=dict)
    model_tokens: int | None = 200_000
    model_cost_usd: Any = 5
    extensions: Mapping[str, Extension] = field(default_factory=dict)
    crossing: Mapping[str, str] = field(default_factory=lambda: dict(CROSSINGS))

    def per_tool(self, tool: str) -> int | None:
        """How many calls of one tool the session may start."""
        return self.calls_per_tool.get(tool, self.calls_per_other_tool)

    def limit(self, name: str) -> Any:
        """A limit by the name that the log calls it by."""
        family, _, meter = name.partition("meters.")
        return getattr(self, name) if family else self.meters[meter]

    def extended(self, name: str) -> Limits:
        """The limits after a yes to more of one."""
        more = self.extensions[name].by + self.limit(name)
        if name.startswith("meters."):
            return replace(self, meters={**self.meters, name.removeprefix("meters."): more})
        return replace(self, **{name: more})

    def crossed_by(self, name: str) -> str:
        """What crossing a limit does; what an old log does not say is what it was then."""
        return self.crossing.get(name, CROSSINGS.get(name, BLOCK))

    def sets_a_step_aside(self) -> bool:
        """Whether the last step is kept for a planner that is to finish."""
        return FINISH in self.crossing.values()

    def payload(self) -> dict[str, Any]:
        """As JSON: durations as text, unlimited as null."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    @staticmethod
    def from_payload(payload: Mapping[str, Any]) -> Limits:
        """The limits that a `session_started` event carries."""
        values = dict(payload)
        for name in ("wall_clock", "step_time", "grace"):
            values[name] = _time(values[name])
        values["expires"] = {kind: _time(value) for kind, value in values["expires"].items()}
        values["extensions"] = {name: Extension(**given) for name, given in values.get("extensions", {}).items()}
        return Limits(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, Extension):
        return {"by": value.by, "reviewers": value.reviewers}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _time(value: str | None) -> timedelta | None:
    return None if value is None else duration(value)
