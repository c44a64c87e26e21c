"""Arguments that many commands take."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_STORE = "sqlite:///.engine/engine.db"


def bundle_argument(function: F) -> F:
    """BUNDLE, a directory; the current one unless given."""
    kind = click.Path(exists=True, file_okay=False, path_type=Path)
    return click.argument("bundle", type=kind, default=".", required=False)(function)


def store_option(function: F) -> F:
    """--store URL."""
    return click.option(
        "--store",
        "store_url",
        metavar="URL",
        default=lambda: os.environ.get("ENGINE_STORE") or DEFAULT_STORE,
        show_default=f"$ENGINE_STORE or {DEFAULT_STORE}",
        help="Where sessions are kept: sqlite:///PATH or memory:",
    )(function)


def root_option(function: F) -> F:
    """--bundle DIR."""
    return click.option(
        "--bundle",
        "root",
        metavar="DIR",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Where the session's databases lie, if the bundle's directory has moved.",
    )(function)


def format_option(*formats: str) -> Callable[[F], F]:
    """--format, the first one is the default."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="How to print.",
    )


def detach_option(function: F) -> F:
    """--detach."""
    said = "Record it, print the session's id and leave; a worker drives it."
    return click.option("--detach", is_flag=True, help=said)(function)
