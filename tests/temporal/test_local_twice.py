"""Mechanics 8: every local activity of a run really runs twice, and the ledger and the hands are as if it ran once."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.demo.wire import ToolUse
from orchestrator.ledger import approvals, calls
from orchestrator.ledger.approvals import Approval
from orchestrator.sources.source import OPERATOR
from tests.support.deploying import DEPLOY, Deploying, deploying
from tests.support.deploying import RULE as DEPLOYS
from tests.support.doubling import doubled, local_activities, portrait
from tests.support.house import PLAYBOOK, Files, House, commented, house, opened
from tests.support.met import gone
from tests.support.scripts import Turns, says, use, uses, wait
from tests.support.town import Town

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(120)]

Play = Callable[[Any], Awaitable[None]]
REPLY = uses(wait("github/issue_comment.created"))
FINISH = uses(ToolUse("doorbell__finish", {"outcome": "completed", "summary": "Done."}))
BOB = "bob: {operator: bob}\n"


def asking(how: str) -> Files:
    """A house whose write people consent to."""
    line = f"lab.write_thing: {{max: 5, approve: {{by: [bob], {how}}}}}"
    return Files(playbook=PLAYBOOK.replace("lab.write_thing: {max: 5}", line), people=BOB)


WRITE = use("write_thing", body="Thank you.")
ENDLESS = Files(playbook=PLAYBOOK.replace("slow_write]", "slow_write, endless_write]"))


# What happens in each story --------------------------------------------------------------------


async def talks(home: House) -> None:
    """A read and a write with consent, a wait that an event interrupts, one that an event ends, the last word."""
    await home.ring(opened())
    await approve(home)
    await at_rest(home, "waiting", 2)
    await home.ring(opened(action="labeled"))
    await at_rest(home, "waiting", 3)
    await home.ring(commented("the answer"), "issue_comment")


async def is_asked_twice(home: House) -> None:
    """Nobody answers, so the run parks; a person resumes it, and consents in time."""
    await home.ring(opened())
    run = await at_rest(home, "parked", 1)
    await home.say("resume", run["id"])
    await approve(home, number=2)


async def is_called_off(home: House) -> None:
    """A person cancels while a write is under way."""
    await home.ring(opened())
    await home.until(lambda: home.executed("endless_write"), "the write")
    (run,) = await home.runs()
    await home.say("cancel", run["id"])
    await home.until(lambda: home.executed("stopped"), "the server's part")


async def is_lost(home: House) -> None:
    """Its workflow is gone when the event comes that it waits for."""
    await home.ring(opened())
    run = await at_rest(home, "waiting", 1)
    await home.client.get_workflow_handle(run["workflow_id"]).terminate("enough")
    await home.ring(commented("the answer"), "issue_comment")


async def deploys(there: Deploying) -> None:
    """A call that an event answers, among events that don't."""
    await there.starts()
    await at_rest(there.home, "waiting", 1)
    await there.reasons(await there.says("in_progress"))
    await there.says("success")


