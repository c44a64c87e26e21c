"""Where a request is from: a proxy that is believed says who asks, and nobody else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.load import load_settings
from engine.web.attempts import LoginAttempts
from engine.web.problems import HttpProblem
from engine.web.server.client_address import client_address, networks

OURS = networks(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])
PEER = ("127.0.0.1", 5000)


def asked(*values: str, peer: tuple[str, int] | None = PEER) -> str | None:
    headers = [(b"Host", b"x"), *((b"X-Forwarded-For", value.encode("latin-1")) for value in values)]
    found = client_address(peer, headers, OURS)
    return found[0] if found is not None else None


@pytest.mark.parametrize(
    ("values", "client"),
    [
        ((), "127.0.0.1"),
        (("203.0.113.7",), "203.0.113.7"),
        (("198.51.100.1, 203.0.113.7",), "203.0.113.7"),
        (("203.0.113.7, 10.1.2.3",), "203.0.113.7"),
        (("203.0.113.7", "10.1.2.3"), "203.0.113.7"),
        (("10.9.9.9, 10.1.2.3",), "10.9.9.9"),
        (("2001:db8::1, fd00::5",), "2001:db8::1"),
        (("::ffff:203.0.113.7",), "203.0.113.7"),
        (("203.0.113.7, nonsense",), "127.0.0.1"),
        (("nonsense, 10.1.2.3",), "10.1.2.3"),
        (("",), "127.0.0.1"),
        (("203.0.113.7:1234",), "203.0.113.7"),
        (("[2001:db8::1]:443",), "2001:db8::1"),
        (("203.0.113.7:x:y",), "127.0.0.1"),
        (("\xff\x00",), "127.0.0.1"),
        (("203.0.113.7," + "10.1.2.3," * 30 + "10.1.2.4",), "10.1.2.3"),
    ],
)
def test_the_list_is_read_from_its_end_up_to_who_is_no_proxy(values: tuple[str, ...], client: str) -> None:
    assert asked(*values) == client


def test_failed_logins_of_one_customer_of_ipv6_are_counted_together() -> None:
    attempts = LoginAttempts()
    for number in range(10):
        attempts.failed(f"2001:db8:1:2::{number}", 0.0)
    attempts.check("2001:db8:1:3::1", 1.0)
    with pytest.raises(HttpProblem):
        attempts.check("2001:db8:1:2:ffff::1", 1.0)


def test_who_is_no_proxy_is_not_believed() -> None:
    assert asked("203.0.113.7", peer=("192.0.2.1", 1)) == "192.0.2.1"
    assert asked("203.0.113.7", peer=("::ffff:127.0.0.1", 1)) == "203.0.113.7"
    assert asked("203.0.113.7", peer=None) is None
    assert client_address(PEER, [(b"x-forwarded-for", b"203.0.113.7")], ()) == PEER


@pytest.mark.parametrize(
    "proxy", ["nonsense", "10.0.0.1/8", "localhost", "1.2.3.4.5", "0.0.0.0/0", '"::/0"', '"::ffff:10.0.0.0/104"']
)
def test_what_is_no_address_is_told_with_its_place(proxy: str, tmp_path: Path) -> None:
    file = tmp_path / "engine.yaml"
    file.write_text(f"kind: Service\nproxies:\n  - 127.0.0.1\n  - {proxy}\n")
    (found,) = load_settings(file, {}, {}, "sqlite:///x.db").diagnostics
    assert (found.code, found.place.line) == ("E206", 4)
