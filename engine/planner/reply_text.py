"""What a model says, apart from what it thinks, and a decision apart from what stands around it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from engine.planner.answer import Fault, ModelAnswer
from engine.planner.server_json import entries, kind_of

_TAGS = ("think", "thinking", "thought", "reasoning")
BOM = "\ufeff"
_BEGINS = re.compile(rf"\s*{BOM}?\s*<({'|'.join(_TAGS)})>", re.IGNORECASE | re.ASCII)
_ENDS = {tag: re.compile(f"</{tag}>", re.IGNORECASE | re.ASCII) for tag in _TAGS}
_FENCES = ("```", "~~~")

# parts of a content that are text, and those that are none of what is said
_TEXT, _THOUGHT = frozenset({"text", "output_text"}), frozenset({"thinking", "reasoning", "redacted_thinking"})


def without_thoughts(text: str, repair: Callable[[str], None]) -> str:
    """The text without the thoughts at its beginning; raises Fault for a thought that never ends."""
    at = 0
    while (thought := _BEGINS.match(text, at)) is not None:
        end = _ENDS[thought[1].lower()].search(text, thought.end())
        if end is None:
            raise Fault("unfinished", "the model thinks, and says nothing")
        repair("a thought before the message")
        at = end.end()
    return _behind_template(text[at:].lstrip() if at else text, repair)


def _behind_template(text: str, repair: Callable[[str], None]) -> str:
    """The same where the server's template has opened the thought, so that only its end is told."""
    for tag in _TAGS[:2]:
        end = _ENDS[tag].search(text)
        if end is not None and f"<{tag}>" not in text[: end.start()].lower():
            repair("a thought before the message")
            return text[end.end() :].lstrip()
    return text


def said_so_far(text: str) -> str:
    """As much of the message as can be told while the answer is still coming: nothing of a thought."""
    bare = text.lstrip().removeprefix(BOM).lstrip()
    low = bare.lower()
    if any(f"<{tag}>".startswith(low[: len(tag) + 2]) for tag in _TAGS) and low.startswith("<"[: len(low)]):
        try:
            return without_thoughts(text, lambda note: None)
        except Fault:
            return ""
    return without_thoughts(text, lambda note: None)


def decision_text(text: str, repair: Callable[[str], None]) -> str:
    """The JSON of a decision: bare, or in one fence with one sentence before it and nothing behind."""
    bare = text.strip()
    if bare.startswith(BOM):
        repair("a byte order mark")
        bare = bare.removeprefix(BOM).lstrip()
    before, fence, inner = _fenced(bare)
    if not fence or not inner.rstrip().endswith(fence) or inner.count(fence) != 1 or not _one_sentence(before):
        return bare
    repair("a fence around the decision" if not before else "a sentence before the decision")
    inner = inner.rstrip().removesuffix(fence)
    head, _, rest = inner.partition("\n")
    return (rest if head.strip().isalpha() or not head.strip() else inner).strip()


def _fenced(text: str) -> tuple[str, str, str]:
    """What stands before the first fence, the fence, and what stands behind."""
    found = [(text.find(fence), fence) for fence in _FENCES if fence in text]
    if not found:
        return text, "", ""
    at, fence = min(found)
    return text[:at].strip(), fence, text[at + len(fence) :]


def _one_sentence(text: str) -> bool:
    ends = sum(text.count(mark) for mark in (". ", "! ", "? ", "\n", "{", "["))
    return ends == 0 and len(text) <= 200


def text_of_content(content: Any, answer: ModelAnswer) -> str:
    """What a content says: a text, or the text parts of a list; raises ValueError for what is neither."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise ValueError(f"text was expected, and here is {kind_of(content)}")
    answer.repair("content in parts")
    return "".join(_text_of_part(part, answer) for part in entries(content))


def _text_of_part(part: Any, answer: ModelAnswer) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type")
    if kind in _TEXT and isinstance(part.get("text"), str):
        return str(part["text"])
    if kind == "refusal" and isinstance(part.get("refusal"), str):
        answer.refuse(part["refusal"])
    elif kind not in _THOUGHT:
        raise ValueError("a part of the content is no text")
    return ""
