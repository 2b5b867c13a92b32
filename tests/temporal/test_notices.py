"""Whoever is asked is told by an ordinary rule, with real tools; no run is held up by it, or ends otherwise."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from orchestrator.agent.text.redacting import nothing
from orchestrator.ledger import approvals, conversations
from orchestrator.notifying import Notifying
from orchestrator.sources.source import DOORBELL, OPERATOR
from orchestrator.telemetry.instruments import uncounted
from tests.support.house import PLAYBOOK, RULE, Files, House, house, opened
from tests.support.scripts import Turns, says, use, uses
from tests.support.town import Town

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(90)]

PEOPLE = "bob: {github: 2, operator: bob}\n"
ASKING = PLAYBOOK.replace(
    "lab.write_thing: {max: 5}", "lab.write_thing: {max: 5, approve: {by: [bob]}}"
)
TELL = """
tell-people:
  id: TELLS
  on: [doorbell/approval.asked, doorbell/run.parked]
  when: {playbook: work}
  call: [{tool: TOOL, args: {body: "Issue {{ event.with.number }}: {{ event.text }}"}}]
  stage: live
"""
SCRIPT = (uses(use("write_thing", body="Thank you.")), says())


def files(tool: str = "lab.write_thing", playbook: str = ASKING) -> Files:
    return Files(playbook=playbook, people=PEOPLE, rule=RULE + TELL.replace("TOOL", tool))


def notifying(home: House) -> Notifying:
    """As the service has it."""
    return Notifying(
        inbox=home.stores.inbox,
        ledger=home.stores.ledger,
        configuration=home.read,
        redact=nothing,
        counts=uncounted(),
        now=lambda: datetime.now(UTC),
        poke=home.dispatcher.poke,
        log=structlog.get_logger("notices"),
    )


async def told(home: House) -> dict[str, object]:
    """The only notice, once it is known what became of it."""
    telling = notifying(home)

    async def look() -> list[dict[str, object]]:
        await telling.step()
        (first, *_) = await home.runs()
        return [one for one in first["notices"] if one["became"] is not None]

    (found,) = await home.until(look, "what became of the notice")
    return dict(found)


async def answered(home: House, code: str) -> None:
    payload = {"type": "run.approve", "code": code, "by": "bob"}
    await home.keep(home.arrival(payload, source=OPERATOR))


async def test_a6_who_is_asked_is_told_once_by_a_call_that_is_not_the_models(
    tmp_path: Path, town: Town
) -> None:
    script = Turns(SCRIPT)
    async with house(tmp_path, town, script, files()) as home:
        await home.ring(opened())
        await home.one("waiting")
        notice = await told(home)
        (request,) = await home.stores.ledger.read(approvals.newest, 9)
        (posted,) = home.executed("write")
        await answered(home, request.code)
        (run, teller) = await home.settled("ended", 2)
        kept = await home.stores.ledger.read(conversations.one, teller["id"])
    assert posted.startswith(f"write_thing Issue 7: Run {run['id']} (playbook work) asks")
    assert (notice["failed"], notice["became"]) == (
        False,
        f"tell-people: run {teller['id']} completed",
    )
    assert home.executed("write")[1:] == ["write_thing Thank you."]
    assert (run["outcome"], run["writes"]["done"]) == ("completed", 1)
    assert (teller["outcome"], kept.source) == ("completed", DOORBELL)
    assert len(script.asked) == 2


async def test_a_notice_that_fails_is_recorded_and_its_run_goes_on_all_the_same(
    tmp_path: Path, town: Town
) -> None:
    script = Turns(SCRIPT)
    async with house(tmp_path, town, script, files("lab.fail_thing")) as home:
        await home.ring(opened())
        first = await home.one("waiting")

        notice = await told(home)
        (request,) = await home.stores.ledger.read(approvals.newest, 9)
        await answered(home, request.code)

        async def over() -> bool:
            return str((await home.run(first["id"]))["state"]) == "ended"

        await home.until(over, "the run that asked")
        run = await home.run(first["id"])
        events = await home.stores.inbox.entries(50)
    assert (run["outcome"], home.executed("write")) == ("completed", ["write_thing Thank you."])
    assert len([one for one in events if one.source == DOORBELL]) == 1
    assert notice["failed"] is True
    assert "is parked: " in str(notice["became"])


async def test_r5_a_run_that_parks_over_its_budget_tells_so_with_its_summary(
    tmp_path: Path, town: Town
) -> None:
    low = PLAYBOOK.replace("turns: 60", "turns: 1")
    script = Turns([uses(use("read_thing")), says("I have read it. I have written nothing.")])
    async with house(tmp_path, town, script, files(playbook=low)) as home:
        await home.ring(opened())
        await home.one("parked")
        await told(home)
        assert len(home.executed("write")) == 1
        (row,) = [one for one in await home.stores.inbox.entries(9) if one.source == DOORBELL]
        entry = await home.stores.inbox.entry(row.id)
    assert entry is not None
    assert b"turns budget: 1 of 1 used" in entry.body
    assert b"I have read it. I have written nothing." in entry.body
    assert row.type == "run.parked"
