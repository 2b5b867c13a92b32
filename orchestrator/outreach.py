"""What the service asks of senders, made of its parts: what was missed, and to be rung at all; it asks nobody."""

import random
from collections.abc import Callable
from datetime import datetime

from orchestrator.doorbell.receive import Keeps
from orchestrator.known_secrets import held_by, redact_of
from orchestrator.parts import Parts
from orchestrator.recovery.gaps import Recovered
from orchestrator.recovery.indoors import Ring
from orchestrator.recovery.recovering import recovering
from orchestrator.recovery.renewing import Recoveries
from orchestrator.subscribing.heeding import Heeding
from orchestrator.subscribing.late import LateEvents, events_of
from orchestrator.subscribing.subscribing import Subscribing
from orchestrator.telemetry import words

Now = Callable[[], datetime]


def recoveries(parts: Parts, ring: Ring, now: Now) -> Recoveries:
    """Who fetches what GitHub delivered and we missed."""

    def tell(source: str, recovered: Recovered) -> None:
        counts = parts.counts.dispatch
        counts.recovered(source, recovered.reinjected, words.Recovered.RUNG)
        counts.recovered(source, recovered.asked_again, words.Recovered.ASKED)
        counts.recovered(source, recovered.failed, words.Recovered.FAILED)

    inbox, log = parts.stores.inbox, parts.log
    return Recoveries(lambda sources: recovering(sources, ring, inbox, now, log, tell=tell))


def subscribing(parts: Parts, ring: Ring, now: Now) -> Subscribing:
    """Who asks MCP servers to ring."""
    redact = redact_of(held_by(parts.settings), parts.reloading.configuration)
    return Subscribing(
        database=parts.stores.inbox_database,
        inbox=parts.stores.inbox,
        loaded=lambda: parts.reloading.loaded,
        asks=LateEvents(events_of(redact)),
        ring=ring,
        now=now,
        log=parts.log,
        tell=parts.counts.dispatch.subscription,
    )


def heeding(parts: Parts, keeps: Keeps, subscribed: Subscribing, now: Now) -> Keeps:
    """What keeps deliveries, and notes what servers say of our subscriptions."""
    return Heeding(
        keeps,
        parts.stores.inbox_database,
        now,
        random.random,
        parts.log,
        parts.counts.dispatch.subscription,
        subscribed.poke,
    )
