"""The REST API over the parts of a service: who asks is told by a token, and what is said rings our own door."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from litestar.types import ASGIApp
from structlog.typing import FilteringBoundLogger

from orchestrator import temporal
from orchestrator.configuration.tokens import Scope, Token
from orchestrator.console.acting import Acting, Namespace
from orchestrator.console.fenced import Fenced
from orchestrator.console.indoors import Indoors
from orchestrator.console.questions import Console
from orchestrator.console.reading import Reading
from orchestrator.console.rest.app import rest
from orchestrator.console.saying import Ring, Rung, Saying, Voice
from orchestrator.dispatch.runs import TemporalRuns
from orchestrator.parts import Parts
from orchestrator.recovery import indoors
from orchestrator.signatures import standard_webhooks
from orchestrator.sources.source import OPERATOR
from orchestrator.telemetry.instruments import ApiInstruments

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
        progress=partial(temporal.progress, parts.client),
    )
    runs = TemporalRuns(parts.client, parts.settings.task_queue)
    acting = Acting(
        stores=parts.stores,
        configuration=parts.reloading.configuration,
        namespace=Namespace(name=parts.settings.namespace, identity=runs.namespace),
        now=now,
    )
    ringing = ringing_with(parts.state.operator_secret(), ring, now)
    counts = ApiInstruments(parts.counts.registry)
    return api_over(reading, acting, ringing, parts.log, version, counts)


def api_over(
    reading: Reading,
    acting: Acting,
    ring: Ring,
    log: FilteringBoundLogger,
    version: str,
    counts: ApiInstruments,
) -> ASGIApp:
    """The API over what answers questions, what does acts, and what rings our door with a word."""

    def console(token: Token) -> Console:
        saying = Saying(
            stores=reading.stores,
            configuration=reading.configuration,
            ring=ring,
            voice=voice_of(token),
            new_id=lambda: secrets.token_hex(8),
        )
        whole = Indoors(reading, saying, acting)
        return Fenced(whole, token.rules) if token.rules else whole

    def tokens() -> Mapping[str, Token]:
        return reading.configuration().tokens

    return rest(console, tokens, lambda: reading.now().date(), log, version, counts)


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
