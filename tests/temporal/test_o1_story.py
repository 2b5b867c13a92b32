"""O1: in the Temporal UI a run reads like a story, made of names and figures, never of anybody's text."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHandle
from temporalio.converter import default

from tests.support.house import House, commented, house, opened
from tests.support.scripts import Turns, says, use, uses, wait
from tests.support.town import Town

pytestmark = pytest.mark.temporal

TALK = [
    uses(use("read_thing", name="a"), use("write_thing", body="b"), text="secret thoughts"),
    uses(wait("github/issue_comment.created")),
    says("secret words"),
]


async def details(handle: WorkflowHandle) -> str:
    """What the UI shows as current details, asked for as the UI does."""
    metadata = await handle.query("__temporal_workflow_metadata")
    told: str = (
        metadata["currentDetails"] if isinstance(metadata, dict) else metadata.current_details
    )
    return told


async def parts(home: House, workflow_id: str) -> list[WorkflowHandle]:
    """The parts of a run that continued as new, the oldest first."""
    found = [one async for one in home.client.list_workflows(f"WorkflowId = '{workflow_id}'")]
    ordered = sorted(found, key=lambda one: one.start_time)
    return [home.client.get_workflow_handle(workflow_id, run_id=one.run_id) for one in ordered]


async def summaries(handles: list[WorkflowHandle]) -> list[str]:
    """The summaries of all activities, timers and local activities, in order."""
    found = []
    for handle in handles:
        async for event in handle.fetch_history_events():
            if event.HasField("user_metadata") and event.user_metadata.HasField("summary"):
                text = (await default().decode([event.user_metadata.summary]))[0]
                found.append((event.WhichOneof("attributes"), text))
    return [text for kind, text in found if "activity" in kind or "timer" in kind]


async def test_o1_a_run_is_described_by_title_details_summaries_and_attributes(
    tmp_path: Path, town: Town
) -> None:
    async with house(tmp_path, town, Turns(TALK)) as home:
        await home.ring(opened(note="a stranger's secret words"))
        run = await home.one("waiting")
        handle = home.client.get_workflow_handle(run["workflow_id"])
        begun, *_ = await parts(home, run["workflow_id"])
        described = await begun.describe()
        assert await described.static_summary() == "work: `issue:acme/api#7`"
        assert "issue:acme/api#7" in (await described.static_details() or "")
        assert ":issue:acme-api-7~" in run["workflow_id"]
        waiting = await details(handle)
        await home.ring(commented("secret too"), "issue_comment")
        await home.ended()
        ended = await details(handle)
        told = await summaries(await parts(home, run["workflow_id"]))
    assert waiting.startswith("**waiting**: `github/issue_comment.created for issue:acme/api#7")
    assert "- turn 1: `lab.read_thing`, `lab.write_thing`" in waiting
    assert "2 of 60 turns" in waiting
    assert ", until 20" in waiting
    assert waiting.endswith("work: `issue:acme/api#7`")
    assert ended.startswith("**ended**: completed")
    assert [text for text in told if text.startswith(("turn ", "lab."))] == [
        "turn 1",
        "lab.read_thing #1",
        "lab.write_thing #2",
        "turn 2",
        "turn 3",
    ]
    assert "until: `github/issue_comment.created for issue:acme/api#7`" in told
    assert "secret" not in waiting + ended + "".join(told)


async def test_o1_runs_are_found_by_rule_playbook_source_key_state_and_outcome(
    tmp_path: Path, town: Town
) -> None:
    async with house(tmp_path, town, Turns(TALK)) as home:
        await home.ring(opened())
        run = await home.one("waiting")

        async def found(query: str) -> bool:
            wanted = f"WorkflowId = '{run['workflow_id']}' AND {query}"
            return [one.id async for one in home.client.list_workflows(wanted)] == [
                run["workflow_id"]
            ]

        fixed = "Rule = 'work' AND Playbook = 'work' AND Source = 'github' AND RunKey = 'issue:acme/api#7'"
        await home.until(lambda: found(f"{fixed} AND RunState = 'waiting'"), "the waiting run")
        await home.ring(commented("yes"), "issue_comment")
        await home.ended()
        await home.until(lambda: found(f"{fixed} AND Outcome = 'completed'"), "the ended run")
        await home.until(lambda: found("RunState = 'ended'"), "its state")
