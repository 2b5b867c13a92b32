"""Lives of runs that stand still for something else than an event: a slot, a person, a tool that isn't what it was.

Each is lived in a house of its own, as those of `lives`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.demo.wire import Reply, ToolUse
from tests.support.answers import PEOPLE, asked, comment, said
from tests.support.deploying import DEPLOY, Deploying, deploying
from tests.support.deploying import RULE as DEPLOYING
from tests.support.drifts import described, drifting, locking
from tests.support.histories import histories, recorded, reworded
from tests.support.house import PLAYBOOK, Files, House, commented, house, opened
from tests.support.later import later
from tests.support.scripts import Request, Turns, says, use, uses, wait, words
from tests.support.sleepers import asleep, newest, parts
from tests.support.town import Town
from workflows import upgrades

WRITE = uses(use("write_thing", body="once"))
REPLY = uses(wait("github/issue_comment.created"))
ASK = uses(ToolUse("doorbell__ask", {"question": "Which label?"}))
LIMITED = replace(
    Files(mode="queue"), rule=Files().rule.rstrip("\n") + "\n  limits: {concurrent: 1}\n"
)


def consent(more: str = "") -> Files:
    """Writes want a person's consent."""
    asking = f"{{max: 5, approve: {{by: [bob]{more}}}}}"
    playbook = PLAYBOOK.replace("lab.write_thing: {max: 5}", f"lab.write_thing: {asking}")
    return Files(playbook=playbook, people=PEOPLE)


def _by_event(request: Request) -> Reply:
    """An issue that was labelled is left alone, any other wants an answer."""
    return says() if "issues.labeled" in words(request) else REPLY


async def _held(directory: Path, shared: Town) -> list[str]:
    """One slot: its second conversation may not begin until a run of another key has ended."""
    script = Turns([uses(use("slow_read", seconds=2)), says()])
    async with house(directory, shared, script, LIMITED) as home:
        await home.ring(opened(1, action="labeled"))
        await home.until(lambda: home.executed("slow_read"), "the first conversation")
        for number in (2, 1):
            await home.ring(opened(number, action="labeled", note="more"))
        await home.settled("ended", 3)
        return await histories(home)


async def _asked(directory: Path, shared: Town) -> list[str]:
    """It asks people something, and one of them answers."""
    async with house(directory, shared, Turns([ASK, says()]), Files(people=PEOPLE)) as home:
        await home.ring(opened())
        (request,) = await asked(home)
        await said(home, "answer", request.code, answer="bug")
        await home.ended()
        return await histories(home)


async def _asked_first(directory: Path, shared: Town) -> list[str]:
    """A server asks people something before it does anything; the call is made once more with their answer."""
    script = Turns([uses(ToolUse("later__write_first", {"body": "hello"})), says()])
    async with later(directory, shared, script, people=PEOPLE) as there:
        await there.home.ring(opened())
        (request,) = await asked(there.home)
        await there.begun()
        await comment(there.home, f"/answer {request.code} matt")
        await there.home.ended()
        return await histories(there.home)


async def _asked_amid(directory: Path, shared: Town) -> list[str]:
    """A server asks people something while it works on a call."""
    script = Turns([uses(ToolUse("later__write_later", {"body": "hello"})), says()])
    async with later(directory, shared, script, people=PEOPLE) as there:
        await there.home.ring(opened())
        await there.begun()
        await there.peer.tells("asks")
        await there.hints()
        (request,) = await asked(there.home)
        await comment(there.home, f"/answer {request.code} glossy")
        await there.home.until(lambda: _answered(there.home), "the answer")
        await there.peer.tells("completed", "printed")
        await there.hints("now")
        await there.home.ended()
        return await histories(there.home)


async def _applied(directory: Path, shared: Town) -> list[str]:
    """A proposal is applied when its conversation is over, and so comes the event that answers it."""
    rule = DEPLOYING.replace("STAGE", "preview")
    async with deploying(directory, shared, Turns([uses(DEPLOY), says()]), rule=rule) as there:
        await there.starts()
        run = await there.home.ended()
        await there.home.say("apply", run["id"])
        await there.home.until(lambda: _left(there), "its wait")
        event = await there.says("success")
        await there.home.until(lambda: there.home.taken([event]), "its event")
        return await histories(there.home)


async def _unanswered(directory: Path, shared: Town) -> list[str]:
    """Nobody answers in time, so it parks; resumed, it asks again, and somebody does."""
    files = consent(", ttl: 2s, on_timeout: park")
    async with house(directory, shared, Turns([WRITE, says()]), files) as home:
        await home.ring(opened())
        run = await home.one("parked")
        await home.say("resume", run["id"])
        _, second = await asked(home, 2)
        await said(home, "approve", second.code)
        await home.ended()
        return await histories(home)


async def _outdone(directory: Path, shared: Town) -> list[str]:
    """A newer event supersedes it in its sleep."""
    script = Turns([_by_event])
    async with house(directory, shared, script, Files(mode="supersede")) as home:
        await home.ring(opened())
        await asleep(home)
        await home.ring(opened(action="labeled"))
        await home.settled("ended", 2)
        return await histories(home)


async def _consented(directory: Path, shared: Town) -> list[str]:
    """A person's consent wakes it."""
    async with house(directory, shared, Turns([WRITE, says()]), consent()) as home:
        await home.ring(opened())
        await asleep(home)
        (request,) = await asked(home)
        await said(home, "approve", request.code)
        await home.ended()
        return await histories(home)


async def _drifted(directory: Path, shared: Town) -> list[str]:
    """A tool is described otherwise when it is to be called; the run parks until somebody has accepted that."""
    script = Turns([REPLY, WRITE, says()])
    async with house(directory, shared, script, drifting(directory), working=False) as home:
        async with home.working():
            await home.ring(opened())
            await asleep(home)
        described(directory, "It writes, and more.")
        await home.ring(commented("the answer"), "issue_comment")
        async with home.working():
            run = await home.one("parked")
            assert (await locking(home))[0] == 0
            await home.say("resume", run["id"])
            await home.ended()
        return await histories(home)


async def _newer(directory: Path, shared: Town) -> list[str]:
    """A newer program put it to sleep: the part that can't read that, and the sleep that follows."""
    async with house(directory, shared, Turns([REPLY, says()])) as home:
        await home.ring(opened())
        workflow_id = await asleep(home)
        with pytest.MonkeyPatch.context() as older:
            older.setattr(upgrades, "SCHEMA", 1)
            await home.ring(commented("the answer"), "issue_comment")
            await home.one("parked")
            await home.until(lambda: _lived(home, workflow_id, 4), "its next sleep")
            last = await newest(home, workflow_id)
            found = await recorded(home, workflow_id)
            await last.terminate()
    # As that program would have written it: the state that no program of today can read.
    return [reworded(part, f'"schema":{upgrades.SCHEMA}', '"schema":999') for part in found[2:]]


async def _lived(home: House, workflow_id: str, count: int) -> bool:
    return len(await parts(home, workflow_id)) == count


async def _left(there: Deploying) -> bool:
    return await there.ends() == ["left"]


async def _answered(home: House) -> bool:
    return all(one.standing == "answered" for one in await asked(home))


STANDSTILLS: dict[str, Callable[[Path, Town], Awaitable[list[str]]]] = {
    "held": _held,
    "asked": _asked,
    "asked_first": _asked_first,
    "asked_amid": _asked_amid,
    "applied": _applied,
    "unanswered": _unanswered,
    "outdone": _outdone,
    "consented": _consented,
    "drifted": _drifted,
    "newer": _newer,
}
