"""What a client may ask of the server, and how long it may take with it."""

from __future__ import annotations

from dataclasses import dataclass

from engine.web.server.client_address import Network


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Sizes in bytes, times in seconds; every one is a bound, and there is none that is absent.

    `idle_time` is how long a connection may wait for its next request, `header_time` how long the head of one may take,
    `body_time` its body, and `write_time` how long a client may leave what is written to it unread.  Of `proxies` is
    believed who asks by them; of nobody else.
    """

    connections: int = 512
    requests_per_connection: int = 1000
    header_size: int = 16 * 1024
    header_time: float = 10.0
    body_size: int = 1024 * 1024
    body_time: float = 20.0
    idle_time: float = 30.0
    write_time: float = 30.0
    drain_time: float = 10.0
    proxies: tuple[Network, ...] = ()
