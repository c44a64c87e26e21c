"""Tokens: made once, shown once, known by their hash.

A token is `eng_live_`, 43 characters of randomness and a checksum of 6, so that a scanner of secrets finds one, and a
mistyped one is told from one that was revoked.
"""

from __future__ import annotations

import hashlib
import unicodedata
import zlib
from collections.abc import Sequence
from datetime import datetime

from engine.access.principal import CUSTOMER, Principal
from engine.access.rights import RIGHTS, Right, Role
from engine.diagnostic.visible import line as visible
from engine.errors import EngineError
from engine.ports.access import AccessToken
from engine.random_bytes import random_hex

PREFIX = "eng_live_"
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM, _CHECK = 43, 6


class BadToken(EngineError):
    """A token that can't be made as it is wanted."""


def new_token(
    name: str, role: Role, *, person: str | None, tenant: str | None, by: str, at: datetime,
    expires_at: datetime | None, scopes: Sequence[Right] = (), groups: Sequence[str] = (),
    stands_for: str | None = None,
) -> tuple[str, AccessToken]:  # fmt: skip
    """The secret, and what is kept of it; raises BadToken."""
    if not name.strip() or (person is not None and not person.strip()):
        raise BadToken("a token has a name, and its person too")
    if person is not None and stands_for is not None:
        raise BadToken(
            "a person stands for themselves: a token is somebody's, or of a machine that stands for somebody"
        )
    names = (name, person or name, tenant or name, name if stands_for is None else stands_for)
    if not all(is_plain_name(text) for text in names) or tenant == "":
        raise BadToken("names of tokens, persons and tenants are text that can be seen, and that reads as no other")
    if CUSTOMER in (name, person, stands_for):
        raise BadToken(f"`{CUSTOMER}` is who a session is with: give the token another name")
    if expires_at is not None and expires_at <= at:
        raise BadToken("a token that has expired already would let nobody in")
    if not all(is_plain_name(group) for group in groups):
        raise BadToken("names of groups are text that can be seen")
    beyond = [right for right in scopes if right not in RIGHTS[role]]
    if beyond:
        raise BadToken(f"the role {role} may not {', '.join(beyond)}: a scope is a part of what it may")
    random = _text(int(random_hex(32), 16), _RANDOM)
    secret = f"{PREFIX}{random}{_checksum(random)}"
    kept = AccessToken(
        f"tok_{random_hex(8)}", name, hash_of(secret), role.value, person, tenant, at, by, expires_at,
        scopes=tuple(right.value for right in scopes), groups=tuple(dict.fromkeys(groups)), stands_for=stands_for,
    )  # fmt: skip
    return secret, kept


def is_plain_name(text: str) -> bool:
    """Whether a name is told from others by reading it: all of it can be seen, and it is written in one way alone."""
    seen = visible(text) == text and not any(
        unicodedata.category(char)[0] == "C" or char in _BLANK_LETTERS for char in text
    )
    return bool(text) and seen and unicodedata.normalize("NFKC", text) == text.strip() == text


# letters and marks that show nothing
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {chr(0xFE00 + n) for n in range(16)}


def hash_of(secret: str) -> str:
    """What is kept of a secret: it is random, so that no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def well_formed(secret: str) -> bool:
    """Whether it may be a token at all, which is told without a look into the store."""
    random = secret[len(PREFIX) : -_CHECK]
    return secret.startswith(PREFIX) and len(random) == _RANDOM and secret.endswith(_checksum(random))


def principal_of(token: AccessToken, at: datetime, means: str = "token") -> Principal | None:
    """Who a token lets in at a moment; None once it is revoked or has expired."""
    if token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= at):
        return None
    rights = RIGHTS[Role(token.role)] & ({Right(scope) for scope in token.scopes} or set(Right))
    return Principal(
        token.id, token.name, Role(token.role), token.person, token.tenant, means, frozenset(rights),
        frozenset(token.groups), token.expires_at,
    )  # fmt: skip


def _checksum(random: str) -> str:
    return _text(zlib.crc32(random.encode()), _CHECK)


def _text(number: int, length: int) -> str:
    found = ""
    for _ in range(length):
        number, digit = divmod(number, len(_LETTERS))
        found = _LETTERS[digit] + found
    return found
