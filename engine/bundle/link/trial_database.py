"""Databases in memory that a bundle's SQL is tried out on: what all of it may take, and where an error stands."""

from __future__ import annotations

import re
import resource
import sqlite3

from engine.bundle.node import Node
from engine.diagnostic import Place

# what SQLite says of a script that is beyond a bound
SPENT = frozenset({sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_TOOBIG})

# what a bundle's SQL must not do on the machine that checks it
ATTACHING = frozenset({sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH})
MAX_INSTRUCTIONS = 50_000_000
EACH = 200

# what a statement takes however short it is: a file may hold a million of them
STATEMENT = 1_000

# in bytes: of one value, of one statement, and of what the trial may make this process grow by
MAX_VALUE = 1_000_000
MAX_STATEMENT = 1_000_000
MAX_GROWTH = 400_000_000

# in steps of a statement's program: views that name each other twice would double it each time
MAX_PROGRAM = 250_000

_NAMED = re.compile(r'near "(.+?)"|: (\S+)$')


class Bounds:
    """What all statements that are tried on a database together may take, in time and in memory."""

    def __init__(self) -> None:
        self._left = MAX_INSTRUCTIONS
        self._most = _grown_to() + MAX_GROWTH

    @property
    def spent(self) -> bool:
        """Whether they have taken all of it."""
        return self._left < 0

    def connected(self) -> sqlite3.Connection:
        """A new database in memory whose statements are bounded."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.set_authorizer(self.allowed)
        connection.set_progress_handler(self._goes_on, EACH)
        for limit, most_of_it in (
            (sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE),
            (sqlite3.SQLITE_LIMIT_SQL_LENGTH, MAX_STATEMENT),
            (sqlite3.SQLITE_LIMIT_VDBE_OP, MAX_PROGRAM),
        ):
            connection.setlimit(limit, most_of_it)
        return connection

    def _goes_on(self) -> bool:
        self._left -= EACH
        return self._left < 0 or _grown_to() > self._most

    def allowed(self, action: int, *_: object) -> int:
        """What SQLite asks before each part of a statement, which is counted."""
        self._left -= STATEMENT
        return sqlite3.SQLITE_DENY if action in ATTACHING or self._left < 0 else sqlite3.SQLITE_OK


def _grown_to() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def guilty(node: Node, error: sqlite3.Error) -> Place:
    """The word of a statement that an error names, or the whole of it."""
    found = _NAMED.search(str(error))
    word = (found[1] or found[2]) if found else ""
    start = str(node.value).find(word) if word else -1
    return node.within(start, start + len(word)) if start >= 0 else node.place


def attaches(error: Exception) -> bool:
    """Whether a statement was kept from attaching or detaching a database."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_AUTH
