"""The `sql` adapter: parameterised statements on a declared SQLite database, in one transaction.

Reads get a connection that can't write.  Values reach SQL only as parameters.  Cancelling interrupts
the statement and rolls back.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import trio

from engine.language.arithmetic import EvaluationError
from engine.language.value import NotJson, canonical, jsonable, loads, number, number_text, timestamp
from engine.ports.external_work import outside
from engine.ports.tool import AdapterResources, ToolError, ToolInvocation
from engine.spec.bundle import READ
from engine.tool.databases import locate

MAX_ROWS = 1000
BUSY_SECONDS = 10.0
BUSY_STEP = 0.02
PROGRESS = 1000

_WORD = re.compile(r"\w+")


class SqlAdapter:
    """Acts for the sql tools of one bundle."""

    def __init__(self, resources: AdapterResources) -> None:
        self._bundle = resources.bundle
        self._clock = resources.clock

    async def run(self, run: ToolInvocation) -> Any:
        """The row or rows that the statements give; raises ToolError."""
        settings = run.tool.adapter.settings
        parameters = _parameters(run, self._clock.now())
        database = self._bundle.databases[settings["database"]]
        work = _SqlWork(run, settings, parameters)

        async def interrupt_when_cancelled() -> None:
            # swallowed on purpose: whether the work was done is known only when its thread has ended
            with contextlib.suppress(trio.Cancelled):
                await trio.sleep_forever()
            work.interrupt()

        with outside():
            path = await trio.to_thread.run_sync(locate, self._bundle, database, run.root)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(interrupt_when_cancelled)
                await trio.to_thread.run_sync(work.do, str(path))
                nursery.cancel_scope.cancel()
        if work.failure is not None:
            raise work.failure
        return _output(run, work)


class _SqlWork:
    """One transaction in a thread, which another thread may interrupt."""

    def __init__(self, run: ToolInvocation, settings: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self._reads = run.tool.effect is READ
        self._statements = settings["statements"]
        self._most = settings.get("max_rows", MAX_ROWS)
        self._parameters = parameters
        self._connection: sqlite3.Connection | None = None
        self._stopped = False
        self.gives_rows = False
        self.rows: list[dict[str, Any]] = []
        self.failure: ToolError | None = None

    def interrupt(self) -> None:
        self._stopped = True
        if self._connection is not None:
            try:
                self._connection.interrupt()
            except sqlite3.ProgrammingError:
                return  # it was closed in this moment: there is nothing to interrupt

    def do(self, path: str) -> None:
        try:
            self._connection = connection = sqlite3.connect(
                f"file:{_quoted(path)}?mode={'ro' if self._reads else 'rw'}",
                uri=True,
                isolation_level=None,
                timeout=0,
                check_same_thread=False,
            )
        except sqlite3.Error as error:
            self.failure = _failure(error)
            return
        try:
            connection.row_factory = sqlite3.Row
            connection.set_progress_handler(lambda: self._stopped, PROGRESS)
            connection.execute("PRAGMA foreign_keys = ON")
            # a read-only connection would still make and write whatever file a value of the planner's names
            connection.set_authorizer(_own_database_alone)
            self._begin(connection)
            for sql, changes in self._statements:
                self._execute(connection, sql, changes)
            connection.execute("ROLLBACK" if self._reads or self.failure else "COMMIT")
        except (sqlite3.Error, UnicodeError, OverflowError) as error:
            self.failure = _failure(error)
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        finally:
            connection.close()

    def _begin(self, connection: sqlite3.Connection) -> None:
        """Wait for the lock in short steps: SQLite's own waiting can't be interrupted."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                connection.execute("BEGIN" if self._reads else "BEGIN IMMEDIATE")
                # a read takes its snapshot with its first look, and waits for a database that is just being opened
                connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
                return
            except sqlite3.OperationalError as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if not _is_busy(error) or self._stopped or time.monotonic() > deadline:
                    raise
                time.sleep(BUSY_STEP)

    def _execute(self, connection: sqlite3.Connection, sql: str, changes: int | None) -> None:
        if self.failure is not None or self._stopped:
            self.failure = self.failure or ToolError("interrupted", "the statement was interrupted", acted=False)
            return
        cursor = connection.execute(sql, dict(self._parameters))
        self.gives_rows = cursor.description is not None
        if cursor.description is not None:
            self.rows = [dict(row) for row in cursor.fetchmany(self._most + 1)]
            if len(self.rows) > self._most:
                self.failure = ToolError("too_many_rows", f"a statement gives more than {self._most} rows", acted=False)
                return
        count = len(self.rows) if cursor.description is not None else cursor.rowcount
        if changes is not None and count != changes:
            message = f"a statement changed {count} rows, and not {changes}; nothing was done"
            self.failure = ToolError("unexpected_row_count", message, acted=False)


