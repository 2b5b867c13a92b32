"""How one conversation is shown what others wrote, by the policy that was pinned with it; it sends nothing."""

from dataclasses import replace
from typing import Final

from orchestrator.agent.conversation import frozen as pins
from orchestrator.agent.hands.convert import LIMIT, artifact_id, capped, worded
from orchestrator.agent.hands.definitions import Answered
from orchestrator.agent.text import untrusted
from orchestrator.database import Transaction
from orchestrator.ledger import artifacts, conversations
from workflows.playbook import TextPolicy

AS_A_RULE: Final = TextPolicy()


def policy_of(connection: Transaction, run_id: str) -> TextPolicy:
    """The policy pinned with a conversation; before there is a pin, the usual one."""
    conversation = conversations.find(connection, run_id)
    if conversation is None or conversation.frozen is None:
        return AS_A_RULE
    pinned = artifacts.get(connection, conversation.frozen)
    return AS_A_RULE if pinned is None else pins.load(pinned.body).text


def answer_shown(said: Answered, policy: TextPolicy, limit: int = LIMIT) -> Answered:
    """What a server answered as the model is shown it; the whole of it stays as it came."""
    # Of what nobody sees, nothing may be left.
    content = tuple(worded(untrusted.blocks(said.content, policy)))
    before, after = _length(said.content), _length(content)
    # Marks make a text longer, and a result full of them is no reason to pay for six.
    if after <= max(before, limit):
        return replace(said, content=content)
    cut, _ = capped(list(content), limit, artifact_id(said.full))
    return replace(said, content=cut, truncated=True)


def _length(content: tuple[dict[str, object], ...]) -> int:
    return sum(len(str(block["text"])) for block in content if block["type"] == "text")
