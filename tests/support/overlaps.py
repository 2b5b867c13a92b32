"""What two things do to a run that come at the same time, as stories: something comes while it is busy with another.

A reply that takes `LATER` comes when the story has put something before it. They check nothing.
"""

from typing import Any

from orchestrator.demo.wire import ToolUse
from orchestrator.ledger import turns
from tests.support.house import PLAYBOOK, Files, House, opened
from tests.support.met import delivered
from tests.support.scripts import Part, Request, says, use, uses, wait, words

LATER = 30.0
"""Seconds; longer than anything here takes."""

FINISH = ToolUse("doorbell__finish", {"outcome": "completed", "summary": "Done."})
LAST_WORD = (uses(FINISH, delay=LATER), says("I have heard that too."))
SUMMARY = (uses(use("read_thing")), says("So far.", delay=LATER))
ONE_TURN = Files(playbook=PLAYBOOK.replace("turns: 60", "turns: 1"))
CONSENT = "lab.write_thing: {max: 5, approve: {by: [bob], ttl: 2s, on_timeout: park}}"
ASKING = Files(
    playbook=PLAYBOOK.replace("lab.write_thing: {max: 5}", CONSENT),
    people="bob: {operator: bob}\n",
    mode="supersede",
)
PROPOSING = Files(mode="supersede", stage="preview")


def by_note(*replies: tuple[str, Any], otherwise: Any) -> Part:
    """A first reply that is another for the conversations of newer events."""

    def reply(request: Request) -> Any:
        said = words(request)
        found = [one for note, one in replies if note in said]
        return found[-1] if found else otherwise

    return reply


IN_A_TURN = (
    by_note(
        ("the newer;", uses(use("read_thing", name="the newer"))),
        otherwise=uses(use("read_thing", name="the older"), use("write_thing", body="never")),
    ),
    says(),
)
APPLIES = (
    by_note(
        ("the second;", uses(wait("github/issue_comment.created"))),
        ("the third;", says()),
        otherwise=uses(use("slow_write", seconds=12), use("write_thing", body="last")),
    ),
    says(),
)


async def with_the_last_word(home: House) -> None:
    """An event comes while the model says that it is done."""
    await home.ring(opened())
    await meanwhile(home, "came with the last word;")
    await home.ended()


async def before_the_stop(home: House) -> None:
    """A person lets it go on while it sums up, a moment before it stands still; its limits are still the same."""
    await home.ring(opened())
    await home.until(lambda: thinks(home, 2), "the summary")
    (run,) = await home.runs()
    word = await home.say("resume", run["id"])
    await home.until(lambda: signalled(home, word), "the signal")
    home.pauses.over.set()
    await home.until(lambda: home.taken([word]), "the claim")
    await home.one("parked")
    await home.say("cancel", run["id"])
    await home.ended()


async def in_the_middle_of_a_turn(home: House) -> None:
    """A newer event takes its place when one of its two calls was made and the other parked it."""
    await home.ring(opened())
    await home.one("parked")
    await home.ring(opened(action="edited", note="the newer;"))
    await home.settled("ended", 2)


async def while_older_proposals_are_applied(home: House) -> None:
    """A person applies what the first run proposed, while a newer event takes the place of the second."""
    await home.ring(opened())
    first = await home.ended()
    await home.ring(opened(action="edited", note="the second;"))
    await home.until(lambda: _last(home, "waiting"), "the second one waits")
    await home.say("apply", first["id"])
    await home.until(lambda: home.executed("slow_write"), "the first of them")
    await home.ring(opened(action="edited", note="the third;"))
    await home.settled("ended", 3)


async def meanwhile(home: House, note: str) -> str:
    """Ring while the model thinks about the first turn, then let it answer; the event's id."""
    await home.until(lambda: thinks(home, 1), "the first turn")
    event_id = await home.ring(opened(action="edited", note=note))
    await home.until(lambda: delivered(home, [event_id]), "the signal")
    home.pauses.over.set()
    return event_id


async def thinks(home: House, turn: int) -> bool:
    """Whether some run waits for the reply of that turn."""
    return turn in {one for _, one in await home.stores.ledger.read(turns.under_way)}


async def signalled(home: House, event_id: str) -> bool:
    """Whether Temporal has all that was decided about it."""
    found = (await home.stores.inbox.decisions([event_id]))[event_id]
    return bool(found) and all(one.delivered_at is not None for one in found)


async def _last(home: House, state: str) -> bool:
    return (await home.runs())[-1]["state"] == state
