"""What the Temporal UI tells of a run."""

from decimal import Decimal

from tests.support.builders import RUN, card, opened, spent, tool_call
from workflows.loop import Loop, State
from workflows.messages import CallOutcome, CallState, Reply, RunState, Stop, Title
from workflows.playbook import Budget
from workflows.policy import Refuse, Send
from workflows.story import SHOWN_TURNS, Story

TITLE = Title(rule="triage", playbook="triage", source="github", key="issue:7", stage="live")


def test_it_says_where_the_run_is_and_what_it_spent():
    story, loop = Story(), Loop(State.of(opened(card(), budget=Budget(usd=Decimal("0.5")))))
    story.opened(opened(card(), notice="scripted model"))
    loop.receive(Reply(turn=1, stop=Stop.END_TURN, spent=spent("0.0421", 900)))

    told = story.told(RunState.WAITING, "github/* for issue:7", loop.state)

    assert told.startswith("**waiting**: `github/* for issue:7`\n\n")
    assert "USD 0.0421 of 0.5 · 900 of 300000 tokens · 1 of 25 turns" in told
    assert f"run `{RUN}` · claude-sonnet-5-5 · 1 tools · live" in told
    assert "_scripted model_" in told


def test_it_says_something_before_a_conversation_is_open():
    assert Story().told(RunState.PARKED, "", None) == "**parked**"


def test_a_turn_names_its_tools_or_why_it_stopped():
    story = Story()
    story.replied(Reply(turn=1, stop=Stop.TOOL_USE, calls=(tool_call(), tool_call("a__b", "c2"))))
    story.replied(Reply(turn=2, stop=Stop.END_TURN))

    assert story.told(RunState.ENDED, "", None).splitlines()[-2:] == [
        "- turn 1: `github.look`, `a.b`",
        "- turn 2: finished",
    ]


def test_calls_that_were_not_simply_done_are_named():
    story = Story()
    verdicts = (Send(tool_call(), card()), Refuse(tool_call("a__b", "c2"), "no", denied=True))
    done = CallOutcome(call_id="c1", state=CallState.DONE)
    refused = CallOutcome(call_id="c2", state=CallState.REFUSED)

    story.acted(verdicts, [done, refused])

    assert story.lines == ["`a.b`: **refused**"]


def test_a_long_run_tells_only_the_newest_turns():
    story = Story()
    for turn in range(1, 501):
        story.replied(Reply(turn=turn, stop=Stop.PAUSE_TURN))

    assert len(story.lines) == SHOWN_TURNS
    assert story.lines[-1] == "turn 500: pause_turn"
