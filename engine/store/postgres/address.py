"""Where a store lies on a PostgreSQL server, and how long its answers are waited for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from engine.store.faults import BadStoreUrl

SCHEMA, _SCHEMA = "engine", "schema="
# a longer one would be cut off by the server, and be another's
LONGEST_SCHEMA = 40
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

    @property
    def url(self) -> str:
        """As it can be given again."""
        return _url(self.schema, self.options)

    def lock(self, name: str) -> int:
        """The number by which the server knows a name that a write holds."""
        told = sha256(f"{self.schema}\0{name}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(told[:8], "big", signed=True)

    def connect(self, application: str, idle: int = STATEMENT) -> psycopg.Connection[Any]:
        """A connection on which each statement is its own transaction unless one was begun; raises psycopg.Error.

        The server ends a transaction in which nothing was asked for so many seconds as `idle` says.
        """
        bounds = f"-c statement_timeout={STATEMENT}s -c lock_timeout={LOCK}s -c timezone=UTC"
        # the server lets go of who is gone as soon as this end does of a server
        gone = f"-c tcp_user_timeout={NETWORK}s -c tcp_keepalives_idle=2 -c tcp_keepalives_interval=1"
        ends = f"-c idle_in_transaction_session_timeout={idle}s {gone} -c tcp_keepalives_count=3"
        told = {
            **self.options, **_NETWORK, "application_name": application,
            "options": f"{self.options.get('options', '')} {bounds} {ends} -c search_path={self.schema}".strip(),
        }  # fmt: skip
        return psycopg.connect(**told, autocommit=True)


def one_line(error: Exception) -> str:
    """What the server said, without its lines."""
    return " ".join(str(error).split()) or type(error).__name__


def address_of(url: str) -> PostgresAddress:
    """The address that `postgresql://USER@HOST/DATABASE?schema=NAME` means; raises BadStoreUrl."""
    # what else stands in it is libpq's, as it is
    before, _, query = url.partition("?")
    own = [part.removeprefix(_SCHEMA) for part in query.split("&") if part.startswith(_SCHEMA)]
    schema = own[0] if own else SCHEMA
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", schema) or len(schema) > LONGEST_SCHEMA:
        told = f"is small letters, digits and `_`, {LONGEST_SCHEMA} at most"
        raise BadStoreUrl(f"the schema {schema[:60]!r} of a store {told}")
    rest = "&".join(part for part in query.split("&") if not part.startswith(_SCHEMA))
    plain = f"{before}?{rest}" if rest else before
    try:
        options = {name: value for name, value in conninfo_to_dict(plain).items() if value is not None}
    except psycopg.Error as error:
        raise BadStoreUrl(f"the store's URL is not understood: {one_line(error)}") from None
    if "password" in options:
        told = "a password in a store's URL is seen by whoever lists processes"
        raise BadStoreUrl(f"{told}: give it in PGPASSWORD, or in the file that PGPASSFILE names")
    if "dbname" not in options:
        raise BadStoreUrl("the store's URL names no database: postgresql://USER@HOST/DATABASE")
    shown = f"{options['dbname']} at {options.get('host', 'this machine')}"
    return PostgresAddress(schema, shown, options)


def _url(schema: str, options: Mapping[str, Any]) -> str:
    """An address as it can be given again; what else connecting needs stands where it stood."""
    host, port, user = options.get("host", ""), options.get("port", ""), options.get("user", "")
    place = f"{quote(user)}@" if user else ""
    if host and not host.startswith("/"):
        place += host
    place += f":{port}" if port else ""
    socket = f"host={quote(host, safe='')}&" if host.startswith("/") else ""
    return f"postgresql://{place}/{quote(options['dbname'])}?{socket}schema={schema}"
