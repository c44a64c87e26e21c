"""`engine backup`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.copies import done_or_told, file_of, verified
from engine.cli.console.options import store_option
from engine.cli.console.output import counted, say
from engine.session.exit_code import FAILED, OK


@click.command("backup", epilog="Example: engine backup /backups/engine-2026-01-31.db")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@store_option
@asynchronous
async def command(file: Path, store_url: str) -> int:
    """Copy a store into FILE while it is in use, and verify the copy: every chain of it is read.

    The copy is stopped, as a store that is put back: nothing of it goes on by itself. Keys of the log and of people are
    no part of it: keep them elsewhere.
    """
    from engine.store.backup import copy

    found = done_or_told(lambda: copy(file_of(store_url), file, datetime.now(UTC).isoformat()))
    if found is None:
        return FAILED
    code = await verified(file)
    say(f"{counted(found.sessions, 'session')} copied to {file}" + ("" if code == OK else "; it is not whole"))
    return code
