"""Which mistakes in the policies the fixtures notice.

The fixtures run once under the bundle as it is.  A mutant that judges every call of theirs as before can't make
one fail; of the others the fixtures with a call that is judged otherwise run again, until one fails.  Nothing acts for
real then: `live` is said of the policies as they stand, and a fixture that comes to what is live notices nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.coverage.mutants import Mutant
from engine.fixtures.process_pool import on_all_cores
from engine.fixtures.scenario import run_fixture
from engine.policy.approvals import Demand
from engine.policy.verdict import Verdict
from engine.replay.judgements import Judgement, Release, judgements, rejudge, rewithheld
from engine.session.state.event import Event
from engine.spec.bundle import Bundle

KILLED, SURVIVED, INVALID = "killed", "survived", "invalid"

Fixture = Mapping[str, Any]
Logs = Mapping[str, tuple[tuple[Event, ...], ...]]


@dataclass(frozen=True, slots=True)
class MutantResult:
    """What became of a mutant: the fixture that fails under it, or what makes it no valid bundle."""

    mutant: Mutant
    status: str
    by: str = ""

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        m = self.mutant
        return {
            "id": m.id,
            "status": self.status,
            "by": self.by,
            "rule": m.rule,
            "what": m.what,
            "file": m.place.file,
            "line": m.place.line,
            "column": m.place.column,
            "before": m.before,
            "after": m.after,
        }


def fates(
    files: Mapping[str, bytes],
    mutants: Sequence[Mutant],
    fixtures: Sequence[Fixture],
    logs: Logs,
    workers: int | None = None,
) -> Iterator[MutantResult]:
    """What becomes of each mutant of a bundle's files, as it is known; `logs` are those of fixtures that passed."""
    return on_all_cores(_MutantJudge, (dict(files), fixtures, logs), mutants, workers)


class _MutantJudge:
    def __init__(self, files: Mapping[str, bytes], fixtures: Sequence[Fixture], logs: Logs) -> None:
        self._files = files
        self._fixtures = {str(fixture["name"]): fixture for fixture in fixtures}
        self._moments = {
            name: [moment for log in of_fixture for moment in judgements(log)] for name, of_fixture in logs.items()
        }

    def __call__(self, mutant: Mutant) -> MutantResult:
        loaded = mutant.load(self._files)
        if loaded.bundle is None:
            error = next(d for d in loaded.diagnostics if d.severity == "error")
            return MutantResult(mutant, INVALID, f"{error.code}: {error.message}")
        for name in self._noticing(loaded.bundle, mutant):
            report = run_fixture(loaded.bundle, self._fixtures[name], real=False)
            if not report.passed and not report.untried:
                return MutantResult(mutant, KILLED, name)
        return MutantResult(mutant, SURVIVED)

    def _noticing(self, bundle: Bundle, mutant: Mutant) -> list[str]:
        """The fixtures in which some call is judged otherwise, those with fewer calls first."""
        found = [
            (len(moments), name)
            for name, moments in self._moments.items()
            if any(_otherwise(moment, bundle, mutant) for moment in moments)
        ]
        return [name for _, name in sorted(found)]


def _otherwise(moment: Judgement | Release, bundle: Bundle, mutant: Mutant) -> bool:
    guard = moment.guard(bundle)
    if guard is None:
        return False
    payload = moment.event.payload
    if isinstance(moment, Judgement):
        found = rejudge(moment, bundle)
        return not isinstance(found, Verdict) or _verdict_summary(found) != _recorded(payload)
    if payload["reason"] == "result_withheld":
        # its output is not recorded: a rule that says something else may let it through
        return mutant.rule in ("", payload["rule"])
    return payload["status"] == "ok" and rewithheld(moment, bundle) is not None


def _verdict_summary(verdict: Verdict) -> tuple[Any, ...]:
    asks = {ask.rule: Demand.recorded(NOBODY, ask.more) for ask in verdict.asks}
    groups = sorted({group for ask in verdict.asks for group in ask.approvers})
    return verdict.effect.value, verdict.rule, verdict.reason, verdict.message, asks, groups


# what a demand asks beside its groups is compared; those stand beside it
NOBODY: frozenset[str] = frozenset()


def _recorded(payload: Mapping[str, Any]) -> tuple[Any, ...]:
    demands = payload.get("demands", {})
    return (
        payload["verdict"],
        payload["rule"],
        payload["reason"],
        payload["message"],
        {rule: Demand.recorded(NOBODY, demands.get(rule, {})) for rule in payload["asks"]},
        list(payload["approvers"]),
    )
