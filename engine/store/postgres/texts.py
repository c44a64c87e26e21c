"""Texts that PostgreSQL can't hold: it takes every character but NUL, which SQLite and JSON take as well."""

from __future__ import annotations

from typing import Any

# what NUL is stored as, and what the character that says so is stored as
_MARK = "\x1a"
_STORED = ((_MARK, f"{_MARK}1"), ("\x00", f"{_MARK}0"))


def as_stored(value: Any) -> Any:
    """A value as the server takes it: texts without NUL, of which no two become the same.

    >>> as_stored("a\\x00b")
    'a\\x1a0b'
    """
    if isinstance(value, str) and ("\x00" in value or _MARK in value):
        for told, stored in _STORED:
            value = value.replace(told, stored)
    return value


def as_given(value: Any) -> Any:
    """A value that the server holds as it was before.

    >>> as_given(as_stored("a\\x00b\\x1a"))
    'a\\x00b\\x1a'
    """
    if isinstance(value, str) and _MARK in value:
        for told, stored in reversed(_STORED):
            value = value.replace(stored, told)
    return value


def row_as_given(row: Any) -> Any:
    """A row, or None, with its texts as they were before."""
    if row is None or not any(isinstance(value, str) and _MARK in value for value in row):
        return row
    return tuple(as_given(value) for value in row)
