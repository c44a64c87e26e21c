"""What the usual servers of models take otherwise than most do: what a planner's `server` stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_TOKENS, MAX_COMPLETION_TOKENS = "max_tokens", "max_completion_tokens"

# by the name of a server: keys of the planner that have other defaults, and what the wire heeds
SERVERS: Mapping[str, Mapping[str, Any]] = {
    "openai": {},
    "openai-reasoning": {"answer_limit": MAX_COMPLETION_TOKENS},
    "azure": {},
    "azure-reasoning": {"answer_limit": MAX_COMPLETION_TOKENS},
    # calls of a history that are not its own have to say so
    "gemini": {
        "beside_calls": {"extra_content": {"google": {"thought_signature": "skip_thought_signature_validator"}}}
    },
    "mistral": {"short_ids": True, "tail_in_last": True, "stream_usage": False},
    "groq": {"answer_limit": MAX_COMPLETION_TOKENS},
    "openrouter": {},
    "deepseek": {"answers": "tools"},
    "vllm": {"tail_in_last": True},
    "llama.cpp": {"tail_in_last": True},
    "ollama": {},
}

# what the engine itself says in a request: a planner's `extra_body` may not
OURS = frozenset(
    {
        "model",
        "messages",
        "system",
        "tools",
        "tool_choice",
        "stream",
        "stream_options",
        "response_format",
        MAX_TOKENS,
        MAX_COMPLETION_TOKENS,
        "n",
        "temperature",
        "top_p",
        "reasoning_effort",
    }
)
