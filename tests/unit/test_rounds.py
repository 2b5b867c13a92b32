"""A2, H4: a call whose server asks first has not been sent; it leaves once more, with the answers, under its key."""

from contextlib import suppress
from dataclasses import replace

import pytest
from sqlalchemy import update

from orchestrator.agent.calling import once, rounds
from orchestrator.agent.calling.once import TryAgain
from orchestrator.agent.hands.definitions import Asks, Lost, NotSent, Responses
from orchestrator.ledger import calls, inputs
from orchestrator.ledger.schema import calls as table
from tests.support.builders import RUN
from tests.support.elicited import asking
from tests.support.following import PAPER, SAMPLING, Followed, wrong
from tests.support.mortal import KilledError, Life, Mortal
from workflows.approvals import Standing
from workflows.messages import CallState, Settle
from workflows.playbook import Effect

GLOSSY = {"paper": "glossy"}
ACCEPTED = {"action": "accept", "content": GLOSSY}
FIRST = Asks(requests={"paper": PAPER}, state="sealed-1")
DONE = wrong("printed")
WITH = Responses(given={"paper": ACCEPTED}, state="sealed-1")


async def answered(there, key="paper"):
    await there.says(key, Standing.ANSWERED, GLOSSY)


async def test_h4_a_call_that_asks_first_waits_for_people_and_counts_as_not_sent(tmp_path):
    async with asking(tmp_path, FIRST) as there:
        outcome = await there.made()
        row = await there.call()
        opened = await there.there.opened()
        (request,) = await there.requests()
        again = await there.made(2)
    assert outcome.state is again.state is row.state is CallState.PENDING
    assert (row.sent_at, row.deadline_at) == (None, None)
    assert [one.approval_id for one in opened.asks] == [request.approval_id]
    assert there.hands.made == [None]


async def test_a2_it_leaves_once_more_with_the_answers_and_the_state_that_its_server_gave(tmp_path):
    async with asking(tmp_path, FIRST, DONE) as there:
        await there.made()
        await answered(there)
        outcome = await there.made()
        row = await there.call()
        texts = await there.there.texts()
        after = await there.made(2)
    assert (outcome.state, after.state) == (CallState.DONE, CallState.DONE)
    assert there.hands.made == [None, WITH]
    assert there.hands.keys == {f"{RUN}/1.0"}
    assert row.attempt > inputs.SPARE
    assert texts == ["ann answered what its server asked in the middle of the call.", "printed"]


async def test_h4_a_server_may_ask_again_and_a_key_may_come_back_in_another_round(tmp_path):
    second = Asks(requests={"paper": PAPER}, state="sealed-2")
    async with asking(tmp_path, FIRST, second, DONE) as there:
        await there.made()
        await answered(there)
        assert (await there.made()).state is CallState.PENDING
        assert len(await there.requests()) == 2
        await answered(there)
        assert (await there.made()).state is CallState.DONE
    assert there.hands.made == [None, WITH, replace(WITH, state="sealed-2")]


async def test_h4_a_state_without_a_question_goes_back_at_once(tmp_path):
    async with asking(tmp_path, Asks(requests={}, state="hold on"), DONE) as there:
        assert (await there.made()).state is CallState.PENDING
        assert (await there.there.opened()).asks == ()
        assert (await there.made()).state is CallState.DONE
    assert there.hands.made == [None, Responses(given={}, state="hold on")]


async def test_h4_what_asks_first_may_become_a_task(tmp_path):
    async with asking(tmp_path, FIRST, Followed().begin()) as there:
        there.server.begin()
        await there.made()
        await answered(there)
        assert (await there.made()).state is CallState.SENT
        there.server.asks("paper")
        looked = await there.looked()
        await there.says("paper", Standing.DENIED)
    # The key of a task is another one than the key of a round.
    assert len(looked.asks) == 1


@pytest.mark.parametrize(
    ("asks", "why"),
    [
        (Asks(requests={"thought": SAMPLING}), "sampling/createMessage, which nobody offered it"),
        (Asks(requests={f"p{n}": PAPER for n in range(11)}), "more than 10 things at once"),
        (replace(FIRST, state="x" * (rounds.LONGEST_STATE + 1)), "what it wants back has more"),
    ],
)
async def test_h4_what_people_cannot_give_is_said_and_nothing_was_done(tmp_path, asks, why):
    async with asking(tmp_path, asks) as there:
        assert (await there.made()).state is CallState.FAILED
        (text,) = await there.there.texts()
        assert await there.requests() == []
    assert why in text
    assert "nothing was done" in text


async def test_h4_a_server_that_asks_on_and_on_is_left_alone(tmp_path):
    asks = [replace(FIRST, state=f"{number}") for number in range(rounds.MOST + 1)]
    async with asking(tmp_path, *asks) as there:
        for _ in range(rounds.MOST):
            assert (await there.made()).state is CallState.PENDING
            await answered(there)
        assert (await there.made()).state is CallState.FAILED
        texts = await there.there.texts()
    assert "it has asked 10 times" in texts[-1]


async def test_a2_a_write_that_is_lost_behind_its_answers_is_unknown_and_never_sent_again(tmp_path):
    async with asking(tmp_path, FIRST, Lost(reason="gone")) as there:
        await there.made()
        await answered(there)
        assert (await there.made()).state is CallState.UNKNOWN
        assert (await there.made(2)).state is CallState.UNKNOWN
    assert len(there.hands.made) == 2


