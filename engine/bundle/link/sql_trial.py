"""SQL tried out at load: each database is made in memory from its `init`, and every statement prepared on it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import replace

from engine.bundle.checks import e511_sql
from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.link.fixture_sql import FixtureSql, sql_of, try_fixture
from engine.bundle.link.sql_columns import check_columns
from engine.bundle.link.trial_database import SPENT, Bounds, attaches, guilty
from engine.bundle.node import Node
from engine.spec.bundle import Tool


def try_sql(documents: DocumentSet, linked: Mapping[str, Tool]) -> None:
    """Say which `init` scripts, and which statements of tools and fixtures, SQLite can't take."""
    tools: dict[str, list[Document]] = {}
    for tool in documents.well_formed("Tool"):
        adapter = tool.plain["adapter"]
        if adapter["kind"] == "sql":
            tools.setdefault(adapter["database"], []).append(tool)
    told: dict[str, list[FixtureSql]] = {}
    for document in documents.well_formed("Fixture"):
        for name, sql in sql_of(document).items():
            told.setdefault(name, []).append(sql)
    for database in documents.well_formed("Database"):
        if database.name in tools or database.name in told:
            _try_on(documents, database, tools.get(database.name, []), told.get(database.name, []), linked)


def _try_on(
    documents: DocumentSet,
    database: Document,
    tools: list[Document],
    fixtures: list[FixtureSql],
    linked: Mapping[str, Tool],
) -> None:
    bounds = Bounds()
    connection = bounds.connected()
    said = len(documents.diagnostics)
    try:
        made = _run_init(documents, database, connection, bounds)
        if not tools:
            documents.diagnostics[said:] = [replace(found, on_entry=True) for found in documents.diagnostics[said:]]
        if made:
            for tool in tools:
                adapter = tool.node.at("adapter")
                statements = list(_statements(adapter))
                for node in statements:
                    _prepare(documents, node, connection, bounds)
                check_columns(documents, adapter, linked[tool.name], statements, connection)
            for fixture in fixtures:
                try_fixture(documents, fixture, connection, bounds, whole=not database.plain.get("documents"))
    finally:
        connection.close()


def _run_init(documents: DocumentSet, database: Document, connection: sqlite3.Connection, bounds: Bounds) -> bool:
    for item in database.node.at("init").items or ():
        script = documents.content.get(str(item.value))
        if script is None:
            return False
        try:
            connection.executescript(script.decode())
        except (sqlite3.DatabaseError, MemoryError) as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_NOMEM)
            if bounds.spent or code in SPENT:
                documents.say(e511_sql.on_entry(item.place, f"file `{item.value}` takes more than a trial may"))
                return False
            documents.say(e511_sql.at(item.place, f"file `{item.value}` can't be run: {error}"))
            return False
        except (sqlite3.Error, ValueError) as error:
            documents.say(e511_sql.at(item.place, f"file `{item.value}` can't be run: {error}"))
            return False
    return True


def _statements(adapter: Node) -> Iterator[Node]:
    sql, listed = adapter.get("sql"), adapter.get("statements")
    if sql is not None:
        yield sql
    for item in (listed.items or ()) if listed is not None else ():
        yield item.at("sql")


def _prepare(documents: DocumentSet, node: Node, connection: sqlite3.Connection, bounds: Bounds) -> None:
    text = str(node.value)
    names = dict.fromkeys(re.findall(r":(\w+)", text))
    try:
        connection.execute(f"EXPLAIN {text}", names).close()
    except sqlite3.OperationalError as error:
        documents.say(e511_sql.at(guilty(node, error), f"SQLite can't take this statement: {error}"))
    except sqlite3.Error as error:
        if attaches(error) and not bounds.spent:
            documents.say(e511_sql.attaching(node.place))
        # a second statement, a wrong parameter: said already, with its place
