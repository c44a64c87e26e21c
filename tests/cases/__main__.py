"""`make cases`: run a folder of inputs that failed once, and compare with what each is expected to give."""

from __future__ import annotations

import argparse
import sys
import tempfile
import textwrap
from pathlib import Path

import click

from tests.cases.expected import expected
from tests.cases.run import run

FOLDERS = ("reports", "attacks", "newcomer")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-k", default="", help="only the cases whose names hold this; all that they say is printed")
    parser.add_argument("--engine", default="", help="another engine than this checkout's")
    given = parser.parse_args()
    folder = given.folder.resolve()
    if not all((folder / name).is_dir() for name in FOLDERS):
        click.echo(f"there is no folder of cases at {folder}: name one, as in `make cases CASES=DIR`", err=True)
        return 2
    listed = [case for case in expected() if given.k in case.name]
    failed = 0
    for name, problem in strays(folder):
        failed += 1
        tell(name, problem, "")
    engine = Path(given.engine or Path(sys.executable).with_name("engine")).resolve()
    for case in listed:
        with tempfile.TemporaryDirectory(prefix="case-") as at:
            ran = run(case, folder, Path(at), engine)
        failed += bool(ran.problem)
        tell(case.name, ran.problem, f"{ran.seconds:.0f} s, {ran.megabytes} MB")
        if ran.problem or given.k:
            lines = ran.output.splitlines()[-500 if given.k else -25 :]
            click.echo(textwrap.indent("\n".join(line[:300] for line in lines), "    | ", lambda line: True))
    click.echo(f"{len(listed)} cases, {failed} not as expected")
    return 1 if failed else 0


def strays(folder: Path) -> list[tuple[str, str]]:
    """What is in the folder and not in the list, and the other way round."""
    there = {f"{name}/{entry.name}" for name in FOLDERS for entry in (folder / name).iterdir()}
    listed = {name for case in expected() for name in case.stands_for}
    unknown = [(name, "it is in the folder, and expected.yaml does not know it") for name in sorted(there - listed)]
    return unknown + [(name, "expected.yaml has it, and the folder has not") for name in sorted(listed - there)]


def tell(name: str, problem: str, cost: str) -> None:
    mark = click.style("not as expected", fg="red") if problem else click.style("as expected", fg="green")
    click.echo(f"{mark}  {name}{f' ({cost})' if cost else ''}{f': {problem}' if problem else ''}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
