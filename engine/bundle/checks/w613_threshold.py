"""W613: threshold stands in a rule."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.bundle.link.countable_conditions import counts
from engine.bundle.link.whole_bundle import WholeBundle
from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual, Place, Severity
from engine.language.arithmetic import is_number
from engine.language.conditions import orderings
from engine.language.syntax import SyntaxProblem, parse, span

MANUAL = Manual(
    code="W613",
    title="threshold stands in a rule",
    what="A rule compares with a number or a span that is written out, and not with a param.",
    why=(
        "Thresholds are what owners change: under `params` each has a name, stands once, and `whatif` and mutants "
        "find it."
    ),
    wrong="""\
rules:
  - {id: large, tools: [refund_order], effect: deny, when: input.amount_usd > 250}
""",
    right="""\
params: {most_usd: 250}
rules:
  - {id: large, tools: [refund_order], effect: deny, when: input.amount_usd > params.most_usd}
""",
    severity=Severity.WARNING,
)


def at(place: Place, text: str) -> Diagnostic:
    """The number in the expression."""
    return MANUAL.at(
        place,
        f"the threshold `{text}` stands in a rule",
        help="give it a name under `params`",
    )


def check(whole: WholeBundle) -> Iterator[Diagnostic]:
    """The conditions of rules, and what policies `let`."""
    for policy in whole.of_kind("Policy"):
        for rule in whole.rules_of(policy):
            for key in ("when", "unless"):
                node = rule.get(key)
                if node is not None:
                    yield from _thresholds(node)
        declared = policy.node.get("let")
        for _, _, node in declared.pairs() if declared is not None else ():
            for one in [node] if node.entries is None else [value for _, _, value in node.pairs()]:
                yield from _thresholds(one)


def _thresholds(node: Node) -> Iterator[Diagnostic]:
    """Numbers and spans that are written out where something is compared; counting and signs aside."""
    if not isinstance(node.value, str):
        return
    try:
        tree = parse(node.value)
    except SyntaxProblem:
        return
    for _, _, left, right in orderings(tree):
        for side, other in ((left, right), (right, left)):
            if _written_out(side) and not counts(other):
                start, end = span(side)
                yield at(node.within(start, end), node.value[start:end])


_SPELT = frozenset({"duration", "date", "datetime"})


def _written_out(node: ast.expr) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _SPELT:
        return isinstance(node.args[0], ast.Constant)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _written_out(node.operand)
    if isinstance(node, ast.IfExp):
        return _written_out(node.body) or _written_out(node.orelse)
    if isinstance(node, ast.BinOp):
        return all(isinstance(side, ast.Constant) or _written_out(side) for side in (node.left, node.right))
    value = node.value if isinstance(node, ast.Constant) else None
    # nothing and one are no dials
    return is_number(value) and value not in (0, 1)
