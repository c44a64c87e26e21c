"""`engine restore`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.copies import done_or_told, file_of, verified
from engine.cli.console.options import store_option
from engine.cli.console.output import counted, say
from engine.session.exit_code import FAILED, OK


@click.command(
    "restore",
    epilog="""\b
Examples:
  engine restore /backups/engine-2026-01-31.db --store sqlite:////var/lib/engine/engine.db
  engine restore --release --store sqlite:////var/lib/engine/engine.db""",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--release", "release_it", is_flag=True, help="Let a store that was put back go on.")
@store_option
@asynchronous
async def command(file: Path | None, release_it: bool, store_url: str) -> int:
    """Put a copy back as a store, stopped: nothing of it goes on before it is released.

    What was done after the copy was taken is not in it. Look at the sessions that were alive, cancel those that went on
    elsewhere or by hand, and then release the store: what is unknown of their writes is asked about.
    """
    from engine.store.backup import copy, release

    path = file_of(store_url)
    if (file is None) is not release_it:
        raise click.UsageError("name a FILE to put back, or --release the store")
    if file is None:
        done = release(path)
        say(f"{path} goes on" if done else f"{path} was not stopped")
        return OK
    found = done_or_told(lambda: copy(file, path, datetime.now(UTC).isoformat()))
    if found is None:
        return FAILED
    code = await verified(path)
    say(f"{counted(found.sessions, 'session')} put back into {path}, which is stopped")
    for one in found.alive:
        say(f"  alive then: {one}")
    for one in found.unknown_writes:
        say(f"  nobody knew whether it happened: {one}")
    if found.tokens:
        say(f"  tokens that are good here again, whatever was revoked since: {', '.join(found.tokens)}")
    say("  what was erased since the copy was taken has to be erased again")
    say(f"engine: look at them, then: engine restore --release --store {store_url}", err=True)
    return code
