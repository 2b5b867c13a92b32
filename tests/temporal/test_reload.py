"""The configuration of the real service and the real worker, edited while they run."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from orchestrator.settings import environment
from orchestrator.signatures import github
from orchestrator.state import StateDirectory
from tests.support.house import SECRET, Files, House, commented, house, opened
from tests.support.scripts import Turns, says, use, uses, wait
from tests.support.town import ROOT, Town

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(180)]


@asynccontextmanager
async def served(home: House) -> AsyncIterator[str]:
    """`doorbell serve` over this house; the door's address."""
    at = home.directory
    told = {
        "PYTHONPATH": str(ROOT),
        "DOORBELL_CONFIG": str(at / "doorbell.d"),
        "DOORBELL_STATE": str(at / "state"),
        "DOORBELL_TEMPORAL": home.town.temporal.address,
        "DOORBELL_TASK_QUEUE": home.queue,
        "DOORBELL_PORT": "0",
    }
    with (at / "serve.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "orchestrator", "serve"),
            env={**environment(), **home.environment, **told},
            cwd=at,
            stdout=log,
            stderr=log,
        )
    try:
        state = StateDirectory(at / "state")
        yield (await home.until(state.addresses, "the service")).url
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def rings(url: str, delivery: str, payload: dict[str, Any], event: str = "issues") -> None:
    """GitHub rings at the real door."""
    body = httpx2.Request("POST", url, json=payload).content
    headers = {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": delivery,
        **github.sign(SECRET.encode(), body),
    }
    async with httpx2.AsyncClient(timeout=30) as client:
        answer = await client.post(f"{url}/hooks/github", content=body, headers=headers)
    assert answer.status_code == 202, answer.text


async def in_force(home: House, url: str) -> None:
    """Wait until the service has taken what the files say now."""
    digest = home.read().digest

    async def taken() -> bool:
        async with httpx2.AsyncClient(timeout=30) as client:
            told = (await client.get(f"{url}/status")).json()
        return bool(told["configuration"]["digest"] == digest)

    await home.until(taken, "the new configuration")


def edit(home: House, name: str, before: str, after: str) -> None:
    path = home.directory / "doorbell.d" / name
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


async def test_a8_one_word_in_the_file_makes_a_preview_live_without_a_restart(
    tmp_path: Path, town: Town
) -> None:
    write = uses(use("write_thing", body="words"))
    script = Turns([write, says(), write, says()])
    files = Files(stage="preview")
    async with (
        house(tmp_path, town, script, files, working=False, dispatching=False) as home,
        served(home) as url,
        home.worker(),
    ):
        await rings(url, "d1", opened(1))
        (first,) = await home.settled("ended")
        assert home.executed("write") == []

        edit(home, "rules/work.yaml", "stage: preview", "stage: live")
        await in_force(home, url)
        await rings(url, "d2", opened(2))
        _, second = await home.settled("ended", 2)

    assert (first["stage"], second["stage"]) == ("preview", "live")
    assert home.executed("write") == ["write_thing words"]
    assert first["configuration"] != second["configuration"]


async def test_a_new_playbook_is_known_to_the_worker_as_soon_as_the_service_starts_runs_with_it(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([says(), says()])
    async with (
        house(tmp_path, town, script, working=False, dispatching=False) as home,
        served(home) as url,
        home.worker(),
    ):
        await rings(url, "d1", opened(1))
        await home.ended()
        book = (home.directory / "doorbell.d" / "playbooks" / "work.md").read_text()
        fresh = book.replace("You look after issue", "You now look after issue")
        (home.directory / "doorbell.d" / "playbooks" / "fresh.md").write_text(fresh)
        edit(home, "rules/work.yaml", "run: work", "run: fresh")
        await in_force(home, url)
        await rings(url, "d2", opened(2))
        _, second = await home.settled("ended", 2)

    assert (second["playbook"], second["outcome"]) == ("fresh", "completed")
    assert "You now look after issue 2" in str(script.asked[-1])


async def test_a_run_that_waits_keeps_the_playbook_it_began_with_and_lives_by_todays_limits(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(wait("github/issue_comment.created")), says()])
    async with (
        house(tmp_path, town, script, working=False, dispatching=False) as home,
        served(home) as url,
        home.worker(),
    ):
        await rings(url, "d1", opened(7))
        waiting = await home.one("waiting")
        edit(home, "playbooks/work.md", "You look after issue", "You burn down issue")
        edit(home, "playbooks/work.md", "model: scripted-1", "model: another-1")
        await in_force(home, url)
        await rings(url, "d2", commented("done"), "issue_comment")
        ended = await home.ended()

    assert ended["id"] == waiting["id"]
    assert ended["configuration"] == waiting["configuration"]
    first, last = (str(request) for request in (script.asked[0], script.asked[-1]))
    assert "You look after issue 7" in last
    assert "burn down" not in last
    assert ended["model"] == "scripted-1"
    assert "You look after issue 7" in first
