"""A3 and A8: whatever a model's reply ends with, the run goes on or ends honestly, and no call stays open."""

from pathlib import Path

import pytest

from orchestrator.demo.wire import Fault, Reply, Text
from orchestrator.ledger import calls
from tests.support.house import house, opened
from tests.support.scripts import Turns, says, use, uses
from tests.support.town import Town
from workflows.messages import CallState

pytestmark = pytest.mark.temporal

WRITE = use("write_thing", body="once")
CUT = Reply(blocks=(WRITE,), stop_reason="max_tokens")
PAUSED = Reply(blocks=(Text("I think."),), stop_reason="pause_turn")
NOTHING = Reply(blocks=(), stop_reason="end_turn")
REFUSED = Reply(blocks=(WRITE,), stop_reason="refusal", details={"category": "cyber"})
TOO_LONG = Fault(status=400, type="invalid_request_error", message="prompt is too long: 9 > 8")


@pytest.mark.parametrize(
    ("replies", "outcome", "reason"),
    [
        ([PAUSED, says()], "completed", ""),
        ([CUT], "needs_attention", "cut at max_tokens"),
        ([REFUSED], "needs_attention", "the model refused: cyber"),
        ([NOTHING], "completed", ""),
        ([TOO_LONG], "needs_attention", "no longer fits the model"),
        ([uses(WRITE), TOO_LONG], "needs_attention", "no longer fits the model"),
    ],
    ids=["paused", "cut", "refused", "nothing", "too long", "too long after a write"],
)
async def test_a3_no_reply_leaves_a_call_open_or_a_run_that_can_not_go_on(
    tmp_path: Path, town: Town, replies: list[Reply | Fault], outcome: str, reason: str
) -> None:
    async with house(tmp_path, town, Turns(replies)) as home:
        await home.ring(opened())
        run = await home.ended()
        made = await home.stores.ledger.read(calls.of_run, run["id"])
    assert (run["outcome"], reason in run["reason"]) == (outcome, True)
    assert {call.state for call in made} <= {CallState.DONE, CallState.REFUSED}
    assert len(home.executed("write")) == (replies[0] == uses(WRITE))
