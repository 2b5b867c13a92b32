"""A source that proves nothing, for a program on this machine; pure, and it fails closed everywhere else.

A delivery must come from a loopback address, and must not have come through a proxy: a proxy on this machine has
a loopback address too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Final

from orchestrator.errors import Reason, Refused
from orchestrator.signatures.scheme import PEER, Proves

FORWARDED: Final = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedScheme:
    """The `unsigned` scheme."""

    name: str = "unsigned"
    signs_id: bool = False
    private: frozenset[str] = frozenset({PEER})
    proves: Proves = Proves(body=False)  # noqa: RUF009 - frozen

    def verify(
        self,
        headers: Mapping[str, str],
        body: bytes,  # noqa: ARG002
        secrets: Sequence[bytes],  # noqa: ARG002
        now: datetime,  # noqa: ARG002
    ) -> None:
        """Return if it came from this very machine. Raises `Refused`."""
        if not loopback(headers.get(PEER, "")) or any(name in headers for name in FORWARDED):
            raise Refused(
                Reason.NO_SIGNATURE,
                "this source is unsigned: it is answered on loopback only, and not through a proxy",
            )


def loopback(host: str) -> bool:
    """Whether only this machine can be at this address, or listen there."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
