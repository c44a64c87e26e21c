"""Where a request is from: the other end of its connection, or whom a proxy that is believed asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, collapse_addresses, ip_address, ip_network

Network = IPv4Network | IPv6Network
NetAddress = IPv4Address | IPv6Address

# of a list that a client may have begun itself so many entries are looked at, from its end
MOST = 20


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks of addresses or networks as they are written; raises ValueError.

    >>> networks(["10.0.0.0/8"])
    (IPv4Network('10.0.0.0/8'),)
    """
    found = tuple(ip_network(text) for text in texts)
    together: list[Network] = [
        *collapse_addresses(one for one in found if isinstance(one, IPv4Network)),
        *collapse_addresses(one for one in found if isinstance(one, IPv6Network)),
    ]
    for network in together:
        if not network.prefixlen:
            raise ValueError(f"{network} is everybody, and whoever asks would be believed")
    for network in found:
        if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
            raise ValueError(f"{network} is a network of IPv4: write it as one")
    return found


def client_address(
    peer: tuple[str, int] | None, headers: Sequence[tuple[bytes, bytes]], proxies: Sequence[Network]
) -> tuple[str, int] | None:
    """Who asks, by `X-Forwarded-For` where the peer is a proxy that is believed.

    Each proxy adds whom it was asked by, so that the list is read from its end: the first that is no proxy asks.  What
    stands before it anybody may have written.
    """
    if peer is None or not proxies or not _is_one(_address(peer[0]), proxies):
        return peer
    told = [value for name, value in headers if name.lower() == b"x-forwarded-for"]
    listed = b",".join(told).decode("latin-1").split(",")[-MOST:] if told else []
    found = peer
    for text in reversed(listed):
        address = _address(_without_port(text.strip()))
        if address is None:
            return found
        found = (str(address), 0)
        if not _is_one(address, proxies):
            return found
    return found


def _without_port(text: str) -> str:
    """An address as some proxies write it: `203.0.113.7:4711`, `[2001:db8::1]:443`."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _address(text: str) -> NetAddress | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _is_one(address: NetAddress | None, proxies: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in proxies)
