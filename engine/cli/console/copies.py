"""Copies of stores on the command line."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.console.output import say
from engine.session.exit_code import FAILED

if TYPE_CHECKING:
    from engine.store.backup import CopiedStore


def done_or_told(act: Callable[[], CopiedStore]) -> CopiedStore | None:
    """What an act on a copy found; what stands in its way is told, and None."""
    from engine.store.backup import BadBackup

    try:
        return act()
    except BadBackup as error:
        say(f"engine: {error}", err=True)
    except (sqlite3.Error, OSError) as error:
        say(f"engine: what is copied can't be read as a store, or the copy can't be written: {error}", err=True)
    return None


def _url(path: Path) -> str:
    return f"sqlite:///{os.path.abspath(path)}"


async def verified(path: Path) -> int:
    """Read every chain of a copy; what is wrong with one is told."""
    from engine.cli.console.app import open_app

    async with open_app(_url(path), drives=False) as app:
        for session_id in await app.store.session_ids():
            for problem in await app.store.verify(session_id):
                say(f"engine: {session_id}: {problem}", err=True)
                app.code = FAILED
    return app.exit_code


def file_of(store_url: str) -> Path:
    """The file of a store; raises click.UsageError where it has none."""
    from engine.store.urls import SQLITE

    if not store_url.startswith(SQLITE):
        raise click.UsageError("only a store in a SQLite file is copied: sqlite:///PATH")
    return Path(store_url[len(SQLITE) :])
