"""Decisions in memory: lanes, leases, dead letters and pauses over dictionaries; it knows rows, and no protocol."""

from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from itertools import islice
from typing import Any

from orchestrator.inbox import rows
from orchestrator.inbox.inbox import FOLDED, Action, Ahead, Decision, DecisionState, Lease
from orchestrator.inbox.memory_tallies import Tallies
from orchestrator.inbox.orders import Discard, Drain, Hold, Order, Pausable, Pause, Retry
from orchestrator.inbox.rows import Row
from orchestrator.inbox.sought import HELD, OPEN


class Lanes:
    """The decisions, and what is paused; `entries` are the rows of the inbox by their id."""

    def __init__(self, entries: dict[str, Row], tallies: Tallies) -> None:
        self.rows: dict[str, Row] = {}
        self._entries, self._tallies = entries, tallies
        self._last: dict[str, int] = {}
        self._written = 0
        self._words: dict[tuple[Pausable, str], tuple[int, Pause | None]] = {}

    def write(self, decisions: Sequence[Decision], now: datetime) -> None:
        """Add those that are new."""
        new = {
            decision.id: rows.decision_row(decision, now)
            for decision in decisions
            if decision.id not in self.rows
        }
        for row in new.values():
            if row["lane"] is not None and row["state"] == DecisionState.READY:
                row["lane_number"] = self._next(row["lane"])
        self.rows |= new
        self._written += len(new)

    def of(self, event_id: str) -> list[Row]:
        """Those about an event, in the order they were written."""
        return [row for row in self.rows.values() if row["event_id"] == event_id]

    def has(self, event_id: str, states: AbstractSet[DecisionState]) -> bool:
        """Whether one about this event is in one of these states."""
        return any(row["state"] in states for row in self.of(event_id))

    def in_lane(self, lane: str) -> list[Row]:
        """Those of a lane."""
        return [row for row in self.rows.values() if row["lane"] == rows.clean(lane)]

    def forget(self, event_id: str, open_: AbstractSet[DecisionState]) -> None:
        """Drop those about an event, and lanes with nothing open; what comes in one of them counts on all the same."""
        gone = self.of(event_id)
        for row in gone:
            del self.rows[row["id"]]
        for lane in {row["lane"] for row in gone} - {None}:
            if not any(row["state"] in open_ for row in self.in_lane(lane)):
                self._last.pop(lane, None)

    def lease(
        self, now: datetime, until: datetime, limit: int, actions: Collection[Action] | None
    ) -> list[Lease]:
        """Lease the heads of the lanes that are due, free and not paused."""
        found = (row for row in self._heads(now) if actions is None or row["action"] in actions)
        return [_leased(row, until) for row in list(islice(found, limit))]

    def ahead(self, decision_ids: Sequence[str]) -> dict[str, Ahead]:
        """The foremost of what each of these must wait for in its lane."""
        ready = [self.rows[id_] for id_ in decision_ids if self._is_ready(id_)]
        first = {row["id"]: min(self._before(row), key=_place, default=None) for row in ready}
        return {
            id_: Ahead(decision=rows.decision(row), source=self._entries[row["event_id"]]["source"])
            for id_, row in first.items()
            if row is not None
        }

    def hasten(self, cause: str, limit: int, now: datetime) -> int:
        """Make the oldest due that wait for another run of their rule to end."""
        found = (row for row in self.rows.values() if row["cause"] == cause and self._is_held(row))
        oldest = list(islice(found, limit))
        for row in oldest:
            row["due_at"] = now
        return len(oldest)

    def end(self, decision_id: str, fence: int, **values: Any) -> bool:
        """Give a claim back with these values, if it still holds."""
        row = self.rows.get(decision_id)
        mine = (
            row is not None
            and row["state"] == DecisionState.READY
            and row["fence"] == fence
            and row["leased_until"] is not None
        )
        if row is not None and mine:
            row |= {"leased_until": None, **values}
        return mine

    def move(self, decision_id: str, state: DecisionState) -> None:
        """Give a delivered one another state."""
        row = self.rows.get(decision_id)
        if row is not None and row["state"] == DecisionState.DELIVERED:
            row["state"] = state

    def unfold(self, event_id: str, workflow_id: str | None, again: int | None) -> None:
        """Make a folded start ready, at the end of its lane, where its rule's limits have room for it."""
        for row in self._beside(event_id, workflow_id, again):
            if row["state"] == DecisionState.FOLDED:
                (decision,) = self._tallies.held_against([rows.unfolded(row)])
                row.update(rows.unfolded_row(decision))
                if decision.state is DecisionState.READY:
                    row["lane_number"] = self._next(row["lane"])

    def carry_out(self, order: Order, position: int, now: datetime) -> None:
        """Do what a person's word orders; said too late it changes nothing."""
        match order:
            case Retry(decision_id):
                self._retry(decision_id, now)
            case Discard(decision_id, note):
                self._discard(decision_id, note)
            case Hold():
                found = Pause(what=order.what, name=order.name, by=order.by, at=now)
                self._said((order.what, order.name), position, found)
            case Drain():
                self._said((order.what, order.name), position, None)

    def pauses(self) -> list[Pause]:
        """What is paused now, rules before sources, by name."""
        return [pause for _, (_, pause) in sorted(self._words.items()) if pause is not None]

    def holds(self, event_id: str) -> bool:
        """Whether something about this event waits though nothing failed."""
        ready = [row for row in self.of(event_id) if row["state"] == DecisionState.READY]
        return any(self._paused(row) or (row["note"] or "").startswith(HELD) for row in ready)

    def _paused(self, row: Row) -> bool:
        source = self._entries[row["event_id"]]["source"]
        names = {(Pausable.RULE, row["rule"]), (Pausable.SOURCE, source)}
        return any((pause.what, pause.name) in names for pause in self.pauses())

    def _said(self, named: tuple[Pausable, str], position: int, pause: Pause | None) -> None:
        if position > self._words.get(named, (0, None))[0]:
            self._words[named] = (position, pause)

    def _retry(self, decision_id: str, now: datetime) -> None:
        row = self.rows.get(decision_id)
        if row is None or row["state"] != DecisionState.DEAD:
            return
        if row["action"] == Action.RESUME:
            self._fold(row)
        number = None if row["lane"] is None else self._next(row["lane"])
        row |= {"state": DecisionState.READY, "lane_number": number, "attempts": 0}
        row |= {"note": None, "due_at": now, "leased_until": None}

    def _fold(self, resume: Row) -> None:
        for row in self._beside(resume["event_id"], resume["workflow_id"], resume["again"]):
            ready = row["state"] == DecisionState.READY and row["leased_until"] is None
            if ready and row["action"] == Action.START:
                row |= {"state": DecisionState.FOLDED, "lane_number": None, "reason": FOLDED}

    def _discard(self, decision_id: str, note: str) -> None:
        row = self.rows.get(decision_id)
        if row is None or row["state"] != DecisionState.DEAD:
            return
        row |= {"state": DecisionState.SETTLED, "note": note}
        if row["action"] == Action.RESUME:
            self.unfold(row["event_id"], row["workflow_id"], row["again"])

    def _beside(self, event_id: str, workflow_id: str | None, again: int | None) -> list[Row]:
        return [
            row
            for row in self.of(event_id)
            if (row["workflow_id"], row["again"]) == (workflow_id, again)
        ]

    def _next(self, lane: str) -> int:
        self._last[lane] = self._last.get(lane, self._written) + 1
        return self._last[lane]

    def _heads(self, now: datetime) -> Iterator[Row]:
        for row in self.rows.values():
            free = row["leased_until"] is None or row["leased_until"] <= now
            due = row["state"] == DecisionState.READY and row["due_at"] <= now
            if due and free and not self._blocked(row) and not self._paused(row):
                yield row

    def _is_held(self, row: Row) -> bool:
        free = _is_at_a_limit(row) and row["leased_until"] is None
        return free and not self._blocked(row) and not self._paused(row)

    def _blocked(self, row: Row) -> bool:
        return next(self._before(row), None) is not None

    def _before(self, row: Row) -> Iterator[Row]:
        """What of its lane has to be delivered first."""
        for other in [] if row["lane"] is None else self._up_to(row):
            passed = row["action"] == Action.RESUME and self._is_passed(other)
            if other["lane_number"] < row["lane_number"] and not passed:
                yield other

    def _is_ready(self, decision_id: str) -> bool:
        row = self.rows.get(decision_id)
        return row is not None and row["state"] == DecisionState.READY

    def _is_passed(self, row: Row) -> bool:
        """Whether a wake-up need not wait for it: a start that is held until other runs end, or behind one."""
        return row["action"] == Action.START and any(map(_is_at_a_limit, self._up_to(row)))

    def _up_to(self, row: Row) -> list[Row]:
        ready = [one for one in self.in_lane(row["lane"]) if one["state"] == DecisionState.READY]
        return [one for one in ready if one["lane_number"] <= row["lane_number"]]


def _place(row: Row) -> int:
    place: int = row["lane_number"]
    return place


def _is_at_a_limit(row: Row) -> bool:
    note = row["note"] or ""
    ready = row["state"] == DecisionState.READY
    return ready and note.startswith(HELD) and note.endswith(OPEN)


def _leased(row: Row, until: datetime) -> Lease:
    row["fence"] += 1
    row["leased_until"] = until
    return Lease(decision=rows.decision(row), fence=row["fence"], until=until)
