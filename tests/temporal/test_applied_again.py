"""`runs apply`, said again when the run that was making the calls is gone: it goes on, and repeats no write (A2)."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.ledger import calls
from tests.support.house import PLAYBOOK, Files, House, house, opened
from tests.support.scripts import Turns, says, use, uses, wait
from tests.support.town import Town, kill
from tests.temporal.test_lost import delete, sweeper

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(120)]

WRITE = uses(use("write_thing", body="once"))
WAITS = uses(wait("github/issue_comment.created"))


def previewing(
    directory: Path, town: Town, script: Turns, playbook: str = PLAYBOOK
) -> AbstractAsyncContextManager[House]:
    files = Files(stage="preview", playbook=playbook)
    return house(directory, town, script, files, working=False)


async def lost_at(home: House, run_id: str, instant: str) -> None:
    """Kill the worker that applies the proposal exactly there."""
    hold = home.directory / "hold"
    hold.touch()
    await home.say("apply", run_id)
    # Of a call that left, the end of its time is waited for.
    told = {"DEADLINE": "2"} if instant == "sent" else {}
    async with home.worker(HOLD=str(hold), HOLD_AT=instant, **told) as first:
        await home.until(hold.with_suffix(".held").exists, instant)
        await kill(first)


async def proposed(home: House, state: str) -> Mapping[str, Any]:
    """The run whose only write is a proposal, and which is in that state now."""
    await home.ring(opened())
    async with home.worker():
        return await home.one(state)


async def applied(home: House, run_id: str) -> str:
    """How the call that was applied ended, once it did."""

    async def look() -> str:
        made = await home.stores.ledger.read(calls.of_run, run_id)
        return next((str(call.state) for call in made if call.turn == 0 and call.done_at), "")

    state: str = await home.until(look, "the end of the applied call")
    return state


@pytest.mark.parametrize(
    ("instant", "state", "written"),
    [("intended", "done", ["write_thing once"]), ("sent", "unknown", [])],
)
async def test_a2_what_was_never_sent_is_applied_again_and_what_was_is_told_as_unknown(
    tmp_path: Path, town: Town, instant: str, state: str, written: list[str]
) -> None:
    async with previewing(tmp_path, town, Turns([WRITE, says()])) as home:
        run = await proposed(home, "ended")
        await lost_at(home, run["id"], instant)
        await home.client.get_workflow_handle(run["workflow_id"]).terminate("lost")
        await home.say("apply", run["id"])
        async with home.worker():
            found = await applied(home, run["id"])
    assert (found, home.executed("write")) == (state, written)


async def test_a2_a_run_that_was_found_lost_while_it_applied_is_applied_to_the_end(
    tmp_path: Path, town: Town
) -> None:
    async with previewing(tmp_path, town, Turns([WRITE, WAITS])) as home:
        run = await proposed(home, "waiting")
        await lost_at(home, run["id"], "intended")
        await delete(home, run["workflow_id"])
        assert await sweeper(home).sweep() == 1
        await home.say("apply", run["id"])
        async with home.worker():
            assert await applied(home, run["id"]) == "done"
    assert home.executed("write") == ["write_thing once"]
