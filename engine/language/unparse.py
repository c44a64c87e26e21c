"""Names of the language that have no value where they stand, and expressions in the author's words."""

from __future__ import annotations

import ast
import re

# what means something in one place only
ELSEWHERE = {
    "meters": "rules",
    "verdict": "guarantees",
    "approvers": "guarantees",
    "output": "`release_unless`",
    "decision": "stop conditions",
    "results": "decision tables",
}

_PYTHON = re.compile(r"\b(True|False|None)\b")


def to_source(node: ast.expr) -> str:
    """An expression as its author would write it."""
    return _PYTHON.sub(lambda found: {"None": "null"}.get(found[0], found[0].lower()), ast.unparse(node))
