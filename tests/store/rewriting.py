"""A history that was written anew, by somebody who knows how and has no key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.language.value import canonical, loads
from engine.store import chain
from engine.store.queries import segments_of
from engine.store.sqlite_connection import connected


def rewrite(path: Path, session: str, old: str, new: str) -> None:
    """Put one text for another wherever it stands in a log, and make all links that follow from it."""
    raw = connected(path)
    (number,) = raw.execute("SELECT number FROM sessions WHERE id = ?", (session,)).fetchone()
    was, link, hits = chain.START, chain.GENESIS, 0
    for segment in segments_of(raw, session):
        end = chain.SegmentPlace(segment.last, segment.hash)
        events = []
        for event in chain.read(session, [segment], was, end):
            text = canonical(event.payload)
            hits += text.count(old)
            events.append(replace(event, payload=loads(text.replace(old, new))))
        fresh = chain.seal(events, link)
        was, link = end, fresh.hash
        values = (fresh.hash, fresh.body, number, segment.first)
        raw.execute("UPDATE segments SET hash = ?, body = ? WHERE session = ? AND first = ?", values)
    assert hits
    raw.execute("UPDATE sessions SET head_hash = ? WHERE id = ?", (link, session))
    raw.close()
