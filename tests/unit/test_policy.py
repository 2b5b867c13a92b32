"""What may happen to one tool call: a table, row by row."""

import pytest

from tests.support.builders import card, tool_call
from workflows.own_tools import WAIT
from workflows.playbook import Budget, Effect, Stage
from workflows.policy import Propose, Refuse, Send, WaitFor, judge

READ = card()
WRITE = card("github__label", Effect.WRITE, max=2)
ONCE = card("github__comment", Effect.WRITE_ONCE, max=1)
CARDS = {found.alias: found for found in (READ, WRITE, ONCE)}


def judged(alias, *, usable=True, **changes):
    known = {
        "stage": Stage.LIVE,
        "budget": Budget(tool_calls=3),
        "tool_calls": 0,
        "writes": {},
        "waiting": False,
    }
    return judge(tool_call(alias, usable=usable), CARDS, **known | changes)


@pytest.mark.parametrize("found", CARDS.values(), ids=lambda found: found.effect)
def test_live_sends_what_is_within_its_limits(found):
    assert judged(found.alias) == Send(tool_call(found.alias), found)


@pytest.mark.parametrize("found", [WRITE, ONCE], ids=lambda found: found.effect)
def test_a_preview_records_writes_as_proposals(found):
    verdict = judged(found.alias, stage=Stage.PREVIEW)

    assert verdict == Propose(tool_call(found.alias), found)


def test_a_preview_sends_what_only_reads():
    assert isinstance(judged(READ.alias, stage=Stage.PREVIEW), Send)


@pytest.mark.parametrize("stage", Stage)
def test_a2_a_write_that_was_used_up_is_denied(stage):
    verdict = judged(ONCE.alias, writes={ONCE.alias: 1}, stage=stage)

    assert isinstance(verdict, Refuse)
    assert verdict.denied
    assert "github.comment may be used 1 time(s)" in verdict.text


def test_the_limit_of_one_tool_is_not_that_of_another():
    assert isinstance(judged(WRITE.alias, writes={ONCE.alias: 9, WRITE.alias: 1}), Send)


@pytest.mark.parametrize("found", CARDS.values(), ids=lambda found: found.effect)
def test_a3_no_call_is_sent_beyond_the_budget_of_tool_calls(found):
    verdict = judged(found.alias, tool_calls=3)

    assert isinstance(verdict, Refuse)
    assert verdict.denied
    assert "budget of 3 tool calls" in verdict.text


def test_a_wait_costs_no_tool_call():
    assert judged(WAIT, tool_calls=3) == WaitFor(tool_call(WAIT))


def test_there_is_one_wait_at_a_time():
    verdict = judged(WAIT, waiting=True)

    assert isinstance(verdict, Refuse)
    assert not verdict.denied


def test_a_tool_that_is_not_there_is_refused_by_name():
    verdict = judged("github__erase")

    assert isinstance(verdict, Refuse)
    assert not verdict.denied
    assert "'github__erase'" in verdict.text


@pytest.mark.parametrize("alias", [*CARDS, WAIT, "github__erase"])
def test_a_call_that_can_not_be_used_is_refused_and_is_no_denial(alias):
    verdict = judged(alias, usable=False, tool_calls=9, waiting=True)

    assert isinstance(verdict, Refuse)
    assert verdict.call == tool_call(alias, usable=False)
    assert not verdict.denied
