"""What follows from a person's word about the inbox: it looks up what the word names, and writes nothing.

It is written in the transaction that marks the word decided, so it happens once, whoever dies when.
"""

from dataclasses import dataclass
from typing import Final

from orchestrator.dispatch import pausing, words
from orchestrator.dispatch.asking import asked, asked_anew
from orchestrator.dispatch.decide import PERSON
from orchestrator.dispatch.means import Means, event_in
from orchestrator.dispatch.retrying import RETRY, Past, retried
from orchestrator.dispatch.starting import START, started, workflow_of
from orchestrator.dispatch.words import Found
from orchestrator.events import Event
from orchestrator.inbox.inbox import Decision, Entry
from orchestrator.inbox.orders import Order, Pausable
from orchestrator.ledger import calls, conversations, standstills
from orchestrator.sources.source import OPERATOR

TO_RUNS: Final = "run."


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """The decisions to write about an entry, and what it orders beside them.

    `source` is who rang for the event that a word names, where decisions are about that event.
    """

    decisions: list[Decision]
    order: Order | None = None
    source: str | None = None


async def followed(means: Means, entry: Entry) -> Followed:
    """What follows from an entry, whoever rang."""
    to_runs = entry.type.startswith(TO_RUNS) and entry.type not in {START, RETRY}
    if entry.source != OPERATOR or to_runs:
        return Followed(decisions=await asked(means, entry))
    word = event_in(means, entry)
    if isinstance(word, str):
        return Followed(decisions=await asked(means, entry))
    if word.type == START:
        return Followed(decisions=[await _started(means, word)])
    if word.type == RETRY:
        return await _retried(means, word, entry.position)
    if word.type == words.REDELIVER:
        return await _redelivered(means, word, entry.position)
    said = words.ordered(word, await _found(means, word))
    order = None if isinstance(said, str) else said
    follows = "" if order is None else await pausing.told(means, order)
    return Followed(decisions=[words.answer(word, said, follows)], order=order)


async def _started(means: Means, word: Event) -> Decision:
    configuration = means.configuration()
    there = await means.ledger.read(conversations.open_in, workflow_of(word))
    return started(word, configuration.playbooks, configuration.digest, there)


async def _retried(means: Means, word: Event, position: int) -> Followed:
    past = await _past(means, words.named(word, "run"))
    decisions = retried(word, past, position, means.configuration().digest)
    return Followed(decisions=decisions, source=past.entry.source if past.entry else None)


async def _past(means: Means, run_id: str) -> Past:
    conversation = await means.ledger.read(conversations.find, run_id)
    if conversation is None:
        return Past()
    return Past(
        conversation=conversation,
        decision=await means.inbox.decision(conversation.decision_id),
        entry=await means.inbox.entry(conversation.event_id),
        calls=await means.ledger.read(calls.of_run, run_id),
        there=await means.ledger.read(conversations.open_in, conversation.workflow_id),
    )


async def _redelivered(means: Means, word: Event, position: int) -> Followed:
    event_id = words.named(word, "event")
    entry = await means.inbox.entry(event_id)
    why_not = words.refused(entry, event_id)
    if entry is None or why_not is not None:
        return Followed(decisions=[words.answer(word, why_not or "")])
    anew = await asked_anew(means, entry, word.received_at, position)
    return Followed(decisions=[words.redelivered(word, anew), *anew], source=entry.source)


async def _found(means: Means, word: Event) -> Found:
    if "decision" in word.data:
        decision = await means.inbox.decision(words.named(word, "decision"))
        if decision is None:
            return Found()
        beside = await means.inbox.decisions([decision.event_id])
        return Found(decision=decision, beside=beside[decision.event_id])
    paused = await means.inbox.pauses()
    # A rule that is gone from the files may still have something to deliver, and runs at work.
    rules = {rule.name for rule in means.configuration().rules}
    rules |= set(await means.inbox.undelivered())
    rules |= set(await means.ledger.read(standstills.rules_at_work)) - {PERSON}
    sources = set(means.sources()) - {OPERATOR}
    return Found(
        rules=(rules | {one.name for one in paused if one.what is Pausable.RULE}) - {""},
        sources=sources | {one.name for one in paused if one.what is Pausable.SOURCE},
    )
