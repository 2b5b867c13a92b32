"""Whether a turn or a call may begin: not while people hold its run's rule, or the source of the event that opened it.

It is asked at every act, of what people hold at that moment; what has begun goes on to its end. What was held is
written down before its run parks: `unpausing` lets it go on by that. It pauses nothing.
"""

from typing import Final

from orchestrator.agent.calling.revoked import Held
from orchestrator.agent.means import Means
from orchestrator.inbox.orders import Pause, holding
from orchestrator.ledger import calls, conversations, standstills
from orchestrator.ledger.calls import Call
from workflows.messages import CallState

HELD: Final = f"{{what}} {{name!r}} is paused; after `{{ends_with}}` {standstills.GOES_ON}"
TURN: Final = "turn {number}"


async def turn_may_begin(means: Means, run_id: str, number: int) -> None:
    """Let a model be asked. Raises Held: it was not."""
    await _may_begin(means, run_id, TURN.format(number=number))


async def call_may_begin(means: Means, call: Call) -> None:
    """Let a call be made. Raises Held: nothing of it was sent, or its server has said that it did nothing."""
    # Of what was begun before a part may have been sent: that has to be settled, and can't stand still.
    if call.attempt == 0 or call.state is CallState.PENDING:
        await _may_begin(means, call.run_id, call.call_id)


async def _may_begin(means: Means, run_id: str, act: str) -> None:
    pause = await _pause(means, run_id)
    if pause is not None:
        # No turn waits for a call that a person applied: nothing could go on, so it is applied again by hand.
        if not act.endswith(calls.APPLIED):
            await means.ledger.write(standstills.hold, run_id, act, means.now())
        text = HELD.format(what=pause.what, name=pause.name, ends_with=pause.ends_with)
        raise Held(text)
    if await means.ledger.read(standstills.holds, run_id, act):
        await means.ledger.write(standstills.begin, run_id, act)


async def _pause(means: Means, run_id: str) -> Pause | None:
    pauses = await means.pauses()
    run = await means.ledger.read(conversations.find, run_id) if pauses else None
    return None if run is None else holding(pauses, rule=run.rule, source=run.source)
