"""Which SQL only asks: an authorizer that lets a statement look at a SQLite database, and do nothing with it."""

from __future__ import annotations

import sqlite3

_LOOKS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})

# what these are given names a table or a number of lines; given anything, any other pragma sets it
_ABOUT = frozenset(
    {
        "table_info",
        "table_xinfo",
        "table_list",
        "index_info",
        "index_xinfo",
        "index_list",
        "foreign_key_list",
        "foreign_key_check",
        "integrity_check",
        "quick_check",
    }
)
_GIVEN_NOTHING = frozenset(
    {
        "user_version",
        "application_id",
        "schema_version",
        "foreign_keys",
        "journal_mode",
        "encoding",
        "page_count",
        "page_size",
        "freelist_count",
        "database_list",
        "collation_list",
        "compile_options",
        "data_version",
    }
)


def only_asks(action: int, first: str | None = None, second: str | None = None, *_: object) -> bool:
    """Whether what SQLite asks an authorizer for leaves the database, and its connection, as they are."""
    if action == sqlite3.SQLITE_PRAGMA:
        name = (first or "").lower()
        return name in _ABOUT or (name in _GIVEN_NOTHING and second is None)
    # how a virtual table is declared when it is first looked at; no statement of a user's may write there
    declares = action == sqlite3.SQLITE_UPDATE and first == "sqlite_master"
    return declares or action in _LOOKS


def authorize(action: int, *about: str | None) -> int:
    """The same as SQLite takes it."""
    return sqlite3.SQLITE_OK if only_asks(action, *about) else sqlite3.SQLITE_DENY


def was_refused(error: sqlite3.Error) -> bool:
    """Whether that is what a statement was kept from, which SQLite tells by its words alone for some."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_AUTH or str(error) == "not authorized"
