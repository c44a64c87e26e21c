"""The sentences of the policy text, each by its section and its place in it, such as `Return delivered order 3`."""

from __future__ import annotations

import re
from pathlib import Path

PREAMBLE = "Preamble"

_ENDS = re.compile(r"(?<=[.!])\s+(?=[A-Z])")


def sentences(path: Path) -> dict[str, str]:
    """All sentences of a Markdown text by name; an entry of a list is one."""
    found: dict[str, str] = {}
    section, count = PREAMBLE, 0
    for block in path.read_text("utf-8").splitlines():
        text = block.strip()
        if text.startswith("#"):
            level, title = text.split(" ", 1)
            section, count = (PREAMBLE if level == "#" else title.strip()), 0
            continue
        for sentence in [text] if text.startswith("- ") else _ENDS.split(text):
            if sentence:
                count += 1
                found[f"{section} {count}"] = sentence
    return found
