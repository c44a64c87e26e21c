"""`engine test`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.bundle.load import load_directory
from engine.cli.console.bundle import valid_or_exit
from engine.cli.console.files import from_repository
from engine.cli.console.options import bundle_argument, format_option, store_option
from engine.cli.console.output import coloured, say, say_lines
from engine.cli.console.past_sessions import since_option
from engine.cli.console.trace_printer import print_json
from engine.diagnostic.render import as_json
from engine.diagnostic.visible import line
from engine.language.value import NotJson, exact, pretty
from engine.session.exit_code import FAILED, OK, USAGE

if TYPE_CHECKING:
    from engine.bundle.load import LoadedBundle
    from engine.coverage.coverage import Coverage
    from engine.diagnostic import Place
    from engine.fixtures.scenario import ScenarioReport
    from engine.spec.bundle import Bundle

    Places = Mapping[str, Place]


@click.command(
    "test",
    epilog="""\b
Examples:
  engine test
  engine test my-agent -k "refund and not denied"
  engine test --coverage --min-coverage 90 --html coverage.html
  engine test --sessions --since 30d
  engine test --mutate --write-missing
  engine test --format junit > report.xml""",
)
@bundle_argument
@click.option("-k", "only", metavar="EXPR", help="Fixtures whose names hold the words: `refund and not denied`.")
@click.option("--coverage", is_flag=True, help="Which rules, sides of conditions and boundaries the fixtures meet.")
@click.option("--sessions", is_flag=True, help="Coverage by the past sessions of a store in the place of fixtures.")
@since_option
@click.option("--min-coverage", type=click.FloatRange(0, 100), metavar="N", help="Exit 1 below so many percent.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Coverage as a page.")
@click.option("--mutate", is_flag=True, help="Make small mistakes in the policies, and see which no fixture notices.")
@click.option("--min-score", type=click.FloatRange(0, 100), metavar="N", help="Exit 1 if fewer percent are noticed.")
@click.option("--write-missing", is_flag=True, help="Write a fixture for each mistake that nobody noticed.")
@click.option("--workers", type=click.IntRange(1), help="How many processes; one for each core unless given.")
@format_option("text", "json", "junit", "github", "sarif")
@store_option
def command(
    bundle: Path,
    only: str | None,
    coverage: bool,
    sessions: bool,
    since: datetime | None,
    min_coverage: float | None,
    html: Path | None,
    mutate: bool,
    min_score: float | None,
    write_missing: bool,
    workers: int | None,
    output_format: str,
    store_url: str,
) -> None:
    """Run a bundle's fixtures, each on a fresh store and fresh databases.

    Exits 0 if all pass, and as much is covered and noticed as was asked for; 1 otherwise.
    """
    _check_options(only, sessions, since, mutate or write_missing or min_score is not None, output_format)
    loaded = load_directory(bundle)
    checked = valid_or_exit(loaded, lambda: _invalid(loaded, bundle, output_format))
    live = output_format == "text"
    if sessions:
        from engine.cli.console.coverage import measured_in_store

        found = measured_in_store(checked, loaded, store_url, since)
        if not live:
            print_json(exact(found.payload()))
        raise SystemExit(OK if _covered(found, loaded, html, min_coverage, live) else FAILED)
    fixtures = [d for d in loaded.documents.well_formed("Fixture") if only is None or selects(only, d.name)]
    if only is not None and not fixtures:
        raise click.UsageError(f"no fixture's name fits -k {only}")
    places = {d.name: from_repository(d.node.at("name").place, bundle) for d in fixtures}
    reports = _run(checked, [d.plain for d in fixtures], places if live else None, workers)
    failed = [report for report in reports if not report.passed]
    told: dict[str, Any] = {"fixtures": _payload(reports, places)}
    if live:
        say(f"{len(reports) - len(failed)} passed, {len(failed)} failed")
    if not reports:
        say("the bundle has no fixtures: nothing was tested; write some in fixtures/", err=True)
    enough = not failed
    if coverage or html is not None or min_coverage is not None:
        from engine.cli.console.coverage import measured

        found = measured(checked, loaded, reports)
        told["coverage"] = found.payload()
        enough &= _covered(found, loaded, html, min_coverage, live)
    if mutate or write_missing or min_score is not None:
        if failed:
            say("fixtures that fail notice nothing: mutants are tried on the others", err=True)
        enough &= _mutated(checked, loaded, reports, told, bundle, write_missing, min_score, workers, live)
    if not live:
        formatted = _formatted(output_format, told, reports, places)
        if formatted:
            click.echo(formatted)
    if not enough:
        raise SystemExit(FAILED)


def _check_options(only: str | None, sessions: bool, since: datetime | None, mutates: bool, output_format: str) -> None:
    """What would go unheeded is refused."""
    if since is not None and not sessions:
        raise click.UsageError("--since is for past sessions: name --sessions as well")
    if only is not None and not only.strip():
        raise click.UsageError("-k is empty: name words such as `refund and not denied`")
    if not sessions:
        return
    for given, option in ((only is not None, "-k"), (mutates, "--mutate, --min-score and --write-missing")):
        if given:
            raise click.UsageError(f"{option} is about fixtures, and --sessions runs none")
    if output_format not in ("text", "json"):
        raise click.UsageError(f"--format {output_format} is about fixtures, and --sessions runs none: text or json")


def _invalid(loaded: LoadedBundle, bundle: Path, output_format: str) -> None:
    """Tell a program what it is to read in the place of results."""
    from engine.cli.commands.validate import report

    if output_format == "json":
        say_lines(as_json(loaded.diagnostics))
    elif output_format != "text":
        report(loaded, bundle, output_format)


def _run(bundle: Bundle, fixtures: Sequence[Any], shown: Places | None, workers: int | None) -> list[ScenarioReport]:
    """The reports in the order of the fixtures, each `shown` as it ends; on one core one after the other."""
    from engine.fixtures.process_pool import MANY, run_all
    from engine.fixtures.scenario import run_fixture

    found: dict[str, ScenarioReport] = {}
    several = len(fixtures) >= MANY and workers != 1
    for report in run_all(bundle, fixtures, workers) if several else (run_fixture(bundle, f) for f in fixtures):
        found[report.name] = report
        if shown is not None:
            _show(report, shown[report.name])
    return [found[str(fixture["name"])] for fixture in fixtures]


def _covered(found: Coverage, loaded: LoadedBundle, html: Path | None, least: float | None, live: bool) -> bool:
    """Show and write what is covered; whether it is as much as was asked for."""
    from engine.cli.console.coverage import show_coverage, write_page

    if live:
        show_coverage(found)
    if html is not None:
        write_page(found, loaded, html)
    if least is not None and found.percent < least:
        say(f"coverage is {found.percent:.1f} %, less than {least:g} %", err=True)
        return False
    return True


def _mutated(
    bundle: Bundle,
    loaded: LoadedBundle,
    reports: Sequence[ScenarioReport],
    told: dict[str, Any],
    root: Path,
    write: bool,
    least: float | None,
    workers: int | None,
    live: bool,
) -> bool:
    from engine.cli.console import coverage as evidence

    fates = evidence.mutated(bundle, loaded, reports, workers)
    known = evidence.looked_into(bundle, loaded, fates)
    found = evidence.score(fates, known)
    told["mutation"] = found | {
        "mutants": [fate.payload() for fate in fates],
        "survivors": [one.payload() for one in known or ()],
        "of": found["mutants"],
    }
    if live:
        evidence.show_mutants(fates, known)
    if write and known is None:
        say(f"fixtures can't be written without the solver: {evidence.EXTRA}", err=True)
        raise SystemExit(USAGE)
    if write:
        written = evidence.write_missing(known or [], root)
        told["mutation"]["written"] = [str(path.relative_to(root)) for path in written]
        for path in written:
            say(f"written: {path}", err=True)
    if least is not None and found["score"] < least:
        say(f"the mutation score is {found['score']} %, less than {least:g} %", err=True)
        return False
    return True


def selects(expression: str, name: str) -> bool:
    """Whether a name fits an expression of words, `and`, `or`, `not` and parentheses; raises click.UsageError."""
    from simpleeval import simple_eval

    def truth(word: re.Match[str]) -> str:
        return word[0] if word[0] in ("and", "or", "not") else str(word[0].lower() in name.lower())

    try:
        return bool(simple_eval(re.sub(r"[^\s()]+", truth, expression)))
    except (SyntaxError, ValueError, ArithmeticError, TypeError):
        raise click.UsageError(f"-k {expression}: words with and, or, not and parentheses are understood") from None


def _show(report: ScenarioReport, place: Place) -> None:
    tty = coloured(sys.stdout)
    mark = click.style("passed", fg="green") if report.passed else click.style("FAILED", fg="red", bold=True)
    where = "" if report.passed else f" ({place})"
    click.echo(f"{mark if tty else click.unstyle(mark)} {line(report.name)}{where}")
    for failure in report.failures:
        say_lines("  " + str(failure).replace("\n", "\n  "))


def _payload(reports: Iterable[ScenarioReport], places: Places) -> list[dict[str, Any]]:
    return [
        {
            "name": report.name,
            "place": str(places[report.name]),
            "passed": report.passed,
            "failures": [
                {"what": f.what, "expected": f.expected, "came": _jsonable(f.came), "around": list(f.around)}
                for f in report.failures
            ],
        }
        for report in reports
    ]


def _jsonable(value: Any) -> Any:
    """What came, also where a database gave what JSON does not have."""
    try:
        return exact(value)
    except NotJson:
        return str(value)


def _formatted(output_format: str, told: dict[str, Any], reports: Sequence[ScenarioReport], places: Places) -> str:
    if output_format == "json":
        # the fixtures alone are a list, as ever; what was asked for beside them makes it an object
        return pretty(exact(told["fixtures"] if len(told) == 1 else told))
    from engine.fixtures.reports import FORMATS

    return FORMATS[output_format]([(places[report.name], report) for report in reports])
