"""Retention: what is old enough goes by night, what is needed stays, and a delivery pruned is still a duplicate."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.prune import prune as command
from orchestrator.database import DatabaseUnavailable
from orchestrator.inbox.inbox import Action, EntryState
from orchestrator.inbox.memory import MemoryInbox
from orchestrator.ledger import conversations, waits
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores
from orchestrator.tending import retention
from orchestrator.tending.retention import (
    BATCH,
    DEFAULT_KEEP,
    TOMBSTONES,
    Cutoff,
    cutoffs,
    next_night,
)
from tests.conformance.inboxes import arrival, decided, decision
from tests.support.builders import AT, KEY, NOW, RUN, Log, ledger_at, opening, wait
from workflows.messages import Outcome, RunState

LATER = NOW + timedelta(days=31)


def month(_source):
    return DEFAULT_KEEP


async def nobody(_entries):
    return frozenset()


async def old(inbox, *event_ids, **changes):
    for known in event_ids:
        ignored = decision(f"c-{known}", known, action=Action.IGNORE, lane=None)
        await decided(inbox, ignored, event_id=known, **changes)


def test_each_source_has_its_own_age_and_some_are_kept_for_ever():
    keep = {"short": timedelta(days=1), "audit": None}

    found = cutoffs(["audit", "other", "short"], lambda name: keep.get(name, DEFAULT_KEEP), NOW)

    assert found == [
        Cutoff(source="other", before=NOW - DEFAULT_KEEP),
        Cutoff(source="short", before=NOW - timedelta(days=1)),
    ]


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_next_night_is_within_a_day_and_never_now(now):
    night = next_night(now)

    assert now < night <= now + timedelta(days=1)
    assert (night.hour, night.minute, night.second) == (3, 0, 0)


async def test_what_is_old_and_needed_by_nobody_is_pruned_in_small_transactions():
    inbox = MemoryInbox()
    await old(inbox, *[f"e{n}" for n in range(BATCH + 5)])
    await old(inbox, "young", received_at=LATER)

    [done] = await retention.prune(inbox, nobody, month, LATER)

    assert (done.source, done.pruned, done.referred) == ("github", BATCH + 5, 0)
    assert (await inbox.entry("e1")).state is EntryState.PRUNED
    assert (await inbox.entry("young")).state is EntryState.DECIDED


async def test_a_dry_run_says_the_same_and_changes_nothing():
    inbox = MemoryInbox()
    await old(inbox, "e1", "e2")

    rehearsed = await retention.prune(inbox, nobody, month, LATER, dry_run=True)

    assert (await inbox.entry("e1")).state is EntryState.DECIDED
    assert rehearsed == await retention.prune(inbox, nobody, month, LATER)
    assert rehearsed[0].pruned == 2


async def test_what_something_open_refers_to_stays_and_blocks_nothing_behind_it():
    inbox = MemoryInbox()
    names = [f"e{n:03}" for n in range(2 * BATCH)]
    await old(inbox, *names)

    async def the_first_of_all(entries):
        return frozenset(entry.id for entry in entries if entry.id < "e200")

    [done] = await retention.prune(inbox, the_first_of_all, month, LATER)

    assert (done.pruned, done.referred) == (BATCH, 200)


async def test_tombstones_go_after_four_hundred_days():
    inbox = MemoryInbox()
    await old(inbox, "e1")
    await retention.prune(inbox, nobody, month, LATER)

    await retention.prune(inbox, nobody, month, NOW + TOMBSTONES)
    assert await inbox.entry("e1") is not None
    await retention.prune(inbox, nobody, month, NOW + TOMBSTONES + timedelta(seconds=1))

    assert await inbox.entry("e1") is None


class Nights:
    """A clock that sleeping moves; the third sleep never ends. `prune` fails the first time."""

    def __init__(self, now):
        self.time, self.slept, self.pruned = now, [], []

    def now(self):
        return self.time

    async def sleep(self, seconds):
        self.slept.append(seconds)
        if len(self.slept) == 3:
            raise asyncio.CancelledError
        self.time += timedelta(seconds=seconds)

    async def prune(self):
        self.pruned.append(self.time)
        if len(self.pruned) == 1:
            raise DatabaseUnavailable("gone")
        return [retention.Pruned(source="github", before=NOW, pruned=1, referred=0)]


async def test_it_prunes_soon_after_the_start_and_every_night_whatever_fails():
    nights, log = Nights(datetime(2026, 11, 21, 22, 0, tzinfo=UTC)), Log()

    with pytest.raises(asyncio.CancelledError):
        await retention.nightly(nights.prune, nights.now, log, nights.sleep)

    assert nights.pruned == [
        datetime(2026, 11, 21, 22, 10, tzinfo=UTC),
        datetime(2026, 11, 22, 3, 0, tzinfo=UTC),
    ]
    assert log.said == ["loop.failed", "events.pruned"]


def begun(connection, event_id):
    return conversations.begin(connection, opening(event_id=event_id), AT).run_id


def ended(connection, run_id):
    conversations.record(connection, run_id, RunState.ENDED, "done", Outcome.COMPLETED, AT)


async def referred(ledger, *entries):
    inbox = MemoryInbox()
    await inbox.keep(entries)
    return await retention.referred_in(ledger)(await inbox.undecided(9))


async def test_an_event_is_needed_while_a_conversation_it_reached_is_open(tmp_path):
    with ledger_at(tmp_path) as ledger:
        run_id = await ledger.write(begun, "e1")
        await ledger.write(conversations.hear, run_id, "e2", 2, "mailbox", AT)
        three = [arrival(f"e{n}", f"d{n}", b"%d" % n, keys=()) for n in (1, 2, 3)]

        assert await referred(ledger, *three) == {"e1", "e2"}
        await ledger.write(ended, run_id)
        assert await referred(ledger, *three) == frozenset()


async def test_an_event_is_needed_while_an_open_wait_could_look_back_at_it(tmp_path):
    with ledger_at(tmp_path) as ledger:
        await ledger.write(waits.begin, wait(since=1))
        two = [arrival(f"e{n}", f"d{n}", b"%d" % n, keys=(KEY,)) for n in (1, 2)]

        assert await referred(ledger, *two) == {"e2"}
        await ledger.write(waits.end, "wait_1", "expired", None)
        assert await referred(ledger, *two) == frozenset()


async def test_what_woke_a_run_is_needed_until_the_run_has_ended(tmp_path):
    with ledger_at(tmp_path) as ledger:
        run_id = await ledger.write(begun, "e1")
        await ledger.write(waits.begin, wait(run_id=run_id, since=0))
        await ledger.write(waits.end, "wait_1", "resolved", "e2")
        two = [arrival(f"e{n}", f"d{n}", b"%d" % n, keys=()) for n in (1, 2)]

        assert await referred(ledger, *two) == {"e1", "e2"}
        assert run_id == RUN


def told(state, *words):
    done = CliRunner().invoke(command, ["--state", str(state), "--json", *words])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_the_command_rehearses_prunes_and_says_what_it_did(tmp_path):
    stores = Stores.open(StateDirectory(tmp_path), None)
    asyncio.run(old(stores.inbox, "e1", "e2", received_at=NOW - timedelta(days=3650)))
    stores.close()

    [rehearsed] = told(tmp_path, "--dry-run", "--keep", "30d")
    [done] = told(tmp_path, "--keep", "400d")

    assert (rehearsed["pruned"], done["pruned"], done["referred"]) == (2, 2, 0)
    assert told(tmp_path, "--keep", "30d") == []
    people = CliRunner().invoke(command, ["--state", str(tmp_path), "--keep", "30d"])
    assert "old but needed" in people.output


def test_the_command_names_an_age_that_is_none(tmp_path):
    done = CliRunner().invoke(command, ["--state", str(tmp_path), "--keep", "soon"])

    assert done.exit_code == 2
    assert "expected a duration" in done.output
