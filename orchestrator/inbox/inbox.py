"""The inbox: one committed row for every delivery, and one for every decision taken on it.

This module is the vocabulary and the protocol; it knows no SQL. `sql.py` keeps it on SQLite or Postgres.

An entry's life:     received -> decided -> pruned (quarantined: same delivery id, other bytes)
A decision's life:   ready -> delivered -> settled  (a `start`, `resume` or `control`; settled: a run took it)
                     ready -> settled             (a `forward`: whoever got it keeps no mailbox of ours)
                     settled                      (an `ignore`: nothing to deliver)
                     dead                         (buried after too many attempts, with the reason; a person
                                                   makes it ready again, or settles it)
                     folded -> ready              (a `start` whose event wakes the same run by its wait; it
                                                   becomes ready only if that run is gone)

All decisions of an event are written in one transaction, before anything acts on them. A decision that must be
delivered stands in a lane; of each lane only the oldest undelivered one may be claimed, so order is kept and a
stuck lane blocks only itself. Only a `resume` passes a `start` that is held until other runs of its rule end. A claim
is a lease with a fencing number: settling names the number, and a claim that was taken over can no longer settle. What
a person has paused is not claimed, and keeps its place.

A person's word is an entry too. What it orders of the inbox happens in the transaction that marks it decided.

A pruned entry is a tombstone: what it said is gone, what later deliveries are compared with stays, so that the
same delivery is still a duplicate a year later. Nothing that has to be worked off is ever pruned.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

import msgspec

from orchestrator.errors import Reason
from orchestrator.events import Actor, Author, Event
from orchestrator.inbox.orders import Order, Pause
from orchestrator.inbox.sought import EVERYTHING, Sought
from orchestrator.inbox.tallies import Tally
from orchestrator.rules.rule import Finding
from workflows.flow import Flow

MAX_REFUSALS: Final = 1_000
"""Refusals that are remembered."""

MAX_FOUND: Final = 10
"""Entries that `find` gives."""


class EntryState(StrEnum):
    """Where an entry is."""

    RECEIVED = "received"
    DECIDED = "decided"
    QUARANTINED = "quarantined"
    PRUNED = "pruned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A verified, read delivery on its way into the inbox. `dedupe_body`: equal bytes are the same delivery.

    `lasting` is what of the body stays the same when the sender tries again; None where all of it does.
    """

    id: str
    source: str
    delivery_id: str | None
    type: str
    subject: str | None
    actor: Actor | None
    keys: tuple[str, ...]
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    dedupe_body: bool
    lasting: bytes | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """On disk now, as a new entry."""

    id: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The same delivery is on disk already, as entry `of`."""

    of: str


@dataclass(frozen=True, slots=True)
class Quarantined:
    """The delivery id of entry `of` came again with other bytes; kept aside as entry `id` for a person."""

    id: str
    of: str


Receipt = Kept | Duplicate | Quarantined


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One kept delivery. `position` grows with every entry. `body` is the raw bytes."""

    position: int
    id: str
    source: str
    delivery_id: str | None
    type: str
    subject: str | None
    actor: Actor | None
    keys: tuple[str, ...]
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    state: EntryState
    duplicates: int = 0
    duplicate_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A delivery that was not kept: what the bounded refusal log remembers. Never a body or a header value."""

    at: datetime
    source: str
    reason: Reason
    detail: str
    headers: tuple[str, ...]


class Action(StrEnum):
    """What a decision asks for."""

    START = "start"
    RESUME = "resume"
    CONTROL = "control"
    FORWARD = "forward"
    IGNORE = "ignore"


class DecisionState(StrEnum):
    """Where a decision is."""

    READY = "ready"
    DELIVERED = "delivered"
    SETTLED = "settled"
    DEAD = "dead"
    FOLDED = "folded"


FOLDED: Final = "folded: it wakes this very run by its wait"
UNFOLDED: Final = "matched: it woke no run by its wait after all, so its rule acts"
"""Reasons of a start that was folded, and of one whose event came too late for the wait, or is dead."""


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was decided about one event by one cause, before anything acted on it.

    `id` is derived from (event, cause, n), so deciding again changes nothing. `cause` is a rule's id, `wait:ID`
    or `operator`. `rule` is the name people read. `with_` are the playbook's inputs as the templates gave them.
    `lane` orders deliveries; `workflow_id` says which run gets it. `again` is the position of the person's word
    that redelivered the event. `note` is the newest word on why it isn't delivered, and `due_at` when it may be.
    `tallies` are what it is counted under, and judged by, while it is written; they are kept with it only where it
    is folded, for the day when it acts after all. `flow` is how it meets a run that is already there, and `place` its
    number in the lane; 0 before it is written.
    """

    # A structure, because an event makes hundreds of them, and a dataclass takes ten times as long; nothing that it
    # holds can lead back to it, so the collector need not look.

    id: str
    event_id: str
    cause: str
    rule: str
    action: Action
    reason: str
    trace: tuple[Finding, ...] = ()
    playbook: str | None = None
    with_: Mapping[str, Any] = msgspec.field(default_factory=dict)
    key: str | None = None
    stage: str | None = None
    workflow_id: str | None = None
    lane: str | None = None
    wait_id: str | None = None
    configuration: str = ""
    state: DecisionState = DecisionState.READY
    attempts: int = 0
    decided_at: datetime | None = None
    delivered_at: datetime | None = None
    again: int | None = None
    note: str | None = None
    due_at: datetime | None = None
    tallies: tuple[Tally, ...] = ()
    flow: Flow = Flow()
    place: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to deliver one decision until `until`; `fence` grows with every claim of it."""

    decision: Decision
    fence: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """The decision that has to be delivered before another of its lane; `source` rang for its event."""

    decision: Decision
    source: str


class Inbox(Protocol):
    """What the door, the dispatcher and the CLI ask of it. Every method is one transaction."""

    async def keep(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Commit (fsync) a batch; the receipts are in the arrivals' order. Repeats within a batch count too."""

    async def refuse(self, refusal: Refusal) -> None:
        """Remember a refusal in the bounded log (the newest 1,000 are kept)."""

    async def refuse_all(self, refusals: Sequence[Refusal]) -> None:
        """Remember several in one transaction."""

    async def refusals(self, limit: int) -> list[Refusal]:
        """The newest refusals first."""

    async def entry(self, event_id: str) -> Entry | None:
        """The entry with exactly this id."""

    async def find(self, text: str) -> list[Entry]:
        """Entries whose id or delivery id is `text` or begins with it (at most 10)."""

    async def entries(self, limit: int, sought: Sought = EVERYTHING) -> list[Entry]:
        """The newest entries first, bodies left out (b"")."""

    async def undecided(self, limit: int) -> list[Entry]:
        """Received entries in the order they were kept."""

    async def decide(
        self,
        event_id: str,
        decisions: Sequence[Decision],
        now: datetime,
        order: Order | None = None,
    ) -> list[Decision]:
        """Write all decisions of an event and mark it decided, in one transaction; known ids are left alone.

        Answers with them as they were written: one of whose tallies is full ignores the event, and the others are
        counted. Nobody acts between the count and the writing, also with several doorbells on one database.
        In the same transaction a person's word is carried out: its `order`, or the decisions about an event that it
        redelivers. Of an event that is decided already nothing changes, and tombstones are left alone.
        """

    async def add(self, decisions: Sequence[Decision], now: datetime) -> None:
        """Add later decisions (a wait that looked back); known ids are left alone, and so are tombstones."""

    async def decisions(self, event_ids: Sequence[str]) -> dict[str, list[Decision]]:
        """The decisions of these events, oldest first."""

    async def decision(self, decision_id: str) -> Decision | None:
        """The decision with exactly this id."""

    async def ahead(self, decision_ids: Sequence[str]) -> dict[str, Ahead]:
        """Of each of these that must wait for others of its lane, the foremost of those; the others aren't named."""

    async def claim(
        self,
        now: datetime,
        lease: timedelta,
        limit: int,
        actions: Collection[Action] | None = None,
    ) -> list[Lease]:
        """Lease the head of each lane that is due, not leased and not paused; oldest decisions first.

        With `actions` only heads that ask for one of them; the others still block their lanes.
        """

    async def settle(self, decision_id: str, fence: int, now: datetime) -> bool:
        """Mark delivered, a `forward` settled; False when the claim was taken over in the meantime."""

    async def release(
        self, decision_id: str, fence: int, until: datetime, reason: str, *, count: bool
    ) -> bool:
        """Give a claim back, due again at `until`; `count` says whether it was an attempt."""

    async def bury(self, decision_id: str, fence: int, reason: str) -> bool:
        """Make it a dead letter, so that its lane goes on; the start that a dead resume outranked becomes ready."""

    async def dead(self, limit: int) -> list[Decision]:
        """Dead letters, oldest first."""

    async def pauses(self) -> list[Pause]:
        """What is paused now, rules before sources, by name."""

    async def undelivered(self) -> dict[str, int]:
        """How many decisions of each rule, by its name, are still to be delivered."""

    async def delivered(
        self, before: datetime, limit: int, after: Decision | None = None
    ) -> list[Decision]:
        """Decisions delivered before then and not yet closed, oldest first; `after` is the last of the page before."""

    async def unfold(self, event_id: str, workflow_id: str, again: int | None = None) -> None:
        """Make the folded start of this event, run and redelivery ready after all, at the end of its lane."""

    async def unread(self, lane: str) -> int:
        """How many decisions of a lane are delivered and not known to be taken: what may stand in a mailbox."""

    async def close(self, decision_ids: Sequence[str]) -> None:
        """Their runs have taken them: `delivered` becomes `settled`."""

    async def hasten(self, cause: str, limit: int, now: datetime) -> int:
        """Make so many of a rule's decisions due that wait for another run to end, the oldest first; says how many.

        Only heads of lanes that are neither leased nor paused count.
        """

    async def reopen(self, decision_id: str) -> None:
        """Deliver it again: `delivered` becomes `ready`. The run's claim keeps it from acting twice."""

    async def free_leases(self) -> None:
        """Forget all leases: for the start of a process that is the only one to hold any."""

    async def look_back(self, pattern: str, key: str, since: int, limit: int) -> list[Entry]:
        """Entries after position `since` whose `source/type` matches the glob and that carry the key, oldest first."""

    async def head(self) -> int:
        """The position of the newest entry, 0 when empty."""

    async def waiting(self) -> int:
        """How many entries and decisions still have to be worked off."""

    async def backlog(self, source: str) -> int:
        """How many entries of a source still have to be worked off: undecided, or with a decision undelivered."""

    async def seen(self, source: str, delivery_ids: Sequence[str]) -> set[str]:
        """Those of a sender's delivery ids under which one of its deliveries is known, be it pruned."""

    async def newest(self, source: str) -> datetime | None:
        """When the newest delivery of a source came, of those that aren't pruned."""

    async def oldest(self, source: str) -> datetime | None:
        """When the oldest delivery of a source came, of those that aren't pruned."""

    async def sources(self) -> list[str]:
        """The sources of everything that could be pruned, in order."""

    async def prunable(
        self, source: str, before: datetime, limit: int, after: Entry | None = None
    ) -> list[Entry]:
        """Entries received before then with nothing left to do, oldest first, bodies left out; `after` goes on."""

    async def prune(self, event_ids: Sequence[str]) -> int:
        """Make tombstones of those with nothing left to do (of quarantined ones nothing stays); says how many."""

    async def forget(self, before: datetime, limit: int) -> int:
        """Remove so many of the tombstones of deliveries received before then; says how many."""

    async def pulse(self, now: datetime) -> None:
        """Write and read one row, as keeping a delivery would."""


def event_of(entry: Entry, data: Any, author: Author | None = None) -> Event:
    """The event an entry means; `data` is its payload, parsed by the source's dialect, which knows its author."""
    return Event(
        id=entry.id,
        source=entry.source,
        delivery_id=entry.delivery_id,
        type=entry.type,
        subject=entry.subject,
        actor=entry.actor,
        keys=entry.keys,
        received_at=entry.received_at,
        headers=entry.headers,
        data=data,
        author=author,
    )
