"""Why a server ended its answer: only a reason that is known to mean so makes the answer whole."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from engine.planner.answer import Fault
from engine.planner.server_json import kind_of


class FinishReason(Enum):
    """What a reason means; a later one in this list is worse."""

    WHOLE = "whole"
    PAUSED = "paused"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    TRUNCATED = "truncated"
    REFUSED = "refused"


# by what servers of Chat Completions and of the Messages API say, in small letters
MEANINGS: Mapping[str, FinishReason] = {
    "stop": FinishReason.WHOLE,
    "tool_calls": FinishReason.WHOLE,
    "function_call": FinishReason.WHOLE,
    "end_turn": FinishReason.WHOLE,
    "tool_use": FinishReason.WHOLE,
    "pause_turn": FinishReason.PAUSED,
    "length": FinishReason.TRUNCATED,
    "max_tokens": FinishReason.TRUNCATED,
    "model_length": FinishReason.TRUNCATED,
    "model_context_window_exceeded": FinishReason.TRUNCATED,
    "content_filter": FinishReason.REFUSED,
    "refusal": FinishReason.REFUSED,
    "sensitive": FinishReason.REFUSED,
    "error": FinishReason.BROKEN,
    "abort": FinishReason.BROKEN,
    "aborted": FinishReason.BROKEN,
    "network_error": FinishReason.BROKEN,
    "insufficient_system_resource": FinishReason.BROKEN,
    "malformed_function_call": FinishReason.BROKEN,
    "unexpected_tool_call": FinishReason.BROKEN,
}

_ORDER = list(FinishReason)


def meaning(reason: Any) -> FinishReason:
    """What a reason means; a filter may say what for (`content_filter: SAFETY`)."""
    if not isinstance(reason, str):
        return FinishReason.UNKNOWN
    return MEANINGS.get(reason.lower().split(":")[0].strip(), FinishReason.UNKNOWN)


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
        case FinishReason.REFUSED:
            raise Fault("refused", f"the model refused ({_word(reason)})")
        case FinishReason.TRUNCATED:
            message = f"the answer was cut at its longest ({_word(reason)}): say less, or raise max_answer_tokens"
            raise Fault("truncated", message)
        case FinishReason.BROKEN:
            raise Fault("server_error", f"the server broke the answer off ({_word(reason)})", retryable=True)
        case FinishReason.UNKNOWN:
            raise Fault("unfinished", f"nobody knows whether an answer is whole that ends with {_word(reason)}")
        case FinishReason.WHOLE | FinishReason.PAUSED:
            return


def _word(reason: Any) -> str:
    return f"`{reason[:100]}`" if isinstance(reason, str) else kind_of(reason)
