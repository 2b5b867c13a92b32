"""R5: over its budget a run takes its leave in a last turn without tools, and ends or parks. Over real HTTP."""

from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import pytest

from orchestrator.agent import prices
from orchestrator.agent.asking import turning
from orchestrator.demo.wire import Reply, ToolUse
from orchestrator.ledger import shortfalls
from orchestrator.rules.caps import Cap, Caps
from tests.support.asking import RICH, talk
from tests.support.builders import configuration, frozen, rule, tool
from tests.support.scripts import says, words
from workflows.messages import Ask, CallState, Stop
from workflows.playbook import Effect, OverBudget

LOOK = Reply(blocks=(ToolUse("github__comment", {"body": "look"}),), stop_reason="tool_use")
PIN = frozen(tool(effect=Effect.READ), max_tokens=2_000, model="claude-sonnet-5-5")
FOR = "This is your last turn and you can use no tool"


@asynccontextmanager
async def leaving(directory, *answers, over=OverBudget.FINISH):
    """A run whose rule says what becomes of it over budget, with one tool call behind it."""
    files = configuration(rule("triage", caps=Caps(over=over)))
    async with talk(directory, PIN, LOOK, *answers, configuration=lambda: files) as subject:
        assert (await subject.ask(budget=RICH)).stop is Stop.TOOL_USE
        await subject.answered(1, "seen")
        yield subject


def enough(turns):
    """The money of so many turns of this conversation, none of it read from a cache."""
    return turns * prices.estimated(PIN.model, 1_000, PIN.max_tokens, kept_long=500)


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        (replace(RICH, tool_calls=1), "tool_calls budget: 1 of 1 used"),
        (replace(RICH, tokens=3_500), "too little is left for more than this turn"),
        (replace(RICH, usd=enough(1)), "too little is left for more than this turn"),
    ],
    ids=["tool calls", "tokens", "usd"],
)
async def test_r5_its_last_turn_is_without_tools_and_says_why(tmp_path, budget, reason):
    async with leaving(tmp_path, says("I looked, and wrote nothing.")) as subject:
        reply = await subject.ask(2, budget=budget)
        again = await subject.ask(2, budget=budget, attempt=2)

    last = subject.script.asked[-1]
    assert last["tool_choice"] == {"type": "none"}
    assert FOR in words(last)
    assert reason in words(last)
    assert reason in reply.refusal
    assert (reply.over, reply.calls, again) == (OverBudget.FINISH, (), reply)
    assert len(subject.script.asked) == 2


async def test_r5_a_call_in_the_last_turn_is_answered_and_not_made(tmp_path):
    async with leaving(tmp_path, LOOK) as subject:
        reply = await subject.ask(2, budget=replace(RICH, tool_calls=1))
        _, call = await subject.calls()

    assert (reply.calls, call.state) == ((), CallState.REFUSED)


async def test_r5_with_means_left_every_turn_has_its_tools(tmp_path):
    async with leaving(tmp_path, says()) as subject:
        reply = await subject.ask(2, budget=replace(RICH, turns=3, tool_calls=2))

    assert "tool_choice" not in subject.script.asked[-1]
    assert reply.refusal == ""


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        (replace(RICH, tokens=3_500), "too little is left for more than this turn"),
        (replace(RICH, usd=enough(1)), "too little is left for more than this turn"),
    ],
    ids=["tokens", "usd"],
)
async def test_r5_a_run_that_parks_over_its_own_budget_leaves_a_summary(tmp_path, budget, reason):
    """Whoever is asked for more reads what was done for it, and what was not."""
    answers = (says("I looked, and wrote nothing."), says())
    async with leaving(tmp_path, *answers, over=OverBudget.PARK) as subject:
        reply = await subject.ask(2, budget=budget)
        again = await subject.ask(2, budget=budget, attempt=2)
        summary = await subject.ledger.read(shortfalls.summary, subject.run_id)

    last = subject.script.asked[-1]
    assert last["tool_choice"] == {"type": "none"}
    assert FOR in words(last)
    assert reason in reply.refusal
    assert (reply.stays, reply.over, reply.calls, again) == (True, OverBudget.PARK, (), reply)
    assert summary == "I looked, and wrote nothing."
    assert len(subject.script.asked) == 2


