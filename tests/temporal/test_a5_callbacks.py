"""A5: an ordinary tool made call-now-fetch-later: after the call its run sleeps until the webhook that answers it."""

from pathlib import Path

import pytest

from tests.support.deploying import DEPLOY, deploying
from tests.support.scripts import Turns, results, says, uses
from tests.support.town import Town

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(120)]


def answer(script: Turns) -> str:
    """What the deployment was answered with, as the model saw it."""
    return next(iter(results(script.asked[-1]).values()))


async def test_a5_the_example_of_the_design_sleeps_until_its_deployment_has_ended(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(DEPLOY), says()])
    async with deploying(tmp_path, town, script) as there:
        await there.starts()
        waiting = await there.home.one("waiting")
        first = await there.says("in_progress")
        assert (await there.reasons(first))[0].startswith(
            f"ignore: run {waiting['id']} still waits"
        )
        assert (await there.home.one("waiting"))["id"] == waiting["id"]
        last = await there.says("success")
        run = await there.home.ended()
        (number,) = there.peer.state.deployments
        late = await there.says("inactive")
        assert (await there.reasons(late))[-1].startswith(f"ignore: late: run {run['id']} waited")
    assert (run["id"], run["outcome"], run["turns"]) == (waiting["id"], "completed", 2)
    said = answer(script)
    assert f'"id":{number}' in said
    assert f"{first} (github/deployment_status.created" in said
    assert '"state":"success"' in said.partition("<event>")[2]
    assert "in_progress" not in said
    assert run["events"][1:] == [first, last]
