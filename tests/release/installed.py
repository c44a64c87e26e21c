"""The distributions built, and installed into environments of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


class StepFailed(Exception):
    """A command that a release stands on, and what it said."""


def run(command: Sequence[str | Path], at: Path, *, code: int = 0, env: dict[str, str] | None = None) -> str:
    """What a command prints; raises StepFailed if it does not exit as it should."""
    done = subprocess.run(
        list(map(str, command)), cwd=at, env=env, capture_output=True, text=True, timeout=1200, check=False
    )
    if done.returncode != code:
        told = " ".join(map(str, command))
        raise StepFailed(f"{told}\nexits {done.returncode} instead of {code}\n{done.stdout}{done.stderr}")
    return done.stdout


def built(kind: str, at: Path) -> Path:
    """The distribution of a kind (`wheel` or `sdist`), built from the checkout by the hatchling that is here."""
    run([sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", at], ROOT)
    (found,) = at.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return found


@dataclass(frozen=True)
class Environment:
    """A virtual environment that holds the product as it is distributed."""

    at: Path

    @property
    def python(self) -> Path:
        return self.at / "bin" / "python"

    def variables(self, store: Path) -> dict[str, str]:
        """The caller's, with this environment first on the path, and nothing that leads to the checkout."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ENGINE_", "COV", "PYTHON"))}
        path = f"{self.at / 'bin'}{os.pathsep}{kept.get('PATH', '')}"
        return {**kept, "PATH": path, "VIRTUAL_ENV": str(self.at), "ENGINE_STORE": f"sqlite:///{store}"}

    def sh(self, command: str, at: Path, *, code: int = 0) -> str:
        """What a line of the shell prints."""
        return run(["sh", "-c", command], at, code=code, env=self.variables(at.parent / "release.db"))

    def where(self) -> Path:
        """Where the package is imported from."""
        shown = run([self.python, "-c", "import engine; print(engine.__file__)"], self.at)
        return Path(shown.strip()).parent


def borrowing(distribution: Path, at: Path) -> Environment:
    """An environment with a distribution in it that borrows the libraries of this one: quick, and without a network.

    A line of a `.pth` file adds the folder alone and not what its own `.pth` files add, so the checkout stays hidden.
    """
    run([sys.executable, "-m", "venv", "--without-pip", at], ROOT)
    made = Environment(at)
    (site,) = at.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        made.python,
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    # what is borrowed is another installation of the same distribution, which is not to be touched
    run([*pip, "--no-deps", "--no-build-isolation", "--ignore-installed", distribution], at)
    return made


def fresh(distribution: Path, at: Path, *, pinned: bool) -> Environment:
    """An environment of its own: with the libraries that are pinned here, or as anybody gets them who installs it."""
    run([sys.executable, "-m", "venv", at], ROOT)
    made = Environment(at)
    pip: list[str | Path] = [made.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if pinned:
        run([*pip, "--require-hashes", "-r", ROOT / "requirements/run.txt"], at)
        run([*pip, "--no-deps", "--no-build-isolation", distribution], at)
    else:
        run([*pip, distribution], at)
    run([made.python, "-m", "pip", "check"], at)
    return made