async def test_a2_what_did_not_leave_behind_its_answers_was_not_done(tmp_path):
    async with asking(tmp_path, FIRST, NotSent(reason="nobody there")) as there:
        await there.made()
        await answered(there)
        assert (await there.made()).state is CallState.REFUSED
        assert "nothing was done" in (await there.there.texts())[-1]


async def test_a2_an_attempt_of_the_round_before_keeps_nobody_of_this_one_from_sending(tmp_path):
    async with asking(tmp_path, FIRST, DONE) as there:
        await there.made()
        await answered(there)
        await there.there.ledger.write(_taken_late)
        # Whoever is of this round has a higher number, and takes it from it.
        assert (await there.made()).state is CallState.DONE
    assert there.hands.made == [None, WITH]


def _taken_late(connection):
    inputs.resume(connection, RUN, "1.0")
    assert calls.take(connection, RUN, "1.0", 5, again=False)


async def test_a8_a_run_that_is_called_off_gives_it_up_and_closes_the_question(tmp_path):
    async with asking(tmp_path, FIRST) as there:
        await there.made()
        lost = await once.settle_lost(there.there.means, Settle(run_id=RUN, call_id="1.0"))
        given = Settle(run_id=RUN, call_id="1.0", reason="cancelled", given_up=True)
        up = await once.settle_lost(there.there.means, given)
        (request,) = await there.requests()
        assert "it changed nothing" in (await there.there.texts())[-1]
    assert (lost.state, up.state) == (CallState.PENDING, CallState.REFUSED)
    assert request.standing is Standing.CLOSED


async def test_a5_the_time_of_the_conversation_ends_it_too(tmp_path):
    async with asking(tmp_path, FIRST) as there:
        await there.made()
        looked = await there.looked(last="the time is up")
        (request,) = await there.requests()
        assert "nobody had answered when the time is up" in (await there.there.texts())[-1]
    assert (looked.outcome.state, request.standing) == (CallState.FAILED, Standing.CLOSED)


@pytest.mark.parametrize("deaths", range(1, 14))
async def test_a2_a_process_that_dies_at_any_await_after_the_answer_writes_once_or_says_so(
    tmp_path, deaths
):
    async with asking(tmp_path, FIRST, DONE) as there:
        await there.made()
        await answered(there)
        means, life = there.there.means, Life(deaths)
        there.there.means = replace(means, ledger=Mortal(life, means.ledger))
        with suppress(KilledError):
            await there.made(1)
        there.there.means = means
        # Whoever sent it can't be at it any more.
        there.there.clock.time += 3_600
        try:
            outcome = await there.made(2)
        except TryAgain:
            outcome = await there.made(3)
        assert outcome.state in {CallState.DONE, CallState.UNKNOWN}
        (request,) = await there.requests()
    left = there.hands.made.count(WITH)
    assert left == 1 if outcome.state is CallState.DONE else left <= 1
    assert request.standing is Standing.ANSWERED


@pytest.mark.parametrize("deaths", range(1, 14))
async def test_a2_a_process_that_dies_at_any_await_before_the_answer_loses_no_question_it_has(
    tmp_path, deaths
):
    async with asking(tmp_path, FIRST, FIRST) as there:
        means, life = there.there.means, Life(deaths)
        there.there.means = replace(means, ledger=Mortal(life, means.ledger))
        with suppress(KilledError):
            await there.made(1)
        there.there.means = means
        there.there.clock.time += 3_600
        outcome = await there.made(2)
        found = await there.requests()
    # Either the question stands, or nobody knows what the server said to a write that had left.
    assert (outcome.state, len(found)) in [(CallState.PENDING, 1), (CallState.UNKNOWN, 0)]
    assert len(there.hands.made) <= 2


MIDDLE = Asks(requests={"doorbell/middle:1": PAPER}, answered=wrong("on nothing"))


@pytest.mark.parametrize("effect", [Effect.READ, Effect.WRITE])
async def test_h4_what_asks_in_the_middle_is_made_again_where_it_may_be_repeated(tmp_path, effect):
    async with asking(tmp_path, MIDDLE, DONE) as there:
        await there.there.ledger.write(_has_effect, effect)
        assert (await there.made()).state is CallState.PENDING
        assert (await there.call()).sent_at is not None
        await answered(there, "doorbell/middle:1")
        assert (await there.made()).state is CallState.DONE
        texts = await there.there.texts()
    assert there.hands.made == [None, Responses(given={"doorbell/middle:1": ACCEPTED})]
    assert texts[-1] == "printed"


async def test_a2_what_asks_in_the_middle_of_a_write_is_not_made_again(tmp_path):
    async with asking(tmp_path, MIDDLE) as there:
        assert (await there.made()).state is CallState.DONE
        texts = await there.there.texts()
        assert await there.requests() == []
    assert "made do with that" in texts[0]
    assert texts[1] == "on nothing"


async def test_a8_a_write_that_asked_in_the_middle_and_is_given_up_is_unknown(tmp_path):
    async with asking(tmp_path, MIDDLE) as there:
        await there.there.ledger.write(_has_effect, Effect.WRITE)
        await there.made()
        given = Settle(run_id=RUN, call_id="1.0", reason="cancelled", given_up=True)
        assert (await once.settle_lost(there.there.means, given)).state is CallState.UNKNOWN


def _has_effect(connection, effect):
    connection.execute(update(table).values(effect=effect))
