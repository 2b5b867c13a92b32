"""R4: whom a rule doesn't trust wakes none of its runs: trust is asked when an event ends a wait, as it is then."""

from dataclasses import replace

import pytest

from orchestrator.dispatch.decide import PERSON, decide
from orchestrator.dispatch.skips import skipped
from orchestrator.dispatch.wanting import as_wanted
from orchestrator.events import Actor, Author
from orchestrator.inbox.inbox import Action
from orchestrator.ledger import calls, causes, conversations, waits
from orchestrator.ledger.causes import Writing
from orchestrator.rules.rule import Trust
from orchestrator.sources.source import DOORBELL
from orchestrator.telemetry.words import Skipped
from tests.support.builders import (
    AT,
    RUN,
    comment,
    event,
    github,
    intent,
    known,
    opening,
    rule,
    wait,
    wanted,
)
from tests.support.roads import decided, road_at
from workflows.own_tools import BUILTIN, WAIT

ANN = Actor(id="1", login="ann")
BOT = Actor(id="9", login="other[bot]", bot=True)
STRANGER = Author(id="1", login="ann", association="NONE")
BY_BOT = Author(id="9", login="other[bot]")
BY_APP = Author(id="1", login="ann", association="MEMBER", app="helper")
ANSWERS = intent("w1", alias=WAIT, server=BUILTIN, tool="wait")


def names(*logins):
    return frozenset(logins)


def about(trust, actor=ANN, author=None, **changes):
    happened = event(actor=actor, author=author, **changes)
    (decision,) = decide(happened, 5, known(waits=[wanted(trust=trust)]))
    return decision


@pytest.mark.parametrize(
    ("trust", "actor", "author", "why"),
    [
        (Trust(deny=names("ann")), ANN, None, "trust.deny refuses ann"),
        (Trust(deny=names("ann")), BOT, STRANGER, "trust.deny refuses ann"),
        (Trust(), BOT, BY_BOT, "trust.bots refuses other[bot]"),
        (Trust(bots=names("renovate[bot]")), BOT, BY_BOT, "trust.bots refuses other[bot]"),
        (Trust(), ANN, BY_APP, "trust.bots refuses ann, through helper[bot]"),
    ],
)
def test_r4_whom_the_rule_denies_and_bots_that_it_does_not_name_end_no_wait(
    trust, actor, author, why
):
    found = about(trust, actor, author)

    assert (found.action, found.cause) == (Action.IGNORE, "wait:wait_1")
    assert found.reason == f"run {RUN} still waits: {why}"
    assert [line.held for line in found.trace] == [False]
    assert skipped(found) is Skipped.TRUST


@pytest.mark.parametrize(
    ("trust", "actor", "author"),
    [
        (Trust(), ANN, None),
        (Trust(associations=names("MEMBER")), ANN, STRANGER),
        (Trust(allow=names("bob")), ANN, STRANGER),
        (Trust(bots=names("other[bot]")), BOT, BY_BOT),
        (Trust(), BOT, Author()),
        (Trust(deny=names("bob")), ANN, None),
        (Trust(deny=names("bob")), None, None),
        (Trust(), ANN, Author(fork=True)),
        (None, BOT, None),
    ],
)
def test_a5_a_stranger_a_named_bot_and_what_nobody_is_said_to_have_done_end_a_wait(
    trust, actor, author
):
    assert about(trust, actor, author).action is Action.RESUME


def test_a5_what_our_own_runs_tell_asks_nobodys_trust():
    heard = wanted(trust=Trust(), patterns=("doorbell/*",))
    (decision,) = decide(event(source=DOORBELL, actor=BOT), 5, known(waits=[heard]))

    assert decision.action is Action.RESUME


@pytest.mark.parametrize(("hops", "action"), [(3, Action.RESUME), (4, Action.IGNORE)])
def test_r4_a_chain_that_is_too_long_ends_no_wait_and_is_told(hops, action):
    around = known(waits=[wanted(trust=Trust())], hops=hops, chain="run a -> event b")
    (decision,) = decide(event(), 5, around)

    assert decision.action is action
    if action is Action.IGNORE:
        why = "loop: 4 hops, at most 3: run a -> event b"
        assert decision.reason == f"run {RUN} still waits: {why}"
        assert skipped(decision) is Skipped.LOOP


def test_r4_a_wait_of_a_call_hears_its_machine_however_long_the_chain():
    around = known(waits=[wanted()], hops=9, chain="run a -> event b")
    (decision,) = decide(event(actor=BOT), 5, around)

    assert decision.action is Action.RESUME


def test_r2_of_two_waits_of_one_run_the_one_that_trusts_nobody_ends_does_not_hide_the_other():
    waits_ = [wanted(trust=Trust()), wanted(wait_id="wait_2")]
    first, second = decide(event(actor=BOT, author=BY_BOT), 5, known(waits=waits_))

    assert (first.action, second.action) == (Action.IGNORE, Action.RESUME)
    assert second.wait_id == "wait_2"


