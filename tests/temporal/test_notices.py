"""Whoever is asked is told by an ordinary rule, with real tools; no run is held up by it, or ends otherwise."""

import json
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from orchestrator.agent.text.redacting import nothing
from orchestrator.ledger import approvals, conversations
from orchestrator.ledger.approvals import Approval
from orchestrator.sources.source import DOORBELL, OPERATOR
from orchestrator.telemetry.instruments import uncounted
from orchestrator.tending.notifying import Notifying
from tests.support.house import PLAYBOOK, RULE, Files, House, commented, house, opened
from tests.support.scripts import Turns, says, use, uses
from tests.support.town import Town, kill

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(90)]

BOB = 2
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
HEARS = TELL.replace(
    "[doorbell/approval.asked, doorbell/run.parked]",
    "[doorbell/approval.answered, doorbell/approval.executed]",
)
SCRIPT = (uses(use("write_thing", body="Thank you.")), says())


def files(tool: str = "lab.write_thing", playbook: str = ASKING, tell: str = TELL) -> Files:
    return Files(playbook=playbook, people=PEOPLE, rule=RULE + tell.replace("TOOL", tool))


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


async def asked(home: House) -> Approval:
    """What people are asked, once the rule that tells them what became of it is heard."""
    await notifying(home).step()
    await home.ring(opened())
    await home.one("waiting")
    (request,) = await home.stores.ledger.read(approvals.newest, 9)
    return request


async def comment(home: House, text: str, by: int = BOB) -> str:
    """Somebody's comment on the issue."""
    sender = {"login": f"user-{by}", "id": by, "type": "User"}
    payload = commented(text) | {"sender": sender}
    payload["comment"] = {"id": 1, "body": text, "user": sender, "author_association": "NONE"}
    return await home.ring(payload, "issue_comment")


async def news(home: House, count: int) -> list[tuple[str, str]]:
    """So many notices, once it is known of each that people were told: which, and the first line of each."""
    telling = notifying(home)

    async def look() -> bool:
        await telling.step()
        first = (await home.runs())[0]
        return sum(one["failed"] is False for one in first["notices"]) >= count

    await home.until(look, f"{count} notices")
    assert await telling.step() == 0
    rows = [one for one in await home.stores.inbox.entries(50) if one.source == DOORBELL]
    found = [await home.stores.inbox.entry(one.id) for one in reversed(rows)]
    said = [json.loads(one.body) for one in found if one is not None]
    return [(one["type"], one["text"].splitlines()[0]) for one in said]


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


async def test_a6_who_approves_by_comment_is_told_recorded_and_then_executed_whatever_is_repeated(
    tmp_path: Path, town: Town
) -> None:
    async with house(tmp_path, town, Turns(SCRIPT), files(tell=HEARS)) as home:
        request = await asked(home)
        await comment(home, f"/approve {request.code}", by=9)
        yes = await comment(home, f"/approve {request.code}\n\nGo ahead.")
        await home.until(lambda: home.taken([yes]), "the word")
        told = await news(home, 2)
        again = await comment(home, f"/approve {request.code}")
        (*_, late) = await news(home, 3)
        said = await home.stores.ledger.read(approvals.words_of, request.approval_id)
    code, run = request.code, f"run {request.run_id} (playbook work)"
    assert told == [
        (
            "approval.answered",
            f"Recorded: approve {code} by `bob`: {run} may call `lab.write_thing`.",
        ),
        (
            "approval.executed",
            f"Executed: `lab.write_thing`, to which `bob` consented by {code}, for {run}.",
        ),
    ]
    assert late == ("approval.answered", f"Not counted: approve {code} by `bob`, for {run}.")
    assert [one.event_id for one in said] == [yes, again]
    assert len(home.executed("write_thing Issue 7: ")) == 3
    assert home.executed("write_thing Thank") == ["write_thing Thank you."]


async def test_a6_who_denies_is_told_so_and_nothing_of_an_execution(
    tmp_path: Path, town: Town
) -> None:
    async with house(tmp_path, town, Turns(SCRIPT), files(tell=HEARS)) as home:
        request = await asked(home)
        await comment(home, f"/deny {request.code} not today")
        ((kind, said),) = await news(home, 1)
    assert kind == "approval.answered"
    assert said.endswith("(playbook work) does not call `lab.write_thing`.")
    assert len(home.executed("write")) == 1


async def test_a6_a_word_to_a_run_that_was_called_off_meanwhile_is_told_once_as_not_counted(
    tmp_path: Path, town: Town
) -> None:
    async with house(tmp_path, town, Turns(SCRIPT), files(tell=HEARS)) as home:
        request = await asked(home)
        await home.say("cancel", request.run_id)

        async def over() -> bool:
            return str((await home.run(request.run_id))["state"]) == "ended"

        await home.until(over, "the end of the run")
        await comment(home, f"/approve {request.code}")
        ((kind, said),) = await news(home, 1)
    assert kind == "approval.answered"
    assert said.startswith(f"Not counted: approve {request.code} by `bob`, for run ")
    assert len(home.executed("write")) == 1


@pytest.mark.parametrize("dies", [False, True])
async def test_a6_a_run_called_off_between_consent_and_execution_is_told_as_not_executed(
    tmp_path: Path, town: Town, dies: bool
) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    async with (
        house(tmp_path, town, Turns(SCRIPT), files(tell=HEARS), working=False) as home,
        home.worker(HOLD=str(hold), HOLD_AT="intended") as worker,
    ):
        request = await asked(home)
        await comment(home, f"/approve {request.code}")
        await home.until(hold.with_suffix(".held").exists, "the call that was consented to")
        if dies:
            await kill(worker)
        await home.say("cancel", request.run_id)
        async with home.worker() if dies else nullcontext():
            (run,) = await home.settled("ended")
            told = await news(home, 2)
    by = f"`lab.write_thing`, to which `bob` consented by {request.code}, for run {run['id']}"
    assert [kind for kind, _ in told] == ["approval.answered", "approval.executed"]
    assert told[-1][1].startswith(f"Not executed: cancelled: {by}")
    assert (run["outcome"], run["people"]) == ("cancelled", {"approved": 1})
    assert home.executed("write_thing Thank") == []
