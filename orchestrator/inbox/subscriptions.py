"""What was asked of MCP servers, a row for each subscription, and the transactions on it; it asks nobody.

The configuration says what is wanted, the row what came of it, and the server keeps its own account until it expires.
A row is worked on under a lease with a fencing number, so that of several doorbells one refreshes; whoever was
overtaken meanwhile, by another doorbell or by the server's own word at the door, settles nothing.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.inbox.schema import SUBSCRIPTIONS

TERMINATED: Final = "terminated"
"""Why there is none any more: its server ended it."""

_TABLE: Final = SUBSCRIPTIONS.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """A subscription as the configuration wants it.

    `secret` and `address` are digests: of what its deliveries are signed with, and of where its server is.
    """

    mark: str
    source: str
    server: str
    address: str
    event: str
    arguments: str
    url: str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One row. `wanted` False: it is to be ended; `id` None: its server has granted none yet.

    `active_until` None beside an id means that it never ends. `address` is as of the newest grant.
    """

    mark: str
    source: str
    server: str
    address: str | None
    event: str
    arguments: str
    url: str
    secret: str
    wanted: bool
    id: str | None
    cursor: str | None
    refreshed_at: datetime | None
    active_until: datetime | None
    due_at: datetime
    troubles: int
    reason: str | None
    error: str | None
    gaps: int
    gap_at: datetime | None
    fence: int
    leased_until: datetime | None

    def active(self, now: datetime) -> bool:
        """Whether its server still rings us, as far as we know."""
        return self.id is not None and (self.active_until is None or self.active_until > now)


def follow(
    connection: Connection, wants: Sequence[Want], leave: Collection[str] | None, now: datetime
) -> None:
    """Want these from now on; others are to be ended, but for those of sources to `leave` alone, None: all of them."""
    for want in wants:
        _want(connection, want, now)
    if leave is None:
        return
    marks = [want.mark for want in wants]
    gone = update(SUBSCRIPTIONS).where(_TABLE.wanted, _TABLE.mark.not_in(marks))
    if leave:
        gone = gone.where(_TABLE.source.not_in(list(leave)))
    connection.execute(gone.values(wanted=False, **_anew(now)))


def everything(connection: Connection) -> list[Subscription]:
    """All rows, in the order of sources and events."""
    ordered = select(SUBSCRIPTIONS).order_by(_TABLE.source, _TABLE.event, _TABLE.mark)
    return [Subscription(**row._mapping) for row in connection.execute(ordered)]  # noqa: SLF001 - SQLAlchemy's word


def claim(connection: Connection, mark: str, now: datetime, until: datetime) -> Subscription | None:
    """Take one that is due, unless another doorbell has it."""
    free = or_(_TABLE.leased_until.is_(None), _TABLE.leased_until <= now)
    taken = (
        update(SUBSCRIPTIONS)
        .where(_TABLE.mark == mark, _TABLE.due_at <= now, free)
        .values(leased_until=until, fence=_TABLE.fence + 1)
        .returning(SUBSCRIPTIONS)
    )
    row = connection.execute(taken).one_or_none()
    return None if row is None else Subscription(**row._mapping)  # noqa: SLF001 - SQLAlchemy's word


def settle(connection: Connection, claimed: Subscription, /, **changes: Any) -> bool:
    """Write what came of a claim, and let go; False where somebody overtook it."""
    held = _TABLE.mark == claimed.mark, _TABLE.fence == claimed.fence
    done = update(SUBSCRIPTIONS).where(*held).values(leased_until=None, **changes)
    return connection.execute(done).rowcount == 1


def forget(connection: Connection, claimed: Subscription) -> bool:
    """It is over; False where somebody overtook the claim."""
    held = _TABLE.mark == claimed.mark, _TABLE.fence == claimed.fence
    return connection.execute(delete(SUBSCRIPTIONS).where(*held)).rowcount == 1


def ended(
    connection: Connection, mark: str, error: str, at: datetime, due: Callable[[int], datetime]
) -> bool:
    """Its server said that it rings no more: it is asked again when due after so many troubles, from where we were."""
    troubles = connection.scalar(select(_TABLE.troubles).where(_TABLE.mark == mark)) or 0
    return _overtake(
        connection,
        mark,
        active_until=at,
        due_at=due(troubles),
        troubles=troubles + 1,
        reason=TERMINATED,
        error=error,
    )


def skipped(connection: Connection, mark: str, cursor: str | None, at: datetime) -> bool:
    """Its server said that events are missing, and from where it goes on."""
    onward = {} if cursor is None else {"cursor": cursor}
    return _overtake(connection, mark, gaps=_TABLE.gaps + 1, gap_at=at, **onward)


def free(connection: Connection) -> None:
    """Let go of everything: whoever had it is dead."""
    connection.execute(update(SUBSCRIPTIONS).values(leased_until=None))


def _overtake(connection: Connection, mark: str, **changes: Any) -> bool:
    # Whoever is asking its server just now was answered before it said this, or can't know.
    said = update(SUBSCRIPTIONS).where(_TABLE.mark == mark)
    said = said.values(fence=_TABLE.fence + 1, leased_until=None, **changes)
    return connection.execute(said).rowcount == 1


def _want(connection: Connection, want: Want, now: datetime) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {
        "mark": want.mark,
        "source": want.source,
        "server": want.server,
        "event": want.event,
        "arguments": want.arguments,
        "url": want.url,
        "secret": want.secret,
        "wanted": True,
        "due_at": now,
        "troubles": 0,
        "gaps": 0,
        "fence": 0,
    }
    connection.execute(dialect.insert(SUBSCRIPTIONS).values(**values).on_conflict_do_nothing())
    elsewhere = _TABLE.address.is_not(None) & (_TABLE.address != want.address)
    again = or_(~_TABLE.wanted, _TABLE.secret != want.secret, elsewhere)
    changed = update(SUBSCRIPTIONS).where(_TABLE.mark == want.mark, again)
    connection.execute(changed.values(wanted=True, secret=want.secret, **_anew(now)))
    # What was changed may be what it waits for.
    waits = _TABLE.mark == want.mark, _TABLE.troubles > 0, _TABLE.leased_until.is_(None)
    connection.execute(update(SUBSCRIPTIONS).where(*waits).values(due_at=now, troubles=0))


def _anew(now: datetime) -> dict[str, Any]:
    # Whoever works on it wants what was wanted before.
    overtaken = {"fence": _TABLE.fence + 1, "leased_until": None}
    return {"due_at": now, "troubles": 0, "reason": None, "error": None, **overtaken}
