"""A folder of key files: changed by one process at a time, and each file is on the disk as a whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from engine.private_files import make_file, make_folder

_LOCK = ".lock"

# the only file that is ever half-written, since whoever writes it has the lock
_DRAFT = ".draft"


class KeyFolder:
    """The files of a folder by name; what it does not have is None."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Keep every other process and thread from changing the folder, which is made if it is absent."""
        make_folder(self._path)
        make_file(self._path / _LOCK)
        handle = os.open(self._path / _LOCK, os.O_RDWR)
        try:
            # another open file is another holder, also within a process
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def read(self, name: str) -> str | None:
        """The content of a file."""
        try:
            return (self._path / name).read_text("ascii")
        except FileNotFoundError:
            return None

    def has(self, name: str) -> bool:
        """Whether there is a file."""
        return (self._path / name).exists()

    def names(self, ending: str) -> list[str]:
        """The names of the files with an ending, in their order."""
        if not self._path.is_dir():
            return []
        return sorted(name for name in os.listdir(self._path) if name.endswith(ending) and not name.startswith("."))

    def write(self, name: str, content: str) -> None:
        """Write a file, or write it anew; for who is `changing`."""
        draft = self._path / _DRAFT
        draft.unlink(missing_ok=True)
        make_file(draft)
        with draft.open("w", encoding="ascii") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path / name)
        self._settle()

    def remove(self, name: str) -> bool:
        """Remove a file for good; False if there is none.  For who is `changing`."""
        try:
            (self._path / name).unlink()
        except FileNotFoundError:
            return False
        self._settle()
        return True

    def clean(self) -> None:
        """Remove what deaths in the midst of a change have left, this version's and earlier ones'; when `changing`."""
        for name in os.listdir(self._path):
            if name == _DRAFT or name.endswith(".new"):
                self.remove(name)

    def _settle(self) -> None:
        """Have what was made or removed on the disk."""
        handle = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
