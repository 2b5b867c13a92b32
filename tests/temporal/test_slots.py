"""R3, A1: who waits for its slot is a run: people may call it off, newer events may outdo it, and kills lose none."""

from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert

from orchestrator.database import Transaction
from orchestrator.demo.wire import Reply
from orchestrator.inbox.inbox import Action, DecisionState
from orchestrator.ledger import schema, slots
from tests.support.house import PLAYBOOK, Files, House, house, opened
from tests.support.scripts import Request, Turns, says, use, uses, words
from tests.support.town import Town, kill
from workflows import parking

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(120)]

ELSEWHERE = "a run of the same rule, elsewhere"
NEVER_YOUNG = 9e9
LIMIT = "\n  limits: {concurrent: 1}\n"
ENDLESS = PLAYBOOK.replace("slow_write]", "slow_write, endless_write]").replace(
    "lab.slow_write: {max: 5}", "lab.slow_write: {max: 5}, lab.endless_write: {max: 5}"
)


def files(mode: str) -> Files:
    """One run at a time."""
    return replace(Files(mode=mode), rule=Files().rule.rstrip("\n") + LIMIT, playbook=ENDLESS)


def endless(request: Request) -> Reply:
    """The first event of a test keeps its run busy until it is called off."""
    return uses(use("endless_write", body="begun")) if "endless" in words(request) else says()


async def take_a_slot(home: House) -> None:
    """Another run of the rule holds one, above the number."""

    def taken(connection: Transaction) -> None:
        slot = {"rule": home.queue, "n": 1, "workflow_id": ELSEWHERE, "at": NEVER_YOUNG}
        connection.execute(insert(schema.slots).values(slot))

    await home.stores.ledger.write(taken)


async def give_it_back(home: House) -> None:
    def given(connection: Transaction) -> None:
        connection.execute(delete(schema.slots).where(schema.slots.c.workflow_id == ELSEWHERE))

    await home.stores.ledger.write(given)


async def told(home: House, note: str) -> str:
    """An event of the one key, once it is in the mailbox."""
    (event,) = await home.keep(home.arrival(opened(1, action="labeled", note=note)))

    async def delivered() -> bool:
        made = (await home.stores.inbox.decisions([event]))[event]
        starts = [one for one in made if one.action is Action.START]
        there = {DecisionState.DELIVERED, DecisionState.SETTLED}
        return bool(starts) and all(one.state in there for one in starts)

    await home.until(delivered, f"{note} in its mailbox")
    return event


async def busy(home: House) -> None:
    """The first run has begun what never ends, and the next one will find no slot."""
    await told(home, "endless")
    await home.until(lambda: home.executed("endless_write"), "the first run at work")
    await take_a_slot(home)


async def nth(home: House, number: int, state: str) -> dict[str, Any]:
    """The run of that number, once it is in that state."""

    async def there() -> dict[str, Any] | None:
        found = [one for one in await home.runs() if one["id"].endswith(f".{number}")]
        return found[0] if found and found[0]["state"] == state else None

    run: dict[str, Any] = await home.until(there, f"run {number} {state}")
    return run


async def behind(home: House) -> dict[str, Any]:
    """A second run of the key that waits for its slot, the first being called off."""
    await busy(home)
    await told(home, "more")
    (first,) = await home.runs()
    await home.say("cancel", first["id"])
    return await nth(home, 2, "waiting")


async def no_slot_is_taken(home: House) -> bool:
    return await home.stores.ledger.read(slots.holders) == []


async def test_r3_a_run_that_waits_for_its_slot_is_shown_and_a_person_may_cancel_it(
    tmp_path: Path, town: Town
) -> None:
    async with house(tmp_path, town, Turns([endless]), files("queue")) as home:
        held = await behind(home)
        await home.say("cancel", held["id"])
        ended = await nth(home, 2, "ended")
        await give_it_back(home)
        await told(home, "a third")
        third = await nth(home, 3, "ended")
        assert await no_slot_is_taken(home)
    assert "has no slot free" in held["reason"]
    assert (ended["outcome"], ended["reason"]) == ("cancelled", "cancelled by a person")
    assert third["outcome"] == "completed"


async def test_r3_a_newer_event_takes_the_place_of_a_run_that_waits_for_its_slot(
    tmp_path: Path, town: Town
) -> None:
    async with house(tmp_path, town, Turns([endless]), files("supersede")) as home:
        await busy(home)
        await told(home, "second")
        await nth(home, 2, "waiting")
        await told(home, "third")
        second = await nth(home, 2, "ended")
        await nth(home, 3, "waiting")
        await give_it_back(home)
        third = await nth(home, 3, "ended")
        assert await no_slot_is_taken(home)
    assert (second["outcome"], third["outcome"]) == ("superseded", "completed")


async def test_r3_a_run_that_waited_for_its_slot_through_continue_as_new_is_the_same_and_hears_its_cancel(
    tmp_path: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path, town, Turns([endless]), files("queue")) as home:
        held = await behind(home)
        handle = home.client.get_workflow_handle(held["workflow_id"])
        part = (await handle.describe()).run_id
        monkeypatch.setattr(parking, "HISTORY_LIMIT", 1)

        async def goes_on() -> bool:
            return (await handle.describe()).run_id != part

        await home.until(goes_on, "the next part")
        monkeypatch.undo()
        await home.say("cancel", held["id"])
        ended = await nth(home, 2, "ended")
        runs = await home.runs()
    assert ended["outcome"] == "cancelled"
    assert len(runs) == 2


async def test_a1_workers_and_dispatchers_killed_while_runs_wait_for_their_slot_lose_none_of_them(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([endless])
    async with house(
        tmp_path, town, script, files("queue"), working=False, dispatching=False
    ) as home:
        async with AsyncExitStack() as first:
            worker = await first.enter_async_context(home.worker())
            dispatcher = await first.enter_async_context(home.dispatching())
            held = await behind(home)
            last = await told(home, "behind it")
            other = await home.keep(home.arrival(opened(2, action="labeled", note="in the inbox")))
            await kill(worker)
            await kill(dispatcher)
        async with home.worker() as another, home.dispatching():
            await kill(another)
        async with home.worker(), home.dispatching():
            await give_it_back(home)
            runs = await home.settled("ended", count=4)
            await home.until(lambda: no_slot_is_taken(home), "every slot given back")
    assert [run["outcome"] for run in runs].count("cancelled") == 1
    assert [run["outcome"] for run in runs].count("completed") == 3
    begun = {event: run["id"] for run in runs for event in run["events"]}
    assert begun[held["events"][0]] == held["id"]
    assert {last, *other} <= begun.keys()
