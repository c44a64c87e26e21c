"""The files of a bundle's directory: documents and prompts as they are found, content as it is asked for.

Nothing is read that lies outside of the directory, that is no plain file, or that is too large; and none of that is
passed over in silence.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from engine.bundle.files import (
    DOCUMENT_FOLDERS,
    MAX_FILE,
    PROMPT_FOLDER,
    BundleFiles,
    LeadsOut,
    Unreadable,
    is_document,
)

# files behind a link to a folder that are looked at
MOST = 2_000


def from_directory(root: Path) -> BundleFiles:
    """The documents and prompts of a directory, and which of them can't be had; content is read on demand."""
    base = root.resolve()
    files: dict[str, bytes] = {}
    unreadable: dict[str, Unreadable] = {}
    for folder in (*DOCUMENT_FOLDERS, PROMPT_FOLDER):
        for relative, problem in _documents(root, folder):
            try:
                if problem is not None:
                    raise problem
                files[relative] = _read(base, root / relative)
            except Unreadable as error:
                unreadable[relative] = error

    def find(pattern: str) -> list[str]:
        # a link that leads nowhere is found, and told when it is read
        return [p.relative_to(root).as_posix() for p in root.glob(pattern) if p.is_symlink() or not p.is_dir()]

    return BundleFiles(files, lambda relative: _read(base, root / relative), find, unreadable)


def _documents(root: Path, folder: str) -> Iterator[tuple[str, Unreadable | None]]:
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
                    yield path, Unreadable("it is a folder")
            elif entry.is_symlink() and os.path.isdir(entry.path):
                if problem := _of_link(root, path):
                    yield path, problem
            elif is_document(path):
                yield path, None


def _of_link(root: Path, path: str) -> Unreadable | None:
    """What is wrong with a link to a folder: it leads out, or there are documents behind it that nobody reads."""
    if not _inside(root.resolve(), root / path):
        return LeadsOut()
    behind = (Path(folder, name) for folder, _, names in os.walk(root / path) for name in names)
    if any(is_document(f"{path}/{one.name}") for one, _ in zip(behind, range(MOST), strict=False)):
        return Unreadable("a link to a folder is not followed: lay the documents there")
    return None


def _read(base: Path, path: Path) -> bytes:
    """The content of a plain file inside of a folder; raises Unreadable."""
    try:
        if not _inside(base, path):
            raise LeadsOut
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise Unreadable("it is a folder")
        # a pipe would be waited for, and a device has no end
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable("it is no plain file")
        if found.st_size > MAX_FILE:
            raise Unreadable(f"it is larger than {MAX_FILE} bytes")
        return path.read_bytes()
    except OSError as error:
        raise _because(error) from None


def _inside(base: Path, path: Path) -> bool:
    try:
        return path.resolve().is_relative_to(base)
    except RuntimeError:
        # links that lead to each other; to ask for what is there says so
        return True


def _because(error: OSError) -> Unreadable:
    return Unreadable((error.strerror or "it can't be read").lower())
