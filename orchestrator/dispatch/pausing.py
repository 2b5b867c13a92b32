"""What a pause or its end means for what is there, in words for whoever says it; it pauses nothing."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from orchestrator.dispatch.means import Means
from orchestrator.events import Event
from orchestrator.inbox.orders import Drain, Hold, Order, Pausable, holding
from orchestrator.ledger import conversations, standstills
from orchestrator.ledger.standstills import Open
from workflows.messages import Kind, RunState

KEPT: Final = "what comes for it from now on waits in the inbox"
DELIVERED: Final = "what waits for it in the inbox is delivered, in its order"
NOT_PAUSED: Final = "it was not paused"
UNAPPLIED: Final = "{what} {name!r} is paused: say it again after `{ends_with}`"
APPLY: Final = f"run.{Kind.APPLY}"


async def told(means: Means, order: Order) -> str:
    """What follows from the order; empty where that says itself."""
    if not isinstance(order, Hold | Drain):
        return ""
    runs = await _runs(means, order)
    if isinstance(order, Hold):
        return f"{KEPT}; {held(runs)}"
    pauses = await means.inbox.pauses()
    left = [one for one in pauses if (one.what, one.name) != (order.what, order.name)]
    if len(left) == len(pauses):
        return NOT_PAUSED
    going = [one for one in runs if one.held and one.state is RunState.PARKED]
    still = sum(holding(left, rule=one.rule, source=one.source) is not None for one in going)
    return f"{DELIVERED}; {released(len(going) - still, still)}"


async def unapplied(means: Means, word: Event) -> str:
    """Why what a person wants applied is not applied now; empty when it is, and for every other word."""
    pauses = await means.inbox.pauses() if word.type == APPLY else ()
    run_id = str(word.data.get("run", ""))
    run = await means.ledger.read(conversations.find, run_id) if pauses else None
    pause = None if run is None else holding(pauses, rule=run.rule, source=run.source)
    if pause is None:
        return ""
    return UNAPPLIED.format(what=pause.what, name=pause.name, ends_with=pause.ends_with)


def held(runs: Sequence[Open]) -> str:
    """What becomes of the open runs of what is paused."""
    by_state = Counter(one.state for one in runs)
    working, waiting = by_state[RunState.RUNNING], by_state[RunState.WAITING]
    said = [
        _counted(
            working, "run at work stands still before its", "runs at work stand still before their"
        )
        + " next turn or tool call"
        if working
        else "no run is at work",
    ]
    if waiting:
        said.append(
            _counted(
                waiting,
                "that waits stands still once it is woken",
                "that wait stand still once they are woken",
            )
        )
    return ", ".join(said)


def released(going: int, still: int) -> str:
    """What becomes of the runs that stood still."""
    said = [
        _counted(going, "run goes on by itself", "runs go on by themselves, a few at a time")
        if going
        else "no run goes on",
    ]
    if still:
        said.append(_counted(still, "stays held by another pause", "stay held by another pause"))
    return ", ".join(said)


def _counted(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


async def _runs(means: Means, order: Hold | Drain) -> list[Open]:
    rule = order.name if order.what is Pausable.RULE else None
    source = order.name if order.what is Pausable.SOURCE else None
    return await means.ledger.read(standstills.opened_by, rule, source)
