"""The claim is the guard: of all tokens that ask for a decision, one gets it."""

import asyncio

import pytest

from orchestrator.ledger import claims, conversations
from tests.support.builders import AT, WORKFLOW, ledger_at, opening
from workflows.messages import Outcome, RunState


@pytest.fixture
def ledger(tmp_path):
    with ledger_at(tmp_path) as database:
        yield database


async def claim(ledger, token, how="consumed", decision="dec_1"):
    return await ledger.write(claims.claim, decision, token, how, WORKFLOW, AT)


async def test_a_repeat_with_the_same_token_is_our_own_and_another_token_is_a_duplicate(ledger):
    assert [await claim(ledger, token) for token in ("a", "b", "a", "b")] == [
        True,
        False,
        True,
        False,
    ]


async def test_decisions_are_claimed_one_by_one(ledger):
    assert await claim(ledger, "a")
    assert await claim(ledger, "b", decision="dec_2")


async def test_of_many_at_once_one_wins(ledger):
    won = await asyncio.gather(*(claim(ledger, f"t{n}") for n in range(50)))

    assert won.count(True) == 1


async def test_how_a_decision_was_taken_is_what_its_own_token_said_last(ledger):
    """A killed worker's run plays its steps again, and may end an entry otherwise: more has come meanwhile."""
    await claim(ledger, "a", "consumed")
    await claim(ledger, "b", "late")
    await claim(ledger, "a", "superseded")
    await claim(ledger, "b", "late", "dec_2")

    assert await ledger.read(claims.claimed, ["dec_1", "dec_2", "dec_3"]) == {
        "dec_1": "superseded",
        "dec_2": "late",
    }
    assert await ledger.read(claims.claimed, []) == {}


async def test_a1_a_conversation_that_a_killed_worker_opened_for_what_is_superseded_now_has_ended(
    ledger,
):
    await claim(ledger, "a", "consumed")
    begun = await ledger.write(conversations.begin, opening("dec_1"), AT)
    await claim(ledger, "b", "superseded")
    assert (await ledger.read(conversations.one, begun.run_id)).state is RunState.RUNNING

    await claim(ledger, "a", "superseded")

    ended = await ledger.read(conversations.one, begun.run_id)
    assert (ended.state, ended.outcome) == (RunState.ENDED, Outcome.SUPERSEDED)
    assert ended.reason == "superseded by a newer event before it began"
