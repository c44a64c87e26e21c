"""The settings of a service on the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.cli.console.bundle import show_diagnostics
from engine.cli.console.options import DEFAULT_STORE
from engine.session.exit_code import FAILED

if TYPE_CHECKING:
    from engine.config.settings import ServiceSettings

F = TypeVar("F", bound=Callable[..., Any])


def config_option(function: F) -> F:
    """--config FILE."""
    return click.option(
        "--config",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        envvar="ENGINE_CONFIG",
        help="What the service runs with, as YAML (kind: Service); $ENGINE_CONFIG unless given.",
    )(function)


def settings_or_exit(file: Path | None, options: Mapping[str, Any]) -> ServiceSettings:
    """The settings of a service; what is wrong with them is printed, and exit 1."""
    from engine.config.load import load_settings

    loaded = load_settings(file, os.environ, options, DEFAULT_STORE)
    if loaded.settings is None:
        show_diagnostics(loaded.diagnostics, loaded.sources)
        raise SystemExit(FAILED)
    return loaded.settings
