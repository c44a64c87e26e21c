"""Files that commands write, and files as whoever reads their output knows them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.out import say
from engine.own_files import make_folder, write_bytes
from engine.session.exit_code import USAGE

if TYPE_CHECKING:
    from engine.diagnostic import Place


def write(path: Path, text: str) -> None:
    """Write a file, with the folders above it; one that can't be written ends the command in a line."""
    try:
        make_folder(path.parent)
        write_bytes(path, text.encode("utf-8", "replace"))
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
