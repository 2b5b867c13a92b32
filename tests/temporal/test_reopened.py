"""What comes in the very moment in which a run ends, or begins to wait, is heard, and the ledger says what is so."""

from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity, client, worker
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput
from typing_extensions import override

from orchestrator import temporal
from orchestrator.telemetry import catalogue
from orchestrator.telemetry.instruments import RunInstruments
from orchestrator.telemetry.registry import Registry, total
from tests.support.house import PLAYBOOK, Files, House, house, opened
from tests.support.scripts import Turns, says, use, uses, wait, words
from tests.support.town import Town
from workflows.messages import Record, RunState

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(90)]

BOB = "bob: {operator: bob}\n"
ASKING = PLAYBOOK.replace(
    "lab.write_thing: {max: 5}", "lab.write_thing: {max: 5, approve: {by: [bob]}}"
)


class Ending(client.Interceptor, worker.Interceptor):
    """Does something as soon as an end stands in the ledger, before Temporal hears of it; once."""

    def __init__(self, then: Callable[[], Awaitable[None]]) -> None:
        self.then, self.seen = then, 0

    @override
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Ending(next, self)


class _Ending(ActivityInboundInterceptor):
    def __init__(self, inner: ActivityInboundInterceptor, ending: Ending) -> None:
        super().__init__(inner)
        self.ending = ending

    @override
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        result = await super().execute_activity(input)
        if activity.info().activity_type == "record" and _ends(input.args[0]):
            self.ending.seen += 1
            if self.ending.seen == 1:
                await self.ending.then()
        return result


def _ends(record: Record) -> bool:
    return record.state is RunState.ENDED


async def delivered(home: House, event_id: str) -> bool:
    found = (await home.stores.inbox.decisions([event_id]))[event_id]
    return any(one.delivered_at for one in found)


async def comes(home: House) -> None:
    """An event of the run's own key, in its mailbox."""
    event_id = await home.ring(opened(action="labeled"))
    await home.until(lambda: delivered(home, event_id), "the event in the mailbox")


async def ends(registry: Registry) -> dict[str, int]:
    """How many runs ended, by their outcome: what was counted, less what was none."""
    found = Counter[str]()
    for family in await registry.collect():
        sign = {catalogue.RUNS_ENDED: 1, catalogue.RUNS_REOPENED: -1}.get(family.metric, 0)
        for point in family.points if sign else ():
            found[point.labels[-1]] += sign * int(total([point]))
    return dict(found)


async def test_a8_a_run_that_hears_something_in_the_moment_of_its_end_is_open_and_asks_people(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([says("Nothing to do."), uses(use("write_thing", body="Thanks.")), says()])
    files, registry = Files(playbook=ASKING, people=BOB), Registry(catalogue.SCRAPE_FAILURES)
    async with house(tmp_path, town, script, files, working=False) as home:
        home.counts, ending = RunInstruments(registry), Ending(lambda: comes(home))
        home.client = await temporal.connect(
            town.temporal.address, "default", interceptors=[ending]
        )
        async with home.working():
            await home.ring(opened())
            run = await home.one("waiting")
            assert run["outcome"] is None
            assert home.executed() == []
            await home.say("cancel", run["id"])
            run = await home.ended()
    assert ending.seen > 1
    assert len(run["events"]) == 2
    assert await ends(registry) == {"completed": 0, "cancelled": 1}
    assert run["outcome"] == "cancelled"


async def test_a5_an_event_that_comes_while_the_model_thinks_interrupts_the_wait_it_asks_for(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(wait("github/issue_comment.created"), delay=3.0), says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        await home.until(lambda: script.asked, "the model to think")
        await home.ring(opened(action="labeled", note="while you thought"))
        run = await home.ended()
    assert run["outcome"] == "completed"
    assert words(script.asked[-1]).count("while you thought") == 1
