"""What goes round a run that is full, gone or away: lanes, folded starts, what is sent again; Temporal is a fake."""

from dataclasses import replace

import pytest

from orchestrator.dispatch import delivering, reconciling
from orchestrator.dispatch.asking import UNREADABLE
from orchestrator.dispatch.decide import workflow_id_of
from orchestrator.dispatch.runs import Unreachable
from orchestrator.inbox.inbox import Action, DecisionState, EntryState
from orchestrator.rules.rule import All, Leaf, Operator
from tests.support.builders import KEY, comment, github, rule, word
from tests.support.roads import decided, delivered, road_at, taken, the, waiting

OWN = workflow_id_of("triage", KEY)


@pytest.fixture
def road(tmp_path):
    with road_at(tmp_path) as made:
        yield made


@pytest.fixture
def small_mailbox(monkeypatch):
    monkeypatch.setattr(delivering, "MAILBOX", 2)


async def folded(road):
    """An event that wakes a run by its wait, and matches the rule of the very same run."""
    await delivered(road, comment("e1"))
    await waiting(road, workflow_id=OWN)
    await delivered(road, comment("e2"))
    return await decided(road, "e2")


async def test_d6_nothing_is_leased_before_temporal_is_ready_and_it_is_made_ready_once(road):
    road.runs.away = [Unreachable("Temporal: UNAVAILABLE")] * 3
    await road.keep(comment("e1"), comment("e2", number=8))
    await road.dispatcher.decide_some()

    for _ in range(3):
        assert await road.dispatcher.deliver_some() == 0
    assert (road.runs.arrived, road.runs.prepared) == ([], 0)
    assert (await the(road, "e1")).reason == "matched"

    assert await road.dispatcher.deliver_some() == 2
    await delivered(road, comment("e3"))
    assert road.runs.prepared == 1


async def test_r3_a_full_mailbox_holds_its_lane_and_no_other(road, small_mailbox):
    await delivered(road, *(comment(f"e{n}") for n in range(1, 5)), comment("o1", number=8))

    assert road.runs.arrived.count(("o1", "github")) == 1
    assert [event_id for event_id, _ in road.runs.arrived if event_id != "o1"] == ["e1", "e2"]
    held = await the(road, "e3")
    assert (held.state, held.attempts) == (DecisionState.READY, 0)
    assert held.note.startswith("held: 2 deliveries stand unread")


async def test_r3_when_its_run_has_read_a_lane_that_was_held_goes_on_in_order(road, small_mailbox):
    await delivered(road, *(comment(f"e{n}") for n in range(1, 5)))
    for event_id in ("e1", "e2"):
        await taken(road, await the(road, event_id))
    road.clock.pass_by(31)
    await road.dispatcher.reconcile()
    await delivered(road)

    assert [event_id for event_id, _ in road.runs.arrived] == ["e1", "e2", "e3", "e4"]


async def test_r3_a_persons_word_passes_a_full_mailbox(road, small_mailbox):
    """A parked run reads nothing but words: held behind its events, it could never be resumed."""
    await delivered(road, comment("e1"))
    run_id = (await waiting(road, workflow_id=OWN, key="issue:other")).run_id
    await delivered(road, *(comment(f"e{n}") for n in range(2, 6)))
    await delivered(road, word("w1", "resume", run_id), word("w2", "cancel", run_id))
    await delivered(road, word("w3", "resume", run_id))

    assert [event_id for event_id, _ in road.runs.arrived] == ["e1", "e2", "w1", "w2", "w3"]


async def test_r3_words_about_one_run_keep_their_order(road):
    await delivered(road, comment("e1"))
    run_id = (await waiting(road, workflow_id=OWN, key="issue:other")).run_id
    await road.keep(word("w1", "resume", run_id), word("w2", "cancel", run_id))
    await road.dispatcher.decide_some()
    road.runs.broken[(await the(road, "w1")).id] = Unreachable("away")

    assert await road.dispatcher.deliver_some() == 0
    assert await road.dispatcher.deliver_some() == 0


async def test_r2_an_event_that_wakes_the_run_of_its_rule_reaches_it_once(road):
    woken, start = await folded(road)

    assert (woken.action, woken.state) == (Action.RESUME, DecisionState.DELIVERED)
    assert (start.action, start.state) == (Action.START, DecisionState.FOLDED)
    assert [event_id for event_id, _ in road.runs.arrived] == ["e1", "e2"]
    assert await road.inbox.waiting() == 0


async def test_r2_a_start_that_was_folded_stays_so_when_its_run_woke(road):
    woken, _ = await folded(road)
    await taken(road, woken)
    road.clock.pass_by(31)
    await road.dispatcher.reconcile()
    await delivered(road)

    assert [found.state for found in await decided(road, "e2")] == [
        DecisionState.SETTLED,
        DecisionState.FOLDED,
    ]
    assert len(road.runs.arrived) == 2


async def test_r2_a_start_that_was_folded_into_a_run_that_was_gone_acts_after_all(road):
    woken, _ = await folded(road)
    await taken(road, woken, "late")
    road.clock.pass_by(31)
    await road.dispatcher.reconcile()
    await delivered(road)

    late, start = await decided(road, "e2")
    assert (late.state, start.state) == (DecisionState.SETTLED, DecisionState.DELIVERED)
    assert road.runs.decisions[-1].id == start.id
    road.clock.pass_by(31)
    await road.dispatcher.reconcile()
    await delivered(road)
    assert len(road.runs.arrived) == 3


