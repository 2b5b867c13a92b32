"""A last look at what a call carries, just before it leaves, under the policy of now; it changes nothing in it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestrator.agent.conversation.opening import frozen_of, is_open
from orchestrator.agent.means import Means
from orchestrator.agent.text.screening import Found, secret_in, unfit
from orchestrator.ledger import calls
from orchestrator.ledger.calls import Call
from workflows.messages import CallState
from workflows.playbook import Effect

STOPPED: Final = (
    "This call was not made: {words}. Nothing was changed."
    " Leave that out, and call again only if the call is still needed then."
)
ALL_TURNS: Final = 1_000_000_000
"""So that no result is read with the arguments."""
MOST_EARLIER: Final = 30
"""Calls of the run before this one that are looked through with it."""
MOST_SIGNS: Final = 20_000
"""Signs of those calls, the newest first: to see through every disguise takes about 8 us for each."""

_LEFT: Final = frozenset(CallState) - {CallState.REFUSED, CallState.DENIED}


async def unscreened(means: Means, call: Call) -> str | None:
    """Why a call may not leave for what it carries, in words that don't show it; counted."""
    found = await _secret(means, call) or await _unfit(means, call)
    if found is None:
        return None
    means.counts.call_stopped(found.why)
    return STOPPED.format(words=found.words)


async def _secret(means: Means, call: Call) -> Found | None:
    known = means.redact()
    if not known.forms:
        return None
    others = await means.ledger.read(calls.of_run, call.run_id, ALL_TURNS)
    said = [one.arguments for one in others if one.call_id != call.call_id and one.state in _LEFT]
    # In a thread: a long text takes longer than a heartbeat may be late, and other calls go on meanwhile.
    return await asyncio.to_thread(secret_in, call.arguments, known, _lately(said))


def _lately(said: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    left, found = MOST_SIGNS, list[Mapping[str, Any]]()
    for one in reversed(said[-MOST_EARLIER:]):
        left -= len(str(one))
        if left < 0:
            break
        found.insert(0, one)
    return found


async def _unfit(means: Means, call: Call) -> Found | None:
    if call.effect is Effect.READ or not await is_open(means, call.run_id):
        return None
    conversation, frozen = await frozen_of(means, call.run_id)
    live = means.configuration().playbooks.get(conversation.playbook)
    screening = frozen.screening if live is None else live.screening
    tool = next((one for one in frozen.tools if one.alias == call.alias), None)
    fixed = frozenset() if tool is None else tool.fixed
    chosen: Mapping[str, Any] = {
        name: value for name, value in call.arguments.items() if name not in fixed
    }
    return unfit(chosen, screening, None if tool is None else tool.marker)
