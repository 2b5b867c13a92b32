"""How long what was kept is kept: a pure choice of what is old enough, and the thin loop that prunes at night.

What has something left to do stays (the inbox knows), and so does what an open conversation or wait refers to (the
ledger knows). A pruned delivery leaves a tombstone for 400 days, so that it is still a duplicate when it comes again.
A conversation is kept as long as the deliveries of its source, from its end on; artifacts for a day longer than that.
The audit of calls is kept for 400 days too, unless somebody says otherwise.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final

from orchestrator.database import Database
from orchestrator.inbox.inbox import Entry, Inbox
from orchestrator.ledger import artifacts, audit, pruning, references
from orchestrator.loops import forever
from orchestrator.sources.source import KEEP

DEFAULT_KEEP: Final = KEEP
"""For sources that say nothing, and for those no longer configured."""

TOMBSTONES: Final = timedelta(days=400)
"""For so long it is known what was heard, and who took it."""

GARBAGE: Final = timedelta(days=1)
"""For so long nothing has referred to an artifact before it goes."""

BATCH: Final = 200
"""Entries of one transaction: small, so that the door never waits long."""

NIGHT: Final = time(3, 0)
"""UTC."""

SOON: Final = timedelta(minutes=10)
"""After a start: a machine that is switched off at night prunes too."""

Keep = Callable[[str], timedelta | None]
"""How long a source's deliveries are kept; None means for ever."""

Referred = Callable[[Sequence[Entry]], Awaitable[frozenset[str]]]
"""Those of the entries, by id, that something open refers to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoff:
    """Of this source, what was received before then may go."""

    source: str
    before: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What became of one source: so many are pruned (or would be), so many are old but still referred to."""

    source: str
    before: datetime
    pruned: int
    referred: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What became of the ledger: so many conversations were pruned, artifacts deleted, lines of the audit forgotten."""

    conversations: int
    artifacts: int
    audited: int = 0


def cutoffs(sources: Iterable[str], keep: Keep, now: datetime) -> list[Cutoff]:
    """What is old enough, for every source that isn't kept for ever."""
    kept = ((source, keep(source)) for source in sources)
    return [Cutoff(source=source, before=now - most) for source, most in kept if most is not None]


def next_night(now: datetime) -> datetime:
    """The next 03:00 UTC after now."""
    today = datetime.combine(now.date(), NIGHT, now.tzinfo)
    return today if today > now else today + timedelta(days=1)


def referred_in(ledger: Database) -> Referred:
    """Asks the ledger."""

    async def referred(entries: Sequence[Entry]) -> frozenset[str]:
        found = {entry.id: (entry.position, entry.keys) for entry in entries}
        return await ledger.read(references.referred, found)

    return referred


async def prune(
    inbox: Inbox, referred: Referred, keep: Keep, now: datetime, *, dry_run: bool = False
) -> list[Pruned]:
    """Prune what is old enough; with `dry_run` only say how much that is. Raises `DatabaseError`."""
    found = cutoffs(await inbox.sources(), keep, now)
    pruned = [await _source(inbox, referred, cutoff, dry_run=dry_run) for cutoff in found]
    if not dry_run:
        while await inbox.forget(now - TOMBSTONES, BATCH) == BATCH:
            pass
    return pruned


async def prune_ledger(
    ledger: Database, keep: Keep, now: datetime, audit_keep: timedelta | None = TOMBSTONES
) -> Forgotten:
    """Forget what was said long enough ago, and the artifacts that nothing needs any more. Raises `DatabaseError`.

    `audit_keep` is how long it is known who made which call; None means for ever.
    """
    pruned = 0
    for cutoff in cutoffs(await ledger.read(pruning.sources), keep, now):
        before = cutoff.before.timestamp()
        while ids := await ledger.read(pruning.prunable, cutoff.source, before, BATCH):
            pruned += await ledger.write(pruning.prune, ids, before, now.timestamp())
    old = (now - TOMBSTONES).timestamp()
    while await ledger.write(pruning.forget, old, BATCH) == BATCH:
        pass
    audited = 0 if audit_keep is None else await _unaudited(ledger, now - audit_keep)
    collected = await _collected(ledger, now)
    return Forgotten(conversations=pruned, artifacts=collected, audited=audited)


async def _unaudited(ledger: Database, before: datetime) -> int:
    forgotten = 0
    while done := await ledger.write(audit.forget, before.timestamp(), BATCH):
        forgotten += done
    return forgotten


async def _collected(ledger: Database, now: datetime) -> int:
    deleted, before = 0, (now - GARBAGE).timestamp()
    while ids := await ledger.read(artifacts.doomed, before, BATCH):
        deleted += await ledger.write(artifacts.delete_marked, ids)
    while ids := await ledger.read(artifacts.unreferenced, BATCH):
        await ledger.write(artifacts.mark, ids, now.timestamp())
    return deleted


async def nightly(
    prune_now: Callable[[], Awaitable[Sequence[Pruned]]],
    now: Callable[[], datetime],
    log: Any,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    forget_now: Callable[[], Awaitable[Forgotten]] | None = None,
) -> None:
    """Prune soon after the start and then every night, until cancelled; a failed night is logged and not the last."""

    async def prune_and_tell() -> int:
        done = await prune_now()
        for one in done:
            log.info("events.pruned", source=one.source, pruned=one.pruned, referred=one.referred)
        if forget_now is not None:
            gone = await forget_now()
            log.info(
                "runs.pruned",
                pruned=gone.conversations,
                artifacts=gone.artifacts,
                audited=gone.audited,
            )
        return sum(one.pruned for one in done)

    async def until_night(_pruned: int) -> None:
        at = now()
        await sleep((next_night(at) - at).total_seconds())

    await sleep(SOON.total_seconds())
    await forever("retention", prune_and_tell, until_night, log)


async def _source(inbox: Inbox, referred: Referred, cutoff: Cutoff, *, dry_run: bool) -> Pruned:
    pruned = needed = 0
    page = await inbox.prunable(cutoff.source, cutoff.before, BATCH)
    while page:
        held = await referred(page)
        free = [entry.id for entry in page if entry.id not in held]
        pruned += len(free) if dry_run else await inbox.prune(free)
        needed += len(held)
        page = await inbox.prunable(cutoff.source, cutoff.before, BATCH, page[-1])
    return Pruned(source=cutoff.source, before=cutoff.before, pruned=pruned, referred=needed)
