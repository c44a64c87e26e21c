"""`engine schema`."""

from __future__ import annotations

from pathlib import Path

import click

from engine.bundle import schema_files
from engine.cli.console.files import write
from engine.cli.console.output import say, say_lines
from engine.diagnostic import did_you_mean


@click.command(
    "schema",
    epilog="""\b
Examples:
  engine schema
  engine schema policy
  engine schema --write schemas""",
)
@click.argument("name", required=False)
@click.option(
    "--write", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="Generate all schemas into DIR."
)
def command(name: str | None, write: Path | None) -> None:
    """Print a JSON Schema of a kind of document or of a contract; without NAME, list them."""
    if write is not None:
        _write(write)
        return
    known = {path.name.split(".")[0]: path for path in sorted(schema_files.directory().glob("*.schema.json"))}
    if name is None:
        say_lines("\n".join(known))
        return
    if name.lower() not in known:
        raise click.UsageError(f"there is no schema `{name}`; {did_you_mean(name.lower(), known)}")
    say_lines(known[name.lower()].read_text("utf-8"), end=False)


def _write(directory: Path) -> None:
    # the models are only needed to generate: everything else reads the files
    from engine.bundle.json_schemas import schemas

    for file, text in schemas().items():
        write(directory / file, text)
        say(directory / file)
