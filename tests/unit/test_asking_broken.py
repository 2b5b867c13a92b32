"""A3: no reply blocks its run for good, whatever is broken in it. Over real HTTP, through the real SDK."""

import pytest

from orchestrator.agent.reply import Rejected
from orchestrator.demo.wire import Fault, Raw, Reply, Text, ToolUse
from orchestrator.ledger import calls
from orchestrator.ledger.calls import Result
from tests.support.asking import talk
from tests.support.builders import AT, frozen, tool
from tests.support.drawn import attached, png
from tests.support.scripts import says
from workflows.messages import CallState, Stop
from workflows.playbook import Effect

PIN = frozen(tool(), tool("look", Effect.READ))
NO_PICTURE = Fault(status=400, type="invalid_request_error", message="Could not process image")
PICTURE, OTHER = attached(png(9, 9)), attached(png(7, 7))


def uses(*blocks):
    return Reply(blocks=blocks, stop_reason="tool_use")


def named(name, body="Hello"):
    given = {"body": body}
    return Raw({"type": "tool_use", "id": name, "name": "github__comment", "input": given})


def refusing(picture, then):
    """A provider that can't read this one picture."""
    return lambda request: NO_PICTURE if picture["source"]["data"] in str(request) else then


async def answered(subject, turn, *content):
    result = Result(state=CallState.DONE, content=list(content), is_error=False)
    for call in await subject.calls():
        if call.turn == turn:
            await subject.ledger.write(calls.finish, subject.run_id, call.call_id, result, AT)


@pytest.mark.parametrize("given", [[], "x", None, 7])
async def test_a3_arguments_that_are_no_object_are_told_and_sent_back_as_one(tmp_path, given):
    asked = uses(ToolUse("github__comment", given))
    async with talk(tmp_path, PIN, asked, says()) as subject:
        reply = await subject.ask()
        (call,) = await subject.calls()
        assert (await subject.ask(2)).stop is Stop.END_TURN

    assert [found.usable for found in reply.calls] == [False]
    assert (call.state, dict(call.arguments)) == (CallState.REFUSED, {})
    assert subject.sent()[1]["content"][0]["input"] == {}
    assert subject.sent()[2]["content"][0]["is_error"] is True


@pytest.mark.parametrize("tool_name", ["github__comment", "doorbell__wait", "github__unheard_of"])
async def test_a3_arguments_that_are_no_json_are_paid_once_and_told(tmp_path, tool_name):
    broken = uses(ToolUse(tool_name, spelled='{"body": "Hello", "x'), ToolUse("github__look"))
    async with talk(tmp_path, PIN, broken, says()) as subject:
        reply = await subject.ask()
        first, second = await subject.calls()
        await answered(subject, 1, {"type": "text", "text": "seen"})
        assert (await subject.ask(2)).stop is Stop.END_TURN

    assert (reply.stop, reply.spent.assumed) == (Stop.TOOL_USE, 0)
    assert [found.usable for found in reply.calls] == [False, False]
    assert (first.state, dict(first.arguments)) == (CallState.REFUSED, {})
    (words,) = first.content
    assert words["text"].startswith(f"The call of {tool_name} was not made; expected its arguments")
    assert words["text"].endswith('as one JSON object, got: {"body": "Hello", "x')
    assert "required" in str(second.content)
    assert len(subject.script.asked) == 2


async def test_a3_arguments_that_are_no_json_are_unusable_also_for_a_worker_that_comes_later(
    tmp_path,
):
    async with talk(tmp_path, PIN, uses(ToolUse("github__comment", spelled="{"))) as subject:
        replies = [await subject.ask(), await subject.ask(attempt=2)]

    assert [[found.usable for found in reply.calls] for reply in replies] == [[False], [False]]
    assert len(subject.script.asked) == 1


@pytest.mark.parametrize(
    "use", [named("toolu_1", "a\0\ude00"), ToolUse("github__comment", {"body": "a\ude00\ud83d"})]
)
async def test_a3_what_no_ledger_keeps_is_replaced_before_it_is_paid_again(tmp_path, use):
    async with talk(tmp_path, PIN, uses(Text("half \ud83d"), use)) as subject:
        reply = await subject.ask()
        (call,) = await subject.calls()

    assert (reply.stop, reply.spent.assumed) == (Stop.TOOL_USE, 0)
    assert str(call.arguments["body"]).startswith("a\ufffd\ufffd")
    assert len(subject.script.asked) == 1


async def test_a3_calls_that_are_named_alike_are_told_apart(tmp_path):
    """Some endpoints name the calls of every turn alike, and gateways before others refuse that."""
    turns = [uses(named("call_0"), named("call_0", "B")), uses(named("call_0", "C"))]
    used = await _used(tmp_path, turns)
    assert used[0] == "call_0"
    assert len(set(used)) == 3


async def test_a3_calls_whose_ids_no_api_takes_are_renamed(tmp_path):
    used = await _used(tmp_path, [uses(named(""), named("a.b:c", "B")), uses(named("", "C"))])
    assert used[:2] == ["call", "a_b_c"]
    assert len(set(used)) == 3


async def _used(tmp_path, turns):
    """The ids of the calls as they are sent back, which their results name alike."""
    async with talk(tmp_path, PIN, *turns, says()) as subject:
        for turn in (1, 2):
            assert (await subject.ask(turn)).stop is Stop.TOOL_USE
            await subject.answered(turn, f"done {turn}")
        assert (await subject.ask(3)).stop is Stop.END_TURN

    used = [
        block["id"]
        for message in subject.sent()[1::2]
        for block in message["content"]
        if block["type"] == "tool_use"
    ]
    results = [
        block["tool_use_id"] for message in subject.sent()[2::2] for block in message["content"]
    ]
    assert used == results
    return used


async def test_a3_one_bad_picture_does_not_block_its_run(tmp_path):
    look = uses(ToolUse("github__look", {"body": "x"}))
    script = [look, look, refusing(PICTURE, look), refusing(PICTURE, says())]
    async with talk(tmp_path, PIN, *script) as subject:
        for turn, held in ((1, OTHER), (2, PICTURE)):
            await subject.ask(turn)
            await answered(subject, turn, held)
        reply = await subject.ask(3)
        await answered(subject, 3, {"type": "text", "text": "seen"})
        assert (await subject.ask(4)).stop is Stop.END_TURN
        kept = [call.content for call in await subject.calls()]

    assert (reply.stop, reply.spent.assumed) == (Stop.TOOL_USE, 0)
    # Once as it was, once without the picture; from then on it is not tried again.
    assert [subject.script.asked_for(turn) for turn in range(4)] == [1, 1, 2, 1]
    assert kept[0] == [OTHER]
    (words,) = kept[1]
    assert words["text"].startswith("[image/png omitted: the model's provider refused")
    assert "'image'" in str(subject.sent())


async def test_a3_a_request_that_is_refused_all_the_same_loses_no_picture(tmp_path):
    look = uses(ToolUse("github__look", {"body": "x"}))
    async with talk(tmp_path, PIN, look, NO_PICTURE) as subject:
        await subject.ask()
        await answered(subject, 1, PICTURE)
        with pytest.raises(Rejected, match="400"):
            await subject.ask(2)
        (call,) = await subject.calls()

    assert call.content == [PICTURE]
    assert subject.script.asked_for(1) == 2


async def test_a3_a_request_without_pictures_is_refused_once(tmp_path):
    async with talk(tmp_path, PIN, NO_PICTURE) as subject:
        with pytest.raises(Rejected, match="400"):
            await subject.ask()

    assert subject.script.asked_for(0) == 1
