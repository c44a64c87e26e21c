"""`engine test`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.loading import load_or_exit
from engine.cli.options import bundle_argument, format_option
from engine.session.exit_code import FAILED

if TYPE_CHECKING:
    from engine.testing.pathway import Report


@click.command(
    "test",
    epilog="""\b
Examples:
  engine test
  engine test my-agent -k "refund and not denied"
  engine test --format json""",
)
@bundle_argument
@click.option("-k", "only", metavar="EXPR", help="Fixtures whose names hold the words: `refund and not denied`.")
@format_option("text", "json")
def command(bundle: Path, only: str | None, output_format: str) -> None:
    """Run a bundle's fixtures, each on a fresh store and fresh databases.

    Exits 0 if all pass, 1 otherwise.
    """
    checked, loaded = load_or_exit(bundle)
    fixtures = [d for d in loaded.corpus.sound("Fixture") if only is None or selects(only, d.name)]
    if only is not None and not fixtures:
        raise click.UsageError(f"no fixture's name fits -k {only}")
    from engine.testing.pathway import run_fixture

    reports = []
    live = output_format == "text"
    for fixture in fixtures:
        report = run_fixture(checked, fixture.plain)
        reports.append(report)
        if live:
            _show(report)
    if live:
        failed = sum(not report.passed for report in reports)
        click.echo(f"{len(reports) - failed} passed, {failed} failed")
    else:
        click.echo(_json(reports))
    if not all(report.passed for report in reports):
        raise SystemExit(FAILED)


def selects(expression: str, name: str) -> bool:
    """Whether a name fits an expression of words, `and`, `or`, `not` and parentheses; raises click.UsageError."""
    from simpleeval import simple_eval

    def truth(word: re.Match[str]) -> str:
        return word[0] if word[0] in ("and", "or", "not") else str(word[0].lower() in name.lower())

    try:
        return bool(simple_eval(re.sub(r"[^\s()]+", truth, expression)))
    except (SyntaxError, ValueError, ArithmeticError, TypeError):
        raise click.UsageError(f"-k {expression}: words with and, or, not and parentheses are understood") from None


def _show(report: Report) -> None:
    tty = sys.stdout.isatty()
    mark = click.style("passed", fg="green") if report.passed else click.style("FAILED", fg="red", bold=True)
    click.echo(f"{mark if tty else click.unstyle(mark)} {report.name}")
    for failure in report.failures:
        click.echo("  " + str(failure).replace("\n", "\n  "))


def _json(reports: Iterable[Report]) -> str:
    from engine.policy.value import exact, pretty

    return pretty(
        exact(
            [
                {
                    "name": report.name,
                    "passed": report.passed,
                    "failures": [
                        {"what": f.what, "expected": f.expected, "came": f.came, "around": list(f.around)}
                        for f in report.failures
                    ],
                }
                for report in reports
            ]
        )
    )
