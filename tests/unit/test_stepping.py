"""The turns of a conversation without a model: one call each, in order, recorded once whoever asks again."""

from dataclasses import replace

import pytest

from orchestrator.agent.asking import turning
from orchestrator.agent.conversation import frozen, opening, stepping
from orchestrator.agent.hands.definitions import Discovered, ToolDefinition
from orchestrator.agent.means import Means
from orchestrator.agent.tools.toolset import ToolsetRefused
from orchestrator.ledger import artifacts, calls, conversations, turns
from orchestrator.rules.steps import OnError, Step
from orchestrator.servers import HttpServer
from tests.support.builders import AT, MARK, RUN, configuration, ledger_at, tool
from tests.support.builders import frozen as pinned
from tests.support.builders import opening as begun
from workflows.loop import Act, AskModel, End, Loop, State
from workflows.messages import Ask, CallOutcome, CallState, Outcome, Stop
from workflows.playbook import Effect, Stage

COMMENT = Step(tool="github.comment", args={"body": "Hello"})
LOOK = Step(tool="github.look", args={"body": "it"})
TOOLS = (tool(max=2), tool("look", Effect.READ, max=None))
WRONG = Step(tool="github.comment", args={"body": 7})


def pin(*steps):
    return pinned(
        *TOOLS,
        steps=steps,
        model=stepping.NO_MODEL,
        playbook="call: github.comment",
        budget=stepping.budget_of(steps),
    )


@pytest.fixture
async def ledger(tmp_path):
    with ledger_at(tmp_path) as database:
        yield database


async def begin(ledger, *steps):
    await ledger.write(conversations.begin, begun(playbook="call: github.comment"), AT)
    made = frozen.dump(pin(*steps))
    digest = await ledger.write(artifacts.put, made, "application/json", AT)
    await ledger.write(conversations.freeze, RUN, digest, stepping.NO_MODEL)
    return Means(
        inbox=None,
        ledger=ledger,
        model=None,
        hands=None,
        configuration=configuration,
        now=lambda: AT,
        scripted=True,
    )


async def ask(means, turn=1, attempt=1):
    budget = (await opening.opened(means, RUN)).budget
    return await turning.ask(means, Ask(run_id=RUN, turn=turn, budget=budget), attempt)


async def ended(ledger, call_id, state=CallState.DONE, text="fine"):
    content = [{"type": "text", "text": text}]
    result = calls.Result(state=state, content=content, is_error=state is not CallState.DONE)
    await ledger.write(calls.finish, RUN, call_id, result, AT)


async def test_each_turn_is_the_next_call_and_costs_nothing(ledger):
    means = await begin(ledger, LOOK, COMMENT)
    first = await ask(means)
    await ended(ledger, "1.0")
    second = await ask(means, turn=2)
    await ended(ledger, "2.0")
    last = await ask(means, turn=3)

    assert [reply.stop for reply in (first, second, last)] == [
        Stop.TOOL_USE,
        Stop.TOOL_USE,
        Stop.END_TURN,
    ]
    assert [call.alias for reply in (first, second) for call in reply.calls] == [
        "github__look",
        "github__comment",
    ]
    assert (last.calls, last.refusal, last.spent.usd, last.spent.tokens) == ((), "", 0, 0)
    made = await ledger.read(calls.of_run, RUN)
    assert [call.effect for call in made] == [Effect.READ, Effect.WRITE_ONCE]
    assert await ledger.read(turns.spent, RUN) == last.spent


async def test_r4_what_is_written_carries_our_marker(ledger):
    await ask(await begin(ledger, COMMENT))

    assert (await ledger.read(calls.one, RUN, "1.0")).arguments["body"] == f"Hello\n\n{MARK}"


async def test_a1_asked_again_it_is_the_same_turn_and_intends_nothing_twice(ledger):
    means = await begin(ledger, COMMENT, COMMENT)
    assert await ask(means) == await ask(means, attempt=2)
    await ended(ledger, "1.0", CallState.FAILED)
    ending = await ask(means, turn=2)

    assert await ask(means, turn=2, attempt=2) == ending
    assert len(await ledger.read(calls.of_run, RUN)) == 1


@pytest.mark.parametrize("state", [CallState.FAILED, CallState.REFUSED, CallState.UNKNOWN])
async def test_a_call_that_fails_is_the_last_and_the_reason_is_ours_alone(ledger, state):
    """What its server says may be a stranger's: it stands in the account, never in Temporal's history."""
    means = await begin(ledger, LOOK, COMMENT)
    await ask(means)
    await ended(ledger, "1.0", state, "upstream said 503")
    reply = await ask(means, turn=2)

    assert (reply.stop, reply.calls) == (Stop.REFUSAL, ())
    assert reply.refusal == f"call 1 of 2, github.look: {state}; 1 more not made"
    (_, last) = await ledger.read(turns.replied, RUN)
    assert "upstream said 503" in last.content


