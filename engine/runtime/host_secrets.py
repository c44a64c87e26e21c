"""Secrets from the environment or from a mounted directory, and their masking wherever they turn up."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

from engine.ports.resources import OWN_NAMES, MissingSecret
from engine.session.partial_text import overlap

T = TypeVar("T")

# what can't hold a secret
_PLAIN = frozenset({int, float, bool, Decimal, type(None)})

DIRECTORY = "ENGINE_SECRETS"
MASK = "[secret]"

# a shorter one could not be told from other text, and so could not be masked
SHORTEST = 4
LARGEST = 64_000
DEEPEST = 200

_ESCAPE = re.compile("%[0-9A-F]{2}")


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
        held = max((overlap(masked, form) for form in self._masks), default=0)
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
        known = {*self._masks, *_forms(value)}
        self._masks = dict.fromkeys(sorted(known, key=len, reverse=True))


def _forms(value: str) -> Iterator[str]:
    """The forms that a secret may turn up in: plain, in a URL, in JSON, as hex digits, in base64."""
    raw = value.encode()
    yield value
    for quoted in (quote(value, safe=""), quote(value), quote_plus(value)):
        yield quoted
        yield _ESCAPE.sub(lambda found: found[0].lower(), quoted)
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        yield text[1:-1]
        yield text[1:-1].replace("/", r"\/")
    yield raw.hex()
    yield raw.hex().upper()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(raw).decode().rstrip("=")
        yield from _within(raw, encode)


def _within(raw: bytes, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    """What base64 makes of it behind one, two or three bytes of something else, as in `user:secret`."""
    for before in range(3):
        text = encode(bytes(before) + raw).decode().rstrip("=")
        # characters at the ends hold bits of what stands beside it too
        end = len(text) - ((before + len(raw)) % 3 > 0)
        found = text[(0, 2, 3)[before] : end]
        if len(found) >= SHORTEST:
            yield found
