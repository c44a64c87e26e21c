"""`engine promote`."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import trio
from click.core import ParameterSource

from engine.bundle.load import load_directory
from engine.cli.commands import whatif
from engine.cli.console import coverage as evidence
from engine.cli.console.files import write
from engine.cli.console.options import format_option, store_option
from engine.cli.console.output import coloured, say, say_lines
from engine.cli.console.past_sessions import accept_option, accepted_by, reading, since_option
from engine.cli.console.trace_printer import print_json
from engine.diagnostic.render import concise, full
from engine.diagnostic.visible import fenced, markdown
from engine.language.value import exact, jsonable, pretty
from engine.session.exit_code import FAILED, OK
from engine.spec.bundle import Bundle
from engine.store.faults import NoStore
from engine.whatif.acceptance import Acceptance
from engine.whatif.promotion import FAILS, HOLDS, OPEN, SKIPPED, Part, Promotion, code, table, witness_lines

if TYPE_CHECKING:
    from engine.bundle.load import LoadedBundle
    from engine.fixtures.scenario import ScenarioReport
    from engine.ports.store import OpenPast
    from engine.proof.diff import Change
    from engine.proof.prove import Finding

DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
MOST_LISTED = 20


@click.command(
    "promote",
    epilog="""\b
Examples:
  engine promote ../main .
  engine promote ../main . --store sqlite:///prod.db --since 30d --markdown report.md --json report.json""",
)
@click.argument("old", type=DIRECTORY)
@click.argument("new", type=DIRECTORY)
@since_option
@accept_option
@click.option("--min-coverage", type=click.FloatRange(0, 100), metavar="N", help="Not ready below so many percent.")
@click.option("--min-score", type=click.FloatRange(0, 100), metavar="N", help="Not ready if fewer mutants are noticed.")
@click.option("--markdown", type=FILE, metavar="FILE", help="Where to write the report for people.")
@click.option("--json", "as_json", type=FILE, metavar="FILE", help="Where to write the report for programs.")
@click.option("--without-proofs", is_flag=True, help="Leave out what needs the solver z3, which is not installed.")
@click.option("--workers", type=click.IntRange(1), help="How many processes; one for each core unless given.")
@format_option("markdown", "json")
@store_option
def command(
    old: Path,
    new: Path,
    since: datetime | None,
    accepts: tuple[str, ...],
    min_coverage: float | None,
    min_score: float | None,
    markdown: Path | None,
    as_json: Path | None,
    without_proofs: bool,
    workers: int | None,
    output_format: str,
    store_url: str,
) -> None:
    """Gather what is known of a change of a bundle, as one report.

    It validates NEW, runs its fixtures, measures what they cover and notice, proves its guarantees, compares what the
    two bundles mean, and judges every past session again.  Exits 1 if something stands against it: a bundle that is
    not valid, a fixture that fails, a guarantee that is refuted or gone, a loosening that nobody answers for, or a
    step that could not be done.
    """
    past = _store(store_url)
    before, loaded = load_directory(old).bundle, load_directory(new)
    after = loaded.bundle
    found = Promotion(before.digest if before else "not valid", after.digest if after else "not valid")
    found.parts.append(_validated(loaded))
    if after is None:
        click.echo(full(loaded.diagnostics, loaded.sources, colour=coloured(sys.stderr)), err=True)
    else:
        accepted = accepted_by(after, accepts)
        reports, tested = _tested(after, loaded, workers)
        found.parts += [tested, _covered(after, loaded, reports, min_coverage)]
        found.parts.append(_mutated(after, loaded, reports, min_score, workers, without_proofs))
        proved, findings = _proved(after, without_proofs)
        found.parts += [proved, _compared(before, after, findings, accepted, without_proofs)]
        found.parts.append(_past(after, past, store_url, since, workers, accepted))
    payload = exact(jsonable(found.payload()))
    for path, text in ((markdown, found.markdown()), (as_json, pretty(payload))):
        if path is not None:
            write(path, text if text.endswith("\n") else f"{text}\n")
            say(f"written: {path}", err=True)
    if output_format == "json":
        print_json(payload)
    elif markdown is None:
        say_lines(found.markdown(), end=False)
    raise SystemExit(OK if found.ready else FAILED)


