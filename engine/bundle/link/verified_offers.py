"""Help that offers something to write: each offer is tried out first, and one that would not help is left out.

An offer is tried at each part of the expression that it may be meant for: where the problem is, and what is within and
around it.  Offers of a form, such as `b if a else c`, can't be tried.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence

from engine.language.syntax import Kind, Problem, SyntaxProblem, parse, span

Check = Callable[[str], Sequence[Problem]]
ProblemText = tuple[Kind, str]

_OFFERED = re.compile(r"(?P<verb>\bwrite|\bdid you mean|\buse) (?P<offers>`[^`]+`(?:,? or `[^`]+`)*)")
_OFFER = re.compile(r"`([^`]+)`")
# a word that is written in a param or a let is mended there
_ELSEWHERE = re.compile(r"`([^`]+)` is never the (?:value|key) here")
# letters that stand for anything
_FORM = re.compile(r"(?<![\w.'])(?:[abckx]|list|text|part)(?![\w'(])|\.\.\.")
# what may be wrong next is a step on the way: a value that may be null, or a field that is misspelt as well
_STEPS = frozenset({Kind.NULL, Kind.UNION, Kind.UNBOUNDED, Kind.FIELD, Kind.PARAM, Kind.TOOL})


def tried(text: str, problem: Problem, check: Check) -> str:
    """The help of a problem with those offers alone after which it is gone; empty where none of them is left."""
    found, word = _OFFERED.search(problem.help), _ELSEWHERE.match(problem.message)
    if found is None or problem.kind is Kind.SYNTAX or _FORM.search(problem.help):
        return problem.help
    if word is not None and word[1] not in text:
        return problem.help
    before = _problem_texts(check(text))
    offers = _OFFER.findall(found["offers"])
    good = [o for o in offers if any(_mends(one, problem, before, check) for one in _with(text, problem, o))]
    if len(good) == len(offers):
        return problem.help
    listed = " or ".join(f"`{offer}`" for offer in good)
    return problem.help[: found.start("offers")] + listed + problem.help[found.end("offers") :] if good else ""


def _mends(text: str, problem: Problem, before: Sequence[ProblemText], check: Check) -> bool:
    """Whether a problem is gone from a text, and nothing is wrong instead but what is a step on the way."""
    try:
        after = _problem_texts(check(text))
    except SyntaxProblem:
        return False
    same = problem.kind, problem.message
    return after.count(same) < before.count(same) and all(one[0] in _STEPS for one in after if one not in before)


def _problem_texts(problems: Sequence[Problem]) -> list[ProblemText]:
    return [(problem.kind, problem.message) for problem in problems]


def _with(text: str, problem: Problem, offer: str) -> Iterator[str]:
    """The texts that an offer makes: in the place of the problem, or of a part that is within it or around it."""
    spans = [span(node) for node in ast.walk(parse(text)) if isinstance(node, ast.expr)]
    spans += [found.span() for found in re.finditer(r"\w+|\S+", text)]
    around = [(start, end) for start, end in spans if start < problem.end and problem.start < end]
    word = _ELSEWHERE.match(problem.message)
    around += [found.span() for found in re.finditer(re.escape(word[1]), text)] if word else []
    for start, end in dict.fromkeys([(problem.start, problem.end), *around]):
        yield text[:start] + offer + text[end:]
