"""What a service runs with: the command line before a variable, that before the file; and what is wrong has its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.access.rights import Right, Role
from engine.config.load import LoadedSettings, load_settings
from engine.config.settings import ServiceSettings
from engine.ports.access import Identity
from tests.cli.shell import Shell, copy_of_root

ACCESS = """\
kind: Access
people: {issuer: "https://id.example.org", client_id: engine, client_secret: "${secret:OIDC}"}
machines: {issuer: "https://id.example.org", audience: engine-api}
grants:
  - {group: desk, roles: [reviewer, auditor], tenant: acme}
  - {subject: u-2, roles: [operator]}
  - {client: backend, roles: [caller]}
persons: {dana: u-1}
"""


def loaded(at: Path, text: str | None, environment: dict[str, str] | None = None, **options: Any) -> LoadedSettings:
    file = at / "engine.yaml"
    if text is not None:
        file.write_text(text)
    return load_settings(file if text is not None else None, environment or {}, options, "sqlite:///default.db")


def settings(at: Path, text: str | None, environment: dict[str, str] | None = None, **options: Any) -> ServiceSettings:
    found = loaded(at, text, environment, **options)
    assert found.settings is not None, found.diagnostics
    return found.settings


def test_what_nobody_says_is_the_default(tmp_path: Path) -> None:
    own = settings(tmp_path, None)
    assert (own.host, own.port, own.workers, own.store) == ("127.0.0.1", 8420, 1, "sqlite:///default.db")
    assert own.limits.connections == 512
    assert set(own.origins.values()) == {"default"}


def test_an_option_counts_before_a_variable_and_that_before_the_file(tmp_path: Path) -> None:
    text = "kind: Service\nport: 1000\nhost: 10.0.0.1\nworkers: 3\nlimits: {idle_time: 5s}\n"
    own = settings(tmp_path, text, {"ENGINE_PORT": "2000", "ENGINE_HOST": "10.0.0.2"}, port=3000)
    assert (own.port, own.host, own.workers) == (3000, "10.0.0.2", 3)
    assert (own.limits.idle_time, own.limits.header_time) == (5.0, 10.0)
    where = {name: own.origins[name] for name in ("port", "host", "workers", "url")}
    assert where == {"port": "command line", "host": "$ENGINE_HOST", "workers": "file", "url": "default"}


def test_a_path_of_a_file_is_one_from_there_and_others_are_from_where_one_stands(tmp_path: Path) -> None:
    assert settings(tmp_path, "kind: Service\nbundle: agents\n").bundle == tmp_path / "agents"
    assert settings(tmp_path, "kind: Service\nbundle: agents\n", {"ENGINE_BUNDLE": "here"}).bundle == Path("here")
    assert settings(tmp_path, "kind: Service\n", bundle=Path("there")).bundle == Path("there")
    assert settings(tmp_path, "kind: Service\n").bundle == tmp_path


@pytest.mark.parametrize(
    ("text", "environment", "code", "place"),
    [
        ("kind: Service\nport: many\n", {}, "E202", "engine.yaml:2:7"),
        ("kind: Service\nprot: 80\n", {}, "E201", "engine.yaml:2:1"),
        ("kind: Service\nport: 70000\n", {}, "E206", "engine.yaml:2:7"),
        ("kind: Service\n", {"ENGINE_PORT": "many"}, "E202", "$ENGINE_PORT:1:1"),
        ("kind: Service\n", {"ENGINE_WORKERS": "[1"}, "E102", "$ENGINE_WORKERS:1:"),
        ("kind: Service\ninclude: [gone.yaml]\n", {}, "E108", "engine.yaml:2:11"),
        ("kind: Agent\n", {}, "E207", "engine.yaml:1:7"),
        ("", {}, "E105", "engine.yaml:1:1"),
        ("kind: Service\nlimits: {idle_time: 0s}\n", {}, "E206", "engine.yaml:2:21"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    tmp_path: Path, text: str, environment: dict[str, str], code: str, place: str
) -> None:
    found = loaded(tmp_path, text, environment)
    assert found.settings is None
    assert [one.code for one in found.diagnostics] == [code]
    assert str(found.diagnostics[0].place).removeprefix(f"{tmp_path}/").startswith(place)


@pytest.mark.parametrize(
    ("was", "becomes", "code"),
    [
        ("group: desk, ", "", "E203"),
        ("group: desk, ", "group: desk, client: c, ", "E206"),
        ("roles: [operator]", "roles: [king]", "E204"),
        ("  - {client: backend, roles: [caller]}\n", "  - {client: c, roles: [caller], tenants: a}\n", "E201"),
        ("audience: engine-api", "audience: engine", "E206"),
        ('machines: {issuer: "https://id.example.org", audience: engine-api}\n', "", "E206"),
        ("persons: {dana: u-1}", "persons: {dana: u-1, bo: u-1}", "E301"),
        ("persons: {dana: u-1}", "persons: {customer: u-1}", "E312"),
        ('"${secret:OIDC}"', "plain-text", "E206"),
    ],
)
def test_access_that_means_nothing_is_refused(tmp_path: Path, was: str, becomes: str, code: str) -> None:
    assert was in ACCESS
    (tmp_path / "access.yaml").write_text(ACCESS.replace(was, becomes, 1))
    found = loaded(tmp_path, "kind: Service\ninclude: [access.yaml]\n")
    assert [one.code for one in found.diagnostics] == [code]


def test_the_first_grant_that_fits_counts(tmp_path: Path) -> None:
    (tmp_path / "access.yaml").write_text(ACCESS)
    access = settings(tmp_path, "kind: Service\ninclude: [access.yaml]\n").access
    issuer = "https://id.example.org"
    dana = access.principal(Identity(issuer, "u-1", "Dana", ("desk",)), "cookie")
    assert dana is not None
    assert (dana.person, dana.role, dana.tenant) == ("dana", Role.REVIEWER, "acme")
    assert {Right.ANSWER, Right.AUDIT} <= dana.rights
    other = access.principal(Identity(issuer, "u-9", "dana", ("desk",)), "cookie")
    assert other is not None
    assert other.person == f"{issuer}#u-9"
    # a machine that is called as a person is, is none
    assert access.principal(Identity(issuer, "u-2", "x", (), client="u-2"), "jwt") is None
    machine = access.principal(Identity(issuer, "backend", "x", (), client="backend"), "jwt")
    assert machine is not None
    assert machine.person is None
    assert access.principal(Identity(issuer, "u-3", "x", ("other",)), "cookie") is None


def test_the_command_shows_what_counts_and_where_it_is_from(tmp_path: Path) -> None:
    shell = Shell(copy_of_root(tmp_path))
    (tmp_path / "engine.yaml").write_text("kind: Service\ninclude: [access.yaml]\nport: 9000\n")
    (tmp_path / "access.yaml").write_text(ACCESS)
    done = shell("config", "show", "--config", "engine.yaml", "--format", "json", ENGINE_HOST="10.1.1.1")
    assert done.code == 0, done.err
    shown = {row["name"]: (row["value"], row["from"]) for row in done.json}
    assert shown["port"] == (9000, "file")
    assert shown["host"] == ("10.1.1.1", "$ENGINE_HOST")
    assert shown["access"][0]["people"]["client_secret"] == "${secret:OIDC}"
    wrong = shell("serve", "--config", "engine.yaml", ENGINE_PORT="many")
    assert wrong.code == 1
    assert "$ENGINE_PORT:1:1" in wrong.err
