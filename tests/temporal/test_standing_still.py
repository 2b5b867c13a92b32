"""Design: "pause" is live at every act. A run that is at work stands still, loses nothing, and goes on by itself."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import create_engine, insert

from orchestrator.demo.wire import Reply
from orchestrator.inbox.inbox import Decision
from orchestrator.inbox.orders import Pausable
from orchestrator.inbox.schema import PAUSES
from orchestrator.ledger import standstills
from orchestrator.sources.operator import NAMES
from orchestrator.sources.source import OPERATOR
from orchestrator.tending import resuming
from orchestrator.tending.unpausing import BY, go_on_some, identity
from tests.support.answers import PEOPLE, asked, said
from tests.support.house import PLAYBOOK, RULE, Files, House, house, opened
from tests.support.postgres import Postgres
from tests.support.scripts import Turns, says, use, uses
from tests.support.town import Town

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(150)]

READ = uses(use("read_thing"))
WRITE = uses(use("write_thing", body="once"))
SLOW = uses(use("slow_write", seconds=12))
WORDS = "rule 'work' is paused; after `doorbell rules unpause work` this goes on by itself"
CALL = """\
work:
  id: HOUSE
  on: [github/issues.*]
  call: [{tool: lab.write_thing, args: {body: "by rule"}}]
  stage: live
"""


async def order(home: House, word: str, named: str = "work") -> None:
    """A person's word about a rule or a source, once it is carried out."""
    payload = {"type": word, NAMES[word]: named, "by": "a tester"}
    (event_id,) = await home.keep(home.arrival(payload, source=OPERATOR))
    await home.until(lambda: decided(home, event_id), word)


async def decided(home: House, event_id: str) -> list[Decision]:
    """What was decided about an event."""
    return (await home.stores.inbox.decisions([event_id])).get(event_id, [])


async def look(home: House) -> int:
    """The service looks who may go on."""
    stores, log = home.stores, structlog.get_logger("unpausing")
    now = datetime.now(UTC)
    return await go_on_some(stores.inbox, stores.ledger, now, home.dispatcher.poke, log)


async def go_on(home: House) -> None:
    """The pause is over, and the service sees it."""
    assert await look(home) == 0
    await order(home, "rule.unpause")
    assert await look(home) == 1
    assert await look(home) == 0


async def let_go(home: House) -> list[str]:
    """By whom runs were let go on, so far."""
    entries = await home.stores.inbox.entries(50)
    words = [one for one in entries if one.type == "run.resume"]
    return [str(one.actor.login) for one in words if one.actor is not None]


@dataclass
class Brake:
    """Pauses the rule in the very moment in which a model answers, before its answer is there."""

    url: str
    pulled: int = field(default=0)

    def before(self, answer: Reply) -> Callable[[Any], Reply]:
        def pulled(_: Any) -> Reply:
            self.pull()
            return answer

        return pulled

    def pull(self) -> None:
        engine = create_engine(self.url)
        told = {"what": Pausable.RULE, "name": "work", "paused": True, "by": "a tester"}
        with engine.begin() as connection:
            connection.execute(PAUSES.delete())
            # A word that is said later stands behind it.
            connection.execute(insert(PAUSES).values(**told, at=datetime.now(UTC), position=0))
        engine.dispose()
        self.pulled += 1


@pytest.fixture
def brake(tmp_path: Path) -> Brake:
    return Brake(f"sqlite:///{tmp_path / 'state' / 'inbox.db'}")


@pytest.fixture(params=["sqlite", "postgres"])
def stored(request: pytest.FixtureRequest, postgres: Postgres, brake: Brake) -> Iterator[Any]:
    """The database of a house, with its brake; None where it is files."""
    with postgres.database() as url:
        mine = request.param == "postgres"
        yield (url, Brake(url)) if mine else (None, brake)


async def test_a_run_paused_between_two_tool_calls_parks_and_makes_each_call_once(
    tmp_path: Path, town: Town, stored: tuple[str | None, Brake]
) -> None:
    database, brake = stored
    script = Turns([READ, brake.before(WRITE), says()])
    async with house(tmp_path, town, script, database=database) as home:
        await home.ring(opened())
        parked = await home.one("parked")
        assert parked["reason"] == WORDS
        assert home.executed() == ["read_thing it"]
        (call,) = [one for one in parked["tool_calls"] if one["tool"] == "write_thing"]
        assert (call["state"], call["attempts"]) == ("intended", 0)
        await go_on(home)
        run = await home.ended()

    assert home.executed() == ["read_thing it", "write_thing once"]
    assert (run["outcome"], len(script.asked)) == ("completed", 3)


