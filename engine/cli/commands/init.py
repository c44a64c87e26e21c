"""`engine init`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from engine.bundle.files import DOCUMENT_FOLDERS, PROMPT_FOLDER
from engine.cli.console.output import say, say_lines
from engine.private_files import make_folder, write_bytes

STARTER = Path(__file__).parent.parent / "starter"
_PACKAGE = Path(__file__).resolve().parent.parent.parent

# by example: the session that the next steps begin
EXAMPLES = {
    "support-triage": '--agent support-triage -m "I was charged twice and your docs didn\'t help." '
    "--set tenant=acme --set account_id=acct_1001"
}
_STARTED = '--agent order-desk -m "Please cancel my order" --set customer=ada --set order_id=o-1'


@click.command(
    "init",
    epilog="Examples: engine init my-agent && cd my-agent && engine test;  engine init --example support-triage",
)
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--example",
    type=click.Choice(tuple(EXAMPLES)),
    help="The bundle that the guides speak of, instead of a small one to begin with; DIR may then be left out.",
)
def command(directory: Path | None, example: str | None) -> None:
    """Make a new bundle in DIR, which must be empty or absent: it validates, runs and tests."""
    if directory is None and example is None:
        raise click.UsageError("Missing argument 'DIR': name the directory of the new bundle")
    made = directory if directory is not None else Path(str(example))
    if made.exists() and any(made.iterdir()):
        raise click.UsageError(f"{made} is not empty; name a new directory")
    files = dict(_starter() if example is None else _example(example))
    make_folder(made)
    for name, source in files.items():
        make_folder((made / name).parent)
        write_bytes(made / name, source.read_bytes())
    for path in sorted(made / name for name in files):
        say(path)
    run = EXAMPLES[example] if example is not None else _STARTED
    say_lines(f"next:\n  cd {made}\n  engine validate\n  engine test\n  engine run {run}", err=True)


def _starter() -> Iterator[tuple[Path, Path]]:
    """The files of the small bundle: where each goes, and where it lies."""
    for source in _files(STARTER):
        name = source.relative_to(STARTER)
        yield (Path(".gitignore") if name == Path("gitignore") else name), source


def _example(name: str) -> Iterator[tuple[Path, Path]]:
    """The files of an example: in a wheel they lie beside the code, in a checkout it is the bundle at its root."""
    inside = _PACKAGE / "examples" / name
    root = inside if inside.is_dir() else _PACKAGE.parent
    folders = [root / folder for folder in (*DOCUMENT_FOLDERS, PROMPT_FOLDER)]
    if not all(folder.is_dir() for folder in folders):
        raise click.ClickException(f"this installation has no example {name}; install Steadyhand from its wheel")
    yield Path(".gitignore"), STARTER / "gitignore"
    for source in (found for folder in folders for found in _files(folder)):
        yield source.relative_to(root), source


def _files(folder: Path) -> list[Path]:
    """What belongs to a bundle, without what running it has made there."""
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path for path in found if not path.name.endswith((".pyc", ".db", ".db-wal", ".db-shm")))
