"""`engine store`: a store as a whole."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import click

from engine.cli.console.asynchronous import asynchronous
from engine.cli.console.health import BAD, GOOD, HealthFinding, show
from engine.cli.console.options import format_option
from engine.cli.console.output import counted, say
from engine.cli.console.progress import progress, rows_progress
from engine.errors import EngineError
from engine.session.exit_code import FAILED


@click.group("store")
def command() -> None:
    """A store as a whole: look at it, bring it up to date, and move it into another database."""


@command.command(
    "check",
    epilog="""\b
Examples:
  engine store check sqlite:////var/lib/engine/engine.db
  engine store check postgresql://engine@db.example.org/agents --format json""",
)
@click.argument("url", metavar="URL")
@format_option("text", "json")
@asynchronous
async def check(url: str, output_format: str) -> int:
    """Look at a store: whether it goes on, what its server keeps, and whether every log in it verifies.

    Exit code 1 where something is bad.
    """
    return show("store", [one async for one in _findings(url)], output_format)


async def _findings(url: str) -> AsyncIterator[HealthFinding]:
    from engine.cli.console.app import open_app
    from engine.ports.records import StoreMoved
    from engine.store.backup import StoreStopped
    from engine.store.move_ends import check_goes_on
    from engine.store.urls import server_findings

    try:
        check_goes_on(url)
        yield HealthFinding("store", GOOD, "it takes what is written")
    except (StoreStopped, StoreMoved) as error:
        yield HealthFinding("store", BAD, str(error))
    for one in server_findings(url):
        yield HealthFinding("server", GOOD if one.well else BAD, one.told)
    async with open_app(url, drives=False) as app:
        problems = await app.store.file_problems()
        yield HealthFinding("tables", BAD if problems else GOOD, "; ".join(problems) or "they can be read")
        strays = await app.store.strays()
        for session_id, told in strays.items():
            yield HealthFinding("tables", BAD, f"{session_id}: {'; '.join(told)}")
        ids = await app.store.session_ids()
        bad = 0
        with progress("logs", len(ids)) as more:
            for session_id in ids:
                for problem in await app.store.verify(session_id):
                    bad += 1
                    yield HealthFinding("logs", BAD, f"{session_id}: {problem}")
                more(1)
        if not bad:
            yield HealthFinding("logs", GOOD, f"{counted(len(ids), 'log')} verified")


@command.command("migrate", epilog="Example: engine store migrate postgresql://owner@db.example.org/agents")
@click.argument("url", metavar="URL")
def migrate(url: str) -> None:
    """Bring the tables of a store up to date, at a time of your choice, and as a role that may.

    Whatever opens a store does it too, one process at a time.
    """
    from engine.store.move_ends import open_end

    with _told_errors(), open_end(url, make=False) as end:
        say(f"{end.shown} is up to date")


@command.command(
    "move",
    epilog="""\b
Examples:
  engine store move sqlite:////var/lib/engine/engine.db postgresql://engine@db.example.org/agents
  engine store move --give-up sqlite:///engine.db postgresql://engine@db.example.org/agents""",
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--give-up", is_flag=True, help="Of a move that was not finished: empty TO, and let FROM go on.")
def move(source: str, target: str, give_up: bool) -> None:
    """Move a store into a database that holds none: sessions, what people are asked, tokens, bundles and all else.

    FROM takes no writes from the first moment on, so that nothing goes on at both places; TO takes them once all is
    there and was compared.  Services and workers on FROM stop, and are started again with --store TO.  A move that was
    cut off is taken up where it ended: say the same again.
    """
    from engine.runtime.lease_keeper import LEASE
    from engine.store import move as moves
    from engine.store.move_ends import open_end

    if give_up:
        _give_up(source, target)
        return
    with (
        _told_errors(),
        open_end(source, make=False) as here,
        open_end(target, make=True) as there,
        rows_progress() as on_rows,
    ):
        moved = moves.move(here, there, LEASE, on_rows)
    for table, rows in moved.rows.items():
        if rows:
            say(f"  {table.replace('_', ' ')}: {rows:,}")
    say(f"{counted(moved.rows['sessions'], 'session')} moved into {there.shown}, which goes on")
    if moved.driven:
        told = f"{counted(moved.driven, 'session')} {'was' if moved.driven == 1 else 'were'} being driven"
        say(f"  {told}: whoever goes on with that waits for {LEASE.total_seconds():g} s")
    say(f"engine: {here.shown} still holds all of it: remove it once you need it no more.", err=True)
    say("engine: What is erased from now on is erased in the other alone.", err=True)


def _give_up(source: str, target: str) -> None:
    from engine.store import move as moves
    from engine.store.faults import BadStoreUrl, StoreFault
    from engine.store.move_ends import open_end

    with _told_errors(), open_end(source, make=False) as here:
        with ExitStack() as stack:
            try:
                there = stack.enter_context(open_end(target, make=False))
            except (BadStoreUrl, StoreFault, sqlite3.Error) as error:
                say(f"engine: {target} can't be looked at: {error}", err=True)
                there = None
            emptied = moves.give_up(here, there)
        say(f"{here.shown} goes on, and {target} {'is empty' if emptied else 'was left as it is'}")


@contextmanager
def _told_errors() -> Iterator[None]:
    """What stands in the way is told, and the command fails."""
    try:
        yield
    except EngineError as error:
        raise _failed(str(error)) from None
    except sqlite3.Error as error:
        raise _failed(f"the store can't be read or written: {error}") from None


def _failed(told: str) -> click.exceptions.Exit:
    say(f"engine: {told}", err=True)
    return click.exceptions.Exit(FAILED)
