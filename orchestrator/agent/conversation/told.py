"""An event as the model is told of it: in a marked block, or by its name alone; it decides nothing."""

import re
from collections.abc import Sequence
from typing import Final

from orchestrator.agent.conversation import prompt
from orchestrator.agent.conversation.opening import trust_of
from orchestrator.agent.conversation.showing import policy_of
from orchestrator.agent.means import Means, event
from orchestrator.agent.text.redacting import Redaction
from orchestrator.agent.text.untrusted import data, event_shown, shown
from orchestrator.errors import PersonError, SenderError
from orchestrator.inbox.inbox import Entry
from orchestrator.ledger import conversations
from orchestrator.rules.trust import is_known
from workflows.playbook import TextPolicy

NAMED: Final = 20


async def block(means: Means, run_id: str, event_id: str, words: str) -> tuple[str, int]:
    """The event behind our words, and its position in the inbox; in words where it can no longer be read."""
    try:
        entry, happened = await event(means, event_id)
    except (PersonError, SenderError) as error:
        return f"Event {event_id} came in, but it can no longer be read: {error}", 0
    conversation = await means.ledger.read(conversations.find, run_id)
    policy = await means.ledger.read(policy_of, run_id)
    rule = "" if conversation is None else conversation.rule
    trusted = is_known(trust_of(means.configuration(), rule), happened)
    told = event_shown(happened, policy, means.redact(), prompt.EVENT_LIMIT)
    return prompt.event_block(told, words, trusted=trusted), entry.position


async def named(means: Means, event_ids: Sequence[str]) -> str:
    """The names of these events; of many, the first."""
    entries = [(event_id, await means.inbox.entry(event_id)) for event_id in event_ids[:NAMED]]
    known = means.redact()
    names = [name if entry is None else name_of(entry, known) for name, entry in entries]
    if len(event_ids) > NAMED:
        names.append(f"and {len(event_ids) - NAMED} more")
    return "; ".join(names)


def name_of(entry: Entry, known: Redaction) -> str:
    """An event by its id, type and time."""
    # A type may be a stranger's text: nothing of it but what a name is made of is said outside the event's block.
    type_ = re.sub(r"[^A-Za-z0-9._-]+", "-", known.text(entry.type))[:60]
    return f"{entry.id} ({entry.source}/{type_}, {entry.received_at:%Y-%m-%d %H:%M:%S} UTC)"


def key_of(key: str, policy: TextPolicy, known: Redaction) -> str:
    """A correlation key as data: strangers' text may be in it, which closes no block here and hides nothing."""
    return data(shown(known.text(key), policy))
