"""The key of the log: to those who have it, it vouches for heads and snapshots, whoever can write the store's file."""

from __future__ import annotations

import hmac
import os
import sys
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from engine.errors import EngineError
from engine.language.value import canonical
from engine.ports.resources import LOG_KEY, LOG_KEY_FILE

# in bytes: a key that is shorter could be guessed from what it seals
SHORTEST = 32
MAKE = "openssl rand -hex 32"


class BadLogKey(EngineError):
    """A key of the log that can't be used."""


@dataclass(frozen=True, slots=True)
class HeadSeal:
    """What a key says of a head or a snapshot: an HMAC-SHA256 in hexadecimal, and which key."""

    hmac: str
    key_id: str


@dataclass(frozen=True, slots=True)
class LogKey:
    """Keys of the log: the first seals, and each of them vouches for what it has sealed.

    A key is replaced by writing the new one before the old; `engine sessions seal` then seals what still rests.
    """

    keys: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Voucher:
    """Vouches with a key for what stands in one store."""

    store: str
    key: LogKey

    def head(self, session_id: str, seq: int, link: str) -> HeadSeal:
        """The seal of a session's head."""
        return _sealed(self.key.keys[0], self._head(session_id, seq, link))

    def knows_head(self, seal: HeadSeal, session_id: str, seq: int, link: str) -> bool:
        """Whether this is a seal of the head, by any of the keys."""
        return self._knows(seal, self._head(session_id, seq, link))

    def snapshot(self, session_id: str, seq: int, link: str, version: str, body: bytes) -> HeadSeal:
        """The seal of a snapshot: of its content too."""
        return _sealed(self.key.keys[0], self._snapshot(session_id, seq, link, version, body))

    def knows_snapshot(self, seal: HeadSeal, session_id: str, seq: int, link: str, version: str, body: bytes) -> bool:
        """Whether this is a seal of the snapshot, by any of the keys."""
        return self._knows(seal, self._snapshot(session_id, seq, link, version, body))

    def _head(self, session_id: str, seq: int, link: str) -> list[object]:
        return ["head", self.store, session_id, seq, link]

    def _snapshot(self, session_id: str, seq: int, link: str, version: str, body: bytes) -> list[object]:
        return ["snapshot", self.store, session_id, seq, link, version, sha256(body).hexdigest()]

    def _knows(self, seal: HeadSeal, told: Sequence[object]) -> bool:
        key = next((key for key in self.key.keys if _id(key) == seal.key_id), None)
        return key is not None and hmac.compare_digest(seal.hmac.encode(), _sealed(key, told).hmac.encode())


def _sealed(key: bytes, told: Sequence[object]) -> HeadSeal:
    return HeadSeal(hmac.new(key, canonical([_id(key), *told]).encode(), sha256).hexdigest(), _id(key))


def _id(key: bytes) -> str:
    return hmac.new(key, b"the id of this key", sha256).hexdigest()[:16]


def taken_from(environment: MutableMapping[str, str]) -> LogKey | None:
    """The key that the environment holds or names a file of, and which is taken out of it; raises BadLogKey.

    Nothing that this process starts inherits it.  Several keys stand apart by white space; an empty text is no key.
    """
    if environment is os.environ:
        _wipe(LOG_KEY)
    text, file = environment.pop(LOG_KEY, ""), environment.pop(LOG_KEY_FILE, "")
    source = LOG_KEY
    if text and not text.strip():
        # somebody meant to give one, and the store would be written without
        raise BadLogKey(f"{LOG_KEY} holds nothing but white space; leave it out, or make one with: {MAKE}")
    if file and text:
        raise BadLogKey(f"give the log's key with either {LOG_KEY} or {LOG_KEY_FILE}")
    if file:
        source = f"{LOG_KEY_FILE} {file}"
        try:
            text = Path(file).read_text("utf-8-sig")
        except (OSError, ValueError) as error:
            raise BadLogKey(f"{source} can't be read: {error}") from None
        if not text.strip():
            raise BadLogKey(f"{source} holds no key")
    keys = tuple(word.encode() for word in text.split())
    if any(len(key) < SHORTEST for key in keys):
        raise BadLogKey(f"a key in {source} is shorter than {SHORTEST} bytes; make one with: {MAKE}")
    return LogKey(keys) if keys else None


def _wipe(name: str) -> None:
    """Overwrite what a variable of this process holds, where there is one.

    Linux shows the memory that a process was started with, /proc/PID/environ, to whoever runs as its user.
    """
    if sys.platform != "linux":
        return
    import ctypes

    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    place = libc.getenv(name.encode())
    if place:
        ctypes.memset(place, 0, len(ctypes.string_at(place)))
