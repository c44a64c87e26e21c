"""Why a server ended its answer: only a reason that is known to mean so makes the answer whole."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from engine.planner.answer import Fault
from engine.planner.server_json import kind_of


class End(Enum):
    """What a reason means; a later one in this list is worse."""

    WHOLE = "whole"
    PAUSED = "paused"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    TRUNCATED = "truncated"
    REFUSED = "refused"


# by what servers of Chat Completions and of the Messages API say, in small letters
MEANINGS: Mapping[str, End] = {
    "stop": End.WHOLE,
    "tool_calls": End.WHOLE,
    "function_call": End.WHOLE,
    "end_turn": End.WHOLE,
    "tool_use": End.WHOLE,
    "pause_turn": End.PAUSED,
    "length": End.TRUNCATED,
    "max_tokens": End.TRUNCATED,
    "model_length": End.TRUNCATED,
    "model_context_window_exceeded": End.TRUNCATED,
    "content_filter": End.REFUSED,
    "refusal": End.REFUSED,
    "sensitive": End.REFUSED,
    "error": End.BROKEN,
    "abort": End.BROKEN,
    "aborted": End.BROKEN,
    "network_error": End.BROKEN,
    "insufficient_system_resource": End.BROKEN,
    "malformed_function_call": End.BROKEN,
    "unexpected_tool_call": End.BROKEN,
}

_ORDER = list(End)


def meaning(reason: Any) -> End:
    """What a reason means; a filter may say what for (`content_filter: SAFETY`)."""
    if not isinstance(reason, str):
        return End.UNKNOWN
    return MEANINGS.get(reason.lower().split(":")[0].strip(), End.UNKNOWN)


def worse(one: Any, other: Any) -> Any:
    """Of two reasons that were told, the one that says more against the answer; None was not told."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other, key=lambda reason: _ORDER.index(meaning(reason)))


def check_finish(reason: Any, said: str) -> None:
    """Raise the Fault of an answer that is not whole; `said` is what the model gave as its refusal."""
    if said:
        raise Fault("refused", f"the model refused: {said}")
    if reason is None or reason == "":
        raise Fault("cut_off", "the answer ended without a reason: it may be half of one", retryable=True)
    match meaning(reason):
        case End.REFUSED:
            raise Fault("refused", f"the model refused ({_word(reason)})")
        case End.TRUNCATED:
            message = f"the answer was cut at its longest ({_word(reason)}): say less, or raise max_answer_tokens"
            raise Fault("truncated", message)
        case End.BROKEN:
            raise Fault("server_error", f"the server broke the answer off ({_word(reason)})", retryable=True)
        case End.UNKNOWN:
            raise Fault("unfinished", f"nobody knows whether an answer is whole that ends with {_word(reason)}")
        case End.WHOLE | End.PAUSED:
            return


def _word(reason: Any) -> str:
    return f"`{reason[:100]}`" if isinstance(reason, str) else kind_of(reason)
