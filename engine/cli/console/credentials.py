"""Tokens that `engine login` keeps for this user, by store: a file that nobody else reads."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from engine.private_files import make_file, make_folder


def credentials_file() -> Path:
    """Where they are kept."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return Path(base) / "steadyhand" / "credentials.json"


def stored_token(store: str) -> str | None:
    """The token that was kept for a store."""
    return _known().get(store)


def store_token(store: str, secret: str | None) -> None:
    """Keep a token for a store, or with None forget it."""
    known = {name: value for name, value in _known().items() if name != store}
    if secret is not None:
        known[store] = secret
    path = credentials_file()
    make_folder(path.parent)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    make_file(new)
    new.write_text(json.dumps(known, indent=2) + "\n", "utf-8")
    os.replace(new, path)


def _known() -> dict[str, str]:
    path = credentials_file()
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{path} can't be read: {error}") from None
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}
