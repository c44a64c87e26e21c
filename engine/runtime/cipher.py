"""The encryption of sensitive values: the same value always alike, and keys that can be replaced."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from engine.language.value import NotJson, canonical, loads
from engine.ports.resources import MissingSecret
from engine.session.sealed_tokens import PREFIX

COMPARABLE = "hmac:1:"

# as `openssl rand -hex 16` makes it; a shorter one is tried out
SHORTEST = 32


class NotOpened(MissingSecret):
    """A sealed value that none of the keys at hand has sealed."""

    def __init__(self) -> None:
        super().__init__("its sensitive values are sealed under another key than those that `sealed_with` names")


class Token(str):
    """A sealed value that was made here; any other text that looks like one is just a text."""


class Cipher:
    """Seals plain JSON under the first of its keys, opens what any of them has sealed."""

    def __init__(self, keys: Sequence[str], comparing: str) -> None:
        """`comparing` is the key for what is compared and never opened: it stays when the others are replaced."""
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        def derived(key: str, about: bytes) -> bytes:
            return HKDF(SHA256(), 64, None, about).derive(key.encode())

        # the name that the product had when the first value was sealed: under another, no store of before would open
        self._ciphers = [AESSIV(derived(key, b"agent-engine sealed values")) for key in keys]
        compared = [derived(key, b"agent-engine compared values") for key in (comparing, *keys)]
        self._comparing, self._each = compared[0], compared

    def under(self, key: str) -> Cipher:
        """A cipher with another key, which compares as this one does."""
        made = Cipher([key], "")
        made._comparing, made._each = self._comparing, self._each
        return made

    def seal(self, value: Any) -> Token:
        """The token of a value."""
        raw = self._ciphers[0].encrypt(canonical(value).encode(), None)
        return Token(PREFIX + base64.urlsafe_b64encode(raw).decode())

    def opened(self, token: str) -> Any:
        """The value of a token; raises NotOpened where none of the keys has sealed it."""
        from cryptography.exceptions import InvalidTag

        for cipher in self._ciphers:
            try:
                return loads(cipher.decrypt(base64.urlsafe_b64decode(token[len(PREFIX) :]), None))
            except (InvalidTag, ValueError, NotJson):
                continue
        raise NotOpened

    def comparable(self, value: Any) -> Token:
        """What tells equal values from others, and nothing else of them."""
        return Token(COMPARABLE + hmac.new(self._comparing, canonical(value).encode(), sha256).hexdigest())

    def comparable_by_each(self, value: Any) -> list[str]:
        """The same under each key that this was ever done with: the one that it is done with now comes first."""
        told = canonical(value).encode()
        return list(dict.fromkeys(COMPARABLE + hmac.new(key, told, sha256).hexdigest() for key in self._each))
