"""D3: a deliberate redelivery acts again, in a new conversation; a paused rule starts nothing until it goes on."""

from pathlib import Path

import pytest

from orchestrator.sources.operator import NAMES
from orchestrator.sources.source import OPERATOR
from tests.support.house import House, commented, house, opened
from tests.support.scripts import Turns, says, use, uses, wait
from tests.support.town import Town

pytestmark = pytest.mark.temporal


async def said(home: House, word: str, named: str) -> str:
    """A person's word about the inbox."""
    payload = {"type": word, NAMES[word]: named, "by": "a tester"}
    return (await home.keep(home.arrival(payload, source=OPERATOR)))[0]


async def test_d3_a_redelivered_event_makes_its_writes_again_in_a_new_conversation(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(use("write_thing", body="once more")), says()])
    async with house(tmp_path, town, script) as home:
        event_id = await home.ring(opened())
        first = await home.ended()
        await said(home, "event.redeliver", event_id)
        runs = await home.settled("ended", count=2)
    assert runs[0] == first
    assert [run["events"] for run in runs] == [[event_id], [event_id]]
    assert {run["workflow_id"] for run in runs} == {first["workflow_id"]}
    assert home.executed() == ["write_thing once more"] * 2


async def test_a5_a_redelivered_event_wakes_the_run_that_waits_for_its_like(
    tmp_path: Path, town: Town
) -> None:
    """The comment came before the run; only its redelivery can be what the run waits for."""
    script = Turns([uses(wait("github/issue_comment.created")), says()])
    async with house(tmp_path, town, script) as home:
        comment = await home.ring(commented("the answer"), "issue_comment")
        await home.ring(opened())
        await home.one("waiting")
        await said(home, "event.redeliver", comment)
        run = await home.ended()
    assert comment in run["events"]
    assert "the answer" in str(script.asked[-1])


async def test_what_a_paused_rule_was_rung_for_starts_when_it_goes_on(
    tmp_path: Path, town: Town
) -> None:
    async with house(tmp_path, town, Turns([says()])) as home:
        await said(home, "rule.pause", "work")
        event_id = await home.ring(opened())
        await home.until(lambda: _decided(home, event_id), "the decision")
        assert await home.runs() == []
        await said(home, "rule.unpause", "work")
        run = await home.ended()
    assert run["events"] == [event_id]


async def _decided(home: House, event_id: str) -> bool:
    return bool((await home.stores.inbox.decisions([event_id]))[event_id])
