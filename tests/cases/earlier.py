"""earlier.py SCRIPT ARGUMENT...: run a script of the folder that knows the store's inside by the names it had then."""

import runpy
import sqlite3
import sys
from collections.abc import Sequence
from typing import Any

import engine.store.sqlite
from engine.session.state.event import Event
from engine.store import chain

verify = chain.verify


def earlier_verify(session: str, segments: Sequence[chain.Segment], seq: int, link: str) -> list[str]:
    return verify(session, segments, chain.SegmentPlace(seq, link))


def open_segment(segment: chain.Segment) -> list[Event]:
    """The events of a segment; raises Unreadable."""
    try:
        return chain._events(segment, chain._lines(segment))
    except chain._DAMAGE as error:
        raise chain.UnreadableSegment(str(error)) from None


class Connection(sqlite3.Connection):
    """Fills in what a snapshot has got since, as whoever can write the file would."""

    def execute(self, sql: str, given: Any = ()) -> sqlite3.Cursor:
        if sql == "insert or replace into snapshots values(?,?,?,?)":
            sql = (
                "INSERT OR REPLACE INTO snapshots (session_id, seq, version, body, link, hmac, key_id) "
                "SELECT ?1, ?2, ?3, ?4, head_hash, coalesce(head_hmac, ''), coalesce(key_id, '') FROM sessions WHERE id = ?1"
            )
        return super().execute(sql, given)


def connect(path: str, *given: Any, connect: Any = sqlite3.connect, **named: Any) -> sqlite3.Connection:
    named.setdefault("factory", Connection)
    made: sqlite3.Connection = connect(path, *given, **named)
    return made


EARLIER: tuple[tuple[object, str, object], ...] = (
    (chain, "verify", earlier_verify),
    (chain, "open_segment", open_segment),
    (engine.store.sqlite, "_verify", earlier_verify),
    (sqlite3, "connect", connect),
)
for module, name, then in EARLIER:
    setattr(module, name, then)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
