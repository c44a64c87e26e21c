"""Secrets from the environment or from a mounted directory, and their masking wherever they turn up."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

from engine.policy.value import canonical
from engine.reach import OWN_NAMES, MissingSecret

T = TypeVar("T")

# what can't hold a secret
_PLAIN = frozenset({int, float, bool, Decimal, type(None)})

DIRECTORY = "ENGINE_SECRETS"
MASK = "[secret]"

# a shorter one could not be told from other text, and so could not be masked
SHORTEST = 4
LARGEST = 64_000
DEEPEST = 200


class HostSecrets:
    """Secrets of this machine: a file of the directory that $ENGINE_SECRETS names, else the environment."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._masks: dict[str, None] = {}

    def reveal(self, name: str) -> str:
        """The secret; raises MissingSecret."""
        if name in OWN_NAMES:
            raise MissingSecret(f"{name} is the engine's own, and no secret for anything else")
        value = self._from_directory(name)
        if value is None:
            value = self._environment.get(name)
        if value is None:
            folder = self._environment.get(DIRECTORY)
            hint = f"${DIRECTORY} may name a directory with a file for each"
            where = f"neither in the environment nor in {folder}" if folder else f"not in the environment; {hint}"
            raise MissingSecret(f"the secret {name} is {where}")
        value = value.rstrip("\r\n")
        if len(value) < SHORTEST:
            raise MissingSecret(f"the secret {name} is shorter than {SHORTEST} characters and could not be masked")
        self._know(value)
        return value

    def masked(self, value: T) -> T:
        """A copy of a text or of plain JSON without any secret that was revealed."""
        found: T = self._masked(value, 0) if self._masks else value
        return found

    def beginning(self, text: str) -> str:
        """The same of a text that goes on: without an end that may become a secret."""
        masked = self.masked(text)
        held = max((_overlap(masked, form) for form in self._masks), default=0)
        return masked[: len(masked) - held]

    def _masked(self, value: Any, depth: int) -> Any:
        if depth > DEEPEST:
            return MASK  # what is nested deeper is refused anyway
        if type(value) in _PLAIN:
            return value
        if isinstance(value, str):
            for form in self._masks:
                if form in value:
                    value = value.replace(form, MASK)
            return value
        if isinstance(value, Mapping):
            return {self._masked(key, depth): self._masked(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            found = [self._masked(item, depth + 1) for item in value]
            return found if isinstance(value, list) else tuple(found)
        return value

    def _from_directory(self, name: str) -> str | None:
        folder = self._environment.get(DIRECTORY)
        if not folder:
            return None
        path = Path(folder) / name
        try:
            return path.read_text("utf-8")[:LARGEST].rstrip("\r\n")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise MissingSecret(f"the secret {name} can't be read: {type(error).__name__}") from None

    def _know(self, value: str) -> None:
        """Remember every form in which the secret may turn up, longer ones first."""
        raw = value.encode()
        forms = {
            value, quote(value, safe=""), quote(value), quote_plus(value), canonical(value)[1:-1], raw.hex(),
            base64.b64encode(raw).decode().rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("="),
        }  # fmt: skip
        known = {*self._masks, *forms}
        self._masks = dict.fromkeys(sorted(known, key=len, reverse=True))


def _overlap(text: str, form: str) -> int:
    """How many characters at the end of a text are the beginning of a secret."""
    most = min(len(text), len(form) - 1, 512)
    return next((size for size in range(most, 0, -1) if text.endswith(form[:size])), 0)
