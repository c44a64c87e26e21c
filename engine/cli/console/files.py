"""Files that commands write, and files as whoever reads their output knows them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.console.output import say
from engine.private_files import make_folder, write_bytes, write_new
from engine.session.exit_code import USAGE

if TYPE_CHECKING:
    from engine.diagnostic import Place


def write(path: Path, text: str) -> None:
    """Write a file, with the folders above it; one that can't be written ends the command in a line."""
    with _told_where(path):
        make_folder(path.parent)
        write_bytes(path, text.encode("utf-8", "replace"))


def write_beside(path: Path, text: str) -> Path:
    """Write a file over none that is there: under its own name, or the next with a number that is free."""
    number = 1
    free = path
    with _told_where(path):
        make_folder(path.parent)
        while not write_new(free, text.encode("utf-8")):
            number += 1
            free = path.with_stem(f"{path.stem}-{number}")
    return free


@contextmanager
def _told_where(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        say(f"engine: {path} can't be written: {error.strerror or error}", err=True)
        raise SystemExit(USAGE) from None


def from_repository(place: Place, bundle: Path) -> Place:
    """A place in a bundle as a repository's tools name it: from where a workflow checked it out, or from here."""
    here = Path.cwd()
    workspace = os.environ.get("GITHUB_WORKSPACE")
    base = Path(workspace).resolve() if workspace else here
    root = bundle.resolve()
    base = base if root.is_relative_to(base) else here
    if not root.is_relative_to(base):
        return place
    return replace(place, file=(root.relative_to(base) / place.file).as_posix())
