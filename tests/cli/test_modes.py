"""What the engine makes belongs to who runs it, whatever the umask says."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
import trio

from tests.cli.shell import Shell, command, environment
from tests.model import server as s
from tests.model.test_cassettes import lay_out

UMASKS = ["000", "022", "077", "277"]


def under(umask: str, at: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f'umask {umask}; exec "$@"', "sh", *command(*arguments)], cwd=at,
        env=environment(at / "made/deep/store.db") | more, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


def open_to_others(folder: Path, before: set[Path] = frozenset()) -> list[str]:  # type: ignore[assignment]
    """What was made since and is not its owner's alone: files 0600, folders 0700."""
    found = []
    for path in sorted(set(folder.rglob("*")) - before):
        if "__pycache__" in path.parts or path.is_symlink():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode != (0o700 if path.is_dir() else 0o600):
            found.append(f"{path.relative_to(folder)} {mode:04o}")
    return found


@pytest.mark.parametrize("umask", UMASKS)
def test_a_store_and_what_is_above_it_are_its_owners_alone(shell: Shell, umask: str) -> None:
    before = set(shell.at.rglob("*"))
    done = under(
        umask, shell.at, "run", ".", "--agent", "support-triage", "-m", "hi", "--set", "tenant=acme", "--set",
        "account_id=A-1001",
    )  # fmt: skip
    assert (shell.at / "made/deep/store.db").exists(), done.stderr
    assert open_to_others(shell.at / "made") == []
    assert [one for one in open_to_others(shell.at, before) if one.startswith("made ")] == []


@pytest.mark.parametrize("umask", UMASKS)
def test_the_databases_of_a_bundle_are_its_owners_alone(shell: Shell, umask: str) -> None:
    before = set(shell.at.rglob("*"))
    under(
        umask, shell.at, "run", ".", "--agent", "support-triage", "-m", "I was charged twice and your docs didn't help.",
        "--set", "tenant=acme", "--set", "account_id=A-1001",
    )  # fmt: skip
    made = [path for path in set(shell.at.rglob("*.db*")) - before if "store" not in path.name]
    assert made
    assert [one for one in open_to_others(shell.at, before) if ".db" in one] == []


@pytest.mark.parametrize("umask", UMASKS)
def test_a_new_bundle_is_its_owners_alone(empty: Shell, umask: str) -> None:
    done = under(umask, empty.at, "init", "new/desk")
    assert done.returncode == 0, done.stderr
    assert open_to_others(empty.at) == []


def test_a_new_bundle_in_a_folder_that_was_there_leaves_the_folder_as_it_was(empty: Shell) -> None:
    (empty.at / "desk").mkdir(mode=0o755)
    (empty.at / "desk").chmod(0o755)
    assert under("000", empty.at, "init", "desk").returncode == 0
    assert stat.S_IMODE((empty.at / "desk").stat().st_mode) == 0o755
    assert open_to_others(empty.at / "desk") == []


@pytest.mark.parametrize("umask", UMASKS)
async def test_a_recording_is_its_owners_alone(tmp_path: Path, umask: str) -> None:
    async with s.serving(s.decides("Bye")) as server:
        lay_out(tmp_path, server.url)
        argv = ["sh", "-c", f'umask {umask}; exec "$@"', "sh", *command("run", "-m", "hi", "--record", "kept/deep")]
        env = environment(tmp_path / "store.db") | {"MODEL_KEY": "sk-canary-4711"}
        done = await trio.run_process(
            argv, cwd=tmp_path, env=env, check=False, capture_stdout=True, capture_stderr=True
        )
    assert list((tmp_path / "kept/deep").glob("*.json")), done.stderr
    assert open_to_others(tmp_path / "kept") == []
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700


@pytest.mark.parametrize("umask", UMASKS)
@pytest.mark.parametrize("arguments", [("schema", "--write", "out/deep")])
def test_files_that_commands_write_are_their_owners_alone(empty: Shell, umask: str, arguments: tuple[str, ...]) -> None:
    done = under(umask, empty.at, *arguments)
    assert (empty.at / "out").exists(), done.stderr
    assert open_to_others(empty.at) == []


def test_a_store_that_was_there_keeps_the_mode_that_its_owner_gave_it(empty: Shell) -> None:
    under("077", empty.at, "init", "desk")
    run = ("run", "desk", "-m", "Where is my order?", "--set", "customer=ada", "--set", "order_id=o-1")
    assert under("022", empty.at, *run).returncode == 0
    store = empty.at / "made/deep/store.db"
    store.chmod(0o640)
    assert under("000", empty.at, *run).returncode == 0
    assert stat.S_IMODE(store.stat().st_mode) == 0o640


def test_the_file_is_never_open_to_others_not_even_while_it_is_made(empty: Shell, tmp_path: Path) -> None:
    """No moment in which another may open it: what is told by the calls that make it."""
    trace = tmp_path / "calls"
    if os.system("command -v strace > /dev/null") != 0:
        pytest.skip("there is no strace here")
    under("077", empty.at, "init", "desk")
    run = command("run", "desk", "-m", "Where is my order?", "--set", "customer=ada", "--set", "order_id=o-1")
    subprocess.run(
        ["sh", "-c", 'umask 000; exec "$@"', "sh", "strace", "-f", "-e", "trace=openat,mkdir", "-o", str(trace), *run],
        cwd=empty.at, env=environment(empty.at / "made/deep/store.db"), capture_output=True, timeout=600, check=False,
    )  # fmt: skip
    made = [line for line in trace.read_text().splitlines() if str(empty.at) in line and "O_CREAT" in line]
    assert made
    # whoever opens a file that is there changes nothing of its mode: the first call is what makes it
    first = {line.split('"')[1]: line for line in reversed(made)}
    assert [line for name, line in first.items() if name.endswith(".db") and ", 0600)" not in line] == []


def test_a_store_that_a_link_leads_to_is_its_owners_alone(empty: Shell) -> None:
    under("077", empty.at, "init", "desk")
    (empty.at / "made/deep").mkdir(parents=True)
    (empty.at / "made/deep/store.db").symlink_to(empty.at / "elsewhere.db")
    run = ("run", "desk", "-m", "Where is my order?", "--set", "customer=ada", "--set", "order_id=o-1")
    assert under("022", empty.at, *run).returncode == 0
    assert stat.S_IMODE((empty.at / "elsewhere.db").stat().st_mode) == 0o600
