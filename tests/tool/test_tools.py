"""Adapters on real databases, threads and processes."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.ports.external_work import busy
from engine.ports.tool import AdapterResources, ToolError, ToolInvocation
from engine.runtime.connections import ConnectionPool
from engine.runtime.host_secrets import HostSecrets
from engine.spec.bundle import Bundle
from engine.tool.adapters import Adapters
from engine.tool.databases import MissingRoot, locate
from engine.tool.sql import any_word
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool
from tests.waiting import alive

NOW = datetime(2026, 1, 1, 9, tzinfo=UTC)
SCHEMA = """
CREATE TABLE items (id TEXT PRIMARY KEY, price NUMERIC, live INTEGER, tags TEXT, note TEXT);
INSERT INTO items VALUES ('a', 12.5, 1, '["x","y"]', NULL), ('b', 3, 0, '[]', 'hello');
CREATE TABLE orders (key TEXT PRIMARY KEY, item TEXT NOT NULL, at TEXT);
"""
PYTHON = """
import os, time

def add(n, to=None):
    return {"sum": n + 1, "pid": os.getpid()}

async def wait(n):
    import trio
    await trio.sleep(n)
    return {"slept": n}

def keyed(n, idempotency_key):
    print("noise on stdout")
    return {"key": idempotency_key, "pid": os.getpid()}

def sleepy(to, n=0):
    with open(to, "a") as file:
        file.write(f"{os.getpid()}\\n")
        file.flush()
    time.sleep(60)

def broken(n=0):
    raise ValueError("no")

def dies(n=0):
    os._exit(3)

def odd(n=0):
    return {"x": object()}

def noisy(n=0):
    os.system("echo noise on fd 1")
    return {"n": n}

def chatty(n=1):
    print("noise")
    return {"n": n}

def exits(n=0):
    raise SystemExit(3)

class Panic(BaseException):
    pass

def stops(how, n=0):
    raise {"interrupt": KeyboardInterrupt, "exit": GeneratorExit, "panic": Panic}[how]("of the tool's own")

async def stops_late(how, n=0):
    import trio
    await trio.lowlevel.checkpoint()
    stops(how)

def leaves(to, n=0):
    import subprocess
    subprocess.Popen(["sh", "-c", f"sleep 1.5; echo acted > {to}"])
    return {"left": True}
