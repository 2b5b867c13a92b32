"""The REST API over the parts of a service: who asks is told by a token, and what is said rings our own door."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from litestar.types import ASGIApp
from structlog.typing import FilteringBoundLogger

from orchestrator.configuration.tokens import Scope, Token
from orchestrator.console.fenced import Fenced
from orchestrator.console.indoors import Indoors
from orchestrator.console.questions import Console
from orchestrator.console.reading import Reading
from orchestrator.console.rest.app import rest
from orchestrator.console.saying import Ring, Rung, Saying, Voice
from orchestrator.parts import Parts
from orchestrator.recovery import indoors
from orchestrator.signatures import standard_webhooks
from orchestrator.sources.source import OPERATOR

Now = Callable[[], datetime]
Status = Callable[[], Awaitable[Mapping[str, Any]]]


def api_of(parts: Parts, ring: indoors.Ring, status: Status, now: Now, version: str) -> ASGIApp:
    """The API at `/api/v1`."""
    reading = Reading(
        stores=parts.stores,
        configuration=parts.reloading.configuration,
        status=status,
        now=now,
        ui=lambda: parts.settings.temporal_ui,
        namespace=parts.settings.namespace,
    )
    ringing = ringing_with(parts.state.operator_secret(), ring, now)
    return api_over(reading, ringing, parts.log, version)


def api_over(reading: Reading, ring: Ring, log: FilteringBoundLogger, version: str) -> ASGIApp:
    """The API over what answers questions and what rings our door with a word."""

    def console(token: Token) -> Console:
        saying = Saying(
            stores=reading.stores,
            configuration=reading.configuration,
            ring=ring,
            voice=voice_of(token),
            new_id=lambda: secrets.token_hex(8),
        )
        whole = Indoors(reading, saying)
        return Fenced(whole, token.rules) if token.rules else whole

    def tokens() -> Mapping[str, Token]:
        return reading.configuration().tokens

    return rest(console, tokens, lambda: reading.now().date(), log, version)


def voice_of(token: Token) -> Voice:
    """Who speaks with a token: its person, or else whoever holds it."""
    by = token.person or f"token:{token.name}"
    return Voice(by=by, person=token.person, operates=token.may(Scope.OPERATE))


def ringing_with(secret: str, ring: indoors.Ring, now: Now) -> Ring:
    """Words signed with the operator's secret, through the door from inside."""

    async def say(identity: str, body: bytes) -> Rung:
        at = now()
        signed = standard_webhooks.sign(secret, identity, body, at)
        headers = {"content-type": "application/json", **signed}
        word = indoors.Late(source=OPERATOR, headers=headers, body=body, sent_at=at)
        answered = await ring(word)
        return Rung(status=answered.status, told=answered.told)

    return say
