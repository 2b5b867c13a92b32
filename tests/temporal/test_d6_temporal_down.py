"""D6: with Temporal down the door keeps, entries wait and burn no attempt, and go on when it is back."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
import structlog
from temporalio.client import Client
from temporalio.service import RetryConfig

from orchestrator.dispatch.runs import TemporalRuns
from orchestrator.doorbell.receive import door
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.service import Ringing
from orchestrator.signatures import github
from orchestrator.temporal import CONVERTER
from tests.support.asgi import serving
from tests.support.house import SECRET, House, commented, house, opened
from tests.support.scripts import Turns, says, use, uses, wait
from tests.support.told import told
from tests.support.town import Town, temporal_server

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(90)]


@pytest.fixture
def shaky(town: Town) -> Iterator[Town]:
    """The town with a Temporal server of its own, which may be killed."""
    with temporal_server() as server:
        yield replace(town, temporal=server)


async def knock(home: House, payload: dict[str, object], name: str, delivery: str) -> int:
    """Ring the real door over HTTP, as GitHub does; the status of its answer."""
    inbox = home.stores.inbox
    async with GroupCommit(inbox) as commit, RefusalLog(inbox) as refusals:
        knocked = door(
            home.dispatcher.sources,
            Ringing(commit, home.dispatcher.poke),
            refusals.refuse,
            lambda: datetime.now(UTC),
            lambda: f"evt_{uuid.uuid4().hex[:16]}",
            told(structlog.get_logger("door")),
        )
        async with serving(knocked) as url, httpx2.AsyncClient(timeout=30) as http:
            body = httpx2.Request("POST", url, json=payload).content
            headers = {
                "content-type": "application/json",
                "x-github-event": name,
                "x-github-delivery": delivery,
                **github.sign(SECRET.encode(), body),
            }
            answer = await http.post(f"{url}/github", content=body, headers=headers)
    return answer.status_code


async def impatient(town: Town) -> Client:
    """A client that gives up after a moment, where the usual one tries for 10 s."""
    brief = RetryConfig(max_elapsed_time_millis=200, max_retries=1)
    return await Client.connect(town.temporal.address, data_converter=CONVERTER, retry_config=brief)


async def held_back(home: House) -> list[int]:
    """The attempts counted of decisions that were tried and wait for Temporal, once both do."""
    entries = await home.stores.inbox.entries(10)
    found = await home.stores.inbox.decisions([entry.id for entry in entries])
    ready = [one for listed in found.values() for one in listed if one.state == "ready"]
    tried = [one for one in ready if (one.note or "").startswith("Temporal: ")]
    return [one.attempts for one in tried] if len(tried) == 2 else []


async def test_d6_temporal_killed_under_a_waiting_run_loses_nothing_and_delays_only(
    tmp_path: Path, shaky: Town
) -> None:
    await shaky.temporal.start()
    answer = uses(wait("github/issue_comment.created"))
    script = Turns([uses(use("write_thing", body="once")), answer, says()])
    async with house(tmp_path, shaky, script) as home:
        home.dispatcher.runs = TemporalRuns(await impatient(shaky), home.queue)
        assert await knock(home, opened(), "issues", "one") == 202
        before = await home.one("waiting")
        shaky.temporal.kill()
        assert await knock(home, commented("while it was down"), "issue_comment", "two") == 202
        assert await knock(home, opened(8), "issues", "three") == 202
        assert await home.until(lambda: held_back(home), "both tried in vain") == [0, 0]
        await shaky.temporal.start()
        await home.until(lambda: states(home, "ended", "waiting"), "both runs")
        await home.ring(commented("at last", number=8), "issue_comment")
        runs = await home.settled("ended", count=2)
    assert [run["outcome"] for run in runs] == ["completed", "completed"]
    assert runs[0]["id"] == before["id"]
    assert "while it was down" in str([request["messages"] for request in script.asked])
    assert home.executed() == ["write_thing once", "write_thing once"]


async def states(home: House, *wanted: str) -> bool:
    return [run["state"] for run in await home.runs()] == list(wanted)
