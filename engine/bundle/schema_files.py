"""The generated schemas as files: in a wheel they lie beside the code, in a checkout in `schemas/`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

KINDS = ("Agent", "Tool", "Database", "Server", "Prices", "Policy", "Vocabulary", "Reviewers", "Fixture")
# what an operator configures, which is never part of a bundle
SERVICE_KINDS = ("Service", "Access", "Webhook", "Notification", "Schedule")

_PACKAGE = Path(__file__).resolve().parent.parent


def directory() -> Path:
    """Where the schemas of this installation lie."""
    inside = _PACKAGE / "schemas"
    return inside if inside.is_dir() else _PACKAGE.parent / "schemas"


@cache
def schema(kind: str) -> dict[str, Any]:
    """The schema of a kind of document."""
    found: dict[str, Any] = json.loads((directory() / f"{kind.lower()}.schema.json").read_text("utf-8"))
    return found