@pytest.fixture
def road(tmp_path):
    """Its rule asks for a type that never comes: only waits hear anything."""
    with road_at(tmp_path, rule(on=("github/never",))) as made:
        yield made


async def answered_by(road, asked=ANSWERS, **changes):
    """A run of ours whose call opens the wait `wait_1`."""
    begun = opening(event_id="e1", position=1, **changes)
    found = await road.ledger.write(conversations.begin, begun, AT)
    await road.ledger.write(calls.intend, found.run_id, 1, asked, AT)
    return await road.ledger.write(waits.begin, wait(run_id=found.run_id, since=1))


@pytest.mark.parametrize(
    ("asked", "of", "rules", "trust"),
    [
        (ANSWERS, "triage", [rule(trust=Trust(max_hops=1))], Trust(max_hops=1)),
        (ANSWERS, "triage", [], Trust()),
        (ANSWERS, PERSON, [rule()], None),
        (intent("w1"), "triage", [rule()], None),
    ],
)
async def test_trust_is_that_of_the_waiting_runs_rule_now_and_only_for_what_a_model_waits_for(
    road, asked, of, rules, trust
):
    opened = await answered_by(road, asked, rule=of)

    assert (await road.ledger.read(as_wanted, opened, rules)).trust == trust


def by_bot(receipt):
    bot = {"id": 9, "login": "other[bot]", "type": "Bot"}
    data = {
        "action": "created",
        "issue": {"number": 7},
        "comment": {"body": "I disagree.", "receipt": receipt, "user": bot},
        "repository": {"full_name": "acme/api"},
        "sender": bot,
    }
    return github(receipt, "issue_comment", data)


async def test_r4_trust_is_live_and_asked_when_the_event_comes(road):
    await road.keep(comment("e1"))
    await answered_by(road)
    await road.keep(by_bot("e2"))
    await road.dispatcher.decide_some()
    assert "still waits: trust.bots" in (await decided(road, "e2"))[0].reason

    road.rules[:] = [rule(on=("github/never",), trust=Trust(bots=names("other[bot]")))]
    await road.keep(by_bot("e3"))
    await road.dispatcher.decide_some()
    assert (await decided(road, "e3"))[0].action is Action.RESUME


async def test_r4_trust_is_asked_of_what_came_before_the_wait_as_well(road):
    await road.keep(comment("e1"), by_bot("e2"), comment("e3"))
    await road.dispatcher.decide_some()
    await answered_by(road)
    await road.dispatcher.look_back_some()

    found = {one: (await decided(road, one))[-1] for one in ("e2", "e3")}
    assert "still waits: trust.bots refuses other[bot]" in found["e2"].reason
    assert found["e3"].action is Action.RESUME


async def reanswered(road, number):
    """The run writes and waits again, and the bot answers at once; what became of that."""
    receipt, call = f"e{number + 1}", f"w{number}"
    writing = Writing(run_id=RUN, call_id=call, subject="github:acme/api#7")
    road.clock.pass_by(5)
    await road.ledger.write(causes.may_write, writing, 20, AT - 1, road.clock.now().timestamp())
    asked = replace(ANSWERS, call_id=call)
    await road.ledger.write(calls.intend, RUN, number, asked, AT)
    opened = wait(f"wait_{number}", call_id=call, since=number)
    await road.ledger.write(waits.begin, opened)
    road.clock.pass_by(5)
    await road.keep(replace(by_bot(receipt), received_at=road.clock.now()))
    await road.dispatcher.decide_some()
    found = (await decided(road, receipt))[0]
    if found.action is Action.RESUME:
        await road.ledger.write(conversations.hear, RUN, receipt, number + 1, "waited", AT)
        await road.ledger.write(waits.end, opened.wait_id, "resolved", receipt, AT)
    return found


async def test_r4_a_run_that_waits_for_a_bots_answers_and_a_bot_that_answers_stop(road):
    """The rule names the bot, and the run never ends: only the chain of their quick answers can stop them."""
    road.rules[:] = [rule(on=("github/never",), trust=Trust(bots=names("other[bot]")))]
    await road.keep(comment("e1"))
    await road.dispatcher.decide_some()
    await road.ledger.write(conversations.begin, opening(event_id="e1", position=1), AT)
    found = [await reanswered(road, number) for number in range(1, 5)]

    assert [one.action for one in found] == [*[Action.RESUME] * 3, Action.IGNORE]
    assert found[-1].reason.startswith(f"run {RUN} still waits: loop: 4 hops, at most 3: ")
    assert found[-1].reason.count(f"run {RUN} -> event e") == 4