async def test_a_last_call_that_fails_is_no_success_either(ledger):
    means = await begin(ledger, LOOK)
    await ask(means)
    await ended(ledger, "1.0", CallState.FAILED, "upstream said 503")
    reply = await ask(means, turn=2)
    again = await ask(means, turn=2, attempt=2)

    assert reply.refusal == again.refusal == "call 1 of 1, github.look: failed"


async def test_with_on_error_continue_it_goes_on(ledger):
    going_on = replace(LOOK, on_error=OnError.CONTINUE)
    means = await begin(ledger, going_on, COMMENT)
    await ask(means)
    await ended(ledger, "1.0", CallState.FAILED)

    assert [call.alias for call in (await ask(means, turn=2)).calls] == ["github__comment"]


@pytest.mark.parametrize(
    ("step", "reason"),
    [(COMMENT, "call 1 of 2, github.comment: unknown"), (LOOK, "")],
)
async def test_a_write_that_was_passed_over_is_for_a_person_and_a_read_is_not(ledger, step, reason):
    means = await begin(ledger, replace(step, on_error=OnError.CONTINUE), COMMENT)
    await ask(means)
    await ended(ledger, "1.0", CallState.UNKNOWN)
    await ask(means, turn=2)
    await ended(ledger, "2.0")

    assert (await ask(means, turn=3)).refusal == reason


async def test_what_does_not_fit_is_found_before_anything_is_called(ledger):
    means = await begin(ledger, COMMENT, WRONG)
    reply = await ask(means)

    assert (
        reply.refusal
        == "call 2 of 2, github.comment: its arguments don't fit, so nothing was called"
    )
    assert await ledger.read(calls.of_run, RUN) == []


async def test_a3_what_does_not_fit_and_does_not_matter_is_refused_in_its_turn(ledger):
    means = await begin(ledger, replace(WRONG, on_error=OnError.CONTINUE), COMMENT)
    first = await ask(means)

    assert [call.usable for call in first.calls] == [False]
    assert (await ledger.read(calls.one, RUN, "1.0")).state is CallState.REFUSED
    assert [call.alias for call in (await ask(means, turn=2)).calls] == ["github__comment"]
    await ended(ledger, "2.0")
    assert (await ask(means, turn=3)).refusal == "call 1 of 2, github.comment: refused"


@pytest.mark.parametrize("count", range(1, 11))
@pytest.mark.parametrize("stage", Stage)
async def test_the_loop_makes_every_call_of_a_list_and_is_never_asked_to_finish(
    ledger, count, stage
):
    means = await begin(ledger, *[replace(COMMENT, on_error=OnError.END)] * count)
    opened = await opening.opened(means, RUN)
    tools = tuple(replace(card, max=count) for card in opened.tools)
    loop, made = Loop(State.of(replace(opened, stage=stage, tools=tools))), []
    while not isinstance(step := loop.next(), End):
        match step:
            case AskModel(turn, nudge):
                assert nudge is None
                loop.receive(await ask(means, turn))
            case Act(verdicts):
                (verdict,) = verdicts
                made.append(verdict)
                state = CallState.DONE if stage is Stage.LIVE else CallState.PROPOSED
                await ended(ledger, verdict.call.call_id, state)
                loop.answered((CallOutcome(call_id=verdict.call.call_id, state=state),))

    assert len(made) == count
    assert step == End(Outcome.COMPLETED, "")


def definition(name, *, read_only):
    schema = {"type": "object", "properties": {}}
    return ToolDefinition(server="lab", name=name, input_schema=schema, read_only=read_only)


LAB = {"lab": HttpServer(name="lab", url="http://127.0.0.1:9/mcp")}
OFFERED = {
    "lab": Discovered(
        server="lab",
        protocol="2025-06-18",
        identity="it",
        tools=(definition("look", read_only=True), definition("write", read_only=None)),
    )
}


def test_a_write_may_be_made_as_often_as_it_stands_there():
    steps = [Step(tool="lab.write"), Step(tool="lab.look"), Step(tool="lab.write")]
    found = {one.name: (one.effect, one.max) for one in stepping.toolset(steps, OFFERED, LAB)}

    assert found["write"] == (Effect.WRITE_ONCE, 2)
    assert found["look"][0] is Effect.READ


def test_a_tool_that_is_gone_is_a_persons_business():
    with pytest.raises(ToolsetRefused, match="server 'lab' has no tool 'wrte'; did you mean"):
        stepping.toolset([Step(tool="lab.wrte")], OFFERED, LAB)
