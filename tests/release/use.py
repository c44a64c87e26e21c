"""What somebody does who has installed the product: the README's commands, and the guide's programs."""

from __future__ import annotations

import re
from pathlib import Path

from tests.release.installed import ROOT, Environment, StepFailed, run

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SESSION = re.compile(r"ses_[0-9a-f]{16}")
# what stands in the README's table as the session that waits for a reviewer
_HELD = "account_id=acct_1002"
# with `import engine`, these alone: all else is loaded by the name that needs it
LOADED = {"engine", "engine.version"}


def blocks(page: Path, kind: str) -> list[str]:
    """The blocks of a page in one language."""
    return [text for language, text in _BLOCK.findall(page.read_text("utf-8")) if language == kind]


def commands() -> list[str]:
    """The commands of the README for who has installed the package, in their order."""
    lines = [line for block in blocks(ROOT / "README.md", "sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith(("engine ", "cd "))]


def follow_readme(environment: Environment, at: Path) -> Path:
    """Run the README's commands in an empty directory; returns the bundle that they make."""
    held = ""
    for line in commands():
        if line.startswith("cd "):
            at = at / line[3:]
            continue
        said = environment.sh(_SESSION.sub(held, line), at, code=3 if line.endswith(_HELD) else 0)
        if line.endswith(_HELD):
            held = _SESSION.findall(said)[-1]
    return at


def programs(at: Path) -> list[Path]:
    """The programs of the embedding guide, each written to a file."""
    made = []
    for number, code in enumerate(blocks(ROOT / "docs/guides/embedding.md", "python")):
        made.append(at / f"program{number}.py")
        made[-1].write_text(code)
    return made


def loaded_by_import(environment: Environment, at: Path) -> set[str]:
    """The modules that `import engine` loads."""
    code = "import sys; before = set(sys.modules); import engine; print(*set(sys.modules) - before)"
    return set(run([environment.python, "-c", code], at).split())


def import_microseconds(environment: Environment, at: Path) -> int:
    """How long `import engine` takes by `-X importtime`, the least of five."""
    times = []
    for _ in range(5):
        script = f"'{environment.python}' -X importtime -c 'import engine' 2>&1 | grep -E '[|] engine$'"
        told = re.search(r"\|\s*(\d+) \| engine$", environment.sh(script, at).strip())
        if told is None:
            raise StepFailed("-X importtime does not tell of `engine`")
        times.append(int(told.group(1)))
    return min(times)
