"""Warnings that an author has answered for where they stand: `# engine: allow W601 because ...`.

A silence is a comment on the line of the warning, or alone on the lines before it.  Where a text of several lines
leaves no room for one, it stands behind its first line or its last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from engine.bundle.checks import w617_silence
from engine.diagnostic import Diagnostic, Manual, Place, Severity, SourceFile, has_errors, sort

_COMMENT = re.compile(r"(?:(?<=\s)|\A)#[ \t]*engine:(?P<rest>[^\n]*)")
_IN_PROMPT = re.compile(r"\{#-?[ \t]*(?:#[ \t]*)?engine:(?P<rest>[^\n]*?)(?:-?#\}|$)", re.MULTILINE)
_FORM = re.compile(r"\s*allow\s+(?P<codes>\w+(?:\s*,\s*\w+)*)\s+because\s+(?P<why>\S.*)\Z")
_ALONE = re.compile(r"[ \t]*(?:#.*|\{#.*#\}[ \t]*)?\Z")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Silence:
    """One code that is silenced, on some lines of a file."""

    code: str
    place: Place
    lines: range


def silenced(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, SourceFile], manuals: Mapping[str, Manual]
) -> tuple[Diagnostic, ...]:
    """The diagnostics without the warnings that are silenced, and with what is wrong with silences."""
    found: list[Diagnostic] = []
    silences: list[Silence] = []
    for source in sources.values():
        if "engine:" in source.text:
            silences += _of(source, manuals, found.append)
    if not silences and not found:
        return tuple(diagnostics)
    used: set[Silence] = set()
    for diagnostic in diagnostics:
        by = {one for one in silences if diagnostic.severity is Severity.WARNING and _covers(one, diagnostic)}
        used |= by
        found += [] if by else [diagnostic]
    # while there are errors, not all warnings are looked for
    if not has_errors(diagnostics):
        idle = [one for one in silences if one not in used]
        found += [w617_silence.at(one.place, f"{one.code} is not said here", "remove the silence") for one in idle]
    return sort(found)


def _covers(silence: Silence, diagnostic: Diagnostic) -> bool:
    return (silence.code, silence.place.file) == (diagnostic.code, diagnostic.place.file) and (
        diagnostic.place.line in silence.lines
    )


def _of(source: SourceFile, manuals: Mapping[str, Manual], say: Callable[[Diagnostic], None]) -> Iterator[Silence]:
    """The silences of a file; what is wrong with one is said."""
    is_prompt = source.file.endswith(".j2")
    texts = [] if is_prompt else _texts(source)
    for comment in (_IN_PROMPT if is_prompt else _COMMENT).finditer(source.text):
        if any(start <= comment.start() < end for start, end in texts):
            continue
        place = source.place(comment.start(), comment.end())
        form = _FORM.match(comment["rest"].rstrip())
        if form is None:
            named = re.search(r"\bW[0-9]{3}\b", comment["rest"])
            help_ = f"write `# engine: allow {named[0] if named else 'W601'} because ...`"
            say(w617_silence.at(place, "a silence has codes and a reason", help_))
            continue
        for code in re.findall(r"\w+", form["codes"]):
            manual = manuals.get(code)
            if manual is None:
                say(w617_silence.unknown(place, code, manuals))
            elif manual.severity is Severity.ERROR or code == w617_silence.MANUAL.code:
                say(w617_silence.at(place, f"nothing silences {code}", "put right what it says"))
            else:
                yield Silence(code, place, _lines(source, place.line, texts))


def _texts(source: SourceFile) -> list[tuple[int, int]]:
    """Where the scalars of a YAML file stand, in which no comment begins."""
    found = []
    try:
        for event in yaml.parse(source.text, Loader=_LOADER):
            if isinstance(event, yaml.ScalarEvent):
                marks: Any = event
                start, end = marks.start_mark.index, marks.end_mark.index
                # behind the sign of a block a comment may stand
                start = source.text.find("\n", start) if event.style in ("|", ">") else start
                found.append((start, end))
    except yaml.YAMLError:
        return found  # what is wrong is said where the file is read
    return found


def _lines(source: SourceFile, number: int, texts: list[tuple[int, int]]) -> range:
    """The lines that a comment on a line is about."""
    first = number
    if _ALONE.match(source.line(number)):
        while first < source.text.count("\n") + 1 and _ALONE.match(source.line(first)):
            first += 1
    from_, to = number, first
    for start, end in texts:
        place = source.place(start, max(start + len(source.text[start:end].rstrip()), start + 1))
        if first in (place.line, place.end_line):
            from_, to = min(from_, place.line), max(to, place.end_line)
    return range(from_, to + 1)
