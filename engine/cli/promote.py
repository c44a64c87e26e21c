"""`engine promote`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli import evidence, whatif
from engine.cli.diff import changed_guarantees, changed_limits, told_of_guarantee
from engine.cli.loading import load_or_exit
from engine.cli.options import format_option, store_option
from engine.cli.past import accept_option, accepted_by, since_option
from engine.cli.printing import line, print_json
from engine.diagnostic.render import concise
from engine.policy.value import exact, jsonable, pretty
from engine.replay.acceptance import Acceptance
from engine.replay.promotion import FAILS, HOLDS, OPEN, SKIPPED, Part, Promotion, code, table, witness_lines
from engine.session.bundle import Bundle
from engine.session.exit_code import FAILED, OK
from engine.store.reading import file_of
from engine.store.urls import BadStoreUrl

if TYPE_CHECKING:
    from engine.bundle.load import Loaded
    from engine.proof.diff import Change
    from engine.testing.pathway import Report

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
    workers: int | None,
    output_format: str,
    store_url: str,
) -> None:
    """Gather what is known of a change of a bundle, as one report.

    It validates NEW, runs its fixtures, measures what they cover and notice, proves its guarantees, compares what the
    two bundles mean, and judges every past session again.  Exits 1 if something stands against it: a fixture that
    fails, a guarantee that is refuted, or a loosening that nobody answers for.
    """
    before, _ = load_or_exit(old)
    after, loaded = load_or_exit(new)
    accepted = accepted_by(after, accepts)
    found = Promotion(before.digest, after.digest)
    found.parts.append(_validated(loaded))
    reports, tested = _tested(after, loaded, workers)
    found.parts += [tested, _covered(after, loaded, reports, min_coverage)]
    found.parts += [_mutated(after, loaded, reports, min_score), _proved(after), _compared(before, after, accepted)]
    found.parts.append(_past(after, store_url, since, workers, accepted))
    payload = exact(jsonable(found.payload()))
    for path, text in ((markdown, found.markdown()), (as_json, pretty(payload))):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text if text.endswith("\n") else f"{text}\n", "utf-8")
            click.echo(f"written: {path}", err=True)
    if output_format == "json":
        print_json(payload)
    elif markdown is None:
        click.echo(found.markdown(), nl=False)
    raise SystemExit(OK if found.ready else FAILED)


def _validated(loaded: Loaded) -> Part:
    warnings = len(loaded.diagnostics)
    details = ("```", concise(loaded.diagnostics), "```") if warnings else ()
    told = f"valid, {warnings} warnings" if warnings else "valid"
    return Part("validate", OPEN if warnings else HOLDS, told, details)


def _tested(bundle: Bundle, loaded: Loaded, workers: int | None) -> tuple[list[Report], Part]:
    from engine.testing.together import run_all

    fixtures = [d.plain for d in loaded.corpus.sound("Fixture")]
    reports = list(run_all(bundle, fixtures, workers))
    failed = sorted((report for report in reports if not report.passed), key=lambda report: report.name)
    details = [f"- {code(report.name)}: {str(report.failures[0]).splitlines()[0]}" for report in failed]
    data = {"passed": len(reports) - len(failed), "failed": [report.name for report in failed]}
    told = f"{data['passed']} fixtures pass, {len(failed)} fail"
    return reports, Part("test", FAILS if failed else HOLDS if reports else OPEN, told, tuple(details), data)


def _covered(bundle: Bundle, loaded: Loaded, reports: Sequence[Report], least: float | None) -> Part:
    from engine.replay.coverage import uncovered

    coverage = evidence.measured(bundle, loaded, reports)
    gaps = uncovered(coverage)
    rows = [[code(str(item.place)), item.owner, item.what, code(item.text)] for item in gaps[:MOST_LISTED]]
    details = table(["place", "rule or word", "never", "condition"], rows) if rows else []
    if len(gaps) > MOST_LISTED:
        details.append(f"\nand {len(gaps) - MOST_LISTED} more")
    short = least is not None and coverage.percent < least
    status = FAILS if short else OPEN if gaps else HOLDS
    asked = f", less than {least:g} %" if short else ""
    return Part("coverage", status, f"{coverage.percent:.1f} %{asked}", tuple(details), coverage.payload())


def _mutated(bundle: Bundle, loaded: Loaded, reports: Sequence[Report], least: float | None) -> Part:
    fates = evidence.mutated(bundle, loaded, reports)
    known = evidence.looked_into(bundle, loaded, fates)
    found = evidence.score(fates, known)
    open_ = [one for one in known or () if one.status != "equivalent"]
    missing = sum(one.status == "written" for one in open_)
    rows = [[code(str(one.mutant.place)), one.mutant.what, one.status, one.why] for one in open_]
    details = table(["place", "mistake", "a fixture would be", "which changes"], rows) if rows else []
    told = f"score {found['score']} %, {missing} fixtures are missing"
    short = least is not None and found["score"] < least
    data = found | {"missing": [one.payload() for one in open_]}
    return Part("mutation", FAILS if short else OPEN if open_ else HOLDS, told, tuple(details), data)


def _proved(bundle: Bundle) -> Part:
    try:
        from engine.proof.prove import prove
    except ImportError:
        return Part("prove", SKIPPED, f"needs the solver: {evidence.EXTRA}")
    found = list(prove(bundle))
    count = {status: sum(f.status == status for f in found) for status in ("proved", "refuted", "not proved")}
    details: list[str] = []
    for finding in found:
        if finding.status != "proved":
            head = f"**{finding.guarantee}** is {finding.status} for {code(finding.tool)}"
            details += [f"{head}{': ' + finding.why if finding.why else ''}", ""]
            details += [*witness_lines(finding.witness.payload()), ""] if finding.witness is not None else []
    told = ", ".join(f"{number} {status}" for status, number in count.items()) if found else "nothing is promised"
    status = FAILS if count["refuted"] else OPEN if count["not proved"] else HOLDS
    return Part("prove", status, told, tuple(details), [finding.payload() for finding in found])


def _compared(old: Bundle, new: Bundle, accepted: Acceptance) -> Part:
    try:
        from engine.proof.diff import diff
        from engine.proof.prove import standing
    except ImportError:
        return Part("diff", SKIPPED, f"needs the solver: {evidence.EXTRA}")
    changes = list(diff(old, new))
    limits = changed_limits(old, new)
    promises = changed_guarantees(standing(old), standing(new))
    loosening = [change for change in changes if change.loosens and not _answered(change, old, accepted)]
    details: list[str] = []
    for change in changes:
        loosens = ", loosens" if change.loosens else ""
        details += [f"**{change.tool}**: {change.kind} ({change.status}{loosens})", ""]
        details += [f"- {change.why}"] if change.why else []
        details += [f"- {code(name)} is {told}" for name, told in change.where.items()]
        details += [f"- by {', '.join(change.rules)}"] if change.rules else []
        details += (
            ["- such as", *(f"  {text}" for text in witness_lines(change.witness.payload()))]
            if (change.witness is not None)
            else []
        )
        details.append("")
    details += [f"- limit {code(one['limit'])}: {line(one['before'])} → {line(one['after'])}" for one in limits]
    details += [f"- {told_of_guarantee(one)}" for one in promises]
    told = f"{len(changes)} changes of verdicts, {len(loosening)} loosen without an answer"
    status = FAILS if loosening else OPEN if changes or limits or promises else HOLDS
    data = {"changes": [change.payload() for change in changes], "limits": limits, "guarantees": promises}
    return Part("diff", status, told if changes else "every call is judged alike", tuple(details), data)


def _answered(change: Change, old: Bundle, accepted: Acceptance) -> bool:
    """Whether somebody answers for a change, by the rule that makes it."""
    return accepted.covers(f"{change.due}:{change.kind}", old.accepted)


def _past(bundle: Bundle, store_url: str, since: datetime | None, workers: int | None, accepted: Acceptance) -> Part:
    try:
        if not file_of(store_url).is_file():
            return Part("what if", SKIPPED, f"there is no store at {store_url}")
    except BadStoreUrl as error:
        return Part("what if", SKIPPED, str(error))
    done = whatif.judge_all(bundle, store_url, since, None, workers)
    rows = done.rows(accepted)
    cells = [
        [code(row.rule), row.kind, "yes" if row.loosens else "no", str(row.calls), str(row.sessions),
         whatif.money(row.money), "-" if not row.loosens else "yes" if row.accepted else "**no**"]
        for row in rows
    ]  # fmt: skip
    columns = ["rule", "flip", "loosens", "calls", "sessions", "money", "accepted"]
    details = table(columns, cells) if cells else []
    for row in rows:
        details += ["", f"{code(row.name)}, for example", ""]
        details += [f"- {whatif.told(done, flip)}" for flip in row.flips[:3]]
    open_ = [row for row in rows if row.open]
    touched = len(done.pasts)
    told = f"{touched} of {done.sessions} past sessions would have gone otherwise"
    status = FAILS if open_ else OPEN if rows else HOLDS
    return Part("what if", status, told, tuple(details), done.payload(rows, accepted))