def _store(url: str) -> bool:
    """Whether there is a store of past sessions; one that was named has to be there."""
    named = click.get_current_context().get_parameter_source("store_url") is ParameterSource.COMMANDLINE
    named = named or bool(os.environ.get("ENGINE_STORE"))
    with reading(url) as open_past:
        try:
            trio.run(_opened, open_past)
        except NoStore:
            if named:
                raise
            return False
    return True


async def _opened(open_past: OpenPast) -> None:
    async with open_past():
        pass


def _validated(loaded: LoadedBundle) -> Part:
    count = Counter(d.severity.value for d in loaded.diagnostics)
    details = (fenced(concise(loaded.diagnostics)),) if loaded.diagnostics else ()
    if loaded.bundle is None:
        return Part("validate", FAILS, f"not valid, {count['error']} errors: nothing else was looked at", details)
    told = f"valid, {count['warning']} warnings" if loaded.diagnostics else "valid"
    return Part("validate", OPEN if loaded.diagnostics else HOLDS, told, details)


def _unsolved(name: str, without: bool) -> Part:
    """A step that needs the solver, which is not there."""
    hint = "" if without else "; or leave it out: --without-proofs"
    return Part(name, SKIPPED if without else FAILS, f"needs the solver: {evidence.EXTRA}{hint}")


def _tested(bundle: Bundle, loaded: LoadedBundle, workers: int | None) -> tuple[list[ScenarioReport], Part]:
    from engine.fixtures.process_pool import run_all

    fixtures = [d.plain for d in loaded.documents.well_formed("Fixture")]
    reports = list(run_all(bundle, fixtures, workers))
    failed = sorted((report for report in reports if not report.passed), key=lambda report: report.name)
    details = [f"- {code(report.name)}: {markdown(str(report.failures[0]).splitlines()[0])}" for report in failed]
    data = {"passed": len(reports) - len(failed), "failed": [report.name for report in failed]}
    told = f"{data['passed']} fixtures pass, {len(failed)} fail"
    return reports, Part("test", FAILS if failed else HOLDS if reports else OPEN, told, tuple(details), data)


def _covered(bundle: Bundle, loaded: LoadedBundle, reports: Sequence[ScenarioReport], least: float | None) -> Part:
    from engine.coverage.coverage import uncovered

    coverage = evidence.measured(bundle, loaded, reports)
    gaps = uncovered(coverage)
    rows = [[code(str(item.place)), code(item.owner), item.what, code(item.text)] for item in gaps[:MOST_LISTED]]
    details = table(["place", "rule or word", "never", "condition"], rows) if rows else []
    if len(gaps) > MOST_LISTED:
        details.append(f"\nand {len(gaps) - MOST_LISTED} more")
    short = least is not None and coverage.percent < least
    status = FAILS if short else OPEN if gaps else HOLDS
    asked = f", less than {least:g} %" if short else ""
    return Part("coverage", status, f"{coverage.percent:.1f} %{asked}", tuple(details), coverage.payload())


def _mutated(
    bundle: Bundle,
    loaded: LoadedBundle,
    reports: Sequence[ScenarioReport],
    least: float | None,
    workers: int | None,
    without: bool,
) -> Part:
    fates = evidence.mutated(bundle, loaded, reports, workers)
    known = evidence.looked_into(bundle, loaded, fates)
    found = evidence.score(fates, known)
    if known is None and not without:
        return _unsolved("mutation", without)
    open_ = [one for one in known or () if one.status != "equivalent"]
    missing = sum(one.status == "written" for one in open_)
    rows = [[code(str(one.mutant.place)), _in_code(one.mutant.what), one.status, one.why] for one in open_]
    details = table(["place", "mistake", "a fixture would be", "which changes"], rows) if rows else []
    told = f"score {found['score']} %, {missing} fixtures are missing"
    if known is None:
        told = f"score {found['score']} %, and what survives was not looked into"
    short = least is not None and found["score"] < least
    data = found | {"missing": [one.payload() for one in open_]}
    return Part("mutation", FAILS if short else OPEN if open_ else HOLDS, told, tuple(details), data)


def _in_code(text: str) -> str:
    return code(text.replace("`", ""))


