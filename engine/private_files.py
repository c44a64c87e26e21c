"""Files and folders that the engine makes: open to nobody but whoever runs it, whatever the umask says."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are absent; one that is there stays as its owner left it."""
    if path.is_dir():
        return
    if path.parent != path:
        make_folder(path.parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
        # the umask takes from what is asked for, and never gives
        os.chmod(path, 0o700)


def make_file(path: Path) -> bool:
    """Make an empty file; False if there is one, which stays as it is.  Raises OSError."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        handle = os.open(path, flags, 0o600)
    except FileExistsError:
        return False
    try:
        os.fchmod(handle, 0o600)
    finally:
        os.close(handle)
    return True


def make_file_behind(path: Path) -> bool:
    """The same of the file that a link leads to, as who opens the path makes it; raises OSError."""
    return make_file(Path(os.path.realpath(path)))


def write_new(path: Path, content: bytes) -> bool:
    """Write a file that is not there; False if there is one, which stays as it is.  Raises OSError."""
    made = make_file(path)
    if made:
        path.write_bytes(content)
    return made


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, made if it is absent; raises OSError."""
    make_file_behind(path)
    path.write_bytes(content)
