"""Where to look when nobody knows what became of a write: the tool that its playbook names under `verify:`."""

from dataclasses import replace

from orchestrator.agent.conversation import frozen as pins
from orchestrator.database import Transaction
from orchestrator.ledger import artifacts, calls, conversations
from orchestrator.ledger.calls import Call, Result
from workflows.messages import CallState

ADVICE = "To see what became of it, call {tool} and look for what this call would have left behind."


def with_advice(connection: Transaction, run_id: str, call_id: str, result: Result) -> Result:
    """The same result; of a call of which nobody knows, with a word on where to look, if its playbook says so."""
    if result.state is not CallState.UNKNOWN:
        return result
    tool = _verifier(connection, calls.one(connection, run_id, call_id))
    if tool is None:
        return result
    words = {"type": "text", "text": ADVICE.format(tool=tool)}
    return replace(result, content=[*result.content, words])


def _verifier(connection: Transaction, call: Call) -> str | None:
    conversation = conversations.find(connection, call.run_id)
    if conversation is None or conversation.frozen is None:
        return None
    pinned = artifacts.get(connection, conversation.frozen)
    tools = () if pinned is None else pins.load(pinned.body).tools
    return next((tool.verify for tool in tools if tool.alias == call.alias), None)
