"""`runs start`: a person starts a run without a rule, and what follows is decided, shown and paid like any other."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator import views
from orchestrator.dispatch.decide import PERSON
from orchestrator.sources.source import OPERATOR
from tests.support.house import House, house
from tests.support.scripts import Turns, says, use, uses, wait, words
from tests.support.town import Town, kill

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(90)]

KEY = "issue:acme/api#7"


async def start(home: House, number: int = 7, **more: Any) -> str:
    """A person's word, as the door would keep it."""
    said = {"type": "run.start", "playbook": "work", "by": "ada", "with": {"number": number}}
    return (await home.keep(home.arrival({**said, **more}, source=OPERATOR)))[0]


async def why(home: House, event_id: str) -> dict[str, Any]:
    """What `doorbell why` says about the word itself."""
    entry = await home.stores.inbox.entry(event_id)
    assert entry is not None
    decision: dict[str, Any]
    (decision,) = (await views.why(home.stores, entry))["decisions"]
    return decision


async def test_a_run_started_by_hand_has_its_inputs_its_stage_and_its_line_in_why(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(use("write_thing", body="by hand")), says()])
    async with house(tmp_path, town, script) as home:
        word = await start(home, stage="live")
        run = await home.ended()
        said = await why(home, word)
    assert home.executed() == ["write_thing by hand"]
    assert (run["playbook"], run["stage"], run["rule"]) == ("work", "live", PERSON)
    assert (run["key"], run["outcome"]) == (word, "completed")
    assert said["reason"] == "run.start by ada: no rule's limits apply, the caps of the day do"
    assert (said["action"], said["run_id"]) == ("start", run["id"])
    assert "You look after issue 7." in str(script.asked[0]["system"])
    assert "A person started this run by hand. Its author is known" in words(script.asked[0])


async def test_without_a_stage_it_is_a_preview_and_without_a_key_each_runs_alone(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(use("write_thing", body="by hand")), says()])
    async with house(tmp_path, town, script) as home:
        await start(home)
        await start(home)
        one, other = await home.settled("ended", 2)
    assert home.executed() == []
    assert (one["stage"], other["stage"]) == ("preview", "preview")
    assert one["workflow_id"] != other["workflow_id"]


async def test_r3_a_second_start_of_an_open_key_is_told_to_the_same_run(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(wait("github/issue_comment.created")), says()])
    async with house(tmp_path, town, script) as home:
        first = await start(home, key=KEY)
        run = await home.one("waiting")
        second = await start(home, number=8, key=KEY)
        run = await home.ended()
        told = await why(home, second)
    assert run["events"] == [first, second]
    assert f"run {run['id']} of this key is open and is told (mode signal)" in told["reason"]
    assert told["run_id"] == run["id"]
    assert '"number":8' in words(script.asked[-1])


async def test_a_start_that_does_not_fit_is_kept_and_starts_nothing(
    tmp_path: Path, town: Town
) -> None:
    async with house(tmp_path, town, Turns([says()]), working=False) as home:
        said = [
            await why_not(home, number="seven"),
            await why_not(home, playbook="wrok"),
            await why_not(home, stage="loud"),
            await why_not(home, key="nothing"),
            await why_not(home, **{"with": [7]}),
        ]
    assert said == [
        "input 'number': expected a whole number, got str that is none",
        "there is no sound playbook 'wrok'; did you mean 'work'?",
        "expected the stage preview or live, got 'loud'",
        "expected a key such as issue:7, got 'nothing'",
        "expected inputs by name in `with`, got list",
    ]


async def why_not(home: House, number: Any = 7, **more: Any) -> str:
    word = await start(home, number, **more)
    decisions = home.stores.inbox.decisions
    await home.until(lambda: _decided(decisions, word), "the decision")
    said = await why(home, word)
    assert said["action"] == "ignore"
    return str(said["reason"])


async def _decided(decisions: Any, word: str) -> bool:
    return bool((await decisions([word]))[word])


async def test_a1_a_run_started_by_hand_outlives_its_worker(tmp_path: Path, town: Town) -> None:
    script = Turns([uses(use("slow_read", seconds=1)), says()])
    async with house(tmp_path, town, script, working=False) as home:
        await start(home, stage="live")
        async with home.worker() as first:
            await home.until(lambda: home.executed("slow_read"), "the call")
            await kill(first)
        async with home.worker():
            run = await home.ended()
    assert run["outcome"] == "completed"
    assert script.asked_for(0) == 1
