"""The SQL of fixtures, tried out: `setup` runs as it will, the rest is prepared on what that left.

What a statement meets when the session has acted is not known: of that only what can never be run is told.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.bundle.checks import e511_sql
from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.link.trial_database import ATTACHING, SPENT, Bounds, attaches, guilty
from engine.bundle.node import Node
from engine.bundle.sql_authorizer import only_asks

# in characters: what is looked through for the ends of statements, which have to be looked for from each start anew
MAX_LOOKED_THROUGH = 5_000_000


@dataclass(slots=True)
class FixtureSql:
    """What a fixture does with one database: scripts before the session and after it, and queries at the end."""

    setup: list[Node] = field(default_factory=list)
    then: list[Node] = field(default_factory=list)
    rows: list[Node] = field(default_factory=list)


def sql_of(document: Document) -> dict[str, FixtureSql]:
    """The SQL of a fixture, by database."""
    found: dict[str, FixtureSql] = {}
    node = document.node
    for item in _items(node.get("setup")):
        found.setdefault(str(item.at("database").value), FixtureSql()).setup.append(item.at("run"))
    for item in _items(node.get("then")):
        change = item.get("sql")
        if change is not None and change.entries is not None:
            found.setdefault(str(change.at("database").value), FixtureSql()).then.append(change.at("run"))
    for item in _items(node.at("expect").get("rows")):
        found.setdefault(str(item.at("database").value), FixtureSql()).rows.append(item.at("sql"))
    return found


def _items(node: Node | None) -> list[Node]:
    return (node.items or []) if node is not None else []


def try_fixture(
    documents: DocumentSet, fixture: FixtureSql, made: sqlite3.Connection, bounds: Bounds, *, whole: bool
) -> None:
    """Say which SQL of a fixture can't be run on a database that is `made`; the database stays as it is.

    Where it is not the `whole` of it, the rows of documents are missing, and a constraint says nothing.
    """
    connection = made
    try:
        if fixture.setup or fixture.then:
            connection = bounds.connected()
            made.backup(connection)
        if not all(_set_up(documents, node, connection, bounds, whole=whole) for node in fixture.setup):
            return
        for node in fixture.then:
            for problem in _changing(str(node.value), connection):
                _say(documents, node, problem, bounds)
        for node in fixture.rows:
            _query(documents, node, connection, bounds)
    except (sqlite3.Error, MemoryError):
        # a database that is larger than a trial may copy: what is wrong with the SQL shows when the fixture runs
        return
    finally:
        if connection is not made:
            connection.close()


def _set_up(documents: DocumentSet, node: Node, connection: sqlite3.Connection, bounds: Bounds, *, whole: bool) -> bool:
    try:
        connection.executescript(str(node.value))
    except sqlite3.IntegrityError as error:
        if whole:
            _say(documents, node, error, bounds)
        return False
    except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError) as error:
        _say(documents, node, error, bounds)
        return False
    return True


def _changing(script: str, connection: sqlite3.Connection) -> Iterator[Exception]:
    """What can't be prepared of a script; what fails for the rows that it meets may not fail later."""
    for statement in _statements(script):
        try:
            connection.execute(statement).close()
        except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError):
            try:
                connection.execute(f"EXPLAIN {statement}").close()
            except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError) as error:
                yield error
                return


def _statements(script: str) -> Iterator[str]:
    start, left = 0, MAX_LOOKED_THROUGH
    for found in re.finditer(";", script):
        part = script[start : found.end()]
        left -= len(part)
        if left < 0:
            return
        if sqlite3.complete_statement(part):
            start = found.end()
            yield part
    yield script[start:]


def _query(documents: DocumentSet, node: Node, connection: sqlite3.Connection, bounds: Bounds) -> None:
    """Prepare what has to be a question: one that changes a database would make what it gives true."""
    changes: list[int] = []

    def allowed(action: int, *about: str | None) -> int:
        if only_asks(action, *about):
            return bounds.allowed(action)
        changes.append(action)
        return sqlite3.SQLITE_DENY

    connection.set_authorizer(allowed)
    try:
        steps = connection.execute(f"EXPLAIN {node.value}")
        # the one statement that asks for what it does only when it runs
        if any(step[1] == "Vacuum" for step in steps):
            documents.say(e511_sql.changing(node.place))
    except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError) as error:
        if changes and changes[0] not in ATTACHING and not bounds.spent:
            documents.say(e511_sql.changing(node.place))
        else:
            _say(documents, node, error, bounds)
    finally:
        connection.set_authorizer(bounds.allowed)


def _say(documents: DocumentSet, node: Node, error: Exception, bounds: Bounds) -> None:
    if bounds.spent or isinstance(error, MemoryError) or getattr(error, "sqlite_errorcode", None) in SPENT:
        documents.say(e511_sql.on_entry(node.place, "this SQL takes more than a trial may"))
    elif attaches(error):
        documents.say(e511_sql.attaching(node.place))
    elif isinstance(error, sqlite3.ProgrammingError | sqlite3.Warning):
        told = "this is one statement without parameters: write the values out, and a query in each entry"
        documents.say(e511_sql.on_entry(node.place, told))
    else:
        place = guilty(node, error) if isinstance(error, sqlite3.Error) else node.place
        documents.say(e511_sql.on_entry(place, f"SQLite can't take this: {error}"))
