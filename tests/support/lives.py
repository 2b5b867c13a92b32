"""Whole lives of runs on real Temporal, and their histories as text; each life ends in every way but by accident.

python -m tests.temporal.test_replay            records those that have no history yet
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.demo.wire import Reply, ToolUse
from orchestrator.ledger import approvals
from orchestrator.sources.source import OPERATOR
from tests.support import overlaps
from tests.support.deploying import DEPLOY, deploying
from tests.support.histories import histories
from tests.support.house import PLAYBOOK, Files, House, commented, house, opened
from tests.support.later import later
from tests.support.scripts import Part, Request, Turns, says, use, uses, wait, words
from tests.support.sleepers import asleep
from tests.support.standstills import STANDSTILLS
from tests.support.town import Town, kill

READ = uses(use("read_thing"))
WRITE = uses(use("write_thing", body="once"))
REPLY = uses(wait("github/issue_comment.created"))
SLOW = uses(use("slow_read", seconds=30))
CONSENT = PLAYBOOK.replace(
    "lab.write_thing: {max: 5}", "lab.write_thing: {max: 5, approve: {by: [ada]}}"
)
SLEEP = ToolUse("doorbell__sleep_until", {"until": "1s", "reason": "to see it later"})
ADA = "ada: {operator: ada}\n"


def by_event(request: Request) -> Reply:
    """What is done about an issue that was closed, labelled or opened."""
    told = words(request)
    if "issues.closed" in told:
        return says()
    return SLOW if "issues.labeled" in told else REPLY


@dataclass(frozen=True, kw_only=True)
class Life:
    """What a run lives through in a house of these files; `limit` is the length of its histories.

    Where it is not `working` from the first, it has workers of its own.
    """

    live: Callable[[House], Awaitable[None]]
    script: tuple[Part, ...]
    files: Files = field(default_factory=Files)
    limit: int | None = None
    working: bool = True


async def talked(home: House) -> None:
    """Tools, a wait, an interruption, a wake-up."""
    await home.ring(opened())
    await home.one("waiting")
    await home.ring(opened(action="labeled"))
    await home.until(lambda: _waits(home, 3), "the second wait")
    await home.ring(commented("the answer"), "issue_comment")
    await home.ended()


async def resumed(home: House) -> None:
    """Its budget is spent; a person raises it and says go on."""
    await home.ring(opened())
    run = await home.one("parked")
    playbook = home.directory / "doorbell.d" / "playbooks" / "work.md"
    playbook.write_text(playbook.read_text().replace("turns: 2", "turns: 60"))
    await home.say("resume", run["id"])
    await home.ended()


async def summed_up(home: House) -> None:
    """Its only turn is used up and it wanted more: it sums up and parks; a person gives it more turns."""
    await home.ring(opened())
    run = await home.one("parked")
    playbook = home.directory / "doorbell.d" / "playbooks" / "work.md"
    playbook.write_text(playbook.read_text().replace("turns: 1,", "turns: 60,"))
    await home.say("resume", run["id"])
    await home.ended()


async def queued(home: House) -> None:
    """Two more events of its key come while it works; each is a conversation of its own, one after the other."""
    await home.ring(opened())
    await home.until(lambda: home.executed("slow_read"), "the call")
    await home.ring(opened(action="labeled"))
    await home.ring(opened(action="closed"))
    await home.settled("ended", 3)


async def gathered(home: House) -> None:
    """Three events that belong together are one."""
    for action in ("opened", "labeled", "edited"):
        await home.ring(opened(action=action))
    await home.ended()


async def lapsed(home: House) -> None:
    """It sleeps until a moment, and nothing comes before."""
    await home.ring(opened())
    await home.ended()


async def reopened(home: House) -> None:
    """The worker that chose its tools is killed; another begins the opening again."""
    hold = home.directory / "hold"
    hold.touch()
    await home.ring(opened())
    async with home.worker(HOLD=str(hold), HOLD_AT="opening", ATTEMPTS="1") as doomed:
        await home.until(hold.with_suffix(".held").exists, "the opening")
        await kill(doomed)
    async with home.worker(ATTEMPTS="1"):
        await home.ended()


async def previewed(home: House) -> None:
    """Two proposals; a person applies them, while the run is over."""
    await home.ring(opened())
    run = await home.ended()
    word = await home.say("apply", run["id"])
    await home.until(lambda: home.taken([word]), "the word")
    await home.until(lambda: len(home.executed("write")) == 1, "the write")


async def cancelled(home: House) -> None:
    """A person cancels it in the middle of a call."""
    await home.ring(opened())
    await home.until(lambda: home.executed("slow_read"), "the call")
    await home.say("cancel", (await home.runs())[0]["id"])
    await home.ended()


async def superseded(home: House) -> None:
    """A newer event comes while it waits; the next conversation is cut off in a call, the third has its way."""
    await home.ring(opened())
    await home.one("waiting")
    await home.ring(opened(action="labeled"))
    await home.until(lambda: home.executed("slow_read"), "the call")
    await home.ring(opened(action="closed"))
    await home.settled("ended", 3)


async def continued(home: House) -> None:
    """Turns, a wait and what comes meanwhile, over several continue-as-news."""
    await home.ring(opened())
    for turn in range(1, 5):
        await home.until(lambda turn=turn: home.executed()[turn:], f"turn {turn}")
        await home.ring(opened(action="labeled", note=str(turn)))
    await home.one("waiting")
    await home.ring(commented("the answer"), "issue_comment")
    await home.ended()


async def approved(home: House) -> None:
    """A write that a person consents to, and one that she does not."""
    await home.ring(opened())
    for word in ("approve", "deny"):
        code = await home.until(lambda: _asked(home), "the request")
        payload = {"type": f"run.{word}", "code": code, "by": "ada"}
        await home.keep(home.arrival(payload, source=OPERATOR))
        await home.until(lambda code=code: _settled(home, code), "her word")
    await home.ended()


async def slept(home: House) -> None:
    """Two long waits: the first is interrupted, the second brings what it was for, both into the prologue."""
    await home.ring(opened())
    await asleep(home)
    await home.ring(opened(action="labeled"))
    await home.until(lambda: _waits(home, 3), "the second wait")
    await asleep(home)
    await home.ring(commented("the answer"), "issue_comment")
    await home.ended()


LIVES = {
    "slept": Life(live=slept, script=(READ, REPLY, REPLY, says())),
    "talked": Life(
        live=talked,
        script=(
            uses(use("read_thing"), use("write_thing", body="one"), ToolUse("lab__unknown")),
            REPLY,
            REPLY,
            says(),
        ),
    ),
    "resumed": Life(
        live=resumed,
        script=(WRITE, READ, says()),
        files=Files(playbook=PLAYBOOK.replace("turns: 60", "turns: 2")),
    ),
    "summed_up": Life(
        live=summed_up,
        script=(WRITE, says("I wrote once."), says()),
        files=Files(playbook=PLAYBOOK.replace("turns: 60", "turns: 1")),
    ),
    "queued": Life(
        live=queued,
        script=(uses(use("slow_read", seconds=1)), says()),
        files=Files(mode="queue"),
    ),
    "gathered": Life(
        live=gathered,
        script=(READ, says()),
        files=Files(mode="signal, coalesce: {quiet: 2s, within: 20s}"),
    ),
    "lapsed": Life(live=lapsed, script=(uses(SLEEP), says())),
    "reopened": Life(live=reopened, script=(WRITE, says()), working=False),
    "previewed": Life(live=previewed, script=(READ, WRITE, says()), files=Files(stage="preview")),
    "cancelled": Life(live=cancelled, script=(SLOW, says())),
    "superseded": Life(live=superseded, script=(by_event,), files=Files(mode="supersede")),
    "continued": Life(live=continued, script=(*[READ] * 6, REPLY, says()), limit=40),
    "last_word": Life(live=overlaps.with_the_last_word, script=overlaps.LAST_WORD),
    "before_the_stop": Life(
        live=overlaps.before_the_stop, script=overlaps.SUMMARY, files=overlaps.ONE_TURN
    ),
    "in_a_turn": Life(
        live=overlaps.in_the_middle_of_a_turn, script=overlaps.IN_A_TURN, files=overlaps.ASKING
    ),
    "applies": Life(
        live=overlaps.while_older_proposals_are_applied,
        script=overlaps.APPLIES,
        files=overlaps.PROPOSING,
    ),
    "approved": Life(
        live=approved, script=(WRITE, WRITE, says()), files=Files(playbook=CONSENT, people=ADA)
    ),
}


async def lived(name: str, directory: Path, shared: Town) -> list[str]:
    """Live it once; the histories of its parts, the oldest first."""
    if name in APART:
        return await APART[name](directory, shared)
    life, script = LIVES[name], Turns(list(LIVES[name].script))
    async with house(directory, shared, script, life.files, working=life.working) as home:
        await life.live(home)
        return await histories(home)


async def _called_back(directory: Path, shared: Town) -> list[str]:
    """A tool whose real answer is an event that comes later."""
    async with deploying(directory, shared, Turns([uses(DEPLOY), says()])) as there:
        await there.starts()
        await there.home.one("waiting")
        await there.says("in_progress")
        await there.says("success")
        await there.home.ended()
        return await histories(there.home)


async def _followed(directory: Path, shared: Town) -> list[str]:
    """A call that its server answers later, as an MCP Task; a hint makes the run ask for it."""
    script = Turns([uses(ToolUse("later__write_later", {"body": "hello"})), says()])
    async with later(directory, shared, script) as there:
        await there.home.ring(opened())
        await there.begun()
        await there.peer.tells("completed", "written, at last")
        await there.hints()
        await there.home.ended()
        return await histories(there.home)


APART: dict[str, Callable[[Path, Town], Awaitable[list[str]]]] = {
    "called_back": _called_back,
    "followed": _followed,
    **STANDSTILLS,
}
"""Lives in houses of another kind."""


async def _waits(home: House, turns: int) -> bool:
    (run,) = await home.runs()
    return run["state"] == "waiting" and run["turns"] == turns


async def _asked(home: House) -> str | None:
    found = await _approvals(home)
    open_ones = [one.code for one in found if one.standing == "open"]
    return open_ones[0] if open_ones else None


async def _settled(home: House, code: str) -> bool:
    return any(one.code == code and one.standing != "open" for one in await _approvals(home))


async def _approvals(home: House) -> list[approvals.Approval]:
    ids = [run["id"] for run in await home.runs()]
    found = [await home.stores.ledger.read(approvals.of_run, run_id) for run_id in ids]
    return [approval for listed in found for approval in listed]