"""
ITEM = (
    "{type: object, properties: {id: {type: string}, price: {type: number}, live: {type: boolean}, "
    "tags: {type: array}, note: {type: [string, 'null']}, raw: {}}}"
)


def sql(name: str, text: str, effect: str = "read", *, more: str = "", extra: str = "") -> tuple[str, str]:
    adapter = f"adapter:\n  kind: sql\n  database: shop\n{more}\n"
    if text:
        adapter += f"  sql: >-\n    {text}\n"
    anything = "{type: object, properties: {id: {}, n: {}, q: {}, to: {}}}"
    output = ITEM if effect == "read" else "{type: object}"
    return tool(name, effect, input=anything, output=output, more=adapter + extra)


MADE = bundle(
    agent("[get, order]", policies="[rules]"),
    policy(ALLOW),
    ("specs/databases/shop.yaml", "kind: Database\nname: shop\npath: data/shop.db\ninit: [specs/databases/shop.sql]\n"),
    ("specs/databases/shop.sql", SCHEMA),
    (
        "specs/databases/words.yaml",
        "kind: Database\nname: words\npath: data/words.db\nderived: true\ninit: [specs/databases/words.sql]\n"
        "documents: [{table: pages, files: specs/databases/pages/*.md}]\n",
    ),
    ("specs/databases/words.sql", "CREATE VIRTUAL TABLE pages USING fts5 (path, title, body);"),
    ("specs/databases/pages/one.md", "# First page\n\nAll about apples.\n"),
    ("specs/databases/pages/two.md", "no title, about pears\n"),
    ("specs/tools/more.py", PYTHON),
    sql("get", "SELECT *, x'00ff' AS raw FROM items WHERE id = :id"),
    sql("all_items", "SELECT id, price FROM items ORDER BY id", more="  result: rows\n  rows_as: items\n  count_as: n"),
    sql("or_nothing", "SELECT id FROM items WHERE id = :id", more="  absent: {id: input.id, price: '1 + 1'}"),
    sql("sneaky", "DELETE FROM items RETURNING id"),
    sql("slow", "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) AS price FROM c"),
    sql("params", "SELECT :n AS price, :when_ AS note, :idempotency_key AS id", more="  parameters: {when_: now}"),
    ("specs/tools/one_value.yaml", sql("one_value", "SELECT price FROM items WHERE id = :id", more="  result: value\n  "
        "absent: {value: 0 - 1}")[1].replace(ITEM, "{type: number}")),
    ("specs/tools/one_json.yaml", sql("one_json", "SELECT tags FROM items WHERE id = :id", more="  result: json")[1]
        .replace(ITEM, "{type: array}")),
    ("specs/tools/no_json.yaml", sql("no_json", "SELECT id FROM items WHERE id = :id", more="  result: json")[1]),
    sql("no_output", "SELECT id FROM items WHERE id = :id", more="  absent: {price: 1 / input.n}"),
    sql("no_value", "SELECT :p AS price", more="  parameters: {p: input.n + 1}"),
    sql(
        "order", "", "write",
        more="  statements:\n"
        "    - {sql: \"INSERT INTO orders VALUES (:idempotency_key, :id, :now) RETURNING key\", changes: 1}\n"
        "    - {sql: \"UPDATE items SET price = price + 1 WHERE id = :id\", changes: 1}",
        extra="idempotency: {key: [input.id], honoured_by: tool}",
    ),
    sql("overfull", "INSERT INTO orders VALUES ('k', NULL, NULL) RETURNING key", "write"),
    tool(
        "find", input="{type: object, properties: {q: {type: string}}}",
        output="{type: object, properties: {hits: {type: array, items: {type: object}}}}",
        more="adapter:\n  kind: sql\n  database: words\n  search: [q]\n  result: rows\n  rows_as: hits\n"
        "  sql: SELECT path, title FROM pages WHERE pages MATCH :q ORDER BY path",
    ),
    *(
        tool(
            name, effect, input="{type: object, properties: {n: {type: number}, to: {type: string}}}",
            more=f"adapter: {{kind: python, file: specs/tools/more.py, function: {function}}}",
        )
        for name, function, effect in (
            ("add", "add", "read"), ("wait", "wait", "read"), ("broken", "broken", "read"),
            ("add_write", "add", "write"), ("keyed", "keyed", "write"), ("sleepy", "sleepy", "write"),
            ("broken_write", "broken", "write"), ("dies", "dies", "write"), ("odd", "odd", "write"),
            ("noisy", "noisy", "write"), ("stops", "stops", "read"), ("stops_late", "stops_late", "read"),
            ("stops_write", "stops", "write"),
            ("exits", "exits", "read"), ("chatty", "chatty", "read"), ("leaves", "leaves", "write"),
        )
    ),
)  # fmt: skip


class Fixed:
    def now(self) -> datetime:
        return NOW


async def run(name: str, root: Path, key: str | None = None, made: Bundle = MADE, **input_: Any) -> Any:
    one = made.tools[name]
    adapters = Adapters(AdapterResources(made, Fixed(), HostSecrets({}), ConnectionPool()))
    return await adapters(one).run(ToolInvocation(one, input_, {"tenant": "acme"}, key, "s", str(root)))


async def failure(name: str, root: Path, **input_: Any) -> ToolError:
    with pytest.raises(ToolError) as raised:
        await run(name, root, **input_)
    return raised.value


async def test_a_row_comes_as_its_schema_means_it(tmp_path: Path) -> None:
    assert await run("get", tmp_path, id="a") == {
        "id": "a", "price": 12.5, "live": True, "tags": ["x", "y"], "note": None, "raw": "00ff",
    }  # fmt: skip


async def test_rows_come_as_a_list_with_their_count(tmp_path: Path) -> None:
    assert await run("all_items", tmp_path) == {"items": [{"id": "a", "price": 12.5}, {"id": "b", "price": 3}], "n": 2}


async def test_more_rows_than_are_ever_read_are_a_failure_and_never_cut(tmp_path: Path) -> None:
    await run("get", tmp_path, id="a")
    raw = sqlite3.connect(tmp_path / "data/shop.db", isolation_level=None)
    raw.execute(
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1200) "
        "INSERT INTO items SELECT 'n' || x, 1, 1, '[]', NULL FROM c"
    )
    raw.close()
    error = await failure("all_items", tmp_path)
    assert (error.reason, error.acted) == ("too_many_rows", False)


async def test_one_column_may_be_the_whole_output(tmp_path: Path) -> None:
    assert await run("one_value", tmp_path, id="a") == 12.5
    assert await run("one_value", tmp_path, id="z") == -1
    assert await run("one_json", tmp_path, id="a") == ["x", "y"]
    assert (await failure("no_json", tmp_path, id="a")).reason == "output_error"


async def test_no_row_is_not_found_or_the_declared_value(tmp_path: Path) -> None:
    assert (await failure("get", tmp_path, id="z")).reason == "not_found"
    assert await run("or_nothing", tmp_path, id="z") == {"id": "z", "price": 2}


@pytest.mark.parametrize("text", ["a' OR '1'='1", "a'; DROP TABLE items; --", ":id", "?", "\x00", "é\u2028"])
async def test_a_parameter_never_becomes_sql(tmp_path: Path, text: str) -> None:
    assert (await failure("get", tmp_path, id=text)).reason == "not_found"
    assert len((await run("all_items", tmp_path))["items"]) == 2


async def test_a_read_has_a_connection_that_can_not_write(tmp_path: Path) -> None:
    error = await failure("sneaky", tmp_path)
    assert (error.reason, error.acted) == ("sql_error", False)
    assert "readonly" in error.message


async def test_declared_parameters_have_their_values(tmp_path: Path) -> None:
    assert await run("params", tmp_path, key="k1", n=7) == {
        "price": 7, "note": "2026-01-01T09:00:00.000000Z", "id": "k1",
    }  # fmt: skip
    assert (await failure("no_value", tmp_path, n="x")).reason == "parameter_error"


@pytest.mark.parametrize(
    ("given", "comes"), [(True, True), (10**30, 10**30), ([1, {"a": None}], '[1,{"a":null}]'), (None, None)]
)
async def test_any_value_can_be_a_parameter(tmp_path: Path, given: Any, comes: Any) -> None:
    assert (await run("params", tmp_path, n=given))["price"] == comes


async def test_a_write_happens_in_one_transaction_or_not_at_all(tmp_path: Path) -> None:
    await run("order", tmp_path, key="k1", id="a")
    with pytest.raises(ToolError, match="UNIQUE"):
        await run("order", tmp_path, key="k1", id="b")
    raw = sqlite3.connect(tmp_path / "data/shop.db")
    assert raw.execute("SELECT key, item FROM orders").fetchall() == [("k1", "a")]
    assert raw.execute("SELECT price FROM items WHERE id = 'a'").fetchone() == (13.5,)
    raw.close()
    with pytest.raises(ToolError, match="changed 0 rows"):
        await run("order", tmp_path, key="k2", id="nothing")
    raw = sqlite3.connect(tmp_path / "data/shop.db")
    assert raw.execute("SELECT count(*) FROM orders").fetchone() == (1,)
    raw.close()


async def test_a_constraint_that_breaks_is_a_failure_that_did_nothing(tmp_path: Path) -> None:
    error = await failure("overfull", tmp_path)
    assert (error.reason, error.acted, error.retryable) == ("sql_error", False, False)


async def test_a_long_statement_is_interrupted_when_it_is_cancelled(tmp_path: Path) -> None:
    await run("get", tmp_path, id="a")
    with trio.fail_after(600), trio.move_on_after(0.2):
        error = await failure("slow", tmp_path)
        assert not error.acted
    assert not busy()


async def test_a_database_is_made_once_however_many_come_at_once(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(lambda: run("get", tmp_path, id="a"))
    assert sorted(path.name for path in (tmp_path / "data").iterdir() if path.suffix == ".db") == ["shop.db"]


async def test_a_database_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    raw = sqlite3.connect(tmp_path / "data/shop.db")
    raw.executescript(SCHEMA + "INSERT INTO items VALUES ('mine', 1, 1, '[]', NULL);")
    raw.close()
    assert (await run("get", tmp_path, id="mine"))["id"] == "mine"


async def test_a_root_that_is_gone_is_an_error_and_never_made(tmp_path: Path) -> None:
    with pytest.RaisesGroup(MissingRoot, allow_unwrapped=True, flatten_subgroups=True):
        await run("get", tmp_path / "gone", id="a")
    assert not (tmp_path / "gone").exists()


async def test_an_init_that_fails_leaves_no_file(tmp_path: Path) -> None:
    broken = {**MADE.files, "specs/databases/shop.sql": b"CREATE TABLE x (y); nonsense;"}
    made = Bundle(MADE.digest, MADE.agents, MADE.tools, MADE.reviewers, MADE.databases, broken)
    with pytest.RaisesGroup(ToolError, allow_unwrapped=True, flatten_subgroups=True):
        await run("get", tmp_path, made=made, id="a")
    assert list((tmp_path / "data").iterdir()) == []


async def test_documents_become_rows_and_a_change_of_them_makes_the_index_anew(tmp_path: Path) -> None:
    assert await run("find", tmp_path, q="APPLES, please!") == {
        "hits": [{"path": "specs/databases/pages/one.md", "title": "First page"}]
    }
    assert (await run("find", tmp_path, q="pears"))["hits"][0]["title"] == ""
    assert await run("find", tmp_path, q="...") == {"hits": []}
    edited = {**MADE.files, "specs/databases/pages/one.md": b"# Other\n\nbananas\n"}
    made = Bundle("other", MADE.agents, MADE.tools, MADE.reviewers, MADE.databases, edited)
    assert (await run("find", tmp_path, made=made, q="bananas"))["hits"][0]["title"] == "Other"
    assert (await run("find", tmp_path, q="bananas"))["hits"] == []


@pytest.mark.parametrize("text", ['"', "a AND b", "NEAR(a b)", "title:x", "a*", "-a", "(", "''"])
def test_a_full_text_query_is_only_words(text: str) -> None:
    raw = sqlite3.connect(":memory:")
    raw.execute("CREATE VIRTUAL TABLE p USING fts5 (t)")
    raw.execute("SELECT * FROM p WHERE p MATCH ?", (any_word(text),)).fetchall()
    raw.close()


async def test_locating_gives_the_file_of_a_database(tmp_path: Path) -> None:
    assert locate(MADE, MADE.databases["shop"], str(tmp_path)) == tmp_path / "data/shop.db"


# -- python


async def test_a_function_that_reads_runs_in_this_process_and_one_that_writes_in_its_own(tmp_path: Path) -> None:

    read, write = await run("add", tmp_path, n=1), await run("add_write", tmp_path, n=1)
    assert (read["sum"], write["sum"]) == (2, 2)
    assert read["pid"] == os.getpid() != write["pid"]


async def test_a_coroutine_function_runs_on_trio(tmp_path: Path) -> None:
    assert await run("wait", tmp_path, n=0) == {"slept": 0}


async def test_what_a_tool_prints_is_not_on_stdout(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert await run("chatty", tmp_path) == {"n": 1}
    assert capfd.readouterr().out == ""


async def test_a_write_gets_its_key_and_may_print(tmp_path: Path) -> None:
    assert (await run("keyed", tmp_path, key="k7", n=1))["key"] == "k7"


@pytest.mark.parametrize(
    ("name", "reason", "says", "lost"),
    [
        ("broken", "tool_error", "no", False),
        ("exits", "tool_error", "SystemExit: 3", False),
        ("broken_write", "tool_error", "ValueError: no", False),
        ("dies", "no_answer", "exit status 3", True),
        ("odd", "invalid_output", "not JSON", True),
    ],
)
async def test_what_goes_wrong_in_a_function_is_told_apart(
    tmp_path: Path, name: str, reason: str, says: str, lost: bool
) -> None:
    error = await failure(name, tmp_path)
    assert (error.reason, error.lost) == (reason, lost)
    assert says in error.message


@pytest.mark.parametrize("name", ["stops", "stops_late", "stops_write"])
@pytest.mark.parametrize("how", ["interrupt", "exit", "panic"])
async def test_what_no_function_should_raise_ends_its_call_and_nothing_else(
    tmp_path: Path, name: str, how: str
) -> None:
    error = await failure(name, tmp_path, how=how)
    assert (error.reason, error.lost) == ("tool_error", False)
    assert "of the tool's own" in error.message


async def test_a_write_that_is_cancelled_is_killed(tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    with trio.move_on_after(600) as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: run("sleepy", tmp_path, to=str(noted)))
            await _written(noted)
            nursery.cancel_scope.cancel()
    assert not scope.cancelled_caught
    assert not alive(int(noted.read_text()))
    assert not busy()


async def test_what_a_function_or_its_children_print_does_not_hide_its_answer(tmp_path: Path) -> None:
    assert await run("noisy", tmp_path, n=1) == {"n": 1}


async def test_a_process_that_a_function_leaves_behind_does_not_outlive_it(tmp_path: Path) -> None:
    assert await run("leaves", tmp_path, to=str(tmp_path / "late")) == {"left": True}
    assert not (tmp_path / "late").exists(), "its end is waited for, not that of its children"
    await trio.sleep(2)
    assert not (tmp_path / "late").exists()


async def test_a_module_in_the_current_directory_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine/__init__.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert (await run("add_write", tmp_path, n=1))["sum"] == 2


# -- more that can go wrong


async def test_text_that_sqlite_can_not_hold_is_a_failure(tmp_path: Path) -> None:
    assert (await failure("get", tmp_path, id="\ud800")).reason == "sql_error"


async def test_an_output_without_a_value_is_a_failure(tmp_path: Path) -> None:
    assert (await failure("no_output", tmp_path, id="z", n=0)).reason == "output_error"


async def test_a_place_where_no_database_can_be_made_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    error = await failure("get", tmp_path, id="a")
    assert (error.reason, error.acted) == ("database_init_failed", False)


async def test_waiting_for_a_lock_ends_at_once_when_it_is_cancelled(tmp_path: Path) -> None:
    await run("get", tmp_path, id="a")
    raw = sqlite3.connect(tmp_path / "data/shop.db", isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    with trio.fail_after(600), trio.move_on_after(0.3):
        error = await failure("order", tmp_path, id="a")
        assert not error.acted
    raw.execute("ROLLBACK")
    raw.close()


async def _written(path: Path) -> None:
    """Look until another process has written a line."""
    while not _line_of(path):  # noqa: ASYNC110
        await trio.sleep(0.02)


def _line_of(path: Path) -> str:
    return path.read_text() if path.exists() and path.read_text().endswith("\n") else ""
