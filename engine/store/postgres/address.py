"""Where a store lies on a PostgreSQL server, and how long its answers are waited for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from engine.store.faults import BadStoreUrl

SCHEMA = "engine"
# seconds: an answer of the network, of a statement, and a lock of somebody else's.  Without the first libpq waits
# through a partition for as long as the kernel does, which is minutes
NETWORK, STATEMENT, LOCK = 5, 30, 10
_NETWORK: Mapping[str, Any] = {
    "connect_timeout": NETWORK, "tcp_user_timeout": NETWORK * 1000,
    "keepalives": 1, "keepalives_idle": 2, "keepalives_interval": 1, "keepalives_count": 3,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """A database, and the schema in it that holds the store; what connecting is told beside it is hidden."""

    schema: str
    shown: str
    options: Mapping[str, Any] = field(repr=False)

    @property
    def channel(self) -> str:
        """Where those on the store tell each other what changes."""
        return f"engine {self.schema}"

    def lock(self, name: str) -> int:
        """The number by which the server knows a name that a write holds."""
        told = sha256(f"{self.schema}\0{name}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(told[:8], "big", signed=True)

    def connect(self, application: str, idle: int = STATEMENT) -> psycopg.Connection[Any]:
        """A connection on which each statement is its own transaction unless one was begun; raises psycopg.Error.

        The server ends a transaction in which nothing was asked for so many seconds as `idle` says.
        """
        bounds = f"-c statement_timeout={STATEMENT}s -c lock_timeout={LOCK}s -c timezone=UTC"
        ends = f"-c idle_in_transaction_session_timeout={idle}s"
        told = {
            **self.options, **_NETWORK, "application_name": application,
            "options": f"{self.options.get('options', '')} {bounds} {ends} -c search_path={self.schema}".strip(),
        }  # fmt: skip
        return psycopg.connect(**told, autocommit=True)


def address_of(url: str) -> PostgresAddress:
    """The address that `postgresql://USER@HOST/DATABASE?schema=NAME` means; raises BadStoreUrl."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    schema = next((value for name, value in query if name == "schema"), SCHEMA)
    if not schema.replace("_", "a").isalnum() or not schema.isascii() or not schema.islower() or schema[0].isdigit():
        raise BadStoreUrl(f"the schema {schema[:40]!r} of a store is small letters, digits and `_`")
    plain = urlunsplit(parts._replace(query=urlencode([pair for pair in query if pair[0] != "schema"])))
    try:
        options = {name: value for name, value in conninfo_to_dict(plain).items() if value is not None}
    except psycopg.Error as error:
        raise BadStoreUrl(f"the store's URL is not understood: {str(error).strip()}") from None
    if "password" in options:
        told = "a password in a store's URL is seen by whoever lists processes"
        raise BadStoreUrl(f"{told}: give it in PGPASSWORD, or in the file that PGPASSFILE names")
    if "dbname" not in options:
        raise BadStoreUrl("the store's URL names no database: postgresql://USER@HOST/DATABASE")
    shown = f"{options['dbname']} at {options.get('host', 'this machine')}"
    return PostgresAddress(schema, shown, options)