async def test_a_write_that_is_open_comes_to_its_end_and_the_next_turn_is_held(
    tmp_path: Path, town: Town, brake: Brake
) -> None:
    script = Turns([SLOW, says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        await home.until(lambda: home.executed("slow_write"), "the write")
        brake.pull()
        parked = await home.one("parked")
        assert [one["state"] for one in parked["tool_calls"]] == ["done"]
        assert (parked["reason"], len(script.asked)) == (WORDS, 1)
        early = await home.say("resume", parked["id"])
        await home.until(lambda: home.taken([early]), "the word")
        await home.until(lambda: _held(home, "turn 2", 2), "the turn to be held again")
        assert (await home.one("parked"))["reason"] == WORDS
        await go_on(home)
        run = await home.ended()

    assert (home.executed(), run["outcome"]) == (["slow_write"], "completed")
    assert len(script.asked) == 2


async def _held(home: House, act: str, number: int) -> bool:
    found = await home.stores.ledger.read(standstills.standing, [], [], 0.0, 9)
    return [(one.act, one.number) for one in found] == [(act, number)]


@pytest.mark.parametrize("held", ["the last call", "the summary"])
async def test_a3_a_run_held_before_it_could_sum_up_does_so_once_it_may_go_on(
    tmp_path: Path, town: Town, brake: Brake, held: str
) -> None:
    last = brake.before(READ) if held == "the last call" else SLOW
    script, one_turn = Turns([last, says("I looked.")]), PLAYBOOK.replace("turns: 60", "turns: 1")
    async with house(tmp_path, town, script, Files(playbook=one_turn)) as home:
        await home.ring(opened())
        if held == "the summary":
            await home.until(lambda: home.executed("slow_write"), "the write")
            brake.pull()
        assert (await home.one("parked"))["reason"] == WORDS
        await go_on(home)
        run = await home.until(lambda: _used_up(home), "the end of its turns")

    assert (run["account"], len(script.asked)) == ("I looked.", 2)
    assert (script.asked[-1].get("tool_choice") or {}).get("type") == "none"


async def _used_up(home: House) -> dict[str, Any] | None:
    (run,) = await home.runs()
    over = run["state"] == "parked" and run["reason"].startswith("turns budget: 1 of 1 used")
    return run if over else None


async def test_a_run_that_is_paused_twice_goes_on_twice(
    tmp_path: Path, town: Town, brake: Brake
) -> None:
    script = Turns([brake.before(READ), brake.before(WRITE), says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        for made in ([], ["read_thing it"]):
            await home.until(lambda made=made: brake.pulled == 1 + len(made), "the pause")
            await home.one("parked")
            assert home.executed() == made
            await go_on(home)
        run = await home.ended()
        assert await let_go(home) == [BY, BY]

    assert home.executed() == ["read_thing it", "write_thing once"]
    assert (run["outcome"], len(script.asked)) == ("completed", 3)


async def test_a1_a_service_killed_before_it_wrote_down_whom_it_let_go_on_does_it_once(
    tmp_path: Path, town: Town, brake: Brake
) -> None:
    script = Turns([brake.before(WRITE), says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        parked = await home.one("parked")
        await order(home, "rule.unpause")
        held = await home.stores.ledger.read(standstills.standing, [], [], 0.0, 9)
        row = resuming.row(identity(held), parked["id"], BY, datetime.now(UTC))
        await home.stores.inbox.keep([row])
        await look(home)
        await home.ended()
        assert await look(home) == 0
        assert await let_go(home) == [BY]

    assert home.executed() == ["write_thing once"]


async def test_a_call_that_a_person_consented_to_is_held_and_then_made_once(
    tmp_path: Path, town: Town
) -> None:
    wanted = "lab.write_thing: {max: 5, approve: {by: [bob]}}"
    playbook = PLAYBOOK.replace("lab.write_thing: {max: 5}", wanted)
    script = Turns([WRITE, says()])
    async with house(tmp_path, town, script, Files(playbook=playbook, people=PEOPLE)) as home:
        await home.ring(opened())
        (request,) = await asked(home)
        await order(home, "rule.pause")
        await said(home, "approve", request.code)
        parked = await home.one("parked")
        assert (parked["reason"], home.executed()) == (WORDS, [])
        assert parked["people"] == {"approved": 1}
        await go_on(home)
        run = await home.ended()

    assert (run["outcome"], home.executed()) == ("completed", ["write_thing once"])


@asynccontextmanager
async def begun(
    directory: Path, town: Town, script: Turns, files: Files | None = None
) -> AsyncIterator[House]:
    """Its run is delivered before the pause, and no worker has seen it yet."""
    async with house(directory, town, script, files, working=False) as home:
        event_id = await home.ring(opened())
        await home.until(lambda: _delivered(home, event_id), "the delivery")
        await order(home, "rule.pause")
        async with home.working():
            await home.one("parked")
            yield home


async def _delivered(home: House, event_id: str) -> bool:
    return any(one.state == "delivered" for one in await decided(home, event_id))


async def test_a_run_that_has_only_just_begun_asks_no_model_before_the_pause_is_over(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([says()])
    async with begun(tmp_path, town, script) as home:
        assert script.asked == []
        await go_on(home)
        run = await home.ended()

    assert (run["outcome"], len(script.asked)) == ("completed", 1)


async def test_a_call_without_a_model_is_held_and_made_once(tmp_path: Path, town: Town) -> None:
    async with begun(tmp_path, town, Turns([]), Files(rule=CALL)) as home:
        assert (await home.one("parked"))["reason"] == WORDS
        assert home.executed() == []
        await go_on(home)
        run = await home.ended()

    assert (run["outcome"], home.executed()) == ("completed", ["write_thing by rule"])


async def test_a8_a_run_that_stands_still_is_cancelled_at_once_and_its_call_answered(
    tmp_path: Path, town: Town, brake: Brake
) -> None:
    script = Turns([brake.before(WRITE), says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        await home.say("cancel", (await home.one("parked"))["id"])
        run = await home.ended()
        await order(home, "rule.unpause")
        assert await look(home) == 0

    (call,) = run["tool_calls"]
    assert (run["outcome"], call["state"], home.executed()) == ("cancelled", "refused", [])


async def test_r3_a_run_that_a_paused_source_opened_is_superseded_by_an_event_of_another(
    tmp_path: Path, town: Town
) -> None:
    rule = RULE.replace("[github/issues.*]", "[github/issues.*, desk/*]")
    rule = rule.replace('"{{ event.issue.number }}"', "7")
    rule = rule.replace(
        "issue:{{ event.repository.full_name }}#{{ event.issue.number }}", "issue:7"
    )
    script = Turns([READ, READ, says()])
    files = Files(rule=rule, mode="supersede")
    async with house(tmp_path, town, script, files, working=False) as home:
        event_id = await home.ring(opened())
        await home.until(lambda: _delivered(home, event_id), "the delivery")
        await order(home, "source.pause", "github")
        async with home.working():
            parked = await home.one("parked")
            assert "doorbell rules unpause source:github" in parked["reason"]
            await home.keep(home.arrival({"type": "asked", "issue": 7}, source="desk"))
            first, second = await home.settled("ended", 2)

    assert (first["id"], first["outcome"]) == (parked["id"], "superseded")
    assert second["outcome"] == "completed"


async def test_what_was_to_be_applied_when_the_pause_came_is_applied_when_it_is_said_again(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([WRITE, says()])
    async with house(tmp_path, town, script, Files(stage="preview"), working=False) as home:
        async with home.working():
            await home.ring(opened())
            run = await home.ended()
        event_id = await home.say("apply", run["id"])
        await home.until(lambda: _delivered(home, event_id), "the delivery")
        await order(home, "rule.pause")
        async with home.working():
            await home.until(lambda: home.taken([event_id]), "the word")
            await home.until(lambda: _applied(home), "the call beside the proposal")
            refused = await home.say("apply", run["id"])
            (no,) = await home.until(lambda: decided(home, refused), "a no")
            assert "is paused: say it again" in no.reason
            assert home.executed() == []
            await order(home, "rule.unpause")
            await home.say("apply", run["id"])
            await home.until(home.executed, "the call")

    assert home.executed() == ["write_thing once"]


async def _applied(home: House) -> bool:
    (run,) = await home.runs()
    return any(call["turn"] == 0 for call in run["tool_calls"])
