"""What people say to a request: one class for each kind of answer, with who says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """A yes, to the call as it stands or to what it becomes by `edit`: fields of its input with other values."""

    by: str
    note: str = ""
    edit: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """A no, for good: the same call is not asked about again in its session."""

    by: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to an `input` or a `choice`: a `value` of the request's schema, usually a map of fields."""

    by: str
    value: Any
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """Whether a write happened whose end nobody knows: True with its `output`, False, or None if nobody will know."""

    by: str
    happened: bool | None
    output: Any = None
    note: str = ""


Reply = Approve | Deny | Answer | Settle


def recorded(reply: Reply) -> tuple[str, Any, Mapping[str, Any] | None]:
    """The action, the value and the edit that a reply is in the log."""
    match reply:
        case Approve():
            return "approve", None, reply.edit
        case Deny():
            return "deny", None, None
        case Answer():
            return "answer", reply.value, None
        case Settle(happened=True):
            return "answer", {"happened": reply.output}, None
        case Settle():
            return "answer", "abandon" if reply.happened is None else "did_not_happen", None
        case _:
            assert_never(reply)
