"""Where a request may go: hosts are resolved once, and the address that was judged is the one that is used."""

from __future__ import annotations

import ipaddress
import socket

import trio

from engine.ports.external_work import outside

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefused(Exception):
    """A host that may not be asked; the message says why."""


class NoAddress(Exception):
    """A host that has no address."""


async def allowed_address(host: str, port: int, *, private: bool) -> str:
    """An address of a host that may be asked; raises Refused, NoAddress.

    Unless it is said to be `private`, none of its addresses may lead to this machine, its network, or anywhere
    that is not the public internet: with one that does the whole host is refused.
    """
    with outside():
        try:
            found = await trio.socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NoAddress(f"{host} has no address: {error}") from None
    addresses = [entry[4][0] for entry in found]
    for address in addresses:
        judged = _bare(ipaddress.ip_address(str(address).partition("%")[0]))
        if not private and not is_public(judged):
            raise AddressRefused(f"{host} leads to {judged}, which is not public; `allow_private: true` would allow it")
    return str(addresses[0])


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet."""
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address in _ASSIGNED)


def _bare(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None:
            return inner
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


_ASSIGNED = ipaddress.IPv4Network("192.0.0.0/24")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
