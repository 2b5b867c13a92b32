"""Mechanics 23, on real Temporal: a run that is gone is found, and begins again where it has written nothing."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError

from orchestrator import embedded
from orchestrator.cli.runs import runs
from orchestrator.dispatch.runs import Found, TemporalRuns
from orchestrator.ledger import installation
from orchestrator.tending.sweeping import GRACE, Sweeper
from tests.support.deploying import DEPLOY, deploying
from tests.support.deploying import RULE as DEPLOYS
from tests.support.house import House, house, opened
from tests.support.scripts import Turns, says, use, uses, wait
from tests.support.town import Town, kill

pytestmark = pytest.mark.temporal

WAITS = uses(wait("github/issue_comment.created"))


def sweeper(home: House, *, embedded: bool = True) -> Sweeper:
    return Sweeper(
        inbox=home.stores.inbox,
        ledger=home.stores.ledger,
        temporal=TemporalRuns(home.client, home.queue),
        embedded=embedded,
        now=lambda: datetime.now(UTC) + timedelta(seconds=GRACE + 1),
        poke=home.dispatcher.poke,
        log=structlog.get_logger("house"),
    )


async def delete(home: House, workflow_id: str) -> None:
    """Make it as if Temporal had never known it."""
    there = TemporalRuns(home.client, home.queue)
    await home.client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(
            namespace="default", workflow_execution=WorkflowExecution(workflow_id=workflow_id)
        )
    )

    async def gone() -> bool:
        try:
            return await there.found(workflow_id) is Found.GONE
        except RPCError:
            return False

    await home.until(gone, "a run that is gone")


async def states(home: House) -> Sequence[tuple[Any, Any]]:
    return [(run["state"], run["outcome"]) for run in await home.runs()]


async def test_a1_a_parked_run_that_temporal_lost_begins_again_and_waits_again(
    tmp_path: Path, town: Town
) -> None:
    async with house(tmp_path, town, Turns([uses(use("read_thing")), WAITS, says()])) as home:
        event_id = await home.ring(opened())
        run = await home.one("waiting")
        assert await sweeper(home).sweep() == 0
        await delete(home, run["workflow_id"])
        assert await sweeper(home).sweep() == 1

        async def waits_again() -> bool:
            return [state for state, _ in await states(home)] == ["ended", "waiting"]

        await home.until(waits_again, "a second conversation")
        assert await sweeper(home).sweep() == 0
        lost, after = await home.runs()
        assert (lost["outcome"], after["events"]) == ("failed", [event_id])
        assert lost["reason"].startswith("lost: Temporal knows no run of it")


async def test_a2_one_that_wrote_is_left_to_a_person(tmp_path: Path, town: Town) -> None:
    script = Turns([uses(use("write_thing", body="once")), WAITS])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        run = await home.one("waiting")
        await delete(home, run["workflow_id"])
        assert await sweeper(home).sweep() == 1
        lost = await home.ended()
        assert lost["outcome"] == "needs_attention"
        assert "lab.write_thing (done)" in lost["reason"]
    assert home.executed("write") == ["write_thing once"]


async def test_one_that_somebody_terminated_in_temporal_stays_ended(
    tmp_path: Path, town: Town
) -> None:
    async with house(tmp_path, town, Turns([WAITS])) as home:
        await home.ring(opened())
        run = await home.one("waiting")
        await home.client.get_workflow_handle(run["workflow_id"]).terminate("enough")
        assert await sweeper(home).sweep() == 1
        assert await states(home) == [("ended", "cancelled")]


@pytest.mark.timeout(180)
async def test_a5_what_an_applied_call_was_to_hear_ends_with_the_run_that_made_it(
    tmp_path: Path, town: Town
) -> None:
    script, preview = Turns([uses(DEPLOY), says()]), DEPLOYS.replace("STAGE", "preview")
    async with deploying(tmp_path, town, script, rule=preview, working=False) as there:
        home, hold = there.home, tmp_path / "hold"
        await there.starts()
        async with home.worker():
            run = await home.ended()
        hold.touch()
        await home.say("apply", run["id"])
        async with home.worker(HOLD=str(hold), HOLD_AT="answered") as first:
            await home.until(hold.with_suffix(".held").exists, "the instant")
            await sweeper(home).sweep()
            assert await there.ends() == ["prepared"]
            await kill(first)
        await home.client.get_workflow_handle(run["workflow_id"]).terminate("enough")
        await sweeper(home).sweep()
        assert await there.ends() == ["closed"]
        late = await there.says("success")
        assert {one.partition(":")[0] for one in await there.reasons(late)} == {"ignore"}


async def test_the_namespace_is_known_by_an_identity_of_its_own(tmp_path: Path, town: Town) -> None:
    async with house(tmp_path, town, Turns([WAITS])) as home:
        found = await TemporalRuns(home.client, home.queue).namespace()
        assert found == await embedded.identity(town.temporal.address, "default")


async def test_another_server_is_accepted_by_a_persons_word(tmp_path: Path, town: Town) -> None:
    async with house(tmp_path, town, Turns([WAITS])) as home:
        await home.stores.ledger.write(installation.remember, "the one of before", 0.0)
        line = ["lost", "--accept", "--temporal", town.temporal.address]
        line += ["--state", str(tmp_path / "state")]
        told = await asyncio.to_thread(CliRunner().invoke, runs, line)
        assert "no longer on the one of before" in told.stderr
        ours = await embedded.identity(town.temporal.address, "default")
        assert await home.stores.ledger.read(installation.namespace) == ours
