"""The product's name: one everywhere, and the old one only where something stands on it."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from engine.cli.main import main
from engine.extras import MODULES, install
from engine.version import __version__

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OLD = re.compile(r"agent[-_]engine", re.IGNORECASE)
# each with why it has to stay; this file looks for it
STAYS = {
    "engine/runtime/cipher.py": "keys are derived from it: under another, nothing that is sealed would open",
    "tests/runtime/test_sealed_by_earlier_versions.py": "says which version wrote the store that it opens",
    "tests/test_name.py": "looks for it",
    "CHANGELOG.md": "says what the name was",
}


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a checkout")
    return done.stdout.split("\0")[:-1]


def test_the_old_name_stands_only_where_it_has_to() -> None:
    names = tracked()
    assert not [name for name in names if OLD.search(name)]
    files = [name for name in names if (ROOT / name).is_file()]
    assert {name for name in files if OLD.search((ROOT / name).read_bytes().decode("utf-8", "replace"))} == set(STAYS)


def test_the_constants_that_keys_are_derived_from_have_the_name_of_before_and_nothing_else_has() -> None:
    text = (ROOT / "engine/runtime/cipher.py").read_text()
    assert re.findall(r'b"(agent-engine [a-z ]+)"', text) == [
        "agent-engine sealed values",
        "agent-engine compared values",
    ]
    assert len(OLD.findall(text)) == 2


def test_the_distribution_and_its_extras_have_the_name_of_the_product() -> None:
    assert PROJECT["project"]["name"] == "steadyhand"
    extras = PROJECT["project"]["optional-dependencies"]
    for extra in MODULES:
        assert install(extra) == f"pip install 'steadyhand[{extra}]'"
        assert extra in extras


def test_both_commands_are_the_same() -> None:
    assert PROJECT["project"]["scripts"] == {"engine": "engine.cli.main:main", "steadyhand": "engine.cli.main:main"}


def test_the_version_needs_no_installed_metadata(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"engine {__version__}\n"
