"""What an expression is known by: its text with all words of the policy spelt out."""

from __future__ import annotations

import ast
import copy
import re
from typing import Any, Protocol

from engine.language.functions import CONTEXTUAL
from engine.language.unparse import to_source
from engine.language.value import digest
from engine.policy.rule import PolicyRules
from engine.spec.bundle import Tool

_MARK = re.compile(r"@[0-9a-f]{6}\b")


def for_people(name: str) -> str:
    """A name without the marks that tell those apart that read alike."""
    return _MARK.sub("", name)


def established_name(policy: PolicyRules, name: str) -> str:
    """What a value that is learnt is known by."""
    known = policy.established[name]
    told = [(source.call, source.value.text) for source in known.sources]
    return f"{name}@{digest([known.keep_first, told])[:6]}"


def session_reading(policy: PolicyRules) -> str:
    """What the session's attributes are read as by a policy's vocabularies; "" if as they are written."""
    told = sorted(policy.session.items())
    return digest([told, str(policy.time.zone)])[:6] if told else ""


class KnownWords(Protocol):
    """What knows the words of one policy, as an encoder does."""

    policy: PolicyRules
    tool: Tool
    input_name: str

    @property
    def session_name(self) -> str:
        """What the session is known by."""
        ...

    @property
    def trust(self) -> str:
        """What is known of whom each tool speaks for."""
        ...

    def index(self, node: ast.expr) -> Any:
        """The constant that an index is, or None."""
        ...

    def spelt(self, name: str) -> ast.expr | None:
        """What stands for a word of the policy; None if it is no such word."""
        ...


class Spelling(ast.NodeTransformer):
    """Puts what they stand for in the place of words, and the values of params."""

    def __init__(self, encoder: KnownWords) -> None:
        self._encoder = encoder

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """A param is its value; everything else as it is."""
        if isinstance(node.value, ast.Name) and node.value.id == "params":
            return ast.Name(f"{self._encoder.policy.params.get(node.attr)!r}")
        if to_source(node) == "call.name":
            return ast.Constant(self._encoder.tool.name)
        return self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """A field that is named in brackets is read as one that is named behind a dot."""
        field = self._encoder.index(node.slice)
        if isinstance(node.value, ast.Name) and node.value.id == "params" and isinstance(field, str):
            return ast.Name(f"{self._encoder.policy.params.get(field)!r}")
        found = self.generic_visit(node)
        if isinstance(field, str) and field.isidentifier() and isinstance(found, ast.Subscript):
            return ast.Attribute(found.value, field)
        return found

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """A word of the policy is what it stands for."""
        if node.id == "input":
            return ast.Name(self._encoder.input_name)
        if node.id == "params":
            return ast.Name(repr(dict(self._encoder.policy.params)))
        if node.id == "session":
            return ast.Name(self._encoder.session_name)
        if node.id == "now" and self._encoder.policy.time.now is not None:
            # what a vocabulary says of the time, which may be another than the log's own
            return ast.Call(ast.Name("told_time"), [self.visit(copy.deepcopy(self._encoder.policy.time.now.tree))], [])
        if node.id in CONTEXTUAL:
            # where a value comes from depends on whom the tools are trusted to speak for
            return ast.Name(f"{node.id}@{self._encoder.trust}")
        return self._encoder.spelt(node.id) or node
