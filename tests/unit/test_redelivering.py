"""A deliberate redelivery: the same event again, to the rules of today, done once whoever dies when."""

import subprocess
import sys
from shutil import copytree

import pytest
from sqlalchemy import event as hooks

from orchestrator.database import DatabaseError
from orchestrator.dispatch.decide import PERSON, decision_id
from orchestrator.inbox.inbox import Action, DecisionState, EntryState
from orchestrator.ledger import claims
from tests.support.builders import AT, comment, order, rule
from tests.support.roads import decided, delivered, road_at, taken, the, waiting

REDELIVER = "event.redeliver"


@pytest.fixture
def road(tmp_path):
    with road_at(tmp_path) as made:
        yield made


async def redelivered(road, event_id, receipt="w1"):
    await delivered(road, order(receipt, REDELIVER, event_id))
    return await the(road, receipt)


async def test_d3_a_redelivered_event_acts_again_beside_what_it_did_before(road):
    await delivered(road, comment("e1"))
    word = await redelivered(road, "e1")

    first, again = await decided(road, "e1")
    assert first.again is None
    assert again.again == (await road.inbox.entry("w1")).position
    assert again.id == decision_id("e1", "triage", again.again)
    assert first.workflow_id == again.workflow_id
    assert road.runs.arrived == [("e1", "github")] * 2
    assert (word.cause, word.action, word.state) == (PERSON, Action.CONTROL, DecisionState.SETTLED)
    assert word.reason == "event.redeliver by ann: 1 decided anew, 1 of them act"


async def test_d3_it_is_the_rules_of_today_that_are_asked(road):
    await delivered(road, comment("e1"))
    road.rules[:] = [rule("newer"), rule("newest")]
    await redelivered(road, "e1")

    anew = {found.rule: found.again for found in await decided(road, "e1") if found.again}
    assert anew == {"newer": 2, "newest": 2}


async def test_d3_redelivered_twice_it_acts_twice_more(road):
    await delivered(road, comment("e1"))
    await redelivered(road, "e1", "w1")
    await redelivered(road, "e1", "w2")

    assert len({found.id for found in await decided(road, "e1")}) == 3
    assert len(road.runs.arrived) == 3


async def test_d3_what_runs_alone_gets_a_run_of_its_own_again(road):
    road.rules[:] = [rule(key=None)]
    await delivered(road, comment("e1"))
    await redelivered(road, "e1")

    assert len({found.workflow_id for found in await decided(road, "e1")}) == 2


async def test_a5_a_redelivered_event_wakes_what_waits_for_it_now(road):
    """The wait was opened after the event had come; the redelivery comes after the wait."""
    await delivered(road, comment("e1"), comment("e2", number=8))
    wanted = await waiting(road, since=2)
    await redelivered(road, "e1")

    woken = next(found for found in await decided(road, "e1") if found.action is Action.RESUME)
    assert (woken.wait_id, woken.again) == (wanted.wait_id, 3)


async def test_a5_a_redelivery_after_the_deadline_wakes_nobody(road):
    await delivered(road, comment("e1"))
    await waiting(road, since=1, deadline_at=AT - 1)
    await redelivered(road, "e1")

    found = await decided(road, "e1")
    assert {one.action for one in found if one.again is None} == {Action.START}
    assert [one.reason[:5] for one in found if one.action is Action.IGNORE] == ["late:"]
    assert Action.RESUME not in {one.action for one in found}


async def test_r2_a_folded_start_of_a_redelivery_acts_when_its_run_was_gone(road):
    await delivered(road, comment("e1"))
    own = (await the(road, "e1")).workflow_id
    await waiting(road, workflow_id=own)
    await redelivered(road, "e1")
    woken, start = [found for found in await decided(road, "e1") if found.again]
    assert start.state is DecisionState.FOLDED

    await taken(road, woken, "late")
    road.clock.pass_by(31)
    await road.dispatcher.reconcile()
    assert (await road.inbox.decision(start.id)).state is DecisionState.READY


async def test_r4_our_own_event_stays_our_own(road):
    await delivered(road, comment("e1", login="our-bot"))
    await redelivered(road, "e1")

    assert {found.action for found in await decided(road, "e1")} == {Action.IGNORE}
    assert road.runs.arrived == []


