"""Coverage as a page: the policies as they are written, with what is covered of them and what is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.coverage.catalogue import MATCHED
from engine.coverage.coverage import Coverage, CoverageItem
from engine.diagnostic import SourceFile
from engine.diagnostic.visible import html as escape

FULL, PART, NONE = "full", "part", "none"

_STYLE = """
:root { color-scheme: light dark; --full: #1a7f3733; --part: #bf870033; --none: #cf222e44; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
pre { font: 13px/1.6 ui-monospace, monospace; overflow-x: auto; border: 1px solid #8884; border-radius: 6px;
      padding: .6rem 0; }
pre > span { display: block; padding: 0 .8rem; }
pre > span > i { display: inline-block; width: 3rem; color: #888; font-style: normal; user-select: none; }
.full { background: var(--full); } .part { background: var(--part); } .none { background: var(--none); }
mark { color: inherit; border-radius: 3px; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .15rem 1rem .15rem 0; }
td.n { text-align: right; }
"""


def page(coverage: Coverage, sources: Mapping[str, SourceFile], title: str) -> str:
    """The page's HTML; it stands alone."""
    files = sorted({item.place.file for item in coverage.items})
    covered = sum(item.covered for item in coverage.items)
    rows = "".join(
        f'<tr><td>{escape(rule)}</td><td class="n">{count}</td><td class="n">{_share(coverage, rule)}</td></tr>'
        for rule, count in coverage.matched.items()
    )
    bodies = "".join(
        _file(sources[name], [item for item in coverage.items if item.place.file == name]) for name in files
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1>"
        f"<p>{coverage.percent:.1f} % covered: {covered} of {len(coverage.items)} sides, boundaries and rules. "
        f'<mark class="{FULL}">all of it</mark> <mark class="{PART}">some of it</mark> '
        f'<mark class="{NONE}">nothing of it</mark>; hover to see what is missing.</p>'
        f"<table><tr><th>rule</th><th>matched</th><th>covered</th></tr>{rows}</table>{bodies}</html>\n"
    )


def _share(coverage: Coverage, rule: str) -> str:
    own = [item for item in coverage.items if rule in item.rules]
    return f"{sum(item.covered for item in own)} of {len(own)}"


def _file(source: SourceFile, items: list[CoverageItem]) -> str:
    """The lines of a file, with every condition marked, the innermost over those around it."""
    groups: dict[tuple[int, int], list[CoverageItem]] = {}
    for item in items:
        place = item.place
        start = source.offset(place.line - 1, place.column - 1)
        end = source.offset(place.end_line - 1, place.end_column - 1)
        groups.setdefault((start, end), []).append(item)
    owner: list[tuple[int, int] | None] = [None] * (len(source.text) + 1)
    for start, end in sorted(groups, key=lambda span: span[0] - span[1]):
        owner[start:end] = [(start, end)] * (end - start)
    lines: list[str] = []
    at = 0
    for number, text in enumerate(source.text.split("\n"), 1):
        lines.append(f"<span><i>{number}</i>{_line(text, owner[at : at + len(text)], groups)}</span>")
        at += len(text) + 1
    return f"<h2>{escape(source.file)}</h2><pre>{''.join(lines)}</pre>"


def _line(
    text: str, owner: Iterable[tuple[int, int] | None], groups: Mapping[tuple[int, int], list[CoverageItem]]
) -> str:
    parts: list[tuple[tuple[int, int] | None, str]] = []
    for char, span in zip(text, owner, strict=False):
        if parts and parts[-1][0] == span:
            parts[-1] = span, parts[-1][1] + char
        else:
            parts.append((span, char))
    return "".join(_marked(piece, groups[span]) if span is not None else escape(piece) for span, piece in parts)


def _marked(text: str, items: list[CoverageItem]) -> str:
    gaps = [item for item in items if not item.covered]
    kind = FULL if not gaps else NONE if len(gaps) == len(items) else PART
    told = "never: " + ", ".join(_gap(item) for item in gaps) if gaps else "all of it is covered"
    return f'<mark class="{kind}" title="{escape(told)}">{escape(text)}</mark>'


def _gap(item: CoverageItem) -> str:
    return "matched" if item.what == MATCHED else item.what