async def test_r5_let_go_on_without_more_it_works_as_long_as_it_can_and_sums_up_no_second_time(
    tmp_path,
):
    answers = (says("I looked."), says("Once more."))
    async with leaving(tmp_path, *answers, over=OverBudget.PARK) as subject:
        assert (await subject.ask(2, budget=replace(RICH, tokens=3_500))).stays
        await subject.hears(3, "Go on.")
        reply = await subject.ask(3, budget=replace(RICH, tokens=3_500))
        summary = await subject.ledger.read(shortfalls.summary, subject.run_id)

    assert "tool_choice" not in subject.script.asked[-1]
    assert (reply.stays, reply.refusal, summary) == (False, "", "")


async def test_r5_a_run_that_parks_goes_on_without_calls_when_those_are_used_up(tmp_path):
    async with leaving(tmp_path, says(), over=OverBudget.PARK) as subject:
        reply = await subject.ask(2, budget=replace(RICH, tool_calls=1))

    assert "tool_choice" not in subject.script.asked[-1]
    assert (reply.stays, reply.refusal) == (False, "")


async def test_r5_a_time_that_is_up_is_an_end_and_no_parking(tmp_path):
    async with leaving(tmp_path, says("I stop."), over=OverBudget.PARK) as subject:
        late = Ask(run_id=subject.run_id, turn=2, budget=RICH, last="open time: 2 of 2 hours used")
        reply = await turning.ask(subject.means, late, 1)

    assert (reply.stays, reply.refusal) == (False, "open time: 2 of 2 hours used")


async def test_r5_where_a_cap_of_the_day_leaves_nothing_for_a_summary_the_run_parks_for_that(
    tmp_path,
):
    caps = Caps(day=Cap(tokens=0), over=OverBudget.PARK)
    files = configuration(rule("triage", caps=caps))
    async with talk(tmp_path, PIN, says(), configuration=lambda: files) as subject:
        reply = await subject.ask(2, budget=replace(RICH, tokens=3_500))

    assert (reply.stop, reply.stays) == (Stop.OVER_BUDGET, False)
    assert "0 tokens per day are spent" in reply.refusal
    assert subject.script.asked == []


OVER_TURNS = "turns budget: 2 of 2 used"


def summed_up(subject):
    """The run wants more turns than it has."""
    asked = Ask(run_id=subject.run_id, turn=2, budget=RICH, last=OVER_TURNS, parks=True)
    return turning.ask(subject.means, asked, 1)


@pytest.mark.parametrize("over", [OverBudget.PARK, OverBudget.FINISH])
async def test_r5_the_last_of_its_turns_has_tools_too(tmp_path, over):
    async with leaving(tmp_path, LOOK, over=over) as subject:
        reply = await subject.ask(2, budget=replace(RICH, turns=2))

    assert "tool_choice" not in subject.script.asked[-1]
    assert (reply.stop, reply.refusal, len(reply.calls)) == (Stop.TOOL_USE, "", 1)


@pytest.mark.parametrize(("over", "stays"), [(OverBudget.PARK, True), (OverBudget.FINISH, False)])
async def test_r5_a_run_that_wants_more_turns_sums_up_without_tools(tmp_path, over, stays):
    async with leaving(tmp_path, says("I looked."), over=over) as subject:
        reply = await summed_up(subject)
        summary = await subject.ledger.read(shortfalls.summary, subject.run_id)

    assert subject.script.asked[-1]["tool_choice"] == {"type": "none"}
    assert FOR in words(subject.script.asked[-1])
    assert (reply.refusal, reply.stays, summary) == (OVER_TURNS, stays, "I looked.")


@pytest.mark.parametrize("cap", [Cap(tokens=0), Cap(usd=Decimal(0))], ids=["tokens", "usd"])
async def test_r5_a_summary_that_no_cap_has_room_for_is_left_out_and_no_new_day_asks_for_it(
    tmp_path, cap
):
    files = configuration(rule("triage", caps=Caps(day=cap, over=OverBudget.PARK)))
    async with talk(tmp_path, PIN, says(), configuration=lambda: files) as subject:
        reply = await summed_up(subject)
        held = await subject.ledger.read(shortfalls.holds, subject.run_id)

    assert (reply.stop, reply.refusal, held) == (Stop.OVER_BUDGET, "", False)
    assert subject.script.asked == []


async def test_r5_without_money_for_a_leave_there_is_none(tmp_path):
    async with leaving(tmp_path, says()) as subject:
        reply = await subject.ask(2, budget=replace(RICH, usd=Decimal("0.0001")))

    assert (reply.stop, reply.over) == (Stop.OVER_BUDGET, OverBudget.FINISH)
    assert len(subject.script.asked) == 1
