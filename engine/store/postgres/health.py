"""Whether a PostgreSQL server is one that the promises can rest on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg

from engine.store.faults import StoreFault
from engine.store.findings import ServerFinding
from engine.store.postgres.address import LOCK, STATEMENT, PostgresAddress, address_of, one_line
from engine.store.postgres.database import READERS

# the oldest server that the statements were tried on, and what one process of the engine takes of its connections: for
# those that read, one that writes, one that listens, and one while it starts
OLDEST, CONNECTIONS = 140_000, READERS + 3
_ASKED = (
    "server_version_num", "server_version", "fsync", "full_page_writes", "synchronous_commit", "statement_timeout",
    "lock_timeout", "search_path", "max_connections", "superuser_reserved_connections",
)  # fmt: skip


def server_findings(url: str) -> list[ServerFinding]:
    """What a look at the server of a store found; raises BadStoreUrl, StoreFault."""
    address = address_of(url)
    try:
        with address.connect("engine doctor") as raw:
            sql = "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name"
            found: dict[str, str] = dict(raw.execute(sql, (list(_ASKED),)).fetchall())
            return [*_durable(found), *_ours(found, address), *_rights(raw, address), *_room(raw, found), _clock(raw)]
    except psycopg.Error as error:
        raise StoreFault(f"the store {address.shown} can't be reached: {one_line(error)}") from None


def _durable(found: Mapping[str, str]) -> Iterator[ServerFinding]:
    version = found["server_version"]
    if int(found["server_version_num"]) < OLDEST:
        yield ServerFinding(False, f"PostgreSQL {version} is older than what is tried, which is 14")
    off = [name for name in ("fsync", "full_page_writes", "synchronous_commit") if found[name] == "off"]
    if off:
        told = f"{' and '.join(off)} are off" if len(off) > 1 else f"{off[0]} is off"
        yield ServerFinding(False, f"{told}: what was acknowledged may be gone after a crash, and be done twice")
    else:
        yield ServerFinding(True, f"PostgreSQL {version} keeps what it has acknowledged")


def _ours(found: Mapping[str, str], address: PostgresAddress) -> Iterator[ServerFinding]:
    """What a connection was begun with has arrived: a pooler in between may drop it."""
    wanted = {"statement_timeout": f"{STATEMENT}s", "lock_timeout": f"{LOCK}s", "search_path": address.schema}
    other = [f"{name} is {found[name]!r}" for name, value in wanted.items() if found[name] != value]
    if other:
        told = f"{', '.join(other)}: something between drops what the engine connects with"
        yield ServerFinding(False, f"{told}; connect to the server itself, or let it pass `options`")
    else:
        yield ServerFinding(True, f"statements end after {STATEMENT} s, and locks are waited for {LOCK} s")


def _rights(raw: psycopg.Connection[Any], address: PostgresAddress) -> Iterator[ServerFinding]:
    """Whether the role may write to every table."""
    sql = (
        "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r'"
        " AND NOT has_table_privilege(oid, %s) ORDER BY relname"
    )
    for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
        missing = [name for (name,) in raw.execute(sql, (address.schema, right)).fetchall()]
        if missing:
            yield ServerFinding(False, f"this role has no right to {right} in {', '.join(missing)}")


def _room(raw: psycopg.Connection[Any], found: Mapping[str, str]) -> Iterator[ServerFinding]:
    row = raw.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'").fetchone()
    assert row is not None
    free = int(found["max_connections"]) - int(found["superuser_reserved_connections"]) - int(row[0])
    told = f"{free} of {found['max_connections']} connections are free, and a process of the engine takes {CONNECTIONS}"
    yield ServerFinding(free >= CONNECTIONS, told)


def _clock(raw: psycopg.Connection[Any]) -> ServerFinding:
    row = raw.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    apart = abs((row[0] - datetime.now(UTC)).total_seconds())
    told = f"its clock and this machine's are {apart:.1f} s apart"
    return ServerFinding(True, f"{told}: all goes by the server's")
