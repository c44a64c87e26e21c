"""`engine init`."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.console.output import say, say_lines
from engine.private_files import make_folder, write_bytes

STARTER = Path(__file__).parent.parent / "starter"


@click.command("init", epilog="Example: engine init my-agent && cd my-agent && engine test")
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def command(directory: Path) -> None:
    """Make a new bundle in DIR, which must be empty or absent: it validates, runs and tests."""
    if directory.exists() and any(directory.iterdir()):
        raise click.UsageError(f"{directory} is not empty; name a new directory")
    make_folder(directory)
    for source in sorted(p for p in STARTER.rglob("*") if p.is_file() and p.suffix != ".pyc"):
        name = source.relative_to(STARTER)
        path = directory / (".gitignore" if name == Path("gitignore") else name)
        make_folder(path.parent)
        write_bytes(path, source.read_bytes())
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        say(path)
    run = '-m "Please cancel my order" --set customer=ada --set order_id=o-1'
    say_lines(
        f"next:\n  cd {directory}\n  engine validate\n  engine test\n  engine run --agent order-desk {run}", err=True
    )