# a write-ahead log that another connection is just setting up looks unwritable to a reader
_SETTING_UP = (sqlite3.SQLITE_READONLY_RECOVERY, sqlite3.SQLITE_READONLY_CANTINIT, sqlite3.SQLITE_CANTOPEN)


def _is_busy(error: sqlite3.Error) -> bool:
    """Whether trying again in a moment may help; the code's low byte is its kind, the rest says more."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or code in _SETTING_UP


def _failure(error: Exception) -> ToolError:
    busy = isinstance(error, sqlite3.Error) and _is_busy(error)
    reason = "database_busy" if busy else "sql_error"
    return ToolError(reason, f"{type(error).__name__}: {error}", retryable=busy, acted=False)


def _own_database_alone(action: int, *about: object) -> int:
    return sqlite3.SQLITE_DENY if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH) else sqlite3.SQLITE_OK


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _parameters(run: ToolInvocation, now: datetime) -> dict[str, Any]:
    """Every parameter that the statements may name: the input's fields, absent ones null, and the declared ones."""
    settings = run.tool.adapter.settings
    fields = run.tool.input_schema.get("properties", {})
    values: dict[str, Any] = {name: run.input.get(name) for name in {*fields, *run.input}}
    names = {"input": run.input, "session": run.attributes, "key": run.idempotency_key, "now": now}
    for name, expression in settings["parameters"].items():
        try:
            values[name] = expression.value(names)
        except EvaluationError as error:
            message = f"parameter {name} has no value: {error}"
            raise ToolError("parameter_error", message, acted=False) from None
    values |= {"idempotency_key": run.idempotency_key, "now": timestamp(now)}
    for name in settings.get("search", ()):
        values[name] = any_word(str(values[name] or ""))
    return {name: _bound(value) for name, value in values.items()}


def any_word(text: str) -> str:
    """A full-text query for any word of a text, with no way to be anything else."""
    words = dict.fromkeys(word.lower() for word in _WORD.findall(text))
    return " OR ".join(f'"{word}"' for word in list(words)[:64]) or '""'


def _bound(value: Any) -> Any:
    """A value as SQLite takes it: what is no number or text goes as JSON."""
    plain = jsonable(value)
    if plain is None or isinstance(plain, str | bool):
        return plain
    if isinstance(plain, Decimal):
        # a float that does not say the same number would lose money
        nearest = float(plain)
        return nearest if Decimal(repr(nearest)) == plain else number_text(plain)
    if isinstance(plain, int):
        return plain if abs(plain) < 2**63 else str(plain)
    return canonical(plain)


def _output(run: ToolInvocation, work: _SqlWork) -> Any:
    settings = run.tool.adapter.settings
    schema = run.tool.output_schema or {}
    if settings.get("result", "row") == "rows":
        name = settings.get("rows_as", "rows")
        items = schema.get("properties", {}).get(name, {}).get("items", {})
        output: dict[str, Any] = {name: [_typed(row, items) for row in work.rows]}
        if settings.get("count_as"):
            output[settings["count_as"]] = len(work.rows)
        return output
    single = settings.get("result", "row") in ("value", "json")
    if work.rows and single:
        return _single(next(iter(work.rows[0].values())), settings["result"], schema)
    if work.rows:
        return _typed(work.rows[0], schema)
    writes = run.tool.effect is not READ
    if writes and not work.gives_rows and settings["absent"] is None:
        return {}
    if settings["absent"] is None:
        raise ToolError("not_found", "no row was found", acted=writes, lost=writes)
    names = {"input": run.input, "session": run.attributes, "key": run.idempotency_key}
    try:
        absent = {name: jsonable(expression.value(names)) for name, expression in settings["absent"].items()}
        return absent.get("value") if single else absent
    except EvaluationError as error:
        message = f"the output has no value: {error}"
        raise ToolError("output_error", message, acted=writes, lost=writes) from None


def _single(value: Any, result: str, schema: Mapping[str, Any]) -> Any:
    """One column as the whole output, as its schema means it, or the JSON that it holds."""
    if result == "value":
        return _as(value, schema)
    try:
        return loads(value) if isinstance(value, str | bytes) else value
    except NotJson as error:
        raise ToolError("output_error", f"the column is no JSON: {error}", acted=True, lost=True) from None


def _typed(row: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """A row as its schema means it: SQLite has no booleans and no lists."""
    properties = schema.get("properties", {})
    return {name: _as(value, properties.get(name, {})) for name, value in row.items()}


def _as(value: Any, schema: Mapping[str, Any]) -> Any:
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if isinstance(value, bytes):
        return value.hex()
    if "boolean" in kinds and value in (0, 1) and "integer" not in kinds and "number" not in kinds:
        return bool(value)
    if isinstance(value, str) and ("array" in kinds or "object" in kinds):
        try:
            return loads(value)
        except NotJson:
            return value
    if isinstance(value, str) and "number" in kinds and "string" not in kinds:
        try:
            return number(value)
        except NotJson:
            return value
    return value
