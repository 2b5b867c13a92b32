"""Routes about events, refusals and dead letters."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter

from orchestrator.configuration.tokens import Scope
from orchestrator.console.questions import (
    LIMIT,
    DeadLetters,
    Event,
    Events,
    Refusals,
    Why,
    Word,
)
from orchestrator.console.rest import shapes
from orchestrator.console.rest.asking import (
    LONGEST_NAME,
    PRINTABLE,
    Asker,
    Before,
    Begun,
    Desk,
    Limit,
    Once,
    Text,
    Wait,
    question,
    word,
)
from orchestrator.errors import AskerError, Fault
from orchestrator.inbox.sought import Stand

About = Literal["retry", "discard"]


def event_routes(desk: Desk) -> list[HTTPRouteHandler]:
    """What came, and why it did or didn't start anything."""

    @question("/events", "listEvents")
    async def list_events(
        request: Asker,
        source: Text = None,
        glob: Annotated[
            str | None, QueryParameter(name="type", max_length=LONGEST_NAME, pattern=PRINTABLE)
        ] = None,
        stand: Annotated[Stand | None, QueryParameter(name="is")] = None,
        since: FromQuery[datetime | None] = None,
        until: FromQuery[datetime | None] = None,
        before: Before = None,
        limit: Limit = LIMIT,
    ) -> shapes.Events:
        asked = Events(
            source=source,
            type=glob,
            stand=stand,
            since=_utc(since),
            until=_utc(until),
            before=before,
            limit=limit,
        )
        events: shapes.Events = await desk.ask(request, asked)
        return events

    @question("/events/{event:str}", "showEvent")
    async def show_event(request: Asker, event: Begun) -> shapes.WholeEvent:
        shown: shapes.WholeEvent = await desk.ask(request, Event(event=event))
        return shown

    @question("/events/{event:str}/why", "whyEvent")
    async def why_event(request: Asker, event: Begun) -> shapes.Why:
        told: shapes.Why = await desk.ask(request, Why(event=event))
        return told

    @word("/events/{event:str}/redeliver", "redeliverEvent", Scope.OPERATE)
    async def redeliver_event(
        request: Asker, event: Begun, wait: Wait = 5, once: Once = None
    ) -> Response[shapes.Receipt]:
        said = Word(kind="event.redeliver", named=event, once=once, patience=wait)
        return await desk.say(request, said)

    return [list_events, show_event, why_event, redeliver_event]


def undelivered_routes(desk: Desk) -> list[HTTPRouteHandler]:
    """What was refused at the door, and what could not be delivered behind it."""

    @question("/refusals", "listRefusals")
    async def list_refusals(
        request: Asker, source: Text = None, limit: Limit = LIMIT
    ) -> shapes.Refusals:
        refusals: shapes.Refusals = await desk.ask(request, Refusals(source=source, limit=limit))
        return refusals

    @question("/dead-letters", "listDeadLetters")
    async def list_dead_letters(request: Asker, limit: Limit = LIMIT) -> shapes.DeadLetters:
        letters: shapes.DeadLetters = await desk.ask(request, DeadLetters(limit=limit))
        return letters

    @word("/dead-letters/{letter:str}/retry", "retryDeadLetter", Scope.OPERATE)
    async def retry_dead_letter(
        request: Asker, letter: Begun, wait: Wait = 5, once: Once = None
    ) -> Response[shapes.Receipt]:
        said = Word(kind="decision.retry", named=letter, once=once, patience=wait)
        return await desk.say(request, said)

    @word("/dead-letters/{letter:str}/discard", "discardDeadLetter", Scope.OPERATE)
    async def discard_dead_letter(
        request: Asker, letter: Begun, wait: Wait = 5, once: Once = None
    ) -> Response[shapes.Receipt]:
        said = Word(kind="decision.discard", named=letter, once=once, patience=wait)
        return await desk.say(request, said)

    return [list_refusals, list_dead_letters, retry_dead_letter, discard_dead_letter]


def _utc(at: datetime | None) -> datetime | None:
    if at is None or at.tzinfo is None:
        return None if at is None else at.replace(tzinfo=UTC)
    try:
        return at.astimezone(UTC)
    except OverflowError:
        said = f"expected a moment between the years 1 and 9999 in UTC, got {at.isoformat()}"
        raise AskerError(Fault.UNREADABLE, said) from None
