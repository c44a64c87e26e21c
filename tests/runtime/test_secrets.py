"""Secrets by reference, and their masking in every form."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.reach import MissingSecret
from engine.runtime.secrets import HostSecrets


def test_a_secret_comes_from_a_mounted_file_before_the_environment(tmp_path: Path) -> None:
    (tmp_path / "KEY").write_text("from the file\n")
    secrets = HostSecrets({"ENGINE_SECRETS": str(tmp_path), "KEY": "from the environment", "OTHER": "other"})
    assert secrets.reveal("KEY") == "from the file"
    assert secrets.reveal("OTHER") == "other"


def test_a_secret_that_is_missing_unreadable_or_too_short_is_said(tmp_path: Path) -> None:
    (tmp_path / "FOLDER").mkdir()
    secrets = HostSecrets({"ENGINE_SECRETS": str(tmp_path), "SHORT": "abc"})
    for name, problem in (("KEY", "nor in"), ("FOLDER", "can't be read"), ("SHORT", "shorter than 4")):
        with pytest.raises(MissingSecret, match=problem):
            secrets.reveal(name)
    with pytest.raises(MissingSecret, match="may name a directory"):
        HostSecrets({}).reveal("KEY")


def test_what_was_revealed_is_masked_in_every_form() -> None:
    secrets = HostSecrets({"KEY": 'p&ss "w/rd'})
    assert secrets.masked("p&ss nothing") == "p&ss nothing"
    secrets.reveal("KEY")
    told = {
        "plain": 'is p&ss "w/rd!', "url": "?k=p%26ss%20%22w%2Frd", "json": 'p&ss \\"w/rd', "base": "cCZzcyAidy9yZA==",
        'p&ss "w/rd': [1, ('p&ss "w/rd', None)],
    }  # fmt: skip
    assert secrets.masked(told) == {
        "plain": "is [secret]!", "url": "?k=[secret]", "json": "[secret]", "base": "[secret]==",
        "[secret]": [1, ("[secret]", None)],
    }  # fmt: skip


def test_a_text_that_goes_on_is_shown_without_an_end_that_may_become_a_secret() -> None:
    secrets = HostSecrets({"KEY": "canary"})
    secrets.reveal("KEY")
    assert secrets.beginning("a can") == "a "
    assert secrets.beginning("a canoe") == "a canoe"
    assert secrets.beginning("a canary!") == "a [secret]!"
