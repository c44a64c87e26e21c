"""`engine vacuum`."""

from __future__ import annotations

import sqlite3

import click

from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.copies import file_of
from engine.cli.console.options import store_option
from engine.cli.console.output import say
from engine.session.exit_code import FAILED, OK


@click.command("vacuum", epilog="Example: engine vacuum --store sqlite:////var/lib/engine/engine.db")
@store_option
@asynchronous
async def command(store_url: str) -> int:
    """Give the room back that erased sessions leave in a store's file.

    It writes the file anew beside itself, so that it needs as much room as what is left takes, for as long as it lasts.
    Services and workers wait meanwhile; what they write then is refused where that is too long.
    """
    from engine.store.file import vacuum

    path = file_of(store_url)
    if not path.is_file():
        say(f"engine: there is no store at {path}", err=True)
        return FAILED
    before = path.stat().st_size
    try:
        vacuum(path)
    except sqlite3.Error as error:
        room = "make room for it elsewhere on that disk" if "full" in str(error) else "stop what uses it, and try again"
        say(f"engine: {path} is as it was: {error}; {room}", err=True)
        return FAILED
    say(f"{path}: {before:,} bytes before, {path.stat().st_size:,} now")
    return OK
