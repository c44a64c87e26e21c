"""Files beside a bundle's documents that look like documents and are not read, each with why."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.bundle.files import DOCUMENT_FOLDERS, PROMPT_FOLDER, PROMPT_SUFFIX, is_document
from engine.bundle.schema_files import KINDS
from engine.diagnostic import nearest

MOST = 2_000
MAX_FILE = 1_000_000

# bytes that comments may take at the head of a file
MOST_BEFORE = 4_000

_FOLDERS = (*DOCUMENT_FOLDERS, PROMPT_FOLDER)
# folders of `specs`, which some put beside it
_WITHIN = frozenset({"tools", "agents", "servers", "databases", "reviewers", "vocabularies", "prices"})
_NAMED = re.compile(r"\.(?:ya?ml|json)(?![a-z])", re.IGNORECASE)
_SAYS = re.compile(
    rb"^[ \t{]*[\"']?kind[\"']?[ \t]*:[ \t]*[\"']?(?:" + "|".join(KINDS).encode() + rb")\b", re.MULTILINE
)
# the first line of a document that is none of YAML's own; a page that shows one somewhere is no document
_BEGINS = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:[ \t\r]*(?:#[^\n]*|---[^\n]*|%[^\n]*)?\n)*[ \t{]*[\"']?kind[\"']?[ \t]*:[ \t]*[\"']?(?:"
    + "|".join(KINDS).encode()
    + rb")\b"
)
_PROMPTS = (".md", ".j2", ".jinja", ".jinja2", ".txt", "")


@dataclass(frozen=True, slots=True)
class UnreadFile:
    """One such file, what it says and what to do with it."""

    path: str
    help: str
    text: str


def unread(root: Path) -> Iterator[UnreadFile]:
    """Such files of a directory."""
    for path, help_ in _unread(root):
        try:
            text = (root / path).read_bytes()[:MAX_FILE].decode("utf-8", "replace")
        except OSError:
            text = ""
        yield UnreadFile(path, help_, text)


def _unread(root: Path) -> Iterator[tuple[str, str]]:
    """Paths of such files, and what to do with each."""
    for folder in _FOLDERS:
        for path in _files(root / folder):
            relative = path.relative_to(root).as_posix()
            if path.name.startswith("._"):
                if is_document(relative):
                    yield relative, "remove it: a Mac has put it beside the file of that name"
            elif is_document(relative):
                continue
            elif folder == PROMPT_FOLDER:
                if path.suffix.lower() in _PROMPTS and not path.name.lower().startswith(("readme", ".")):
                    yield relative, f"end its name in `{PROMPT_SUFFIX}`"
            elif path.suffix.lower() in (".yaml", ".yml") or _says_kind(path) or _begins_with_kind(path):
                yield relative, "end its name in `.yaml` or `.yml`"
    for path in sorted(root.iterdir()):
        if os.path.isfile(path) and _says_kind(path):
            yield path.name, f"move it to {_either(DOCUMENT_FOLDERS)}"
        elif os.path.isdir(path) and path.name not in _FOLDERS and (meant := _likely_folder(path.name)):
            yield from (
                (one.relative_to(root).as_posix(), f"move it to `{meant}`") for one in _files(path) if _says_kind(one)
            )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path, _ in zip(folder.rglob("*"), range(MOST), strict=False) if os.path.isfile(path))


def _likely_folder(name: str) -> str:
    """The folder that one of this name is taken for."""
    if name in _WITHIN:
        return f"specs/{name}"
    return nearest(name, DOCUMENT_FOLDERS) or next(
        (f for f in DOCUMENT_FOLDERS if len(name) > 3 and f.startswith(name[:5])), ""
    )


def _says_kind(path: Path) -> bool:
    """Whether a file of such a name says that it is a document."""
    if not _NAMED.search(path.name) or path.name.startswith("."):
        return False
    try:
        return path.stat().st_size <= MAX_FILE and _SAYS.search(path.read_bytes()) is not None
    except OSError:
        return False


def _begins_with_kind(path: Path) -> bool:
    """Whether a file in a folder of documents begins as one does, whatever its name."""
    try:
        with path.open("rb") as file:
            return not path.name.startswith(".") and _BEGINS.match(file.read(MOST_BEFORE)) is not None
    except OSError:
        return False


def _either(folders: tuple[str, ...]) -> str:
    return " or ".join([", ".join(f"`{folder}`" for folder in folders[:-1]), f"`{folders[-1]}`"])
