"""SQL tried out at load: each database is made in memory from its `init`, and every statement prepared on it."""

from __future__ import annotations

import re
import resource
import sqlite3
from collections.abc import Callable, Iterator

from engine.bundle.corpus import Corpus, Document
from engine.bundle.node import Node
from engine.bundle.rules import e511_sql

# what a bundle's SQL must not do on the machine that checks it
# what SQLite says of a script that is beyond a bound
_SPENT = frozenset({sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_TOOBIG})
_FORBIDDEN = frozenset({sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH})
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


def try_sql(corpus: Corpus) -> None:
    """Say which `init` scripts and which tools' statements SQLite can't take."""
    by_database: dict[str, list[Document]] = {}
    for tool in corpus.sound("Tool"):
        adapter = tool.plain["adapter"]
        if adapter["kind"] == "sql":
            by_database.setdefault(adapter["database"], []).append(tool)
    for name, tools in sorted(by_database.items()):
        database = corpus.of("Database").get(name)
        if database is not None and database.sound:
            _try_on(corpus, database, tools)


def _try_on(corpus: Corpus, database: Document, tools: list[Document]) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    spent = _bound(connection)
    try:
        if _made(corpus, database, connection, spent):
            for tool in tools:
                for node in _statements(tool.node.at("adapter")):
                    _prepare(corpus, node, connection, spent)
    finally:
        connection.close()


def _bound(connection: sqlite3.Connection) -> Callable[[], bool]:
    """Bound what all statements of a connection together may take, in time and in memory; tells whether it is spent."""
    left = MAX_INSTRUCTIONS
    most = _grown_to() + MAX_GROWTH

    def spent() -> bool:
        nonlocal left
        left -= EACH
        return left < 0 or _grown_to() > most

    def allowed(action: int, *_: object) -> int:
        nonlocal left
        left -= STATEMENT
        return sqlite3.SQLITE_DENY if action in _FORBIDDEN or left < 0 else sqlite3.SQLITE_OK

    connection.set_authorizer(allowed)
    connection.set_progress_handler(spent, EACH)
    for limit, most_of_it in (
        (sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE),
        (sqlite3.SQLITE_LIMIT_SQL_LENGTH, MAX_STATEMENT),
        (sqlite3.SQLITE_LIMIT_VDBE_OP, MAX_PROGRAM),
    ):
        connection.setlimit(limit, most_of_it)
    return lambda: left < 0


def _grown_to() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _made(corpus: Corpus, database: Document, connection: sqlite3.Connection, spent: Callable[[], bool]) -> bool:
    for item in database.node.at("init").items or ():
        script = corpus.content.get(str(item.value))
        if script is None:
            return False
        try:
            connection.executescript(script.decode())
        except (sqlite3.DatabaseError, MemoryError) as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_NOMEM)
            if spent() or code in _SPENT:
                corpus.say(e511_sql.on_entry(item.place, f"file `{item.value}` takes more than a trial may"))
                return False
            corpus.say(e511_sql.at(item.place, f"file `{item.value}` can't be run: {error}"))
            return False
        except (sqlite3.Error, ValueError) as error:
            corpus.say(e511_sql.at(item.place, f"file `{item.value}` can't be run: {error}"))
            return False
    return True


def _statements(adapter: Node) -> Iterator[Node]:
    sql, listed = adapter.get("sql"), adapter.get("statements")
    if sql is not None:
        yield sql
    for item in (listed.items or ()) if listed is not None else ():
        yield item.at("sql")


def _prepare(corpus: Corpus, node: Node, connection: sqlite3.Connection, spent: Callable[[], bool]) -> None:
    text = str(node.value)
    names = dict.fromkeys(re.findall(r":(\w+)", text))
    try:
        connection.execute(f"EXPLAIN {text}", names).close()
    except sqlite3.OperationalError as error:
        message = str(error)
        found = _NAMED.search(message)
        word = (found[1] or found[2]) if found else ""
        start = text.find(word) if word else 0
        place = node.within(start, start + len(word)) if word and start >= 0 else node.place
        corpus.say(e511_sql.at(place, f"SQLite can't take this statement: {message}"))
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_AUTH and not spent():
            told = "a statement reaches its own database alone: it attaches and detaches none"
            corpus.say(e511_sql.on_entry(node.place, told))
        # a second statement, a wrong parameter: said already, with its place
