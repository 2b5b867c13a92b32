"""Mechanics 17: who parked for want of an answer goes on when the model answers again: in order, no stampede."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.ledger import conversations, outages, pauses
from orchestrator.ledger.outages import Outage
from orchestrator.ledger.pauses import Pause
from orchestrator.tending import resuming
from orchestrator.tending.resuming import (
    AGAIN,
    AT_ONCE,
    PERHAPS,
    PROBE,
    UNDER_WAY,
    chosen,
    resume_some,
)
from tests.support.builders import AT, NOW, OPERATOR_SOURCE, Log, inbox_at, ledger_at, opening
from workflows.messages import Outcome, RunState

LATER = AT + PROBE


def parked(run_id="r1", **changes):
    values = {
        "run_id": run_id,
        "credential": "one",
        "words": "529",
        "number": 1,
        "since": AT,
        "at": AT,
        "released": 0,
        "released_at": None,
        "parked": True,
    }
    return Outage(**values | changes)


def names(found, fares=None, now=LATER):
    return [(outage.run_id, by) for outage, by in chosen(found, fares or {}, now)]


FIVE = [parked(f"r{number}") for number in range(5)]
ANSWERS = {"one": Pause(until=0, answered_at=AT + 1)}


def test_a_few_go_on_at_once_when_another_run_was_answered():
    assert names(FIVE, ANSWERS, AT + 2) == [(f"r{n}", AGAIN) for n in range(AT_ONCE)]


def test_the_next_go_on_when_those_were_answered():
    going = [replace(one, released=1, released_at=AT + 2, parked=False) for one in FIVE[:2]]

    assert names([*going, *FIVE[2:]], ANSWERS, AT + 3) == [("r2", AGAIN)]


def test_nobody_goes_on_while_nothing_is_known_and_then_one_tries():
    assert names(FIVE, now=LATER - 1) == []
    assert names(FIVE) == [("r0", PERHAPS)]
    assert names(FIVE, {"one": Pause(until=0, answered_at=AT - 1)}) == [("r0", PERHAPS)]


@pytest.mark.parametrize(
    "other",
    [
        parked("r9", parked=False, at=LATER - 1),
        parked("r9", released=1, released_at=LATER - 1),
        parked("r9", at=LATER - PROBE + 1),
    ],
    ids=["tries by itself", "was let go on", "has tried a moment ago"],
)
def test_nobody_tries_beside_one_that_does(other):
    assert names([other, *FIVE]) == []


def test_one_that_was_let_go_on_and_parked_for_another_reason_holds_nobody_up():
    other = parked("r9", released=1, released_at=LATER - UNDER_WAY)

    assert names([other, *FIVE]) == [("r0", PERHAPS)]


def test_nobody_goes_on_before_the_provider_wants_requests_again():
    assert names(FIVE, {"one": Pause(until=LATER + 1, answered_at=AT + 1)}) == []


def test_each_credential_is_for_itself():
    other = parked("other", credential="two")

    assert names([*FIVE, other], ANSWERS, AT + 2)[AT_ONCE:] == []
    assert names([*FIVE, other], ANSWERS)[AT_ONCE:] == [("other", PERHAPS)]


@pytest.fixture
async def stores(tmp_path):
    with ledger_at(tmp_path) as ledger, inbox_at(tmp_path) as inbox:
        yield ledger, inbox


async def begun(ledger, number, state=RunState.PARKED):
    ref = await ledger.write(
        conversations.begin, opening(f"dec_{number}", workflow_id=f"work-{number}"), AT
    )
    await ledger.write(outages.record, ref.run_id, "one", "529", AT)
    outcome = Outcome.CANCELLED if state is RunState.ENDED else None
    await ledger.write(conversations.record, ref.run_id, state, "", outcome, AT)
    return ref.run_id


async def test_a_parked_run_gets_one_row_for_each_time_it_parked(stores):
    ledger, inbox = stores
    run_id, log, pokes = await begun(ledger, 1), Log(), []
    await begun(ledger, 2, RunState.ENDED)

    async def look(minutes):
        now = NOW + timedelta(minutes=minutes)
        return await resume_some(inbox, ledger, now, lambda: pokes.append(1), log)

    assert [await look(minutes) for minutes in (9, 10, 11, 40)] == [0, 1, 0, 0]
    # It tried, in vain, and parked again.
    await ledger.write(outages.record, run_id, "one", "529", AT + 3000)
    await ledger.write(outages.record, run_id, "one", "529", AT + 3060)
    assert [await look(minutes) for minutes in (55, 61, 62)] == [0, 1, 0]
    kept = [await inbox.entry(entry.id) for entry in await inbox.undecided(9)]
    said = [OPERATOR_SOURCE.dialect.read(entry.headers, entry.body) for entry in kept]
    assert [(one.type, one.subject) for one in said] == [("run.resume", run_id)] * 2
    assert len({one.delivery_id for one in said}) == 2
    assert (len(pokes), log.said) == (2, ["model.resumed"] * 2)


async def test_a1_a_service_killed_before_it_wrote_that_down_resumes_nobody_twice(stores):
    ledger, inbox = stores
    run_id = await begun(ledger, 1)
    (outage,) = await ledger.read(outages.unanswered, 9)
    await inbox.keep([resuming.row(resuming.identity(outage), run_id, PERHAPS, NOW)])
    await resume_some(inbox, ledger, NOW + timedelta(minutes=10), lambda: None, Log())

    assert len(await inbox.undecided(9)) == 1


async def test_a1_nor_does_it_forget_who_went_on_by_that_row_and_parked_again_meanwhile(stores):
    ledger, inbox = stores
    run_id = await begun(ledger, 1)
    (outage,) = await ledger.read(outages.unanswered, 9)
    await inbox.keep([resuming.row(resuming.identity(outage), run_id, PERHAPS, NOW)])
    await ledger.write(outages.record, run_id, "one", "529", AT + 60)
    await resume_some(inbox, ledger, NOW + timedelta(minutes=20), lambda: None, Log())

    assert len(await inbox.undecided(9)) == 2


async def test_a_run_that_was_answered_is_left_alone(stores):
    ledger, inbox = stores
    run_id = await begun(ledger, 1)
    await ledger.write(outages.met, run_id)
    await ledger.write(pauses.answered, "one", AT + 1, 0)

    assert await resume_some(inbox, ledger, NOW + timedelta(hours=1), lambda: None, Log()) == 0
