"""The command line as a user has it: real processes, real files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli import warm

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("specs", "policies", "prompts", "fixtures")
CHARGED = "I was charged twice and your docs didn't help."


def copy_of_root(at: Path) -> Path:
    """The root bundle, without the databases that were made meanwhile."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, at / name, ignore=shutil.ignore_patterns("*.db*"))
    return at


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment(store: Path) -> dict[str, str]:
    """The caller's, with a store of the test's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ENGINE_", "COV"))}
    coverage = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return {**kept, **coverage, "ENGINE_STORE": f"sqlite:///{store}"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "engine", *arguments]


@dataclass(frozen=True)
class Shell:
    """Runs commands in a directory, with one store."""

    at: Path

    def __call__(self, *arguments: str, **more: str) -> Done:
        env = environment(self.at / "store.db") | more
        if warm.fits(env):
            return Done(*warm.run(arguments, self.at, env))
        done = subprocess.run(command(*arguments), cwd=self.at, env=env, capture_output=True, text=True, timeout=600)
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(*arguments), cwd=self.at, env=environment(self.at / "store.db"), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def triage(self, account: str, *more: str, message: str = CHARGED, tenant: str = "acme") -> Done:
        return self(
            "run", ".", "--agent", "support-triage", "-m", message, "--set", f"tenant={tenant}", "--set",
            f"account_id={account}", *more,
        )  # fmt: skip

    def rows(self, sql: str = "SELECT count(*) FROM refund_cases") -> list[list[Any]]:
        import sqlite3

        connection = sqlite3.connect(self.at / "specs/databases/billing.db")
        found = [list(row) for row in connection.execute(sql)]
        connection.close()
        return found
