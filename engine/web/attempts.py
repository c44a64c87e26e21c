"""How often somebody may try to log in: what fails is counted by address, and too much of it has to wait."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import ip_address, ip_network

from engine.web.problems import HttpProblem

# failures of one address within so many seconds, and addresses that are remembered
MOST, WITHIN, REMEMBERED = 10, 60.0, 10_000


class LoginAttempts:
    """Failures to log in, by address; the oldest address is forgotten first."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def check(self, address: str, now: float) -> None:
        """Raise HttpProblem 429 where an address has failed too often."""
        recent = [at for at in self._failures.get(_network(address), ()) if now - at < WITHIN]
        if len(recent) >= MOST:
            raise HttpProblem(429, "too_many_attempts", "too many logins have failed from here: try again in a minute")

    def failed(self, address: str, now: float) -> None:
        """Count one more failure."""
        network = _network(address)
        recent = [at for at in self._failures.pop(network, []) if now - at < WITHIN]
        self._failures[network] = [*recent, now][-MOST:]
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)


def _network(address: str) -> str:
    """Whom an address is counted with: one customer has all of an IPv6 /64.

    >>> _network("2001:db8:1:2:3::4"), _network("203.0.113.7")
    ('2001:db8:1:2::/64', '203.0.113.7')
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((found, 64), strict=False)) if found.version == 6 else address
