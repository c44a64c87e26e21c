"""The files of a bundle: from a directory, or from the store, as one mapping of paths to bytes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

DOCUMENT_FOLDERS = ("specs", "policies", "fixtures")
PROMPT_FOLDER = "prompts"
PROMPT_SUFFIX = ".md.j2"
MAX_FILE = 8_000_000


class UnreadableFile(Exception):
    """A file that can't be had; the message says why."""


class LeadsOut(UnreadableFile):
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
        unreadable: Mapping[str, UnreadableFile] | None = None,
    ) -> None:
        self.files = dict(files)
        self.unreadable = dict(unreadable or {})
        self._read = read
        self._find = find

    def content(self, path: str) -> bytes:
        """The bytes of a content file; raises Unreadable."""
        if path not in self.files:
            if self._read is None:
                raise UnreadableFile("there is no such file")
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


# -- of a directory

# files behind a link to a folder that are looked at
MOST = 2_000


def from_directory(root: Path) -> BundleFiles:
    """The documents and prompts of a directory, and which of them can't be had; content is read on demand.

    Nothing is read that lies outside of it, that is no plain file, or that is too large; none of that is passed over.
    """
    base = root.resolve()
    files: dict[str, bytes] = {}
    unreadable: dict[str, UnreadableFile] = {}
    for folder in (*DOCUMENT_FOLDERS, PROMPT_FOLDER):
        for relative, problem in _documents(root, folder):
            try:
                if problem is not None:
                    raise problem
                files[relative] = _read(base, root / relative)
            except UnreadableFile as error:
                unreadable[relative] = error

    def find(pattern: str) -> list[str]:
        # a link that leads nowhere is found, and told when it is read
        return [p.relative_to(root).as_posix() for p in root.glob(pattern) if p.is_symlink() or not p.is_dir()]

    return BundleFiles(files, lambda relative: _read(base, root / relative), find, unreadable)


def _documents(root: Path, folder: str) -> Iterator[tuple[str, UnreadableFile | None]]:
    """Each document of a folder by its path, and each path that is not looked into, with why."""
    left = [folder]
    while left:
        here = left.pop()
        try:
            entries = sorted(os.scandir(root / here), key=lambda entry: entry.name)
        except OSError as error:
            if here != folder or os.path.lexists(root / here):
                yield here, _because(error)
            continue
        for entry in entries:
            path = f"{here}/{entry.name}"
            if entry.name.startswith("._"):
                continue
            if entry.is_dir(follow_symlinks=False):
                left.append(path)
                if is_document(path):
                    yield path, UnreadableFile("it is a folder")
            elif entry.is_symlink() and os.path.isdir(entry.path):
                if problem := _of_link(root, path):
                    yield path, problem
            elif is_document(path):
                yield path, None


def _of_link(root: Path, path: str) -> UnreadableFile | None:
    """What is wrong with a link to a folder: it leads out, or there are documents behind it that nobody reads."""
    if not _inside(root.resolve(), root / path):
        return LeadsOut()
    behind = (Path(folder, name) for folder, _, names in os.walk(root / path) for name in names)
    if any(is_document(f"{path}/{one.name}") for one, _ in zip(behind, range(MOST), strict=False)):
        return UnreadableFile("a link to a folder is not followed: lay the documents there")
    return None


def _read(base: Path, path: Path) -> bytes:
    """The content of a plain file inside of a folder; raises Unreadable."""
    try:
        if not _inside(base, path):
            raise LeadsOut
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise UnreadableFile("it is a folder")
        # a pipe would be waited for, and a device has no end
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableFile("it is no plain file")
        if found.st_size > MAX_FILE:
            raise UnreadableFile(f"it is larger than {MAX_FILE} bytes")
        return path.read_bytes()
    except OSError as error:
        raise _because(error) from None


def _inside(base: Path, path: Path) -> bool:
    try:
        return path.resolve().is_relative_to(base)
    except RuntimeError:
        # links that lead to each other; to ask for what is there says so
        return True


def _because(error: OSError) -> UnreadableFile:
    return UnreadableFile((error.strerror or "it can't be read").lower())