def _proved(bundle: Bundle, without: bool) -> tuple[Part, list[Finding]]:
    try:
        from engine.proof.prove import STATUSES, promising_nothing, prove
    except ImportError:
        return _unsolved("prove", without), []
    found = list(prove(bundle))
    count = {status: sum(f.status == status for f in found) for status in STATUSES}
    empty = promising_nothing(found)
    details = [f"- {code(name)} promises nothing: no call can break it, whatever the rules say" for name in empty]
    for finding in found:
        if finding.status not in ("proved", "vacuous"):
            head = f"{code(finding.guarantee)} is {finding.status} for {code(finding.tool)}"
            details += [f"{head}{': ' + markdown(finding.why) if finding.why else ''}", ""]
            details += [*witness_lines(finding.witness.payload()), ""] if finding.witness is not None else []
    told = ", ".join(f"{number} {status}" for status, number in count.items()) if found else "nothing is promised"
    status = FAILS if count["refuted"] else OPEN if count["not proved"] or empty else HOLDS
    return Part("prove", status, told, tuple(details), [finding.payload() for finding in found]), found


def _compared(
    old: Bundle | None, new: Bundle, findings: Sequence[Finding], accepted: Acceptance, without: bool
) -> Part:
    if old is None:
        return Part("diff", FAILS, "OLD is not valid: there is nothing to compare with")
    try:
        from engine.proof.bundle_diff import bundle_differences, by_kind
        from engine.proof.diff import diff
        from engine.proof.prove import prove
    except ImportError:
        return _unsolved("diff", without)
    changes = list(diff(old, new))
    differences = bundle_differences(old, new, prove(old), findings)
    loosening = [f"{c.due}:{c.kind}" for c in changes if c.loosens] + [one.name for one in differences if one.name]
    open_ = [name for name in loosening if not accepted.covers(name, old.accepted)]
    details = [line for change in changes for line in _details(change)]
    details += [f"- {markdown(str(one))}" for one in differences]
    details += [f"- nobody answers for {code(name)}" for name in dict.fromkeys(open_)]
    told = (
        f"{len(changes)} changes of verdicts, {len(differences)} of what stands beside the rules, {len(open_)} loosen"
    )
    status = FAILS if open_ else OPEN if changes or differences else HOLDS
    data = {
        "changes": [change.payload() for change in changes],
        **by_kind(differences),
        "unacknowledged": list(dict.fromkeys(open_)),
    }
    told = f"{told} without an answer" if changes or differences else "every call is judged alike"
    return Part("diff", status, told, tuple(details), data)


def _details(change: Change) -> list[str]:
    loosens = ", loosens" if change.loosens else ""
    lines = [f"**{change.tool}**: {change.kind} ({change.status}{loosens})", ""]
    lines += [f"- {change.why}"] if change.why else []
    lines += [f"- {code(name)} is {markdown(told)}" for name, told in change.where.items()]
    lines += [f"- by {change.due}"] if change.due else []
    if change.witness is not None:
        lines += ["- such as", *(f"  {text}" for text in witness_lines(change.witness.payload()))]
    return [*lines, ""]


def _past(
    bundle: Bundle, there: bool, store_url: str, since: datetime | None, workers: int | None, accepted: Acceptance
) -> Part:
    if not there:
        return Part("what if", SKIPPED, f"there is no store at {store_url}, and none was named")
    done = whatif.judge_all(bundle, store_url, since, None, workers)
    rows = done.rows(accepted)
    cells = [
        [
            code(row.rule),
            row.kind,
            "yes" if row.loosens else "no",
            str(row.calls),
            str(row.sessions),
            whatif.money(row.money),
            "-" if not row.loosens else "yes" if row.accepted else "**no**",
        ]
        for row in rows
    ]
    columns = ["rule", "flip", "loosens", "calls", "sessions", "money", "accepted"]
    details = table(columns, cells) if cells else []
    for row in rows:
        details += ["", f"{code(row.name)}, for example", ""]
        details += [f"- {markdown(whatif.flip_line(done, flip))}" for flip in row.flips[:3]]
    open_ = [row for row in rows if row.open]
    touched = len(done.pasts)
    told = f"{touched} of {done.sessions} past sessions would have gone otherwise"
    told += f"; {whatif.erased(done)}" if done.erased else ""
    status = FAILS if open_ else OPEN if rows else HOLDS
    return Part("what if", status, told, tuple(details), done.payload(rows, accepted))
