"""With Worker Deployments a run stays on its build while it works, and wakes on the current one."""

import contextlib
from functools import partial
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.service import RPCError

from orchestrator import worker
from orchestrator.deployment import deployment_of
from tests.support.house import House, commented, house, opened
from tests.support.scripts import Turns, says, uses, wait
from tests.support.town import Town

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(90)]

WAITS = uses(wait("github/issue_comment.created"))


MAKE = worker.worker_of


def builds(monkeypatch: pytest.MonkeyPatch, name: str, build: str) -> None:
    """Every worker that is made from now on is of this build."""
    deployment = deployment_of(name, build, embedded=False)
    monkeypatch.setattr(worker, "worker_of", partial(MAKE, deployment=deployment))


async def make_current(home: House, name: str, build: str) -> None:
    wanted = SetWorkerDeploymentCurrentVersionRequest(
        namespace="default", deployment_name=name, build_id=build
    )

    async def known() -> bool:
        with contextlib.suppress(RPCError):
            await home.client.workflow_service.set_worker_deployment_current_version(wanted)
            return True
        return False

    await home.until(known, f"build {build}, which asks for work")


async def build_of(home: House, workflow_id: str) -> str:
    described = await home.client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(
            namespace="default", execution=WorkflowExecution(workflow_id=workflow_id)
        )
    )
    return described.workflow_execution_info.versioning_info.deployment_version.build_id


async def test_a_run_stays_on_its_build_until_it_stands_still_and_hears_something(
    tmp_path: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Turns([WAITS, WAITS, says()])
    async with house(tmp_path, town, script, working=False) as home:
        name = home.queue
        builds(monkeypatch, name, "1")
        async with home.working():
            await make_current(home, name, "1")
            await home.ring(opened())
            run = await home.one("waiting")
            assert await build_of(home, run["workflow_id"]) == "1"
            builds(monkeypatch, name, "2")
            async with home.working():
                await make_current(home, name, "2")
                assert await build_of(home, run["workflow_id"]) == "1"
                await home.ring(commented("first"), "issue_comment")

                async def upgraded() -> bool:
                    return await build_of(home, run["workflow_id"]) == "2"

                await home.until(upgraded, "the new build")
                await home.ring(commented("second"), "issue_comment")
                assert (await home.ended())["outcome"] == "completed"
