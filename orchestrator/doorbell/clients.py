"""Who is at the other end of a delivery, seen past our own proxies; pure, and nothing is ever verified by it.

A header may be written by anyone: it counts only as far as proxies we trust have written it, from the right.
Signature schemes never look here.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from orchestrator.errors import OperatorError

Trusted = tuple[IPv4Network | IPv6Network, ...]
"""The networks of our own proxies."""

HOPS: Final = 16
"""Proxies one behind the other; a longer chain is nobody's."""

_PORT: Final = len(":65535")
_FORWARDED_FOR: Final = b"x-forwarded-for"
_FORWARDED: Final = b"forwarded"  # https://www.rfc-editor.org/rfc/rfc7239#section-4


def trusted_of(text: str) -> Trusted:
    """The networks in a list like `127.0.0.1, 10.0.0.0/8`. Raises `OperatorError` naming the one that is none."""
    return tuple(_network(part.strip()) for part in text.split(",") if part.strip())


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise OperatorError(
            f"trusted_proxies holds {text!r}: expected addresses or networks separated by commas, like "
            f"'127.0.0.1, 10.0.0.0/8' ({error})"
        ) from error


def client_of(peer: str, headers: Iterable[tuple[bytes, bytes]], trusted: Trusted) -> str:
    """The right-most address that isn't one of our proxies; the peer, when it is none or the header says nothing sound.

    `headers` are raw, their names in lower case. A delivery with both headers names nobody: our proxy writes
    one of them, and the other is the sender's.
    """
    if not trusted:
        return peer
    direct = _address(peer)
    if direct is None or not _is_ours(direct, trusted):
        return peer
    lines: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name in (_FORWARDED_FOR, _FORWARDED):
            lines.setdefault(name, []).append(value)
    if len(lines) != 1:
        return peer
    ((name, values),) = lines.items()
    hops = _from_the_right(b",".join(values).decode("latin-1"))
    found = _outermost(map(_for, hops) if name == _FORWARDED else hops, trusted)
    return peer if found is None else str(found)


def _outermost(hops: Iterable[str], trusted: Trusted) -> IPv4Address | IPv6Address | None:
    found = None
    for count, hop in enumerate(hops):
        found = _address(hop) if count < HOPS else None
        if found is None or not _is_ours(found, trusted):
            break
    return found


def _from_the_right(chain: str) -> Iterator[str]:
    rest, comma = chain, ","
    while comma:
        rest, comma, last = rest.rpartition(",")
        yield last.strip(" \t")


def _for(element: str) -> str:
    """The node of `for=` in one element, without its quotes; empty when there isn't exactly one."""
    pairs = [pair.strip(" \t").partition("=") for pair in element.split(";")]
    nodes = [value for name, _, value in pairs if name.lower() == "for"]
    if len(nodes) != 1:
        return ""
    node = nodes[0]
    return node[1:-1] if len(node) > 1 and node[0] == node[-1] == '"' else node


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address with or without a port; a v6 one with a port stands in brackets."""
    try:
        address = ip_address(_without_port(text))
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _without_port(text: str) -> str:
    if text.startswith("["):
        inside, bracket, port = text[1:].partition("]")
        return inside if bracket and (not port or _is_port(port)) else ""
    host, colon, port = text.partition(":")
    return host if colon and "." in host and _is_port(f":{port}") else text


def _is_port(text: str) -> bool:
    return text.startswith(":") and text[1:].isascii() and text[1:].isdigit() and len(text) <= _PORT


def _is_ours(address: IPv4Address | IPv6Address, trusted: Trusted) -> bool:
    return any(address in network for network in trusted)
