"""Temporal's schedules follow the rules: made, changed, paused, deleted, and everybody else's left alone."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleOverlapPolicy,
    ScheduleSpec,
)
from temporalio.service import RPCError

from orchestrator import temporal
from orchestrator.rules.cron import Cron
from orchestrator.schedules.keeping import Changes, Wanted
from tests.support.builders import inbox_at, rule
from tests.support.clocks import YEARLY, Clocked, clock, schedule, scheduled, until
from tests.support.town import Town, temporal_server

pytestmark = pytest.mark.temporal

NOTHING = Changes()
SECOND = timedelta(seconds=1)


@pytest.fixture
async def client(town: Town) -> Client:
    return await temporal.connect(town.temporal.address, "default")


@pytest.fixture
async def one(client: Client, tmp_path: Path) -> AsyncIterator[Clocked]:
    with inbox_at(tmp_path) as inbox:
        queue = f"clock-{uuid.uuid4().hex[:8]}"
        async with clock(client, inbox, queue, hearing=False) as made:
            yield made


async def listed(one: Clocked, *names: str) -> bool:
    return await one.schedules.ours() == set(names)


async def test_a_schedule_rings_in_its_zone_for_everyone_and_catches_up_an_hour(
    one: Clocked,
) -> None:
    wanted = {"nightly": Wanted(schedule=schedule("30 7 * * 1-5", "Europe/Berlin"))}
    assert await one.schedules.keep(wanted) == Changes(made=("nightly",))

    there = await one.handle("nightly").describe()
    zone = wanted["nightly"].schedule
    later = zone.after(there.info.created_at)
    assert [next(later) for _ in range(5)] == there.info.next_action_times[:5]
    assert there.schedule.policy.overlap is ScheduleOverlapPolicy.ALLOW_ALL
    assert there.schedule.policy.catchup_window == timedelta(hours=1)
    assert there.schedule.spec.calendars[0].comment == "30 7 * * 1-5"


async def test_a_second_look_changes_nothing(one: Clocked) -> None:
    wanted = {name: Wanted(schedule=schedule()) for name in ("daily", "weekly")}

    assert await one.schedules.keep(wanted) == Changes(made=("daily", "weekly"))
    before = (await one.handle("daily").describe()).info.last_updated_at
    assert await one.schedules.keep(wanted) == NOTHING
    assert (await one.handle("daily").describe()).info.last_updated_at == before


async def test_what_temporal_refuses_is_named_and_holds_up_no_other(one: Clocked) -> None:
    of_before = {"z-gone": Wanted(schedule=schedule())}
    await one.schedules.keep(of_before)
    await until(lambda: listed(one, "z-gone"))

    nowhere = Wanted(schedule=schedule(zone="Atlantis/Harbour"))
    done = await one.schedules.keep({"lost": nowhere, "sound": Wanted(schedule=schedule())})

    assert (done.made, done.deleted) == (("sound",), ("z-gone",))
    assert [name for name, _ in done.refused] == ["lost"]
    assert "Atlantis/Harbour" in done.refused[0][1]
    one.rules = [scheduled("lost", zone="Atlantis/Harbour")]
    await one.clock.look()
    assert "schedule.refused" in one.log.said


async def test_what_a_rule_says_anew_is_changed(one: Clocked) -> None:
    await one.schedules.keep({"daily": Wanted(schedule=schedule("0 7 * * *"))})
    later = {"daily": Wanted(schedule=schedule("0 8 * * *", "Asia/Tokyo"))}

    assert await one.schedules.keep(later) == Changes(changed=("daily",))
    spec = (await one.handle("daily").describe()).schedule.spec
    assert (spec.calendars[0].comment, spec.time_zone_name) == ("0 8 * * *", "Asia/Tokyo")
    assert await one.schedules.keep(later) == NOTHING


async def test_the_schedule_of_a_rule_that_is_gone_is_deleted(one: Clocked) -> None:
    one.rules = [scheduled("daily"), scheduled("weekly"), rule("triage")]
    assert await one.clock.look() == 2
    await until(lambda: listed(one, "daily", "weekly"))

    one.rules = [scheduled("weekly")]
    assert await one.clock.look() == 1
    await until(lambda: listed(one, "weekly"))
    with pytest.raises(RPCError, match="not found"):
        await one.handle("daily").describe()


async def test_a_renamed_rule_keeps_its_schedule_by_its_id(one: Clocked) -> None:
    one.rules = [scheduled("daily")]
    await one.clock.look()
    one.rules = [scheduled("every-morning", id="daily")]

    assert await one.clock.look() == 0


async def test_schedules_of_others_are_left_alone(one: Clocked, client: Client) -> None:
    action = ScheduleActionStartWorkflow("Nothing", id="theirs", task_queue="theirs")
    spec = ScheduleSpec(cron_expressions=[YEARLY])
    names = [f"doorbell:{one.queue}-beside:daily", f"theirs-{one.queue}"]
    theirs = [
        await client.create_schedule(name, Schedule(action=action, spec=spec)) for name in names
    ]
    await one.schedules.keep({"daily": Wanted(schedule=schedule())})
    await until(lambda: listed(one, "daily"))

    async def all_there() -> bool:
        found = {entry.id async for entry in await client.list_schedules()}
        return set(names) <= found

    await until(all_there)
    assert await one.schedules.keep({}) == Changes(deleted=("daily",))
    for handle in theirs:
        await handle.delete()


async def test_what_somebody_deleted_at_temporal_is_made_again(one: Clocked) -> None:
    wanted = {"daily": Wanted(schedule=schedule())}
    await one.schedules.keep(wanted)
    await one.handle("daily").delete()

    assert await one.schedules.keep(wanted) == Changes(made=("daily",))


async def test_two_services_that_look_at_once_make_it_once(one: Clocked) -> None:
    wanted = {"daily": Wanted(schedule=schedule())}
    done = await asyncio.gather(*(one.schedules.keep(wanted) for _ in range(4)))

    assert sum(len(changes.made) for changes in done) == 1
    assert await one.schedules.keep(wanted) == NOTHING


async def test_a_paused_rule_pauses_its_schedule_and_goes_on_afterwards(one: Clocked) -> None:
    one.rules = [scheduled("daily")]
    await one.clock.look()

    one.pause("daily")
    assert await one.clock.look() == 1
    state = (await one.handle("daily").describe()).schedule.state
    assert (state.paused, state.note) == (True, "paused by `doorbell rules pause`")

    one.pause()
    assert await one.clock.look() == 1
    assert not (await one.handle("daily").describe()).schedule.state.paused


async def test_what_a_person_paused_at_temporal_stays_paused(one: Clocked) -> None:
    one.rules = [scheduled("daily")]
    await one.clock.look()
    await one.handle("daily").pause(note="over the holidays")

    one.rules = [scheduled("daily", "0 9 1 1 *")]
    assert await one.clock.look() == 1
    there = (await one.handle("daily").describe()).schedule
    assert (there.state.paused, there.state.note) == (True, "over the holidays")
    assert there.spec.calendars[0].comment == "0 9 1 1 *"


async def test_d6_without_temporal_the_clock_says_so_once_and_catches_up_with_the_rules(
    tmp_path: Path,
) -> None:
    with temporal_server() as server, inbox_at(tmp_path) as inbox:
        client = await temporal.connect(server.address, "default", lazy=True)
        queue = f"clock-{uuid.uuid4().hex[:8]}"
        async with clock(client, inbox, queue, hearing=False) as one:
            one.rules = [scheduled("daily")]
            assert [await one.clock.look() for _ in range(3)] == [0, 0, 0]
            assert one.log.said == ["schedules.unreachable"]

            await server.start()
            assert await until(one.clock.look) == 1


async def test_a_tick_is_heard_after_temporal_was_killed_and_came_back(
    tmp_path: Path,
) -> None:
    with temporal_server() as server, inbox_at(tmp_path) as inbox:
        await server.start()
        client = await temporal.connect(server.address, "default")
        async with clock(client, inbox, "clock") as one:
            one.rules = [scheduled("daily")]
            await one.clock.look()
            await one.tick("daily")
            await one.ticked(1)

            server.kill()
            await server.start()
            assert await one.schedules.keep({"daily": Wanted(schedule=schedule())}) == NOTHING
            await one.tick("daily")
            await one.ticked(2)

        assert len(await inbox.entries(9)) == 2


async def next_of(client: Client, spec: ScheduleSpec) -> list[datetime]:
    """The next ten times that Temporal would ring."""
    action = ScheduleActionStartWorkflow("Nothing", id="theirs", task_queue="theirs")
    name = f"theirs-{uuid.uuid4().hex}"
    handle = await client.create_schedule(name, Schedule(action=action, spec=spec))
    found = list((await handle.describe()).info.next_action_times)
    await handle.delete()
    return found


async def times(
    client: Client, cron: str, zone: str, begins: datetime, ends: datetime
) -> list[datetime]:
    """All times at which Temporal would ring between two moments."""
    found: list[datetime] = []
    while True:
        since = found[-1] + SECOND if found else begins
        spec = ScheduleSpec(
            cron_expressions=[cron], time_zone_name=zone, start_at=since.astimezone(UTC)
        )
        more = await next_of(client, spec)
        found += [due for due in more if due < ends]
        if not more or more[-1] >= ends:
            return found


CRONS = (
    *("* * * * *", "0 7 * * 1-5", "*/15 * * * *", "5/20 */3 * * *", "1-5/2,30 9-17 * * *"),
    *("0 0 1,15 * *", "0 0 * * 7", "0 0 * * 5-7", "0 0 * * 0-7", "0 0 * JAN-mar Mon", "0 0 29 2 *"),
    *(
        "0 0 31 * *",
        "0 12 * * sun,WED",
        "59 23 31 12 *",
        "0 0 * * 1-7/2",
        "0 0 * * 3/2",
        "7 7 7 7 *",
    ),
)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")


async def test_temporal_reads_the_same_cron_as_we_do(client: Client) -> None:
    for number, cron in enumerate(CRONS):
        zone = ZONES[number % len(ZONES)]
        start = datetime(2027, 1, 15, 12, 30, tzinfo=UTC)
        spec = ScheduleSpec(cron_expressions=[cron], time_zone_name=zone, start_at=start)
        theirs = await next_of(client, spec)
        named = Cron.parse(cron).after(start - timedelta(seconds=1), zone)
        ours = [due for due, _ in zip(named, theirs, strict=False)]
        assert ours, cron
        assert ours == theirs[: len(ours)], cron


@pytest.mark.parametrize(
    ("zone", "spring", "autumn"),
    [
        ("Europe/Berlin", "2027-03-28", "2027-10-31"),
        ("America/New_York", "2027-03-14", "2027-11-07"),
    ],
)
@pytest.mark.parametrize("cron", ["30 1 * * *", "30 2 * * *", "*/30 * * * *"])
async def test_temporal_rings_not_in_the_hour_that_spring_skips_and_at_every_time_of_autumns_long_day(
    client: Client, zone: str, spring: str, autumn: str, cron: str
) -> None:
    read = Cron.parse(cron)
    for day in (spring, autumn):
        begins = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
        ends = begins + timedelta(days=1)
        theirs = await times(client, cron, zone, begins, ends)
        ours = list(takewhile(lambda due, ends=ends: due < ends, read.after(begins - SECOND, zone)))
        if day == spring:
            assert ours == theirs
        else:
            # There Temporal rings a time of the hours around once or twice, as its zone has it.
            assert {wall(due, zone) for due in ours} <= {wall(due, zone) for due in theirs}
            assert len(theirs) <= 2 * len(ours)


def wall(moment: datetime, zone: str) -> datetime:
    """What a clock on the wall shows then."""
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


REFUSED = (
    *("0 0 * * FRI-MON", "* * * *", "60 * * * *", "*/0 * * * *", "0 7 ? * 1", "0 0 L * *"),
    *(
        "5-1 * * * *",
        "1,,2 * * * *",
        "0 0 0 * *",
        "0 24 * * *",
        "0 0 * 13 *",
        "0 0 * * 8",
        "a * * * *",
    ),
)


@pytest.mark.parametrize("cron", REFUSED)
async def test_what_temporal_refuses_we_refuse_first(client: Client, cron: str) -> None:
    action = ScheduleActionStartWorkflow("Nothing", id="theirs", task_queue="theirs")
    with pytest.raises(RPCError, match="Invalid schedule spec"):
        await client.create_schedule(
            f"theirs-{uuid.uuid4().hex}",
            Schedule(action=action, spec=ScheduleSpec(cron_expressions=[cron])),
        )
    with pytest.raises(ValueError, match=r"expected|range"):
        Cron.parse(cron)
