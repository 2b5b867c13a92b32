"""Which addresses an event may be sent to: a table of what is not the public internet; pure, it resolves nothing.

https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry. What wraps an IPv4
address (mapped, 6to4, NAT64) is judged by the address inside; tunnels whose inside isn't plain are refused.
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Address = IPv4Address | IPv6Address

NEVER_4: Final[Mapping[IPv4Network, str]] = {
    IPv4Network("0.0.0.0/8"): "this host",
    IPv4Network("100.100.100.200/32"): "a cloud's metadata",
    IPv4Network("168.63.129.16/32"): "a cloud's metadata",
    IPv4Network("169.254.0.0/16"): "link-local, a cloud's metadata",
    IPv4Network("192.0.0.192/32"): "a cloud's metadata",
    IPv4Network("224.0.0.0/4"): "multicast",
    IPv4Network("240.0.0.0/4"): "reserved",
}
NEVER_6: Final[Mapping[IPv6Network, str]] = {
    IPv6Network("::/128"): "this host",
    IPv6Network("fd00:ec2::254/128"): "a cloud's metadata",
    IPv6Network("fe80::/10"): "link-local",
    IPv6Network("ff00::/8"): "multicast",
}
"""No service of anybody's is there, whatever is allowed."""

PRIVATE_4: Final[Mapping[IPv4Network, str]] = {
    IPv4Network("10.0.0.0/8"): "private",
    IPv4Network("100.64.0.0/10"): "shared address space",
    IPv4Network("127.0.0.0/8"): "loopback",
    IPv4Network("172.16.0.0/12"): "private",
    IPv4Network("192.0.0.0/24"): "reserved",
    IPv4Network("192.0.2.0/24"): "documentation",
    IPv4Network("192.88.99.0/24"): "a 6to4 relay",
    IPv4Network("192.168.0.0/16"): "private",
    IPv4Network("198.18.0.0/15"): "benchmarks",
    IPv4Network("198.51.100.0/24"): "documentation",
    IPv4Network("203.0.113.0/24"): "documentation",
}
PRIVATE_6: Final[Mapping[IPv6Network, str]] = {
    IPv6Network("::1/128"): "loopback",
    IPv6Network("64:ff9b:1::/48"): "a network's own NAT64",
    IPv6Network("2001::/23"): "a tunnel or reserved",
    IPv6Network("2001:db8::/32"): "documentation",
    IPv6Network("3fff::/20"): "documentation",
    IPv6Network("fc00::/7"): "private",
    IPv6Network("fec0::/10"): "private",
}
"""Somebody's own network: `private: true` allows it."""

PUBLIC_6: Final = IPv6Network("2000::/3")
NAT64: Final = IPv6Network("64:ff9b::/96")
SIX_TO_FOUR: Final = IPv6Network("2002::/16")


def refused(text: str, *, private: bool) -> str | None:
    """Why nothing is sent to this address, in words; None where it may be. `private` allows private networks."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return f"{text} is no address"
    for judged in (address, *_inside(address)):
        never, own = _never(judged), _own(judged)
        if never is not None:
            return f"{text} is {never}"
        if own is not None and not private:
            return f"{text} is {own}"
    return None


def _inside(address: Address) -> Iterator[IPv4Address]:
    """The IPv4 address that an IPv6 address leads to, where it leads to one."""
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address in NAT64:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
    elif address in SIX_TO_FOUR:
        yield IPv4Address(int(address) >> 80 & 0xFFFFFFFF)


def _never(address: Address) -> str | None:
    match address:
        case IPv4Address():
            return _said(address, NEVER_4)
        case IPv6Address():
            return _said(address, NEVER_6)


def _own(address: Address) -> str | None:
    match address:
        case IPv4Address():
            return _said(address, PRIVATE_4)
        case IPv6Address():
            known = _said(address, PRIVATE_6)
            wraps = address.ipv4_mapped is not None or address in NAT64
            return known or (None if wraps or address in PUBLIC_6 else "reserved")


def _said(
    address: Address, table: Mapping[IPv4Network, str] | Mapping[IPv6Network, str]
) -> str | None:
    return next((said for network, said in table.items() if address in network), None)
