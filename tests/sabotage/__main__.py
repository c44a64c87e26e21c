"""`make sabotage`: take each mechanism out, and see that its test notices."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from tests.sabotage.patches import ROOT, Patch, patches

# seconds; the longest of these tests takes far less
PATIENCE = 300
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".engine", "*.db", "*.db-*", "__pycache__", ".coverage*", ".mypy_cache"
)


def noticed(patch: Patch, folder: Path) -> str:
    """Empty if the patch makes its test fail, else what came instead."""
    at = folder / "copy"
    shutil.copytree(ROOT, at, ignore=LEFT_OUT)
    try:
        patch.apply(at)
        env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", patch.test]
        done = subprocess.run(
            command, cwd=at, env={**env, "PYTHONPATH": str(at)}, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        # a test that does not end holds as little as one that fails
        return ""
    finally:
        shutil.rmtree(at)
    if done.returncode == 1:
        return ""
    return (
        "its test passes without it"
        if done.returncode == 0
        else f"pytest exits {done.returncode}: {done.stdout[-300:]}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-k", default="", help="only the patches whose names hold this")
    chosen = [patch for patch in patches() if parser.parse_args().k in patch.name]
    missed = 0
    with tempfile.TemporaryDirectory(prefix="sabotage-") as folder:
        for patch in chosen:
            problem = noticed(patch, Path(folder))
            missed += bool(problem)
            mark = click.style("noticed", fg="green") if not problem else click.style("MISSED ", fg="red")
            click.echo(f"{mark} {patch.name}{': ' + problem if problem else ''}")
    print(f"{len(chosen) - missed} passed, {missed} failed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
