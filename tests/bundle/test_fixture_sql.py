"""The SQL of fixtures is tried out when a bundle enters."""

from __future__ import annotations

import pytest

from engine.bundle.load import load_stored
from tests.marked_base import BASE, said_of

PATH = "fixtures/refunded.yaml"
SETUP, THEN, ROWS = "setup", "then", "rows"


def with_sql(kind: str, sql: str, *more: str) -> dict[str, str]:
    """A fixture of the base that does this with its database, and has some lines more."""
    database, quoted = "database: shop", '"' + sql.replace("\\", "\\\\").replace('"', '\\"') + '"'
    lines = {
        SETUP: f"setup:\n  - {{{database}, run: {quoted}}}\n",
        THEN: f"then:\n  - sql: {{{database}, run: {quoted}}}\n",
        ROWS: "",
    }[kind]
    rows = f"  rows:\n    - {{{database}, sql: {quoted}, gives: []}}\n" if kind == ROWS else ""
    return {PATH: BASE[PATH].rstrip() + f"\n{rows}{lines}" + "".join(more)}


def told(files: dict[str, str]) -> list[tuple[str, str]]:
    return [(d.place.file, d.message) for d in said_of(files)]


@pytest.mark.parametrize(("kind", "sql", "part"), [
    (SETUP, "UPDAT orders", 'near "UPDAT"'), (SETUP, "INSERT INTO orders VALUES (1)", "has 4 columns"),
    (SETUP, "INSERT INTO orders (order_id) VALUES (1), (1)", "UNIQUE"),
    (SETUP, "ATTACH '/tmp/other.db' AS other", "attaches"), (SETUP, "SELECT 1; SELEC 2", 'near "SELEC"'),
    (THEN, "UPDTE x", 'near "UPDTE"'), (THEN, "DELETE FROM ordrs", "ordrs"),
    (THEN, "DELETE FROM orders; UPDATE orders SET stat = 1", "stat"), (THEN, "DELETE FROM orders WHERE a = 'b", "unrecognized"),
    (ROWS, "SELECT ordr_id FROM orders", "ordr_id"), (ROWS, "SELECT 1; SELECT 2", "one statement"),
    (ROWS, "SELECT :x", "without parameters"), (ROWS, "SELECT ?", "without parameters"), (ROWS, "", "incomplete"),
    (ROWS, "ATTACH '/tmp/other.db' AS other", "attaches"),
])  # fmt: skip
def test_what_can_not_be_run_is_told_where_it_stands(kind: str, sql: str, part: str) -> None:
    found = said_of(with_sql(kind, sql))
    assert [(d.code, d.place.file, part in d.message, d.on_entry) for d in found] == [("E511", PATH, True, True)], found


@pytest.mark.parametrize(("kind", "sql"), [
    (SETUP, "INSERT INTO orders VALUES ('o-1', 5, '2026-01-01', 'open'); -- one"), (SETUP, "-- nothing"), (SETUP, ""),
    (SETUP, "INSERT INTO orders VALUES (:not_given, 1, 1, 1)"), (SETUP, "BEGIN; DELETE FROM orders; COMMIT"), (SETUP, "CREATE TABLE more (x); INSERT INTO more VALUES (1)"),
    (SETUP, "CREATE TRIGGER t AFTER DELETE ON orders BEGIN DELETE FROM refunds; SELECT 1; END; DELETE FROM orders;"),
    (THEN, "INSERT INTO orders (order_id) VALUES (1); INSERT INTO orders (order_id) VALUES (1)"),
    (THEN, "CREATE TABLE more (x); INSERT INTO more VALUES (';')"), (THEN, "DELETE FROM orders; -- all of them\n"),
    (THEN, "BEGIN; DELETE FROM orders; COMMIT;"), (ROWS, "SELECT count(*) FROM orders -- all"), (ROWS, "SELECT 1;"),
])  # fmt: skip
def test_what_can_be_run_is_not(kind: str, sql: str) -> None:
    assert told(with_sql(kind, sql)) == []


@pytest.mark.parametrize("sql", [
    "DELETE FROM orders", "DROP TABLE orders", "PRAGMA user_version = 5", "UPDATE orders SET order_id = 1 RETURNING 1", "BEGIN",
    "WITH a AS (SELECT 1) DELETE FROM orders", "CREATE TABLE more (x)", "PRAGMA foreign_keys = off", "VACUUM",
])  # fmt: skip
def test_rows_that_would_change_a_database_are_told(sql: str) -> None:
    files = with_sql(ROWS, sql)
    assert [(d.code, d.on_entry, "no question" in d.message) for d in said_of(files)] == [("E511", True, True)]
    assert load_stored({path: text.encode() for path, text in {**BASE, **files}.items()}).bundle is not None


@pytest.mark.parametrize("sql", [
    "PRAGMA table_info(orders)", "SELECT * FROM pragma_table_info('orders')", "PRAGMA user_version", "VALUES (1)",
    "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 3) SELECT max(x) FROM n",
])  # fmt: skip
def test_rows_that_only_ask_are_not(sql: str) -> None:
    assert told(with_sql(ROWS, sql)) == []


def test_rows_are_asked_of_what_the_fixture_has_made() -> None:
    made = with_sql(ROWS, "SELECT x FROM more", "setup:\n  - {database: shop, run: CREATE TABLE more (x)}\n")
    assert told(made) == []
    assert [d.code for d in said_of(with_sql(ROWS, "SELECT x FROM more"))] == ["E511"]


def test_a_script_that_takes_too_much_is_told_and_ends() -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    (found,) = said_of(with_sql(SETUP, endless))
    assert "more than a trial may" in found.message


def test_a_bundle_that_is_stored_already_loads_as_before() -> None:
    files = {**BASE, **with_sql(ROWS, "SELECT ordr_id FROM orders")}
    assert load_stored({path: text.encode() for path, text in files.items()}).bundle is not None
