"""A6: a word is recognised wherever it is said, consumed, and heard only from those whom its source proves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.dispatch.answers import IN_A_COMMENT, Answer, answer_in
from orchestrator.dispatch.decide import PERSON
from orchestrator.inbox.inbox import Action, DecisionState
from orchestrator.sources.source import OPERATOR
from tests.support.builders import WORKFLOW, event
from tests.support.consent import office_at

CODE = "ABCDEFG234"


def said(text, **changes):
    data = {"action": "created", "comment": {"body": text}, "issue": {"number": 7}} | changes
    return answer_in(event(data=data))


@pytest.fixture
def office(tmp_path):
    with office_at(tmp_path) as office:
        yield office


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (f"/approve {CODE}", Answer(word="approve", code=CODE)),
        (f"  /approve {CODE.lower()}  \n\nThanks!", Answer(word="approve", code=CODE)),
        (f"/deny {CODE} not now", Answer(word="deny", code=CODE, why="not now")),
        (f"/deny\t{CODE}\r\nno", Answer(word="deny", code=CODE)),
        (f"/answer {CODE}  42 ", Answer(word="answer", code=CODE, answer="42")),
    ],
)
def test_a6_a_comment_says_its_word_in_the_first_line(text, meant):
    assert said(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/approve",
        "/approve please",
        f"> /approve {CODE}",
        f"I would /approve {CODE}",
        f"Look:\n/approve {CODE}",
        f"/approve {CODE}X",
        f"/approved {CODE}",
        f"`/approve {CODE}`",
    ],
)
def test_a6_what_only_mentions_a_word_says_none(text):
    assert said(text) is None


@pytest.mark.parametrize("action", ["edited", "deleted"])
def test_a6_a_comment_that_is_no_news_says_nothing(action):
    assert said(f"/approve {CODE}", action=action) is None


@given(st.text(max_size=60))
def test_a6_whatever_a_stranger_writes_is_read_as_a_word_only_where_it_is_one(text):
    found = said(text)

    assert found is None or text.strip().upper().startswith(f"/{found.word} {found.code}".upper())


@given(st.dictionaries(st.text(max_size=5), st.none() | st.text() | st.integers(), max_size=4))
def test_a6_any_payload_of_the_command_line_is_read(data):
    found = answer_in(event(source=OPERATOR, type="run.approve", data=data))

    assert found is not None
    assert found.word == "approve"


async def test_a6_a_comment_with_a_word_reaches_its_run_and_nothing_else(office):
    asked = await office.ask()
    (decision,) = await office.decided(await office.comment(f"/approve {asked.code}"))

    assert (decision.action, decision.cause) == (Action.CONTROL, IN_A_COMMENT)
    assert (
        decision.reason == f"recorded: approve {asked.code} by ann, for run {decision.with_['run']}"
    )
    assert (decision.workflow_id, decision.wait_id) == (WORKFLOW, asked.approval_id)
    assert decision.lane == f"{WORKFLOW}!person"
    await office.dispatcher.deliver_some()
    assert [one.id for one in office.runs.decisions] == [decision.id]


@pytest.mark.parametrize(
    ("login", "why"),
    [
        ("stranger", "whoever says it isn't in people.yaml, or is a bot"),
        ("zoe-q", "zoe-q may not: expected role:maintainer or operator"),
        ("our-bot", "our own write: our-bot is one of our actors"),
    ],
)
async def test_a6_a_word_of_somebody_who_may_not_is_recorded_and_consumed(office, login, why):
    asked = await office.ask()
    (decision,) = await office.decided(await office.comment(f"/approve {asked.code}", login=login))

    assert (decision.action, decision.state) == (Action.IGNORE, DecisionState.SETTLED)
    assert decision.reason == f"approve {asked.code}: {why}"
    # Of those we know, it is kept beside the request: people are told of that, and never of a stranger's guess.
    known = [f"refused: {why}"] if login == "zoe-q" else []
    assert [one.became for one in await office.words()] == known


async def test_a6_our_own_text_consents_to_nothing_whoever_it_is_written_as(office):
    asked = await office.ask()
    run = (await office.request()).run_id
    text = f"/approve {asked.code}\n\n<!-- doorbell:{run}.1.0 -->"
    (decision,) = await office.decided(await office.comment(text))

    assert decision.reason.startswith(f"approve {asked.code}: our own write")


async def test_a6_a_comment_for_another_program_is_no_business_of_ours(office):
    receipt = await office.comment(f"/approve {CODE}")

    assert IN_A_COMMENT not in {one.cause for one in await office.decided(receipt)}


@pytest.mark.parametrize("kind", ["approve", "deny", "answer"])
async def test_a6_a_word_about_nothing_is_refused_on_the_command_line(office, kind):
    (decision,) = await office.decided(await office.hand(kind, "NOSUCHCODE"))

    assert (decision.action, decision.cause) == (Action.IGNORE, PERSON)
    assert decision.reason == "nobody was asked anything under the code 'NOSUCHCODE'"


async def test_a6_an_answer_of_no_reaches_its_run_as_it_is(office):
    asked = await office.ask()
    (decision,) = await office.decided(await office.hand("answer", asked.code, answer=False))

    assert decision.with_["answer"] is False


async def test_a6_a_word_that_is_redelivered_counts_once(office):
    asked = await office.ask()
    receipt = await office.comment(f"/approve {asked.code}")
    (first,) = await office.decided(receipt)
    await office.take(first)
    await office.redeliver(receipt)
    found = (await office.inbox.decisions([receipt]))[receipt]

    assert [one.action for one in found] == [Action.CONTROL, Action.IGNORE]
    assert found[1].reason == f"approve {asked.code}: too late, it is approved"


async def test_a6_deciding_again_after_a_crash_writes_the_same_word(office):
    asked = await office.ask()
    receipt = await office.comment(f"/approve {asked.code}")
    before = await office.dies_deciding(receipt)
    (after,) = await office.decided(receipt)

    assert [said.decision_id for said in before] == [after.id]
    assert [said.decision_id for said in await office.words()] == [after.id]
