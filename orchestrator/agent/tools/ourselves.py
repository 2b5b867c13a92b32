"""As whom do we write? Every server that can tell is asked when a worker starts, and its answer kept (promise R4).

It is asked until it answers: a server that is down at the start must not leave us deaf to our own voice.
"""

import asyncio
import json
from typing import Any, Final

from orchestrator.agent.hands.definitions import Answered
from orchestrator.agent.means import Means
from orchestrator.database import DatabaseError
from orchestrator.ledger import own_actors
from orchestrator.servers import OwnActor

DEADLINE: Final = 30.0
FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 600.0


async def learn_ourselves(means: Means, log: Any) -> None:
    """Ask every server that can tell, each again until it has told."""
    asked = {
        name: server.own_actor
        for name, server in means.configuration().servers.items()
        if server.own_actor is not None
    }
    async with asyncio.TaskGroup() as asking:
        for name, how in asked.items():
            asking.create_task(_learn(means, name, how, log))


async def _learn(means: Means, server: str, how: OwnActor, log: Any) -> None:
    pause = FIRST_PAUSE
    while True:
        said = await _asked(means, server, how)
        if isinstance(said, list) and await _kept(means, server, how, said):
            log.info("own_actor.learned", server=server, sources=list(how.sources), names=said)
            return
        log.warning("own_actor.unknown", server=server, tool=how.tool, reason=str(said))
        await means.pause(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


async def _kept(means: Means, server: str, how: OwnActor, names: list[str]) -> bool:
    try:
        await means.ledger.write(own_actors.learned, how.sources, server, names, means.now())
    except DatabaseError:
        return False
    return True


async def _asked(means: Means, server: str, how: OwnActor) -> list[str] | str:
    """The names that the server writes under, or why they are unknown."""
    outcome = await means.hands.call(
        server, how.tool, {}, deadline=DEADLINE, key=f"own-actor/{server}"
    )
    if not isinstance(outcome, Answered):
        return outcome.reason
    if outcome.is_error:
        return "it answered with an error"
    found = names_in(outcome, how)
    return found or f"expected JSON with {how.id!r} or {how.login!r}, got other words"


def names_in(answer: Answered, how: OwnActor) -> list[str]:
    """Id and login in an answer, as far as they stand there."""
    texts = [str(block.get("text", "")) for block in answer.content if block.get("type") == "text"]
    said = _json(answer.full.decode("utf-8", "replace"), *texts)
    places = [place for place in (how.id, how.login) if place is not None]
    return [str(value) for place in places if (value := _at(said, place)) is not None]


def _json(*texts: str) -> Any:
    for text in texts:
        try:
            found = json.loads(text)
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return {}


def _at(said: Any, place: str) -> str | int | None:
    for step in place.split("."):
        said = said.get(step) if isinstance(said, dict) else None
    sound = isinstance(said, str | int) and not isinstance(said, bool) and said != ""
    return said if sound else None
