"""What came of fixtures as other tools read it: JUnit's XML, GitHub's annotations, SARIF."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from xml.sax.saxutils import escape, quoteattr

from engine.diagnostic import Diagnostic, Manual, Place, Severity
from engine.diagnostic.reports import as_github, as_sarif, plain
from engine.testing.pathway import Report

Placed = Sequence[tuple[Place, Report]]

FAILED = Manual(
    code="fixture",
    title="a fixture failed",
    what="A pathway did not come out as its fixture declares.",
    why="Either the bundle does something else than was meant, or the fixture says what is no longer meant.",
    wrong="",
    right="",
)


def _diagnostics(reports: Placed) -> list[Diagnostic]:
    return [
        Diagnostic(FAILED.code, Severity.ERROR, f"{report.name}: {str(failure).splitlines()[0]}", place)
        for place, report in reports
        for failure in report.failures
    ]


def as_junit(reports: Placed) -> str:
    """One suite with a case for each fixture."""
    failing = sum(not report.passed for _, report in reports)
    cases = [_case(place, report) for place, report in reports]
    head = f'<testsuite name="engine test" tests="{len(cases)}" failures="{failing}" errors="0">'
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", f"  {head}", *cases,
                      "  </testsuite>", "</testsuites>"])  # fmt: skip


def _case(place: Place, report: Report) -> str:
    head = f"    <testcase classname={quoteattr(plain(place.file))} name={quoteattr(plain(report.name))}"
    if report.passed:
        return f"{head}/>"
    said = quoteattr(plain(str(report.failures[0]).splitlines()[0]))
    body = escape(plain("\n".join(str(failure) for failure in report.failures)))
    return f"{head}><failure message={said}>{body}</failure></testcase>"


FORMATS: Mapping[str, Callable[[Placed], str]] = {
    "junit": as_junit,
    "github": lambda reports: as_github(_diagnostics(reports)),
    "sarif": lambda reports: as_sarif(_diagnostics(reports), {FAILED.code: FAILED}, version("agent-engine")),
}
