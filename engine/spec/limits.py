"""Every limit there is: one row says all that the other rooms have to know of it.

Documents and their schema, linker, what rules see, what planners are told, what-if, `diff` and the reference go by
these rows; what is left to write for a new one is what counts it and where it is enforced.

Absent is never unlimited: what an agent leaves out has the default of this page, and `unlimited`
has to be written.  In the code and in the log an unlimited limit is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from enum import Enum
from typing import Any

from engine.language.value import duration, duration_text
from engine.spec.request_kind import RequestKind

UNLIMITED = "unlimited"

# the kinds of request that expire
EXPIRING = tuple(kind for kind in RequestKind if kind is not RequestKind.FOLLOW_UP)

BLOCK, STOP, REVIEW, FINISH = "block", "stop", "review", "finish"

ANY_CROSSING = (BLOCK, STOP, REVIEW, FINISH)


class Form(Enum):
    """How a limit is written."""

    COUNT = "count"
    MONEY = "money"
    TIME = "time"
    PER_TOOL = "per_tool"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit.

    `says` is its line in the documents.  `least` is the least that may be declared, and `unlimited` whether that word
    may.  `crossing` is what crossing it does where the agent may choose among `crossings`; a limit without has one
    meaning.  `counted` names the entry of the ledger (`Used`) that counts towards it, if one does; a planner has a
    `notice` when little is left, rules see it in `budget` if they `may_see` it, and what-if tells of past sessions
    where it would have been crossed if their logs tell that (`in_logs`).
    """

    form: Form
    says: str
    least: int = 0
    unlimited: bool = True
    crossing: str = ""
    crossings: tuple[str, ...] = ()
    counted: str = ""
    notice: bool = True
    may_see: bool = False
    in_logs: bool = False


def _row(form: Form, says: str, **more: Any) -> dict[str, Limit]:
    return {"limit": Limit(form, says, **more)}


@dataclass(frozen=True, slots=True)
class Extension:
    """What a yes to a `budget` request grants, once for each request, and who may say it."""

    by: Any
    reviewers: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The resolved limits of one session; times are durations that count only while it runs."""

    steps: int | None = field(
        default=12,
        metadata=_row(
            Form.COUNT,
            "Planner turns; beyond it `out_of_budget`.",
            least=1,
            crossing=STOP,
            crossings=ANY_CROSSING,
            counted="steps",
            may_see=True,
            in_logs=True,
        ),
    )
    wall_clock: timedelta | None = field(
        default=timedelta(minutes=5),
        metadata=_row(
            Form.TIME,
            "Time that it runs, waiting aside; beyond it `timed_out`.",
            counted="active",
            may_see=True,
            in_logs=True,
        ),
    )
    step_time: timedelta | None = field(
        default=timedelta(seconds=60),
        metadata=_row(
            Form.TIME, "Time of one step; beyond it the step ends.", counted="step_active", notice=False, in_logs=True
        ),
    )
    calls_per_step: int | None = field(
        default=8,
        metadata=_row(
            Form.COUNT,
            "Calls of one decision; those beyond are blocked.",
            crossing=BLOCK,
            crossings=(BLOCK, STOP),
            in_logs=True,
        ),
    )
    calls: int | None = field(
        default=32,
        metadata=_row(
            Form.COUNT,
            "Calls of the session; beyond it `out_of_budget`.",
            crossing=STOP,
            crossings=ANY_CROSSING,
            counted="calls",
            may_see=True,
            in_logs=True,
        ),
    )
    calls_per_tool: Mapping[str, int | None] = field(
        default_factory=dict,
        metadata=_row(
            Form.PER_TOOL,
            "Calls of one tool in the session; `other` is for all that are not named, 8 if left out.",
            crossing=BLOCK,
            counted="calls_per_tool",
        ),
    )
    calls_per_other_tool: int | None = 8
    fact_reads: int | None = field(
        default=64,
        metadata=_row(
            Form.COUNT,
            "Reads for policies; beyond it facts are unreadable.",
            crossing=BLOCK,
            crossings=ANY_CROSSING,
            counted="fact_reads",
            may_see=True,
        ),
    )
    retries_per_call: int | None = field(default=3, metadata=_row(Form.COUNT, "Attempts of a call after the first."))
    retries_per_session: int | None = field(
        default=16, metadata=_row(Form.COUNT, "The same, of all calls together.", counted="retries")
    )
    repairs: int | None = field(
        default=3, metadata=_row(Form.COUNT, "Broken proposals; beyond it `failed`.", counted="repairs", may_see=True)
    )
    concurrency: int | None = field(default=8, metadata=_row(Form.COUNT, "Calls that run at once; more wait.", least=1))
    grace: timedelta | None = field(
        default=timedelta(seconds=2),
        metadata=_row(Form.TIME, "Time that running calls get when the session is cancelled.", unlimited=False),
    )
    expires: Mapping[str, timedelta | None] = field(
        default_factory=lambda: {kind.value: timedelta(hours=24) for kind in EXPIRING}
    )
    meters: Mapping[str, Any] = field(default_factory=dict)
    model_tokens: int | None = field(
        default=200_000,
        metadata=_row(
            Form.COUNT,
            "Tokens that its planner's model reads and writes; beyond it `out_of_budget`.",
            crossing=STOP,
            crossings=ANY_CROSSING,
            counted="model_tokens",
            may_see=True,
            in_logs=True,
        ),
    )
    model_cost_usd: Any = field(
        default=5,
        metadata=_row(
            Form.MONEY,
            "What they cost; beyond it `out_of_budget`.",
            crossing=STOP,
            crossings=ANY_CROSSING,
            counted="model_cost_usd",
            may_see=True,
            in_logs=True,
        ),
    )
    extensions: Mapping[str, Extension] = field(default_factory=dict)
    crossing: Mapping[str, str] = field(default_factory=lambda: default_crossings())

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
        return self.crossing.get(name) or (LIMITS[name].crossing if name in LIMITS else "") or BLOCK

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
        for name in values.keys() & LIMITS.keys():
            if LIMITS[name].form is Form.TIME:
                values[name] = _time(values[name])
        values["expires"] = {kind: _time(value) for kind, value in values["expires"].items()}
        values["extensions"] = {name: Extension(**given) for name, given in values.get("extensions", {}).items()}
        return Limits(**values)


LIMITS: Mapping[str, Limit] = {f.name: f.metadata["limit"] for f in fields(Limits) if "limit" in f.metadata}


def default_crossings() -> dict[str, str]:
    """What crossing a limit does unless the agent says otherwise."""
    return {name: limit.crossing for name, limit in LIMITS.items() if limit.crossing}


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
