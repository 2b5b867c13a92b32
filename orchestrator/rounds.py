"""What the service does over and over beside the door: which loops there are, and what each is given; it runs none."""

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from orchestrator.configuration.reloading import Reloading
from orchestrator.dispatch.runs import TemporalRuns
from orchestrator.known_secrets import held_by, redact_of
from orchestrator.parts import Parts
from orchestrator.schedules.clock import Clock
from orchestrator.settings import kept_for
from orchestrator.tending import retention
from orchestrator.tending.notifying import Notifying
from orchestrator.tending.releasing import Releaser
from orchestrator.tending.sweeping import Sweeper
from orchestrator.tending.unheld import Unheld

Now = Callable[[], datetime]


def works(parts: Parts, ticking: Clock, now: Now) -> list[Coroutine[Any, Any, None]]:
    """One coroutine a loop, each until cancelled."""
    return [
        ticking.keep(),
        ticking.hear(),
        parts.dispatcher.work(),
        parts.hearing.work(),
        _nightly(parts, now),
        _releaser(parts, now).work(),
        _sweeper(parts, now).work(),
        _notifying(parts, now).work(),
        Unheld(reloading=parts.reloading, inbox=parts.stores.inbox, log=parts.log).work(),
    ]


def _releaser(parts: Parts, now: Now) -> Releaser:
    return Releaser(
        inbox=parts.stores.inbox,
        ledger=parts.stores.ledger,
        configuration=parts.dispatcher.configuration,
        now=now,
        poke=parts.dispatcher.poke,
        log=parts.log,
    )


def _sweeper(parts: Parts, now: Now) -> Sweeper:
    return Sweeper(
        inbox=parts.stores.inbox,
        ledger=parts.stores.ledger,
        temporal=TemporalRuns(parts.client, parts.settings.task_queue),
        embedded=parts.settings.embedded,
        now=now,
        poke=parts.dispatcher.poke,
        log=parts.log,
        counts=parts.counts.dispatch,
    )


def _notifying(parts: Parts, now: Now) -> Notifying:
    return Notifying(
        inbox=parts.stores.inbox,
        ledger=parts.stores.ledger,
        configuration=parts.dispatcher.configuration,
        redact=redact_of(held_by(parts.settings), parts.reloading.configuration),
        counts=parts.counts.dispatch,
        now=now,
        poke=parts.dispatcher.poke,
        log=parts.log,
    )


async def _nightly(parts: Parts, now: Now) -> None:
    inbox, ledger = parts.stores.inbox, parts.stores.ledger
    referred, keep = retention.referred_in(ledger), partial(_kept, parts.reloading)
    await retention.nightly(
        lambda: retention.prune(inbox, referred, keep, now()),
        now,
        parts.log,
        forget_now=lambda: retention.prune_ledger(
            ledger, keep, now(), kept_for(parts.settings.audit_keep)
        ),
    )


def _kept(reloading: Reloading, name: str) -> timedelta | None:
    source = reloading.loaded.readable.get(name)
    return retention.DEFAULT_KEEP if source is None else source.keep
