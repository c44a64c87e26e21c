"""What `engine test` shows beside passed and failed: coverage, and the mutants that no fixture notices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from engine.bundle.yaml_writer import written
from engine.cli.console.files import write, write_beside
from engine.cli.console.output import are, counted, say
from engine.cli.console.past_sessions import reading
from engine.cli.console.progress import progress
from engine.cli.console.trace_printer import table
from engine.extras import install
from engine.language.value import exact, jsonable

if TYPE_CHECKING:
    from engine.bundle.load import LoadedBundle
    from engine.coverage.coverage import Coverage
    from engine.coverage.missing_fixtures import MissingFixture
    from engine.coverage.mutation import MutantResult
    from engine.fixtures.scenario import ScenarioReport
    from engine.ports.store import OpenPast
    from engine.spec.bundle import Bundle

EXTRA = install("prove")


def measured(bundle: Bundle, loaded: LoadedBundle, reports: Sequence[ScenarioReport]) -> Coverage:
    """What the sessions of some fixtures cover."""
    from engine.coverage.catalogue import catalogue
    from engine.coverage.coverage import Observations

    observed = Observations(bundle, catalogue(loaded.documents, bundle))
    for report in reports:
        for log in report.logs:
            observed.log(log)
    return observed.coverage()


def measured_in_store(bundle: Bundle, loaded: LoadedBundle, store_url: str, since: datetime | None) -> Coverage:
    """What the past sessions of a store cover; one that can't be read ends the command."""
    from engine.coverage.catalogue import catalogue
    from engine.coverage.coverage import Observations
    from engine.whatif.store import past_logs

    observed = Observations(bundle, catalogue(loaded.documents, bundle))
    left_out: list[str] = []

    async def observe(open_past: OpenPast) -> None:
        async with open_past() as store:
            async for log in past_logs(store, since, bundle.agents, left_out.append):
                observed.log(log)

    with reading(store_url) as open_past:
        trio.run(observe, open_past)
    if left_out:
        say(f"{counted(len(left_out), 'session')} {are(len(left_out))} left out, such as {left_out[0]}", err=True)
    return observed.coverage()


def show_coverage(coverage: Coverage) -> None:
    """The table of rules, and what is not covered, by place."""
    from engine.coverage.coverage import uncovered

    rows = []
    for rule, count in coverage.matched.items():
        own = [item for item in coverage.items if rule in item.rules]
        gaps = [f"{item.what}: {item.text}" for item in own if not item.covered and item.what != "matched"]
        share = f"{sum(item.covered for item in own)} of {len(own)}"
        rows.append([rule, str(count), share, "; ".join(gaps[:3]) + ("; ..." if len(gaps) > 3 else "")])
    table("coverage of the policies", ["rule", "matched", "covered", "never"], rows)
    for item in uncovered(coverage):
        say(f"{item.place}: {item.owner}: never {item.what}: {item.text}")
    covered = sum(item.covered for item in coverage.items)
    say(f"coverage {coverage.percent:.1f} %: {covered} of {len(coverage.items)}")


def write_page(coverage: Coverage, loaded: LoadedBundle, path: Path) -> None:
    """The page that shows the policies with what is covered of them."""
    from engine.coverage.page import page

    write(path, page(coverage, loaded.sources, "Coverage of the policies"))
    say(f"written: {path}", err=True)


def mutated(
    bundle: Bundle, loaded: LoadedBundle, reports: Sequence[ScenarioReport], workers: int | None = None
) -> list[MutantResult]:
    """What becomes of each mutant, over the fixtures that pass."""
    from engine.coverage.mutants import mutants
    from engine.coverage.mutation import fates

    logs = {report.name: report.logs for report in reports if report.passed}
    fixtures = [d.plain for d in loaded.documents.well_formed("Fixture") if d.name in logs]
    acting = [str(fixture["name"]) for fixture in fixtures if fixture.get("live")]
    if acting:
        told = "mutants run nothing for real: behind what is `live` these fixtures notice nothing"
        say(f"{told}: {', '.join(acting)}", err=True)
    made = mutants(loaded.documents, bundle)
    found = []
    with progress("mutants", len(made)) as advance:
        for fate in fates(without_fixtures(bundle, loaded), made, fixtures, logs, workers):
            found.append(fate)
            advance(1)
    return sorted(found, key=lambda fate: int(fate.mutant.id[1:]))


