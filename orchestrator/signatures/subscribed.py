"""The scheme of what we subscribed to at an MCP server: Standard Webhooks, each subscription under a secret of its own.

https://modelcontextprotocol.io/seps/3415-events-extension
Whose secret fits is the proof of which subscription it is: its id in a header is not signed, and decides only what a
sender that proves nothing is told. One that names a subscription we don't know is asked to come again, because another
doorbell may have made it a moment ago.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from orchestrator.errors import Reason, Refused
from orchestrator.signatures.scheme import Proves
from orchestrator.signatures.standard_webhooks import StandardWebhooksScheme

SUBSCRIPTION: Final = "x-mcp-subscription-id"

_STANDARD: Final = StandardWebhooksScheme()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribedScheme:
    """The scheme of a source with `mcp:`; `known` are the ids its server gave to our subscriptions."""

    name: str = "mcp"
    signs_id: bool = True
    private: frozenset[str] = frozenset()
    proves: Proves = Proves(id=True, clock=True)  # noqa: RUF009 - frozen
    known: set[str] = field(default_factory=set, compare=False)

    def learn(self, known: Collection[str]) -> None:
        """These are the subscriptions that we have now."""
        self.known.clear()
        self.known.update(known)

    def verify(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes], now: datetime
    ) -> None:
        """Return if the secret of one of our subscriptions signed these bytes. Raises `Refused`."""
        try:
            _STANDARD.verify(headers, body, secrets, now)
        except Refused as refused:
            named = headers.get(SUBSCRIPTION)
            if refused.reason is not Reason.BAD_SIGNATURE or not named or named in self.known:
                raise
            raise Refused(
                Reason.UNKNOWN_SUBSCRIPTION,
                f"expected one of {len(self.known)} subscriptions of ours in {SUBSCRIPTION!r}, another id came",
            ) from None


def signed_by_any(headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes]) -> bool:
    """Whether one of these secrets signed the bytes, however long ago."""
    try:
        _STANDARD.verify(headers, body, secrets, _EPOCH)
    except Refused as refused:
        return refused.reason in {Reason.STALE, Reason.FUTURE}
    return True


_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