async def test_what_could_not_be_read_acts_when_it_can_be(road):
    github = road.sources.pop("github")
    await delivered(road, comment("e1"))
    road.sources["github"] = github
    await redelivered(road, "e1")

    assert [found.action for found in await decided(road, "e1")] == [Action.IGNORE, Action.START]
    assert road.runs.arrived == [("e1", "github")]


async def test_d3_what_can_not_be_redelivered_is_refused_on_the_record(road):
    await delivered(road, comment("e1"))
    await road.ledger.write(claims.claim, (await the(road, "e1")).id, "t", "consumed", "w", AT)
    road.clock.pass_by(31)
    await road.dispatcher.reconcile()
    assert await road.inbox.prune(["e1"]) == 1

    pruned, unknown = await redelivered(road, "e1"), await redelivered(road, "nobody", "w2")
    word = await redelivered(road, "w1", "w3")
    assert pruned.reason == "e1 is pruned: its body is gone"
    assert unknown.reason == "there is no event 'nobody'"
    assert {pruned.action, unknown.action, word.action} == {Action.IGNORE}
    assert await decided(road, "e1") == []


async def prepared(directory):
    """An event that acted, and a word that redelivers it, which nobody has looked at."""
    directory.mkdir(exist_ok=True)
    with road_at(directory) as road:
        await delivered(road, comment("e1"))
        await road.keep(order("w1", REDELIVER, "e1"))


async def ended(road):
    """Everything that there is to say of both, however it came about."""
    while await road.dispatcher.decide_some():
        pass
    rows = [*await decided(road, "e1"), *await decided(road, "w1")]
    assert (await road.inbox.entry("w1")).state is EntryState.DECIDED
    return [(found.id, found.action, found.state, found.again, found.reason) for found in rows]


class Dying:
    """Fails the database's n-th statement; `reached` says whether there was one."""

    def __init__(self, engine, number):
        self.left, self.reached = number, False
        self.engine = engine
        hooks.listen(engine, "before_cursor_execute", self.count)

    def count(self, *_):
        self.left -= 1
        if self.left == 0:
            self.reached = True
            raise DatabaseError("it dies here")

    def stop(self):
        hooks.remove(self.engine, "before_cursor_execute", self.count)


async def test_a1_whatever_statement_a_redelivery_dies_at_it_ends_the_same(tmp_path):
    await prepared(tmp_path / "begun")
    copytree(tmp_path / "begun", tmp_path / "whole")
    with road_at(tmp_path / "whole") as road:
        expected = await ended(road)
    number, reached = 0, True
    while reached:
        number += 1
        copytree(tmp_path / "begun", tmp_path / f"{number}")
        with road_at(tmp_path / f"{number}") as road:
            dying = Dying(road.inbox._database.engine, number)
            try:
                await road.dispatcher.decide_some()
            except DatabaseError:
                assert dying.reached
            dying.stop()
            assert await ended(road) == expected
            reached = dying.reached
    assert number > 5


DIES = """\
import asyncio, os, sys
from pathlib import Path
from sqlalchemy import event
from tests.support.roads import road_at
with road_at(Path(sys.argv[1])) as road:
    engine, wrote = road.inbox._database.engine, []
    def remember(_connection, _cursor, statement, *_):
        if statement.startswith(("INSERT", "UPDATE")):
            wrote.append(statement)
    def die(*_):
        if wrote:
            os._exit(9)
    event.listen(engine, "before_cursor_execute", remember)
    if sys.argv[2] == "commit":
        event.listen(engine, "commit", die)
    asyncio.run(road.dispatcher.decide_some())
    die()
"""


@pytest.mark.parametrize("when", ["commit", "after"])
async def test_a1_killed_round_its_commit_a_redelivery_acts_once(tmp_path, when):
    await prepared(tmp_path)
    died = subprocess.run([sys.executable, "-c", DIES, tmp_path, when], check=False)  # noqa: ASYNC221
    assert died.returncode == 9

    with road_at(tmp_path) as road:
        done = await road.inbox.undecided(10) == []
        assert done is (when == "after")
        assert len(await ended(road)) == 3
        await delivered(road)
        assert road.runs.arrived == [("e1", "github")]
