"""A bundle that a share of new sessions begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

from engine.language.value import NotJson, canonical
from engine.spec.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Canary:
    """A bundle that a `share` of new sessions begins with, in percent, by a stable hash of an attribute of theirs.

    `number` is that of its deployment.
    """

    bundle: Bundle
    share: Decimal
    attribute: str
    number: int = 0

    def takes(self, attributes: Mapping[str, Any]) -> bool:
        """Whether a session with these attributes begins with it: always the same for the same value."""
        try:
            value = canonical(attributes[self.attribute])
        except (KeyError, NotJson):
            return False
        part = int.from_bytes(sha256(f"{self.bundle.digest}:{value}".encode()).digest()[:8])
        return part * 100 < self.share * 2**64
