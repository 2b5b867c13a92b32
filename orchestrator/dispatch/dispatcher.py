"""The loop that works the inbox off: decide, look back for waits, deliver; it keeps nothing in memory.

Phase 1 writes all decisions of an event in one transaction. Phase 2 delivers what must reach a run, the oldest of
each lane first, at most 16 at a time. With Temporal down, entries wait and no attempt is burnt.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from orchestrator.configuration.configuration import Configuration
from orchestrator.database import Database
from orchestrator.dispatch.decide import (
    Known,
    Wanted,
    decide,
    decision_id,
    ours_because,
    wants,
    woken_later,
)
from orchestrator.dispatch.runs import Runs, Undeliverable, Unreachable
from orchestrator.errors import DoorbellError, SenderError
from orchestrator.events import Event
from orchestrator.inbox.inbox import (
    Action,
    Decision,
    DecisionState,
    Entry,
    EntryState,
    Inbox,
    Lease,
    event_of,
)
from orchestrator.ledger import claims, conversations, waits
from orchestrator.ledger.waits import Wait
from orchestrator.sources.source import OPERATOR, Source
from workflows.messages import Claim

BATCH = 64
AT_ONCE = 16
"""More starts at a time only add latency (measured on the embedded server)."""

LEASE = timedelta(seconds=30)
IDLE = 0.25
"""Seconds between two looks when nobody rings; a kept delivery is looked at at once."""

MAX_ATTEMPTS = 10
BACKOFF = timedelta(seconds=2)
RECONCILE_EVERY = 30.0
OVERDUE = timedelta(seconds=30)
LOOKED_AT = 50
MAILBOX = 500
UNREADABLE = "doorbell:unreadable"


@dataclass(kw_only=True, slots=True)
class Dispatcher:
    """One for each service. `sources` and `configuration` answer with what is in force now."""

    inbox: Inbox
    ledger: Database
    runs: Runs
    configuration: Callable[[], Configuration]
    sources: Callable[[], dict[str, Source]]
    now: Callable[[], datetime]
    log: Any
    rung: asyncio.Event = field(default_factory=asyncio.Event)
    prepared: bool = False

    def poke(self) -> None:
        """Something was kept: look now."""
        self.rung.set()

    async def work(self) -> None:
        """Work until cancelled; a failure is logged and the work goes on."""
        await asyncio.gather(
            self._forever("decide", self.decide_some),
            self._forever("deliver", self.deliver_some),
            self._forever("look back", self.look_back_some),
            self._now_and_then("reconcile", self.reconcile),
        )

    async def _forever(self, name: str, step: Callable[[], Awaitable[int]]) -> None:
        while True:
            if not await self._tried(name, step):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.rung.wait(), IDLE)
                self.rung.clear()

    async def _now_and_then(self, name: str, step: Callable[[], Awaitable[int]]) -> None:
        while True:
            await asyncio.sleep(RECONCILE_EVERY)
            await self._tried(name, step)

    async def _tried(self, name: str, step: Callable[[], Awaitable[int]]) -> int:
        try:
            return await step()
        except Exception:
            self.log.exception("dispatch.failed", part=name)
            return 0

    async def decide_some(self) -> int:
        """Phase 1 for the oldest undecided entries; returns how many."""
        entries = await self.inbox.undecided(BATCH)
        for entry in entries:
            decisions = await self._decisions(entry)
            await self.inbox.decide(entry.id, decisions, self.now())
            self._tell(entry, decisions)
        if entries:
            self.poke()
        return len(entries)

    async def deliver_some(self) -> int:
        """Phase 2 for the heads of the lanes; returns how many were delivered."""
        if not self.prepared:
            try:
                await self.runs.prepare()
            except Unreachable:
                return 0
            self.prepared = True
        leases = await self.inbox.claim(self.now(), LEASE, AT_ONCE)
        delivered = await asyncio.gather(*(self._deliver(lease) for lease in leases))
        return sum(delivered)

    async def look_back_some(self) -> int:
        """Find events that came before the waits that want them; returns how many waits were looked at."""
        open_waits = await self.ledger.read(waits.unlooked)
        looked = [wait.wait_id for wait in open_waits if await self._looked_back(wait)]
        if looked:
            await self.ledger.write(waits.looked, looked)
        return len(looked)

    async def reconcile(self) -> int:
        """Settle what runs have taken; send again what was delivered to a run that is gone."""
        before, last = self.now() - OVERDUE, None
        running: dict[str, bool] = {}
        while page := await self.inbox.delivered(before, BATCH, after=last):
            taken = await self.ledger.read(claims.claimed, [decision.id for decision in page])
            for decision in page:
                await self._reconciled(decision, taken.get(decision.id), running)
            await self.inbox.close([decision.id for decision in page if decision.id in taken])
            last = page[-1]
        return len(running)

    async def _reconciled(
        self, decision: Decision, how: str | None, running: dict[str, bool]
    ) -> None:
        workflow_id = decision.workflow_id or ""
        if how is not None:
            if how == Claim.LATE and decision.action is Action.RESUME:
                # Its run was gone when it woke: the rule that was folded into it acts after all.
                await self.inbox.unfold(decision.event_id, workflow_id)
            return
        if workflow_id not in running:
            running[workflow_id] = await self._is_running(workflow_id)
        claimed_since = await self.ledger.read(claims.claimed, [decision.id])
        if not running[workflow_id] and not claimed_since:
            self.log.warning("dispatch.sent_again", decision=decision.id, run=workflow_id)
            await self.inbox.reopen(decision.id)

    async def _is_running(self, workflow_id: str) -> bool:
        try:
            return await self.runs.running(workflow_id)
        except (Unreachable, Undeliverable):
            return True

    async def _decisions(self, entry: Entry) -> list[Decision]:
        event = self._event(entry)
        if isinstance(event, str):
            return [_unreadable(entry, event)]
        known = await self._known(event)
        try:
            return decide(event, entry.position, known)
        except Exception as error:
            self.log.exception("decide.failed", event_id=entry.id)
            return [_unreadable(entry, _bug(error))]

    def _event(self, entry: Entry) -> Event | str:
        source = self.sources().get(entry.source)
        if source is None:
            return f"source {entry.source!r} is no longer configured"
        try:
            return event_of(entry, source.dialect.read(entry.headers, entry.body).data)
        except SenderError as error:
            return f"the payload can't be read: {error}"
        except Exception as error:
            # One event that our reading stumbles over must not stop those behind it.
            self.log.exception("read.failed", event_id=entry.id)
            return _bug(error)

    async def _known(self, event: Event) -> Known:
        configuration = self.configuration()
        source = self.sources()[event.source]
        wanting = await self.ledger.read(_wanted, event.keys)
        runs: dict[str, str] = {}
        if event.source == OPERATOR:
            runs = await self.ledger.read(_run_named, str(event.data.get("run", "")))
        return Known(
            rules=configuration.rules,
            waits=wanting,
            own_actors=source.own_actors,
            runs=runs,
            configuration=configuration.digest,
        )

    async def _deliver(self, lease: Lease) -> bool:
        decision = lease.decision
        counted = decision.action is not Action.CONTROL
        if counted and await self.inbox.unread(decision.lane or "") >= MAILBOX:
            # The lane holds in the inbox: a run that reads nothing must not pile up history.
            full = f"held: {MAILBOX} deliveries stand unread in the run's mailbox"
            until = self.now() + OVERDUE
            await self.inbox.release(decision.id, lease.fence, until, full, count=False)
            return False
        entry = await self.inbox.entry(decision.event_id)
        source = entry.source if entry else "-"
        try:
            await self.runs.deliver(decision, source)
        except Unreachable as error:
            until = self.now() + BACKOFF
            await self.inbox.release(decision.id, lease.fence, until, str(error), count=False)
            return False
        except Undeliverable as error:
            await self._failed(lease, error)
            return False
        return await self.inbox.settle(decision.id, lease.fence, self.now())

    async def _failed(self, lease: Lease, error: DoorbellError) -> None:
        decision = lease.decision
        if decision.attempts + 1 >= MAX_ATTEMPTS:
            self.log.error("dispatch.buried", decision=decision.id, reason=str(error))
            await self.inbox.bury(decision.id, lease.fence, str(error))
            return
        until = self.now() + BACKOFF * 2**decision.attempts
        await self.inbox.release(decision.id, lease.fence, until, str(error), count=True)

    async def _looked_back(self, wait: Wait) -> bool:
        heard = set(await self.ledger.read(conversations.heard, wait.run_id))
        wanted = await self.ledger.read(_as_wanted, wait)
        for pattern in wait.patterns:
            for entry in await self.inbox.look_back(pattern, wait.key, wait.since, LOOKED_AT):
                if entry.state is EntryState.RECEIVED:
                    # Its own decision may still see the wait: found twice, it would reach the run twice.
                    return False
                event = self._event(entry)
                if isinstance(event, str) or entry.id in heard or self._is_ours(event):
                    continue
                if await self._reaches_it_anyway(entry, wait):
                    continue
                if wants(wanted, event, entry.position):
                    await self.inbox.add([woken_later(event, wanted)], self.now())
                    return True
        return True

    async def _reaches_it_anyway(self, entry: Entry, wait: Wait) -> bool:
        """Whether a rule sends this event into the waiting run already (one entry for each run and event)."""
        decided = (await self.inbox.decisions([entry.id])).get(entry.id, [])
        return any(
            decision.action is Action.START
            and decision.workflow_id == wait.workflow_id
            and decision.state is not DecisionState.FOLDED
            for decision in decided
        )

    def _is_ours(self, event: Event) -> bool:
        return ours_because(event, self.sources()[event.source].own_actors) is not None

    def _tell(self, entry: Entry, decisions: list[Decision]) -> None:
        acted = [d for d in decisions if d.action is not Action.IGNORE]
        self.log.info(
            "event.decided",
            event_id=entry.id,
            source=entry.source,
            type=entry.type,
            actions=[f"{d.action}:{d.rule or d.cause}" for d in acted],
            reason=None if acted else [d.reason for d in decisions][-1:],
        )


def _bug(error: Exception) -> str:
    return f"a bug of ours, please report it: {type(error).__name__}"


def _unreadable(entry: Entry, reason: str) -> Decision:
    return Decision(
        id=decision_id(entry.id, UNREADABLE),
        event_id=entry.id,
        cause=UNREADABLE,
        rule="",
        action=Action.IGNORE,
        reason=reason,
        state=DecisionState.SETTLED,
    )


def _wanted(connection: Any, keys: tuple[str, ...]) -> list[Wanted]:
    return [_as_wanted(connection, wait) for wait in waits.wanting(connection, keys)]


def _as_wanted(connection: Any, wait: Wait) -> Wanted:
    conversation = conversations.one(connection, wait.run_id)
    return Wanted(
        wait_id=wait.wait_id,
        run_id=wait.run_id,
        workflow_id=wait.workflow_id,
        rule=conversation.rule,
        playbook=conversation.playbook,
        patterns=wait.patterns,
        key=wait.key,
        since=wait.since,
        deadline_at=wait.deadline_at,
    )


def _run_named(connection: Any, run_id: str) -> dict[str, str]:
    found = conversations.find(connection, run_id)
    return {} if found is None else {run_id: found.workflow_id}