async def test_r2_a_rule_of_another_run_is_not_folded(road):
    road.rules.append(rule("digest"))
    await delivered(road, comment("e1"))
    await waiting(road, workflow_id=OWN)
    await delivered(road, comment("e2"))

    states = {found.cause: found.state for found in await decided(road, "e2")}
    assert states["digest"] is DecisionState.DELIVERED
    assert states["triage"] is DecisionState.FOLDED


async def test_a5_looking_back_leaves_an_event_that_its_rule_sends_into_the_run_anyway(road):
    await delivered(road, comment("e1"), comment("e2"))
    await waiting(road, since=1, workflow_id=OWN)

    assert await road.dispatcher.look_back_some() == 1
    assert (await the(road, "e2")).action is Action.START


async def test_a1_what_lost_runs_never_took_is_found_however_much_was_delivered(road, monkeypatch):
    """The look goes on from page to page, also when what it has seen is closed meanwhile."""
    monkeypatch.setattr(reconciling, "PAGE", 2)
    arrivals = [comment(f"e{n}", number=n) for n in range(1, 8)]
    for arrival in arrivals:
        await delivered(road, arrival)
    for n in (1, 2, 4):
        await taken(road, await the(road, f"e{n}"))
    lost = [await the(road, f"e{n}") for n in (3, 7)]
    road.runs.gone = {decision.workflow_id for decision in lost}
    road.clock.pass_by(31)
    await road.dispatcher.reconcile()
    await road.dispatcher.deliver_some()

    states = [(await the(road, f"e{n}")).state for n in range(1, 8)]
    assert [state is DecisionState.SETTLED for state in states].count(True) == 3
    assert sorted(found.id for found in road.runs.decisions[7:]) == sorted(d.id for d in lost)


async def test_a1_a_round_asks_for_a_few_runs_and_the_next_one_for_those_behind_them(
    road, monkeypatch
):
    monkeypatch.setattr(reconciling, "MOST_ASKED", 2)
    for n in range(1, 6):
        await delivered(road, comment(f"e{n}", number=n))
        road.clock.pass_by(1)
    road.clock.pass_by(31)
    asked = [await road.dispatcher.reconcile() for _ in range(3)]
    lost = await the(road, "e4")
    road.runs.gone.add(lost.workflow_id)

    sent_again = []
    for _ in range(2):
        await road.dispatcher.reconcile()
        sent_again.append((await the(road, "e4")).state is DecisionState.READY)
    assert asked == [2, 2, 1]
    assert sent_again == [False, True]


async def test_d6_while_nobody_can_say_whether_a_run_is_there_nothing_is_sent_again(road):
    await delivered(road, comment("e1"))
    road.runs.silent = Unreachable("Temporal: UNAVAILABLE")
    road.clock.pass_by(31)
    await road.dispatcher.reconcile()

    assert (await the(road, "e1")).state is DecisionState.DELIVERED


async def test_a1_what_a_run_took_on_its_way_out_is_not_sent_again(road):
    """It is asked after its run was seen to be gone: a claim that came in between still counts."""
    await delivered(road, comment("e1"))
    found = await the(road, "e1")
    road.runs.gone.add(found.workflow_id)
    road.runs.last_act = lambda: taken(road, found)
    road.clock.pass_by(31)
    await road.dispatcher.reconcile()

    assert (await the(road, "e1")).state is DecisionState.DELIVERED
    await road.dispatcher.reconcile()
    assert (await the(road, "e1")).state is DecisionState.SETTLED


def opened(receipt):
    issue = {"number": 8, "body": receipt}
    data = {"action": "opened", "issue": issue, "repository": {"full_name": "acme/api"}}
    return github(receipt, "issues", data)


async def test_r1_an_event_that_shows_a_bug_of_ours_stops_no_other(road):
    """A place that nobody can look at stands for the bug."""
    nowhere = Leaf(path=None, operator=Operator.EQ, expected=1)
    road.rules.insert(0, rule("broken", on=("github/issue_comment.*",), when=All((nowhere,))))
    await delivered(road, comment("e1"), opened("e2"))

    bad = await the(road, "e1")
    assert (bad.cause, bad.action, bad.state) == (UNREADABLE, Action.IGNORE, DecisionState.SETTLED)
    assert "bug of ours" in bad.reason
    assert (await road.inbox.entry("e1")).state is EntryState.DECIDED
    assert road.runs.arrived == [("e2", "github")]
    assert "decide.failed" in road.log.said


class Stumbling:
    """A dialect with a bug: it can't read one of the bodies."""

    def __init__(self, dialect, stone):
        self.dialect, self.stone = dialect, stone

    def read(self, headers, body):
        if self.stone in body:
            raise KeyError(self.stone)
        return self.dialect.read(headers, body)


async def test_r1_an_event_that_a_dialect_stumbles_over_stops_no_other(road):
    dialect = Stumbling(road.sources["github"].dialect, b"a stone")
    road.sources["github"] = replace(road.sources["github"], dialect=dialect)
    await delivered(road, comment("e1", text="a stone"), comment("e2"))

    assert (await the(road, "e1")).cause == UNREADABLE
    assert road.runs.arrived == [("e2", "github")]


async def test_a5_looking_back_goes_past_an_event_that_can_no_longer_be_read(road):
    await delivered(road, comment("e1"), comment("e2", text="a stone"), comment("e3"))
    wanted = await waiting(road, since=1)
    dialect = Stumbling(road.sources["github"].dialect, b"a stone")
    road.sources["github"] = replace(road.sources["github"], dialect=dialect)

    assert await road.dispatcher.look_back_some() == 1
    assert (await decided(road, "e3"))[-1].wait_id == wanted.wait_id
