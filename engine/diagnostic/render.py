"""The ways to print diagnostics: full (for people), concise (a line each), json."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from engine.diagnostic.diagnostic import Diagnostic, Severity
from engine.diagnostic.place import SourceFile
from engine.diagnostic.visible import escaped, line

_COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33"}


def full(diagnostics: Sequence[Diagnostic], sources: Mapping[str, SourceFile], *, colour: bool = False) -> str:
    """Each diagnostic with the guilty line underlined, and a count at the end."""
    blocks = [_block(d, sources.get(d.place.file), colour) for d in diagnostics]
    return "\n".join([*blocks, summary(diagnostics)])


def concise(diagnostics: Sequence[Diagnostic]) -> str:
    """One line each: place, severity, code, message, and what to do."""
    lines = [
        line(f"{d.place}: {d.severity}[{d.code}]: {d.message}" + (f" ({d.help})" if d.help else ""))
        for d in diagnostics
    ]
    return "\n".join(lines)


def as_json(diagnostics: Sequence[Diagnostic]) -> str:
    """A JSON array with an object for each."""
    text = json.dumps(
        [
            {
                "code": d.code,
                "severity": d.severity.value,
                "message": d.message,
                "file": d.place.file,
                "line": d.place.line,
                "column": d.place.column,
                "end_line": d.place.end_line,
                "end_column": d.place.end_column,
                "note": d.note,
                "help": d.help,
            }
            for d in diagnostics
        ],
        indent=2,
        ensure_ascii=False,
    )
    return escaped(text)


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """How many errors and warnings there are, as a sentence."""
    errors = sum(d.severity is Severity.ERROR for d in diagnostics)
    warnings = len(diagnostics) - errors
    parts = [f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((errors, "error"), (warnings, "warning")) if n]
    return " and ".join(parts) if parts else "no errors"


def _block(diagnostic: Diagnostic, source: SourceFile | None, colour: bool) -> str:
    code = _COLOURS[diagnostic.severity]

    def paint(text: str, style: str = code) -> str:
        return f"\x1b[1;{style}m{text}\x1b[0m" if colour else text

    width = len(str(diagnostic.place.line)) + 1
    margin = " " * (width + 1)
    lines = [
        f"{paint(f'{diagnostic.severity}[{diagnostic.code}]')}: {line(diagnostic.message)}",
        f"{' ' * width}--> {diagnostic.place}",
    ]
    if source is not None and source.text:
        lines += _underlined(diagnostic, source, margin, paint)
    lines += [
        f"{margin}= {label}: {line(text)}"
        for label, text in (("note", diagnostic.note), ("help", diagnostic.help))
        if text
    ]
    lines.append(f"{margin}= more: engine validate --explain {diagnostic.code}")
    return "\n".join(lines) + "\n"


def _underlined(diagnostic: Diagnostic, source: SourceFile, margin: str, paint: Callable[[str], str]) -> list[str]:
    text = source.line(diagnostic.place.line)
    end = diagnostic.place.end_column if diagnostic.place.end_line == diagnostic.place.line else len(text) + 1
    start = min(diagnostic.place.column, len(text) + 1)
    # marks are longer than what they stand for: the caret stands under what is shown
    before, guilty = line(text[: start - 1]), line(text[start - 1 : end - 1])
    carets = "^" * max(1, len(guilty))
    shown = f"{before}{guilty}{line(text[end - 1 :])}"
    return [
        f"{margin}|",
        f"{diagnostic.place.line:>{len(margin) - 1}} | {shown}",
        f"{margin}| {' ' * len(before)}{paint(carets)}",
    ]
