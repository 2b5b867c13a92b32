"""A run out of a ledger, as two runs can be compared by; it reads one ledger and changes nothing."""

import json
from collections.abc import Iterator

from orchestrator.agent.tools.own_arguments import key_for
from orchestrator.database import Transaction
from orchestrator.ledger import approvals, calls, conversations, turns, waits
from orchestrator.ledger.calls import Call
from orchestrator.ledger.waits import PREPARED
from orchestrator.rehearsal.runs import Account, Made, unmarked
from workflows.own_tools import BUILTIN
from workflows.playbook import Effect


def account(connection: Transaction, run_id: str) -> Account:
    """What a run did until now; calls that a person applied later are left out. Raises LookupError."""
    conversation = conversations.one(connection, run_id)
    made = [call for call in calls.of_run(connection, run_id) if call.turn]
    replies, spent = turns.replied(connection, run_id), turns.spent(connection, run_id)
    rested = set(_rested(connection, run_id))
    stood = (call.turn for call in made if call.call_id in rested and _rests(call))
    return Account(
        run_id=run_id,
        event_id=conversation.event_id,
        playbook=conversation.playbook,
        model=conversation.model or "",
        stage=conversation.stage,
        state=conversation.state,
        outcome=str(conversation.outcome) if conversation.outcome else None,
        reason=conversation.reason,
        turns=len(replies),
        tokens=spent.tokens,
        usd=spent.usd,
        unpriced=spent.unpriced,
        calls=tuple(map(_made, made)),
        waited=min(stood, default=None),
        said=_text(replies[-1].content) if replies else "",
        heard=len(conversations.heard(connection, run_id)),
    )


def _rested(connection: Transaction, run_id: str) -> Iterator[str]:
    """The calls for which the run stood still: for an event, a time or a person."""
    waited = waits.of_run(connection, run_id)
    yield from (wait.call_id for wait in waited if wait.state != PREPARED)
    yield from (one.call_id for one in approvals.of_run(connection, run_id))


def _rests(call: Call) -> bool:
    """Whether a rehearsal would stand still there too: a write it only proposes, and goes on."""
    return call.effect is Effect.READ or call.server == BUILTIN


def _made(call: Call) -> Made:
    keys = {key_for(call.run_id, call.call_id, as_uuid=as_uuid) for as_uuid in (True, False)}
    return Made(
        turn=call.turn,
        tool=f"{call.server}.{call.tool}" if call.server else call.tool,
        writes=call.effect is not Effect.READ,
        arguments=unmarked(call.arguments, keys),
        state=call.state,
    )


def _text(content: str) -> str:
    blocks = json.loads(content)
    return "\n".join(str(block["text"]) for block in blocks if block.get("type") == "text")
