"""What a lost run had heard, told again to the one that begins in its place; it decides nothing and loses no event.

Nobody delivers those events a second time: the run that is gone has consumed them. They follow the one that opened it,
in their order, each in a marked block of its own; where there are many the newest are shown and the others named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.agent.conversation import prompt
from orchestrator.agent.means import Means, event
from orchestrator.agent.text.untrusted import event_shown
from orchestrator.errors import PersonError, SenderError
from orchestrator.ledger import losses
from orchestrator.ledger.conversations import Conversation
from orchestrator.ledger.losses import Heard
from orchestrator.rules.rule import Trust
from orchestrator.rules.trust import is_known
from workflows.own_tools import EVENT
from workflows.playbook import TextPolicy

MOST: Final = 3 * prompt.EVENT_LIMIT
"""Characters of all of them together."""

NAMED: Final = 50
WORDS: Final = "The run was lost and begins again; it had heard this event too."


@dataclass(frozen=True, slots=True, kw_only=True)
class Retold:
    """What is said behind the opening, and which events count as heard by that."""

    blocks: Sequence[str] = ()
    events: Sequence[Heard] = ()


async def before(
    means: Means, conversation: Conversation, policy: TextPolicy, trust: Trust
) -> Retold:
    """What the lost run had heard in whose place this one begins; for most runs that is nothing."""
    heard = await means.ledger.read(losses.heard_before, conversation)
    if not heard:
        return Retold()
    blocks, left, older = list[str](), MOST, list[str]()
    for one in reversed(heard):
        block = await _block(means, one, policy, trust)
        left -= len(block)
        if older or left < 0:
            older.append(one.event_id)
        else:
            blocks.append(block)
    return Retold(blocks=[*_named(older), *reversed(blocks)], events=heard)


async def _block(means: Means, heard: Heard, policy: TextPolicy, trust: Trust) -> str:
    try:
        _, happened = await event(means, heard.event_id)
    except (PersonError, SenderError) as error:
        return f"{WORDS} {heard.event_id} can no longer be read: {error}"
    shown = event_shown(happened, policy, means.redact(), prompt.EVENT_LIMIT)
    return prompt.event_block(shown, WORDS, trusted=is_known(trust, happened))


def _named(older: Sequence[str]) -> list[str]:
    if not older:
        return []
    names = ", ".join(list(reversed(older))[-NAMED:])
    more = f" and {len(older) - NAMED} before them" if len(older) > NAMED else ""
    return [
        f"The run was lost and begins again; it had also heard {names}{more}. {EVENT} reads them."
    ]
