"""Keep Temporal's schedules as the rules say: make, change, pause and delete ours, and leave all others alone.

A schedule is ours by its id, which names our task queue and the rule. Every step can be done again, so whoever is
killed in between leaves nothing that the next look doesn't mend.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto
from typing import Final

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.rules import schedule as rules
from orchestrator.rules.cron import Cron
from orchestrator.sources.schedule import TOO_LATE
from workflows.tick import LIFE, Clock, Tick

OURS: Final = "doorbell:"
PAUSED: Final = "paused by `doorbell rules pause`"
FORM: Final = 1
"""Counted up when we ask something else of Temporal for the same rule: schedules of older versions are changed then."""

RPC_DEADLINE: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A rule's schedule, and whether it stands still now."""

    schedule: rules.Schedule
    paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What was done, by the ids of rules; empty where everything was as it should be.

    `refused` are those that Temporal takes from nobody, each with its words: the others are kept all the same.
    """

    made: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


class _Did(Enum):
    NOTHING = auto()
    MADE = auto()
    CHANGED = auto()


@dataclass(frozen=True, slots=True)
class Schedules:
    """The schedules of one installation; its task queue tells them from those of others."""

    client: Client
    queue: str

    @property
    def clock_queue(self) -> str:
        """Where ticks are handed out: to services, which own the inbox, and never to workers."""
        return f"{self.queue}-clock"

    async def keep(self, wanted: Mapping[str, Wanted]) -> Changes:
        """Make them so, by rule id. Raises `RPCError` or `RuntimeError` where Temporal doesn't answer."""
        did: dict[_Did, list[str]] = {one: [] for one in _Did}
        refused = []
        for rule_id, one in sorted(wanted.items()):
            try:
                did[await self._set(rule_id, one)].append(rule_id)
            except RPCError as error:
                if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                    raise
                refused.append((rule_id, error.message))
        gone = sorted(await self.ours() - wanted.keys())
        for rule_id in gone:
            await self._delete(rule_id)
        return Changes(
            made=tuple(did[_Did.MADE]),
            changed=tuple(did[_Did.CHANGED]),
            deleted=tuple(gone),
            refused=tuple(refused),
        )

    async def _set(self, rule_id: str, wanted: Wanted) -> _Did:
        handle = self.client.get_schedule_handle(self._id(rule_id))
        changed = await self._change(handle, rule_id, wanted)
        if changed is None:
            return _Did.MADE if await self._make(rule_id, wanted) else _Did.NOTHING
        return _Did.CHANGED if changed else _Did.NOTHING

    async def ours(self) -> set[str]:
        """The rules that have a schedule here. What was made a moment ago may be missing still."""
        prefix, found = self._id(""), set()
        async for listed in await self.client.list_schedules(rpc_timeout=RPC_DEADLINE):
            if listed.id.startswith(prefix):
                found.add(listed.id.removeprefix(prefix))
        return found

    async def _change(self, handle: ScheduleHandle, rule_id: str, wanted: Wanted) -> bool | None:
        """Whether it had to be changed; None where there is none."""
        did = False

        async def changed(now: ScheduleUpdateInput) -> ScheduleUpdate | None:
            nonlocal did
            there = now.description.schedule
            state = state_of(there.state, wanted)
            did = state != there.state or not await self._same(there, rule_id, wanted)
            return (
                ScheduleUpdate(replace(self._schedule(rule_id, wanted), state=state))
                if did
                else None
            )

        try:
            await handle.update(changed, rpc_timeout=RPC_DEADLINE)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None
        return did

    async def _same(self, there: Schedule, rule_id: str, wanted: Wanted) -> bool:
        action = there.action
        if not isinstance(action, ScheduleActionStartWorkflow):
            return False
        clocks = await self.client.data_converter.decode(list(action.args), [Clock])
        return clocks == [_clock(rule_id, wanted)]

    async def _make(self, rule_id: str, wanted: Wanted) -> bool:
        try:
            await self.client.create_schedule(
                self._id(rule_id), self._schedule(rule_id, wanted), rpc_timeout=RPC_DEADLINE
            )
        except ScheduleAlreadyRunningError:
            # Another service of ours was quicker.
            return False
        return True

    async def _delete(self, rule_id: str) -> None:
        handle = self.client.get_schedule_handle(self._id(rule_id))
        try:
            await handle.delete(rpc_timeout=RPC_DEADLINE)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    def _schedule(self, rule_id: str, wanted: Wanted) -> Schedule:
        said = wanted.schedule.said
        return Schedule(
            action=ScheduleActionStartWorkflow(
                Tick.run,
                _clock(rule_id, wanted),
                id=f"tick:{self.queue}:{rule_id}",
                task_queue=self.clock_queue,
                execution_timeout=LIFE,
                static_summary=f"{rule_id}: {said}",
            ),
            spec=ScheduleSpec(
                calendars=[_calendar(wanted.schedule.cron)],
                time_zone_name=wanted.schedule.zone,
            ),
            policy=SchedulePolicy(
                # Ticks of one rule don't wait for each other: what they start knows its own order.
                overlap=ScheduleOverlapPolicy.ALLOW_ALL,
                catchup_window=TOO_LATE,
            ),
            state=state_of(ScheduleState(), wanted),
        )

    def _id(self, rule_id: str) -> str:
        return f"{OURS}{self.queue}:{rule_id}"


def state_of(there: ScheduleState, wanted: Wanted) -> ScheduleState:
    """How a schedule should stand, given how it does: what a person paused in Temporal itself stays paused."""
    if wanted.paused and not there.paused:
        return replace(there, paused=True, note=PAUSED)
    if not wanted.paused and there.paused and there.note == PAUSED:
        return replace(there, paused=False, note=None)
    return there


def _clock(rule_id: str, wanted: Wanted) -> Clock:
    schedule = wanted.schedule
    return Clock(rule=rule_id, cron=schedule.cron.text, zone=schedule.zone, form=FORM)


def _calendar(cron: Cron) -> ScheduleCalendarSpec:
    return ScheduleCalendarSpec(
        minute=_ranges(cron.minutes),
        hour=_ranges(cron.hours),
        day_of_month=_ranges(cron.days),
        month=_ranges(cron.months),
        day_of_week=_ranges(cron.weekdays),
        comment=cron.text,
    )


def _ranges(numbers: tuple[int, ...]) -> list[ScheduleRange]:
    """Neighbours as one range."""
    found: list[ScheduleRange] = []
    for number in numbers:
        if found and found[-1].end == number - 1:
            found[-1] = ScheduleRange(start=found[-1].start, end=number)
        else:
            found.append(ScheduleRange(start=number, end=number))
    return found
