"""Routes about events, refusals and dead letters."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, JSONBody, QueryParameter

from orchestrator.configuration import quantities
from orchestrator.configuration.tokens import Scope
from orchestrator.console.questions import (
    LIMIT,
    DeadLetters,
    Delivery,
    Event,
    Events,
    Prune,
    Refusals,
    Why,
    Word,
)
from orchestrator.console.rest import saying, shapes
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
    deed,
    question,
    word,
)
from orchestrator.errors import AskerError, Fault
from orchestrator.inbox.sought import Stand

Glob = Annotated[
    str | None, QueryParameter(name="type", max_length=LONGEST_NAME, pattern=PRINTABLE)
]
After = Annotated[
    str | None,
    QueryParameter(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=PRINTABLE,
        description="The whole id of an event: only what was kept after it.",
    ),
]

Decisions = Annotated[
    bool,
    QueryParameter(description="false leaves out what was decided about each: none is told."),
]


def event_routes(desk: Desk) -> list[HTTPRouteHandler]:
    """What came, and why it did or didn't start anything."""

    @question("/events/{event:str}", "showEvent")
    async def show_event(request: Asker, event: Begun) -> shapes.WholeEvent:
        shown: shapes.WholeEvent = await desk.ask(request, Event(event=event))
        return shown

    @question("/events/{event:str}/delivery", "showDelivery")
    async def show_delivery(request: Asker, event: Begun) -> shapes.Delivery:
        shown: shapes.Delivery = await desk.ask(request, Delivery(event=event))
        return shown

    @question("/events/{event:str}/why", "whyEvent")
    async def why_event(request: Asker, event: Begun) -> shapes.Why:
        told: shapes.Why = await desk.ask(request, Why(event=event))
        return told

    return [_listing(desk), show_event, show_delivery, why_event]


def _listing(desk: Desk) -> HTTPRouteHandler:
    @question("/events", "listEvents")
    async def list_events(
        request: Asker,
        *,
        source: Text = None,
        glob: Glob = None,
        stand: Annotated[Stand | None, QueryParameter(name="is")] = None,
        since: FromQuery[datetime | None] = None,
        until: FromQuery[datetime | None] = None,
        before: Before = None,
        after: After = None,
        limit: Limit = LIMIT,
        decisions: Decisions = True,
    ) -> shapes.Events:
        asked = Events(
            source=source,
            type=glob,
            stand=stand,
            since=_utc(since),
            until=_utc(until),
            before=before,
            after=after,
            limit=limit,
            decisions=decisions,
        )
        events: shapes.Events = await desk.ask(request, asked)
        return events

    return list_events


def event_word_routes(desk: Desk) -> list[HTTPRouteHandler]:
    """The same event again, and no longer what is old."""

    @word("/events/{event:str}/redeliver", "redeliverEvent", Scope.OPERATE)
    async def redeliver_event(
        request: Asker, event: Begun, wait: Wait = 5, once: Once = None
    ) -> Response[saying.Receipt]:
        said = Word(kind="event.redeliver", named=event, once=once, patience=wait)
        return await desk.say(request, said)

    @deed("/events/prune", "pruneEvents")
    async def prune_events(request: Asker, data: JSONBody[saying.Prune]) -> saying.Pruned:
        try:
            keep = None if data.keep is None else quantities.duration(data.keep)
        except ValueError as error:
            raise AskerError(Fault.UNREADABLE, f"keep: {error}") from None
        pruned: saying.Pruned = await desk.act(request, Prune(keep=keep, dry_run=data.dry_run))
        return pruned

    return [redeliver_event, prune_events]


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

    words = [_about_a_letter(desk, "retry"), _about_a_letter(desk, "discard")]
    return [list_refusals, list_dead_letters, *words]


def _about_a_letter(desk: Desk, verb: Literal["retry", "discard"]) -> HTTPRouteHandler:
    @word(f"/dead-letters/{{letter:str}}/{verb}", f"{verb}DeadLetter", Scope.OPERATE)
    async def say(
        request: Asker, letter: Begun, wait: Wait = 5, once: Once = None
    ) -> Response[saying.Receipt]:
        said = Word(kind=f"decision.{verb}", named=letter, once=once, patience=wait)
        return await desk.say(request, said)

    return say


def _utc(at: datetime | None) -> datetime | None:
    if at is None or at.tzinfo is None:
        return None if at is None else at.replace(tzinfo=UTC)
    try:
        return at.astimezone(UTC)
    except OverflowError:
        said = f"expected a moment between the years 1 and 9999 in UTC, got {at.isoformat()}"
        raise AskerError(Fault.UNREADABLE, said) from None
