"""Who acts on the command line: a claim while a store has no tokens, and from the first token on who it is for."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from tests.cli.shell import CHARGED, Shell, command, copy_of_root, environment


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return Shell(copy_of_root(tmp_path / "bundle"))


def held(shell: Shell, account: str = "acct_1002") -> str:
    done = shell(
        "run", ".", "--agent", "support-triage", "-m", CHARGED, "--set", "tenant=acme", "--set", f"account_id={account}"
    )
    assert done.code == 3, done.err
    return str(shell("review", "list", "--format", "json").json[-1]["id"])


def token(shell: Shell, name: str, role: str) -> str:
    done = shell("tokens", "create", "--name", name, "--role", role)
    assert done.code == 0, done.err
    return done.out.strip()


def test_without_tokens_a_name_is_taken_at_its_word_and_that_is_said(shell: Shell) -> None:
    request = held(shell)
    done = shell("review", "approve", request, "--as", "dana")
    assert done.code == 0, done.err
    assert "dana is who --as says; nobody has checked it" in done.err
    assert shell("review", "approve", request).code == 2


def test_from_the_first_token_on_a_bare_name_is_refused(shell: Shell) -> None:
    request = held(shell)
    dana, ops = token(shell, "dana", "reviewer"), token(shell, "ops", "operator")
    refused = shell("review", "approve", request, "--as", "dana")
    assert refused.code == 2
    assert "ENGINE_TOKEN" in refused.err
    assert shell("review", "approve", request, ENGINE_TOKEN="eng_live_nonsense").code == 2
    for other, why in ((dana, "is dana's, and not lee's"), (ops, "may not answer")):
        done = shell("review", "approve", request, "--as", "lee", ENGINE_TOKEN=other)
        assert (done.code, why in done.err) == (2, True), done.err
    done = shell("review", "approve", request, ENGINE_TOKEN=dana)
    assert done.code == 0, done.err
    shell("tokens", "revoke", "dana")
    assert shell("review", "deny", request, ENGINE_TOKEN=dana).code == 2


def test_a_bare_name_is_taken_where_somebody_insists(shell: Shell) -> None:
    request = held(shell)
    token(shell, "dana", "reviewer")
    done = shell("review", "approve", request, "--as", "dana", "--insecure-local")
    assert done.code == 0, done.err
    assert "nobody has checked it" in done.err


def test_a_login_is_kept_for_its_store_and_for_nobody_else_to_read(shell: Shell, tmp_path: Path) -> None:
    request = held(shell)
    secret = token(shell, "dana", "reviewer")

    def login(text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command("login"), cwd=shell.at, env=environment(shell.at / "store.db"), input=text, capture_output=True,
            text=True, timeout=600,
        )  # fmt: skip

    assert login("eng_live_nonsense\n").returncode == 1
    done = login(f"{secret}\n")
    assert done.returncode == 0, done.stderr
    assert "you are dana (reviewer)" in done.stderr
    assert secret not in done.stdout + done.stderr
    kept = tmp_path / "config" / "steadyhand" / "credentials.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert shell("review", "approve", request).code == 0
    assert shell("login", "--forget").code == 0
    assert shell("review", "approve", request).code == 2


@pytest.mark.parametrize(
    "name", ["dana ", "da\u034fna", "dana\u200b", "\uff44ana", "dana\ufe0f", "\u3164", "dan\u0061\u0301"]
)
def test_a_name_that_reads_as_another_is_nobodys(shell: Shell, name: str) -> None:
    done = shell("tokens", "create", "--name", "x", "--role", "reviewer", "--person", name)
    assert (done.code, "can be seen" in done.err) == (2, True), done.err
