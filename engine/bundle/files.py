"""The files of a bundle: from a directory, or from the store, as one mapping of paths to bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

DOCUMENT_FOLDERS = ("specs", "policies", "fixtures")
PROMPT_FOLDER = "prompts"
PROMPT_SUFFIX = ".md.j2"
MAX_FILE = 8_000_000


class Unreadable(Exception):
    """A content file that can't be had; the message says why."""


class BundleFiles:
    """What a bundle is made of; content files are read when a document names them, and kept."""

    def __init__(
        self,
        files: Mapping[str, bytes],
        read: Callable[[str], bytes] | None = None,
        find: Callable[[str], list[str]] | None = None,
    ) -> None:
        self.files = dict(files)
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


def from_directory(root: Path) -> BundleFiles:
    """The documents and prompts of a directory; content is read on demand and never from outside of it."""
    base = root.resolve()
    files: dict[str, bytes] = {}
    for folder in (*DOCUMENT_FOLDERS, PROMPT_FOLDER):
        for path in sorted((root / folder).rglob("*")):
            relative = path.relative_to(root).as_posix()
            if is_document(relative) and not path.name.startswith("._") and path.is_file() and _inside(base, path):
                files[relative] = path.read_bytes()

    def read(relative: str) -> bytes:
        path = root / relative
        if not _inside(base, path):
            raise Unreadable("it leads out of the bundle")
        try:
            if path.stat().st_size > MAX_FILE:
                raise Unreadable(f"it is larger than {MAX_FILE} bytes")
            return path.read_bytes()
        except OSError as error:
            raise Unreadable((error.strerror or "it can't be read").lower()) from None

    def find(pattern: str) -> list[str]:
        return [p.relative_to(root).as_posix() for p in root.glob(pattern) if p.is_file() and _inside(base, p)]

    return BundleFiles(files, read, find)


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


def _inside(base: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(base)
