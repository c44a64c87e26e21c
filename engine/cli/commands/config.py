"""`engine config`: what a service runs with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.cli.console.options import format_option
from engine.cli.console.service_config import config_option, settings_or_exit
from engine.cli.console.trace_printer import print_json, table
from engine.language.value import jsonable, one_line


@click.group("config", epilog="Example: engine config show --config engine.yaml")
def command() -> None:
    """Look at what a service runs with."""


@command.command(
    "show",
    epilog="""\b
Examples:
  engine config show --config engine.yaml
  ENGINE_PORT=9000 engine config show --config engine.yaml --format json""",
)
@config_option
@format_option("text", "json")
def show(config: Path | None, output_format: str) -> None:
    """Check the settings, and print each with where it comes from.

    Of a secret there is only its name. A variable of the environment (`ENGINE_PORT`) counts before the file, and an
    option of `engine serve` before both.
    """
    settings = settings_or_exit(config, {})
    rows = [(name, value, settings.origins.get(name, "")) for name, value in _flat(settings.plain)]
    if output_format == "json":
        print_json([{"name": name, "value": value, "from": origin} for name, value, origin in rows])
        return
    table("settings", ["name", "value", "from"], [[name, one_line(value), origin] for name, value, origin in rows])


def _flat(plain: Any) -> list[tuple[str, Any]]:
    return [(name, jsonable(str(value) if isinstance(value, Path) else value)) for name, value in plain.items()]
