"""Who may see the metrics, and what they get; it knows no web framework.

Metrics name sources, rules and tools, so they are for the operator: on loopback for whoever is there, elsewhere only
with the token.
"""

import hmac
import ipaddress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from orchestrator.telemetry.exposition import PROMETHEUS, Text, exposed
from orchestrator.telemetry.registry import Registry

WHAT_TO_DO: Final = "metrics are shown on loopback only: set DOORBELL_METRICS_TOKEN, and scrape with it as bearer token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """`host` is where we listen; with a `token`, it is asked for on loopback too."""

    host: str
    token: str | None = field(default=None, repr=False)

    def refusal(self, authorization: str) -> HTTPStatus | None:
        """Why the one with this `Authorization` header may not; None where they may."""
        if self.token is None:
            return None if is_loopback(self.host) else HTTPStatus.FORBIDDEN
        scheme, _, given = authorization.partition(" ")
        known = hmac.compare_digest(given.strip().encode(), self.token.encode())
        return None if known and scheme.lower() == "bearer" else HTTPStatus.UNAUTHORIZED


@dataclass(frozen=True, slots=True)
class Scraped:
    """The answer to one scrape."""

    status: HTTPStatus
    text: Text


async def scraped(
    registry: Registry, permission: Permission, accept: str, authorization: str
) -> Scraped:
    """What the metrics are now, or why not."""
    match permission.refusal(authorization):
        case None:
            return Scraped(HTTPStatus.OK, exposed(await registry.collect(), accept))
        case HTTPStatus.UNAUTHORIZED as status:
            told = "expected the header `Authorization: Bearer` with DOORBELL_METRICS_TOKEN"
        case status:
            told = WHAT_TO_DO
    return Scraped(status, Text(PROMETHEUS, f"{told}\n".encode()))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
