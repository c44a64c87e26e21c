"""E511: SQL does not fit."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E511",
    title="SQL does not fit",
    what="A tool's SQL uses a parameter that it is not given, is not one statement, or names what the database lacks; "
    "the columns that it gives are not those of the output; "
    "or an `init` script or a fixture's `setup` can't be run, or a fixture's `rows` or SQL under `then` can't be read, "
    "or `rows` would change something. Each database is made in memory to find out.",
    why="Values reach SQL only as parameters, each known beforehand: text can never become SQL.",
    wrong="sql: select * from accounts where account_id = :acount_id",
    right="sql: select * from accounts where account_id = :account_id",
)


def at(place: Place, message: str, help_: str = "") -> Diagnostic:
    """The parameter or the statement."""
    return MANUAL.at(place, message, help=help_)


def on_entry(place: Place, message: str, help_: str = "") -> Diagnostic:
    """A script that was let through once without its statements being looked at."""
    return MANUAL.at(place, message, help=help_, on_entry=True)


def attaching(place: Place) -> Diagnostic:
    """A statement that attaches or detaches a database."""
    return on_entry(place, "a statement reaches its own database alone: it attaches and detaches none")


def changing(place: Place) -> Diagnostic:
    """A query of a fixture's `rows`."""
    told = "`rows` asks what a database holds, and this is no question: it would change what it is to look at"
    help_ = "write a SELECT; what happens to the database before stands under `setup` or `then`"
    return MANUAL.at(place, told, help=help_, on_entry=True)
