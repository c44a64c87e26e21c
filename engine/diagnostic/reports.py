"""Diagnostics as other tools read them: SARIF, GitHub's annotations, JUnit's XML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from engine.diagnostic.diagnostic import Diagnostic, Severity
from engine.diagnostic.manual import Manual
from engine.diagnostic.visible import block, escaped, line

SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


def as_sarif(diagnostics: Sequence[Diagnostic], manuals: Mapping[str, Manual], version: str) -> str:
    """SARIF 2.1.0: one run, its rules those that are told of; columns count characters."""
    codes = sorted({d.code for d in diagnostics})
    rules = [
        {
            "id": code,
            "shortDescription": {"text": manuals[code].title},
            "fullDescription": {"text": manuals[code].what},
            "help": {"text": manuals[code].why},
            "defaultConfiguration": {"level": manuals[code].severity.value},
        }
        for code in codes
        if code in manuals
    ]
    tool = {"driver": {"name": "Steadyhand", "version": version, "rules": rules}}
    results = [_result(d) for d in diagnostics]
    run = {"tool": tool, "columnKind": "unicodeCodePoints", "results": results}
    return escaped(json.dumps({"$schema": SARIF, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False))


def _result(diagnostic: Diagnostic) -> dict[str, object]:
    place = diagnostic.place
    region = {
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    }
    located = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(place.file.encode("utf-8", "surrogateescape"))},
            "region": region,
        }
    }
    return {
        "ruleId": diagnostic.code,
        "level": diagnostic.severity.value,
        "message": {"text": _linkless(_message(diagnostic))},
        "locations": [located],
    }


def _linkless(text: str) -> str:
    """A message of SARIF, where brackets before parentheses would be a link."""
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def as_github(diagnostics: Sequence[Diagnostic]) -> str:
    """Workflow commands, a line each, which GitHub shows beside the guilty lines."""
    return "\n".join(
        f"::{d.severity.value} file={_property(d.place.file)},line={d.place.line},col={d.place.column},"
        f"endLine={d.place.end_line},endColumn={d.place.end_column},title={_property(d.code)}::{_data(_message(d))}"
        for d in diagnostics
    )


def _data(text: str) -> str:
    return line(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def as_junit(diagnostics: Sequence[Diagnostic], *, strict: bool = False) -> str:
    """One suite with a case for each diagnostic, or one that passed if there is none; warnings fail only if strict."""
    failing = [d for d in diagnostics if strict or d.severity is Severity.ERROR]
    cases = [_case(d, fails=d in failing) for d in diagnostics] or [
        '    <testcase classname="engine" name="validate"/>'
    ]
    head = f'<testsuite name="engine validate" tests="{len(cases)}" failures="{len(failing)}" errors="0">'
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            "<testsuites>",
            f"  {head}",
            *cases,
            "  </testsuite>",
            "</testsuites>",
        ]
    )


def _case(diagnostic: Diagnostic, *, fails: bool) -> str:
    name = quoteattr(plain(f"{diagnostic.code} {diagnostic.place}"))
    kind = "failure" if fails else "skipped"
    said = quoteattr(plain(_message(diagnostic)))
    body = escape(plain(f"{diagnostic.place}: {diagnostic.severity}[{diagnostic.code}]: {_message(diagnostic)}"))
    told = f"<{kind} message={said}>{body}</{kind}>"
    return f"    <testcase classname={quoteattr(plain(diagnostic.place.file))} name={name}>{told}</testcase>"


def _message(diagnostic: Diagnostic) -> str:
    return f"{diagnostic.message} ({diagnostic.help})" if diagnostic.help else diagnostic.message


def plain(text: str) -> str:
    """Text that XML can hold, and that steers nobody; it keeps its lines."""
    return block(text)