def without_fixtures(bundle: Bundle, loaded: LoadedBundle) -> dict[str, bytes]:
    """A bundle's files without its fixtures, which a mutant need not read."""
    fixtures = {d.node.source.file for d in loaded.documents.well_formed("Fixture")}
    return {path: content for path, content in bundle.files.items() if path not in fixtures}


def looked_into(bundle: Bundle, loaded: LoadedBundle, fates: Sequence[MutantResult]) -> list[MissingFixture] | None:
    """What is known of the survivors; None where the solver is not installed."""
    from engine.coverage.mutation import SURVIVED

    survivors = [fate.mutant for fate in fates if fate.status == SURVIVED]
    if not survivors:
        return []
    try:
        from engine.coverage.missing_fixtures import missing
    except ImportError:
        return None
    # a file keeps its name where its fixture got another
    files = [Path(path).stem for path in bundle.files if path.startswith("fixtures/")]
    names = [*(d.name for d in loaded.documents.well_formed("Fixture")), *files]
    found = []
    with progress("survivors", len(survivors)) as advance:
        for one in missing(bundle, without_fixtures(bundle, loaded), survivors, names):
            found.append(one)
            advance(1)
    return found


def score(fates: Sequence[MutantResult], known: Sequence[MissingFixture] | None) -> dict[str, Any]:
    """How many mutants there are, how many were noticed, and how many nobody could notice."""
    from engine.coverage.mutation import INVALID, KILLED, SURVIVED

    count = {status: sum(fate.status == status for fate in fates) for status in (KILLED, SURVIVED, INVALID)}
    equivalent = sum(one.status == "equivalent" for one in known or ())
    of = count[KILLED] + count[SURVIVED] - equivalent
    return {
        "mutants": count[KILLED] + count[SURVIVED],
        "killed": count[KILLED],
        "survived": count[SURVIVED],
        "equivalent": equivalent,
        "invalid": count[INVALID],
        "score": _percent(count[KILLED], of, nothing=0.0 if count[INVALID] else 100.0),
    }


def _percent(some: int, of: int, nothing: float) -> float:
    """Rounded down, so that only all is 100; where there is nothing to notice, it depends on why."""
    return (1000 * some // of) / 10 if of else nothing


def show_mutants(fates: Sequence[MutantResult], known: Sequence[MissingFixture] | None) -> None:
    """The survivors with what is known of each, and the score."""
    from engine.coverage.mutation import INVALID, SURVIVED

    about = {one.mutant.id: one for one in known or ()}
    rows = []
    for fate in fates:
        if fate.status == SURVIVED:
            one = about.get(fate.mutant.id)
            told = "-" if one is None else f"{one.status}: {one.why}" if one.why else one.status
            rows.append([fate.mutant.id, str(fate.mutant.place), fate.mutant.rule or "-", fate.mutant.what, told])
    if rows:
        table("mutants that no fixture notices", ["id", "place", "rule", "what", "known"], rows)
    found = score(fates, known)
    say(
        f"mutation score {found['score']} %: {found['killed']} of {found['mutants']} noticed,"
        f" {found['survived']} survive ({found['equivalent']} proved equivalent)"
    )
    if found["invalid"]:
        wrong = next(fate for fate in fates if fate.status == INVALID)
        told = f"{found['invalid']} more are no valid bundle and were not tried, such as {wrong.mutant.id}"
        say(f"{told}: {wrong.mutant.what}: {wrong.by}")
    if known is None:
        say(f"whether a survivor can be noticed at all is not known without the solver: {EXTRA}", err=True)


def write_missing(known: Sequence[MissingFixture], root: Path) -> list[Path]:
    """The fixtures that notice survivors, as files of the bundle; none is written over what is there."""
    written = []
    for one in known:
        if one.status == "written" and one.fixture is not None:
            path = root / "fixtures" / f"{one.fixture['name']}.yaml"
            written.append(write_beside(path, as_yaml(one.fixture)))
    return written


def as_yaml(document: Any) -> str:
    """A document as YAML, its numbers exact; raises NotWritable."""
    text: str = written(exact(jsonable(document)))
    return text
