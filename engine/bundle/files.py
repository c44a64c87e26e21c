"""The files of a bundle: from a directory, or from the store, as one mapping of paths to bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

DOCUMENT_FOLDERS = ("specs", "policies", "fixtures")
PROMPT_FOLDER = "prompts"
PROMPT_SUFFIX = ".md.j2"
MAX_FILE = 8_000_000


class Unreadable(Exception):
    """A file that can't be had; the message says why."""


class LeadsOut(Unreadable):
    """A link that leads out of the bundle."""


class BundleFiles:
    """What a bundle is made of; content files are read when a document names them, and kept.

    `unreadable` are documents, prompts and folders of them that are there and can't be had.
    """

    def __init__(
        self,
        files: Mapping[str, bytes],
        read: Callable[[str], bytes] | None = None,
        find: Callable[[str], list[str]] | None = None,
        unreadable: Mapping[str, Unreadable] | None = None,
    ) -> None:
        self.files = dict(files)
        self.unreadable = dict(unreadable or {})
        self._read = read
        self._find = find

    def content(self, path: str) -> bytes:
        """The bytes of a content file; raises Unreadable."""
        if path not in self.files:
            if self._read is None:
                raise Unreadable("there is no such file")
            self.files[path] = self._read(path)
        return self.files[path]

    def matching(self, pattern: str) -> list[str]:
        """The paths that match a glob, sorted."""
        known = [path for path in self.files if PurePosixPath(path).match(pattern)]
        found = self._find(pattern) if self._find is not None else []
        return sorted({*known, *found})


def is_document(path: str) -> bool:
    """Whether a path is a YAML document or a prompt by its folder and name."""
    folder = path.split("/", 1)[0]
    if folder == PROMPT_FOLDER:
        return path.endswith(PROMPT_SUFFIX)
    return folder in DOCUMENT_FOLDERS and path.endswith((".yaml", ".yml"))


def leaves(path: str) -> bool:
    """Whether a path, as it is written, points out of the bundle."""
    pure = PurePosixPath(path)
    return pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path or ":" in path
