"""The report on a change of a bundle: everything that is known of it, for a reviewer to read in a pull request."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.diagnostic import visible
from engine.language.value import jsonable, one_line

HOLDS, FAILS, OPEN, SKIPPED = "holds", "fails", "look at it", "not done"

_MARKS = {HOLDS: "✅", FAILS: "❌", OPEN: "⚠️", SKIPPED: "➖"}


@dataclass(frozen=True, slots=True)
class Part:
    """One step of the promotion: how it came out, in a line, and its details as Markdown and as data."""

    name: str
    status: str
    line: str
    details: tuple[str, ...] = ()
    data: Any = None


@dataclass(slots=True)
class Promotion:
    """A change from one bundle to another."""

    old: str
    new: str
    parts: list[Part] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        """Whether nothing stands against it."""
        return all(part.status != FAILS for part in self.parts)

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "old": self.old,
            "new": self.new,
            "ready": self.ready,
            "against": [f"{part.name}: {part.line}" for part in self.parts if part.status == FAILS],
            "parts": [
                {"name": part.name, "status": part.status, "line": part.line, "data": part.data} for part in self.parts
            ],
        }

    def markdown(self) -> str:
        """As Markdown."""
        head = "ready" if self.ready else "not ready"
        lines = [f"# Promotion: {head}", "", f"From bundle `{self.old[:12]}` to `{self.new[:12]}`.", ""]
        lines += table(["", "step", "result"], [[_MARKS[part.status], part.name, part.line] for part in self.parts])
        for part in self.parts:
            if part.details:
                lines += ["", f"## {part.name.capitalize()}", "", *part.details]
        return "\n".join(lines) + "\n"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table of Markdown."""
    cells = [[_cell(text) for text in row] for row in rows]
    return [
        f"| {' | '.join(columns)} |",
        f"|{'|'.join(' --- ' for _ in columns)}|",
        *(f"| {' | '.join(row)} |" for row in cells),
    ]


_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")


def _cell(text: str) -> str:
    """A cell, code in it kept: nothing in it ends the cell, and nothing is a tag."""
    shown, parts, at = visible.line(text), list[str](), 0
    for found in _CODE.finditer(shown):
        parts += [_bare(shown[at : found.start()]), found[0].replace("|", "\\|")]
        at = found.end()
    return "".join([*parts, _bare(shown[at:])])


def _bare(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def code(value: Any) -> str:
    """A value as code of Markdown."""
    text = value if isinstance(value, str) else one_line(jsonable(value))
    return visible.code(text)


def witness_lines(witness: Mapping[str, Any]) -> list[str]:
    """A counterexample as a list of Markdown."""
    lines = [f"- {code(witness['tool'])} with {code(witness['input'])}"]
    if witness["attributes"]:
        lines.append(f"- in a session of {code(witness['attributes'])}")
    for fact in witness["facts"]:
        said = code(fact["error"]) if fact.get("error") else code(fact["output"])
        lines.append(f"- where {code(fact['tool'])} of {code(fact['input'])} gives {said}")
    lines += [f"- after {code(past['tool'])} of {code(past['input'])}" for past in witness["past"]]
    return lines
