"""What stands around an expression and bears on its meaning."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from engine.language import types
from engine.language.narrow import Implications


@dataclass(frozen=True, slots=True)
class TypeContext:
    """Where an expression stands.

    `refinements` are those of paths that a condition around it makes, such as a rule's `when` for its message.
    `lets` are names that stand for expressions: what those tell is told by their names too.  Days begin in
    `zone`, and text that says no offset is meant in it.

    Of `doubtful` names nobody knows what they mean, because what defines them is broken: that is said where it is,
    and nothing about who reads them.  `others` are names that are known and have no value here, each with why, or ''.
    What stands `in_text` is a hole of a text, where a text in quotes would make no sense.
    """

    refinements: Mapping[str, types.Type] = field(default_factory=dict)
    lets: Mapping[str, Implications] = field(default_factory=dict)
    zone: tzinfo = UTC
    doubtful: Set[str] = frozenset()
    others: Mapping[str, str] = field(default_factory=dict)
    in_text: bool = False


NOTHING = TypeContext()
