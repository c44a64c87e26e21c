"""Secrets by reference, and their masking in every form."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from engine.ports.resources import MissingSecret
from engine.runtime.host_secrets import HostSecrets


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


def test_a_long_secret_is_held_back_to_its_end() -> None:
    secrets = HostSecrets({"KEY": "ab" * 4000})
    secrets.reveal("KEY")
    assert secrets.beginning("x" + "ab" * 3000) == "x"


FORMS: dict[str, Callable[[str], str]] = {
    "percent in lower case": lambda s: re.sub("%..", lambda m: m[0].lower(), quote(s, safe="")),
    "hex in upper case": lambda s: s.encode().hex().upper(),
    "JSON that keeps characters": lambda s: json.dumps(s, ensure_ascii=False),
    "JSON that escapes them": json.dumps,
    "JSON that escapes slashes": lambda s: json.dumps(s).replace("/", "\\/"),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 of URLs, unpadded": lambda s: base64.urlsafe_b64encode(s.encode()).decode().rstrip("="),
    **{f"basic authorization of {user}": partial(lambda user, s: base64.b64encode(f"{user}:{s}".encode()).decode(), user)
       for user in ("u", "me", "ada", "lena")},
    "base64 in the middle": lambda s: base64.b64encode(f"key={s};".encode()).decode(),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", ['canary/Key+1=1\u00e9"x', "canary-4711", "\u00ff\u00fe/?>~a1b2"])
def test_a_form_in_which_servers_repeat_a_secret_is_masked(secret: str, form: str) -> None:
    secrets = HostSecrets({"KEY": secret})
    secrets.reveal("KEY")
    told = FORMS[form](secret)
    masked = secrets.masked(f"a {told} b")
    assert "[secret]" in masked
    middle = len(told) * 2 // 3
    assert told[middle - 3 : middle + 3] not in masked
