"""As whom do we write? Every server that can tell is asked when a worker starts, and its answer kept (promise R4).

It is asked until it answers: a server that is down at the start must not leave us deaf to our own voice.
"""

import asyncio
import json
from contextlib import suppress
from typing import Any, Final

from orchestrator.agent.hands.definitions import Answered, Asks, Begun, Lost, NotSent
from orchestrator.agent.means import Means
from orchestrator.database import DatabaseError
from orchestrator.ledger import audit, own_actors
from orchestrator.ledger.audit import Line
from orchestrator.servers import OwnActor
from workflows.messages import CallState
from workflows.own_tools import BUILTIN
from workflows.playbook import Effect

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
    began = means.now()
    outcome = await means.hands.call(
        server, how.tool, {}, deadline=DEADLINE, key=f"own-actor/{server}"
    )
    match outcome:
        case NotSent(reason=reason):
            return reason
        case Begun():
            return "it answered with a task"
        case Asks():
            return "it asks people something first"
        case Lost(reason=reason):
            await _written_down(means, server, how, CallState.UNKNOWN, began)
            return reason
        case Answered():
            state = CallState.FAILED if outcome.is_error else CallState.DONE
            await _written_down(means, server, how, state, began)
    if outcome.is_error:
        # What a server says may carry what no log should.
        return f"it answered with an error: `doorbell hands call {server}.{how.tool}` shows it"
    found = names_in(outcome, how)
    return found or f"expected JSON with {how.id!r} or {how.login!r}, got other words"


async def _written_down(
    means: Means, server: str, how: OwnActor, state: CallState, began: float
) -> None:
    """Put the call into the audit, where those of runs are."""
    now = means.now()
    line = Line(
        at=now,
        call_id=f"own-actor/{server}",
        run_id=None,
        rule=None,
        playbook=None,
        event_id=None,
        who=BUILTIN,
        server=server,
        tool=how.tool,
        effect=Effect.READ,
        arguments=audit.digest_of("{}"),
        outcome=state,
        is_error=state is not CallState.DONE,
        sent=True,
        seconds=round(now - began, 3),
    )
    # A ledger that is away for a moment must not leave us deaf to our own voice.
    with suppress(DatabaseError):
        await means.ledger.write(audit.append, line)


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
