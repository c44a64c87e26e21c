"""`engine init --example`: the bundle that the guides speak of."""

from __future__ import annotations

from pathlib import Path

from tests.cli.shell import FOLDERS, ROOT, Shell


def files(at: Path) -> dict[str, bytes]:
    found = [path for name in FOLDERS for path in (at / name).rglob("*") if path.is_file() and ".db" not in path.name]
    return {str(path.relative_to(at)): path.read_bytes() for path in found if "__pycache__" not in path.parts}


def test_the_example_is_the_bundle_of_the_guides_and_has_a_directory_of_its_name(empty: Shell) -> None:
    done = empty("init", "--example", "support-triage")
    assert done.code == 0
    assert "cd support-triage" in done.err
    assert files(empty.at / "support-triage") == files(ROOT)
    assert ".db" in (empty.at / "support-triage/.gitignore").read_text()


def test_the_next_steps_that_are_told_of_an_example_work(empty: Shell) -> None:
    told = empty("init", "desk", "--example", "support-triage").err.splitlines()[1:]
    assert told[0].strip() == "cd desk"
    at = Shell(empty.at / "desk")
    assert at("validate").code == 0
    assert told[-1].startswith("  engine run --agent support-triage")
    run = at("run", "--agent", "support-triage", "-m", "I was charged twice", "--set", "tenant=acme", "--set",
             "account_id=acct_1001")  # fmt: skip
    assert run.code == 0


def test_without_a_directory_or_an_example_it_is_told_what_is_missing(empty: Shell) -> None:
    done = empty("init")
    assert done.code == 2
    assert "DIR" in done.err


def test_an_example_that_is_not_there_is_refused_with_those_that_are(empty: Shell) -> None:
    done = empty("init", "--example", "refunds")
    assert done.code == 2
    assert "support-triage" in done.err
    assert not list(empty.at.iterdir())


def test_an_example_is_not_written_over_what_is_there(empty: Shell) -> None:
    (empty.at / "support-triage").mkdir()
    (empty.at / "support-triage/notes.txt").write_text("mine")
    done = empty("init", "--example", "support-triage")
    assert done.code == 2
    assert "not empty" in done.err
    assert [path.name for path in (empty.at / "support-triage").iterdir()] == ["notes.txt"]
