"""Runs that sleep in the prologue, as Temporal has them: in how many parts, and what the newest of them began with."""

from temporalio.client import WorkflowHandle

from tests.support.house import House
from workflows.carried import RunInput


async def parts(home: House, workflow_id: str) -> list[WorkflowHandle]:
    """Its parts from one continue-as-new to the next, the oldest first."""
    found = [one async for one in home.client.list_workflows(f"WorkflowId = '{workflow_id}'")]
    ordered = sorted(found, key=lambda one: one.start_time)
    return [home.client.get_workflow_handle(workflow_id, run_id=one.run_id) for one in ordered]


async def lived(home: House, workflow_id: str, count: int) -> list[WorkflowHandle]:
    """Its parts, once so many are listed: Temporal's lists are a moment behind its histories."""

    async def listed() -> list[WorkflowHandle] | None:
        found = await parts(home, workflow_id)
        return found if len(found) >= count else None

    found: list[WorkflowHandle] = await home.until(listed, f"{count} parts of {workflow_id}")
    return found


async def given(home: House, handle: WorkflowHandle) -> RunInput:
    """What this part began with."""
    async for event in handle.fetch_history_events():
        begun = event.workflow_execution_started_event_attributes
        (told,) = await home.client.data_converter.decode(list(begun.input.payloads), [RunInput])
        return told
    raise AssertionError(f"expected a history of {handle.id}, none came")


async def size(handle: WorkflowHandle) -> int:
    """Bytes of its history."""
    events = handle.fetch_history_events()
    return sum([len(event.SerializeToString()) async for event in events])


async def newest(home: House, workflow_id: str) -> WorkflowHandle:
    """The part that is open now, or was last."""
    handle = home.client.get_workflow_handle(workflow_id)
    return home.client.get_workflow_handle(workflow_id, run_id=(await handle.describe()).run_id)


async def asleep(home: House) -> str:
    """The workflow id of the only run, once it sleeps."""

    async def sleeps() -> str | None:
        for run in await home.runs():
            handle = await newest(home, run["workflow_id"])
            if (await given(home, handle)).asleep is not None:
                return str(run["workflow_id"])
        return None

    return str(await home.until(sleeps, "a run that sleeps"))
