"""Schema 17: a key that is longer than indexes take stands under a short one."""

from __future__ import annotations

import sqlite3

from engine.store.projection import row_key


def migrate(connection: sqlite3.Connection) -> None:
    """Put every key under what it is looked for by now."""
    for table in ("idempotency_keys", "meter_entries"):
        for (key,) in connection.execute(f"SELECT DISTINCT key FROM {table}").fetchall():
            if row_key(key) != key:
                connection.execute(f"UPDATE {table} SET key = ? WHERE key = ?", (row_key(key), key))
