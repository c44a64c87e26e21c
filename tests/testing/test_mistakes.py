"""A mistake of a fixture fails that fixture, and says what it is."""

from __future__ import annotations

from typing import Any

import pytest

from engine.spec.bundle import Bundle
from tests.bundle_texts import agent, bundle
from tests.testing.live import fixture, ran, said

INIT = "CREATE TABLE t (x INTEGER NOT NULL);"


def made() -> Bundle:
    """A bundle with a database."""
    database = "kind: Database\nname: house\npath: specs/databases/house.db\ninit: [specs/databases/house.sql]\n"
    read = (
        "kind: Tool\nname: look\ndescription: look\neffect: read\ninput: {type: object}\n"
        "adapter: {kind: sql, database: house, sql: SELECT x FROM t}\n"
    )
    return bundle(
        agent("[look]"), ("specs/databases/house.yaml", database), ("specs/databases/house.sql", INIT),
        ("specs/tools/look.yaml", read),
    )  # fmt: skip


def sql(run: str) -> dict[str, Any]:
    return {"database": "house", "run": run}


def rows(query: str) -> dict[str, Any]:
    return {"expect": {"rows": [{"database": "house", "sql": query, "gives": [[1]]}]}}


@pytest.mark.parametrize(("more", "what"), [
    ({"setup": [sql("UPDAT t")]}, "setup: "), ({"setup": [sql("INSERT INTO t VALUES (null)")]}, "setup: "),
    ({"then": [{"sql": sql("UPDTE t")}]}, "then: "), ({"then": [{"sql": sql("INSERT INTO t VALUES (null)")}]}, "then: "),
    ({"setup": [sql("SELECT 'a\0b'")]}, "setup: "),
    (rows("SELECT y FROM t"), "rows of SELECT y"), (rows("SELECT 1; SELECT 2"), "rows of SELECT 1; "),
    (rows("SELECT :x"), "rows of SELECT :x"), (rows("SELECT x'00'"), "rows of "), (rows("SELECT 9e999"), "rows of "),
    (rows("SELECT CAST(x'ff' AS TEXT)"), "rows of "),
])  # fmt: skip
async def test_sql_that_can_not_be_run_fails_the_fixture(more: dict[str, Any], what: str) -> None:
    report = await ran(made(), fixture(**more))
    assert said(report).startswith(what), said(report)
    assert not report.passed


CHANGES = (
    "DELETE FROM t", "DROP TABLE t", "UPDATE t SET x = 2 RETURNING x", "INSERT INTO t VALUES (1)", "PRAGMA user_version = 5",
    "PRAGMA journal_mode = wal", "CREATE TEMP TABLE u (x)", "VACUUM", "ANALYZE", "BEGIN",
    "WITH a AS (SELECT 1) DELETE FROM t", "PRAGMA query_only = off", "ATTACH ':memory:' AS other", "PRAGMA optimize",
)  # fmt: skip


@pytest.mark.parametrize("changes", CHANGES)
async def test_rows_ask_and_change_nothing(changes: str) -> None:
    asked = [{"database": "house", "sql": sql, "gives": gives} for sql, gives in (
        (changes, []), ("SELECT count(*) FROM t", [[0]]), ("PRAGMA user_version", [[0]]),
        ("SELECT name FROM pragma_table_info('t')", [["x"]]),
        ("WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 3) SELECT max(x) FROM n", [[3]]),
    )]  # fmt: skip
    report = await ran(made(), fixture(expect={"rows": asked}))
    assert [failure.what for failure in report.failures] == [f"rows of {changes}"], said(report)
    assert "asks what it holds" in said(report)


async def test_what_happens_after_such_sql_is_tried_all_the_same() -> None:
    happens = [{"sql": sql("UPDTE t")}, {"sql": sql("INSERT INTO t VALUES (1)")}]
    report = await ran(made(), fixture(then=happens, **rows("SELECT x FROM t")))
    assert [failure.what for failure in report.failures] == ["then"]


async def test_a_time_beyond_all_calendars_fails_the_fixture() -> None:
    waits = [{"wait": "999999d"}] * 4
    report = await ran(made(), fixture(now="2999-12-31T23:59:59Z", then=[*waits, {"send": "hello"}]))
    assert "time: expected moments up to the year 9999" in said(report)