async def is_applied(there: Deploying) -> None:
    """A proposal that a person applies after the end, and that an event answers later still."""
    await there.starts()
    run = await there.home.ended()
    await over(there.home)
    await there.home.say("apply", run["id"])
    await answered(there, "A person applied this")
    await over(there.home)
    await there.says("success")
    await answered(there, "This event answers the call")


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happens, and which local activities it takes; by `files` in a plain house, else in one that deploys."""

    play: Play
    takes: frozenset[str]
    replies: tuple[Any, ...]
    files: Files | None = None
    stage: str = "live"


ALWAYS = {"claim", "begin", "record"}
STORIES = (
    Story(
        play=talks,
        takes=frozenset({*ALWAYS, "ask_person", "heed", "open_wait", "end_wait", "note", "answer"}),
        replies=(uses(use("read_thing"), WRITE), REPLY, REPLY, FINISH),
        files=asking("ttl: 1h"),
    ),
    Story(
        play=is_asked_twice,
        takes=frozenset({*ALWAYS, "ask_person", "expire", "limits", "heed"}),
        replies=(uses(WRITE), says()),
        files=asking("ttl: 6s, on_timeout: park"),
    ),
    Story(
        play=is_called_off,
        takes=frozenset({*ALWAYS, "settle_lost"}),
        replies=(uses(use("endless_write")), says()),
        files=ENDLESS,
    ),
    Story(
        play=is_lost,
        takes=frozenset({*ALWAYS, "open_wait", "hear_late", "gone"}),
        replies=(REPLY, says()),
        files=Files(),
    ),
    Story(
        play=deploys,
        takes=frozenset({*ALWAYS, "expect", "open_wait", "end_wait"}),
        replies=(uses(DEPLOY), says()),
    ),
    Story(
        play=is_applied,
        takes=frozenset({*ALWAYS, "propose", "proposals", "expect", "open_wait", "hear_late"}),
        replies=(uses(DEPLOY), says()),
        stage="preview",
    ),
)


# The test --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Left:
    """What a story leaves behind; `asked` are the lengths of what the model was asked."""

    rows: Counter[tuple[Any, ...]]
    executed: list[str]
    events: list[int]
    asked: list[int]
    ran: Counter[str]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.play.__name__)
async def test_a1_what_runs_twice_in_its_local_activities_leaves_what_one_that_runs_once_leaves(
    tmp_path: Path, town: Town, story: Story
) -> None:
    once = await lived(_room(tmp_path, "once"), town, story, twice=False)
    twice = await lived(_room(tmp_path, "twice"), town, story, twice=True)
    assert set(twice.ran) == story.takes
    assert twice.rows == once.rows
    assert (twice.executed, twice.events) == (once.executed, once.events)
    assert twice.asked == once.asked


def test_a1_every_local_activity_that_a_run_asks_for_is_in_one_of_these_stories() -> None:
    assert set().union(*(story.takes for story in STORIES)) == local_activities()


def _room(directory: Path, name: str) -> Path:
    room = directory / name
    room.mkdir()
    return room


async def lived(directory: Path, town: Town, story: Story, *, twice: bool) -> Left:
    """The whole story in a house of its own, until nothing of it is under way."""
    script = Turns(story.replies)
    async with placed(directory, town, script, story) as (home, given), AsyncExitStack() as work:
        ran = Counter[str]()
        if twice:
            ran = await work.enter_async_context(doubled(home))
        else:
            await work.enter_async_context(home.working())
        await story.play(given)
        run = await home.ended()
        await over(home)
        run = await home.run(run["id"])
        made = sorted(given.peer.state.deployments) if isinstance(given, Deploying) else []
        return Left(
            rows=await home.stores.ledger.read(portrait),
            executed=[*home.executed(), *(f"deployment {number}" for number in range(len(made)))],
            events=[len(run["events"]), len(await home.runs())],
            asked=[len(request["messages"]) for request in script.asked],
            ran=ran,
        )


@asynccontextmanager
async def placed(
    directory: Path, town: Town, script: Turns, story: Story
) -> AsyncIterator[tuple[House, Any]]:
    """The house, and what its story is played in."""
    if story.files is not None:
        async with house(directory, town, script, story.files, working=False) as home:
            yield home, home
        return
    rule = DEPLOYS.replace("STAGE", story.stage)
    async with deploying(directory, town, script, working=False, rule=rule) as there:
        yield there.home, there


async def over(home: House) -> None:
    """Until everything that came in is delivered, and no workflow has anything more to do."""

    async def delivered() -> bool:
        inbox = home.stores.inbox
        return not await inbox.undecided(1) and not await inbox.undelivered()

    await home.until(delivered, "every delivery")
    await gone(home)


async def approve(home: House, number: int = 1) -> None:
    """Bob's yes to the request of that number."""

    async def look() -> Approval | None:
        for run in await home.runs():
            for one in await home.stores.ledger.read(approvals.of_run, run["id"]):
                if one.number == number:
                    return one
        return None

    request = await home.until(look, "a request")
    payload = {"type": "run.approve", "code": request.code, "by": "bob"}
    await home.keep(home.arrival(payload, source=OPERATOR))


async def at_rest(home: House, state: str, turns: int) -> dict[str, Any]:
    """The only run, once it stands still in that state after so many turns, and Temporal knows it too."""

    async def look() -> dict[str, Any] | None:
        for run in await home.runs():
            there = (run["state"], run["turns"]) == (state, turns)
            return run if there and not await _is_awake(home, run["workflow_id"]) else None
        return None

    found: dict[str, Any] = await home.until(look, f"{state} after turn {turns}")
    return found


async def _is_awake(home: House, workflow_id: str) -> bool:
    found = await home.client.get_workflow_handle(workflow_id).describe()
    return found.raw_description.HasField("pending_workflow_task")


async def answered(there: Deploying, text: str) -> None:
    """Until the call that somebody applied says this."""

    async def look() -> bool:
        (run,) = await there.home.runs()
        made = await there.home.stores.ledger.read(calls.of_run, run["id"])
        return any(text in str(one.content) for one in made if one.turn == 0)

    await there.home.until(look, text)
