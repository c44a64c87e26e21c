"""The columns and parameters of a tool's SQL are held against its schemas when a bundle enters."""

from __future__ import annotations

import pytest

from engine.bundle.load import load_stored
from tests.marked_base import BASE, FIND, PAY, changed, said_of

SQL = "SELECT 1 AS found, total_usd, placed_at, state FROM orders WHERE order_id = :order_id"
WRITE = "INSERT INTO refunds (key, order_id) VALUES (:idempotency_key, :order_id) RETURNING key AS refund_id"
OPEN = ("  required: [found, total_usd, placed_at, state]\n  additionalProperties: false", "  required: [found]")
ROWS = (
    "output:\n  type: object\n  properties: {rows: {type: array, maxItems: 9, items: {type: object, properties: {state: "
    "{type: string}}, required: [state], additionalProperties: false}}, n: {type: integer}}\n  required: [rows, n]\n"
    "adapter: {kind: sql, database: shop, result: rows, %s, sql: \"%s WHERE order_id = :order_id\"}\n"
)  # fmt: skip


def told(files: dict[str, str]) -> list[tuple[str, str]]:
    """The codes about SQL, each with the text that it stands at."""
    found = [d for d in said_of(files) if d.code in ("E511", "W618", "W624")]
    texts = {**BASE, **files}
    lines = {d: texts[d.place.file].splitlines()[d.place.line - 1] for d in found}
    return [(d.code, lines[d][d.place.column - 1 : d.place.end_column - 1]) for d in found]


def reading(sql: str, *more: tuple[str, str]) -> dict[str, str]:
    return changed(FIND, (f"sql: {SQL}", 'sql: "' + sql.replace('"', '\\"') + '"'), *more)


@pytest.mark.parametrize(("sql", "place"), [
    (SQL.replace("state FROM", "state AS stat FROM"), "stat"), (SQL.replace("total_usd", "total_usd AS total"), "total"),
    (SQL.replace("state FROM", "state, order_id FROM"), "order_id"), (SQL.replace(", state", ""), f'"{SQL.replace(", state", "")}"'),
    (SQL.replace("state FROM", "upper(state) FROM"), "upper(state)"), ("WITH a AS (SELECT 1 AS found) SELECT * FROM a WHERE :order_id = 1", ""),
    ("SELECT *, 1 AS found FROM orders WHERE order_id = :order_id -- ;", ""),
])  # fmt: skip
def test_a_column_that_the_output_does_not_have_or_lacks_is_told(sql: str, place: str) -> None:
    files = reading(sql)
    found = told(files)
    assert {code for code, _ in found} == {"E511"}
    assert not place or [at for _, at in found] == [place]
    assert all(d.on_entry for d in said_of(files) if d.code == "E511")
    assert load_stored({path: text.encode() for path, text in {**BASE, **files}.items()}).bundle is not None


@pytest.mark.parametrize("sql", [
    SQL, SQL + ";", SQL + " -- all", "SELECT found, total_usd, placed_at, state FROM (SELECT *, 1 AS found FROM orders) WHERE order_id = :order_id",
    "WITH a AS (SELECT 1 AS found, * FROM orders) SELECT found, total_usd, placed_at, state FROM a WHERE order_id = :order_id",
    "SELECT 1 AS found, o.total_usd, o.placed_at, 'update x' AS state FROM orders o WHERE o.order_id = :order_id",
])  # fmt: skip
def test_columns_that_fit_are_not(sql: str) -> None:
    assert told(reading(sql)) == []


def test_of_an_open_output_a_column_is_told_that_is_likely_misspelt() -> None:
    assert told(reading(SQL.replace("state FROM", "state AS stat FROM"), OPEN)) == [("E511", "stat")]
    assert told(reading(SQL.replace("state FROM", "state, order_id FROM"), OPEN)) == []


@pytest.mark.parametrize(("sql", "place"), [
    (WRITE.replace("key AS refund_id", "key AS id"), "id"), (WRITE.replace("key AS refund_id", "order_id"), "order_id"),
    (WRITE.replace("key AS refund_id", "*"), WRITE.replace("key AS refund_id", "*")), (WRITE, ""),
    ("UPDATE refunds SET key = :idempotency_key WHERE order_id = :order_id RETURNING key AS rid", "rid"),
    ("DELETE FROM refunds WHERE order_id = :order_id RETURNING key AS refund_id", ""),
])  # fmt: skip
def test_what_a_write_returns_is_held_against_its_output_before_it_is_done(sql: str, place: str) -> None:
    closed = ("  required: [refund_id]", "  required: [refund_id]\n  additionalProperties: false")
    found = told(changed(PAY, (f"sql: {WRITE}", f"sql: {sql}"), closed))
    assert found[:1] == ([("E511", place)] if place else [])


@pytest.mark.parametrize(("more", "sql", "places"), [
    ("count_as: n", "SELECT state FROM orders", 0), ("count_as: n", "SELECT state AS stat FROM orders", 1),
    ("rows_as: rows", "SELECT state FROM orders", 1), ("count_as: m", "SELECT state FROM orders", 1),
    ("count_as: n, rows_as: found", "SELECT state FROM orders", 1),
])  # fmt: skip
def test_a_list_of_rows_is_held_against_the_items_of_its_output(more: str, sql: str, places: int) -> None:
    text = BASE[FIND].split("output:")[0] + ROWS % (more, sql)
    assert [code for code, _ in told({FIND: text})] == ["E511"] * places


@pytest.mark.parametrize(("written", "place"), [
    ("':order_id'", ":order_id"), ('":order_id"', ":order_id"), ("'$order_id'", "$order_id"), ("'{order_id}'", "{order_id}"),
    ("'{{ input.order_id }}'", "{{ input.order_id }}"), ("'%:order_id%'", ":order_id"), ("'%(order_id)s'", "%(order_id)s"),
    ("'@order_id'", "@order_id"), ("'order_id'", None), ("':order' || :order_id", None), ("'12:00' || :order_id", None),
])  # fmt: skip
def test_a_parameter_in_quotes_is_a_text_and_told(written: str, place: str | None) -> None:
    found = told(reading(SQL.replace(":order_id", written)))
    unused = [("W624", "order_id")] if written == "'order_id'" else []
    assert [(code, at.replace('\\"', '"')) for code, at in found] == ([("W618", place)] if place else unused)


@pytest.mark.parametrize(("sql", "more", "said"), [
    (SQL.replace(":order_id", "order_id"), "", True), (SQL.replace(":order_id", "'o-1'"), "", True),
    ("SELECT 1 AS found, total_usd, placed_at, state FROM orders", "", True),
    (SQL.replace(":order_id", ":id"), "  parameters: {id: input.order_id}\n", False),
    (SQL.replace(":order_id", ":id"), "  parameters: {id: \"input['order_id']\"}\n", False),
    (SQL.replace(":order_id", ":now"), "  parameters: {id: input.order_id}\n", True),
])  # fmt: skip
def test_a_field_that_no_statement_uses_is_told_where_one_could(sql: str, more: str, said: bool) -> None:
    files = {FIND: reading(sql)[FIND] + more}
    assert told(files) == [("W624", "order_id")] * said
    silent = files[FIND].replace(
        "order_id: {type: string}", "order_id: {type: string}  # engine: allow W624 because so"
    )
    assert [d.code for d in said_of({FIND: silent}) if d.code != "W617"] == []


def test_a_field_that_has_no_column_is_there_for_policies() -> None:
    assert "amount_usd" in BASE[PAY] and "amount_usd" not in WRITE
    assert told({}) == []
