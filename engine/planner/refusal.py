"""What of a request a server does not take, as far as it says so, and what to write in the planner then."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ANSWERS_OTHERWISE = "try another `answers`, `strict` or `stream`"
_LIMITS: Mapping[str, str] = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}
_REMEDIES: Mapping[str, str] = {
    "stream_options": "write `stream_usage: false`",
    "stream": "write `stream: false`",
    "temperature": "leave `temperature` out",
    "top_p": "leave `top_p` out",
    "reasoning_effort": "leave `reasoning_effort` out",
    **dict.fromkeys(("response_format", "json_schema", "tool_choice", "tools", "strict"), _ANSWERS_OTHERWISE),
}

# how servers say that a limit is known, and what it is set to is not taken
_TOO_MUCH = re.compile(r"too (?:large|big|high|long|many)|at most|maxim|exceed|greater|less than|[<>]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ServerRefusal:
    """A parameter that was sent and is refused: what to do, and whether another request may do without it."""

    parameter: str
    remedy: str
    alters: bool = True

    @property
    def hint(self) -> str:
        """What to do, for people."""
        said = "may not know" if self.alters else "does not take this"
        return f"the server {said} `{self.parameter}`: {self.remedy}"


def refused(said: str, sent: Mapping[str, Any], *, limits: bool) -> ServerRefusal | None:
    """The parameter of a request that its refusal is about: the first that it names, if that was sent.

    `limits` says that the protocol has two names for the longest answer: a server may name the one that it wants.
    """
    known = _names(sent)
    named = [(found.start(), word) for word in {*known, *_REMEDIES, *_LIMITS} if (found := _pattern(word).search(said))]
    if not named:
        return None
    word = min(named)[1]
    if word in _LIMITS and word not in known and limits:
        word = _LIMITS[word]
    if word not in known:
        return None
    if word in _LIMITS:
        if not limits or _TOO_MUCH.search(said):
            return ServerRefusal(word, "write a smaller `max_answer_tokens`", alters=False)
        return ServerRefusal(word, f"write `answer_limit: {_LIMITS[word]}`")
    if word in _REMEDIES:
        return ServerRefusal(word, _REMEDIES[word])
    return ServerRefusal(word, f"leave `{word}` out of `extra_body`", alters=False)


def _names(sent: Mapping[str, Any]) -> frozenset[str]:
    """The parameters of a request for which a planner has a key."""
    further = sent.get("extra_body", {})
    own = {name for name in sent if name in _REMEDIES or name in _LIMITS}
    return frozenset({*own, *further, *(("json_schema", "strict") if "response_format" in sent else ())})


def _pattern(word: str) -> re.Pattern[str]:
    ending = "(?:ing|ed)?" if word == "stream" else ""
    return re.compile(rf"(?<![\w-]){re.escape(word)}{ending}(?![\w-])", re.IGNORECASE)


def said_by(body: Any, otherwise: str) -> str:
    """What a server says in the body of an error, whatever its shape."""
    told = body.get("error", body) if isinstance(body, Mapping) else body
    if isinstance(told, Mapping):
        message = told.get("message")
        # which parameter it is stands beside the words
        param = told.get("param")
        if isinstance(message, str) and message:
            return f"`{param}`: {message}" if isinstance(param, str) and param and param not in message else message
        told = json.dumps(told, ensure_ascii=False) if told else ""
    if isinstance(told, str) and told.strip() and not told.lstrip().startswith("<"):
        return told
    return otherwise
