"""Let runs go on that a pause held up, once it is over: one Resume row each in the inbox; it ends no pause.

In the order in which they were held, a few at a time. A run that is held again is let go on again: the row's delivery
id names what was held, and how often.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from orchestrator.database import Database
from orchestrator.inbox.inbox import Inbox
from orchestrator.inbox.orders import Pausable
from orchestrator.ledger import standstills
from orchestrator.ledger.standstills import Standstill
from orchestrator.tending import resuming

AT_ONCE: Final = 5
"""Runs that were let go on and have begun nothing yet."""

UNDER_WAY: Final = 60.0
"""Seconds after which one that was let go on, and has begun nothing, holds nobody up any more."""

LOOKED_AT: Final = 1000

BY: Final = "Doorbell, because the pause is over"


async def go_on_some(
    inbox: Inbox, ledger: Database, now: datetime, poke: Callable[[], None], log: Any
) -> int:
    """Let go on whoever may; returns how many."""
    rules, sources = await held_back(inbox)
    at = now.timestamp()
    found = await ledger.read(standstills.standing, rules, sources, at - UNDER_WAY, LOOKED_AT)
    let_go = chosen(found)
    for held in let_go:
        run_id = held[0].run_id
        # The row first: written twice it is a duplicate, and forgotten it would park for ever.
        await inbox.keep([resuming.row(identity(held), run_id, BY, now)])
        poke()
        await ledger.write(standstills.release, held, at)
        log.info("pause.released", run=run_id)
    return len(let_go)


async def held_back(inbox: Inbox) -> tuple[list[str], list[str]]:
    """The rules and the sources that people hold: none of their runs may begin anything."""
    pauses = await inbox.pauses()
    rules = [one.name for one in pauses if one.what is Pausable.RULE]
    return rules, [one.name for one in pauses if one.what is Pausable.SOURCE]


def chosen(found: Sequence[Standstill]) -> list[list[Standstill]]:
    """What holds up each run that may go on now, in their order."""
    waiting = [one for one in found if one.parked and one.released < one.number]
    names = list(dict.fromkeys(one.run_id for one in waiting))
    going = {one.run_id for one in found} - set(names)
    free = max(0, AT_ONCE - len(going))
    return [[one for one in waiting if one.run_id == name] for name in names[:free]]


def identity(held: Sequence[Standstill]) -> str:
    """The delivery id of the row that ends these standstills of a run."""
    named = "\n".join(sorted(f"{one.act} {one.number}" for one in held))
    return f"pause-{held[0].run_id}-{hashlib.sha256(named.encode()).hexdigest()[:12]}"
