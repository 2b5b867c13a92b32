"""What follows from a person's word about the inbox: it looks up what the word names, and writes nothing.

It is written in the transaction that marks the word decided, so it happens once, whoever dies when.
"""

from dataclasses import dataclass
from typing import Final

from orchestrator.dispatch import words
from orchestrator.dispatch.asking import asked, asked_anew
from orchestrator.dispatch.means import Means, event_in
from orchestrator.dispatch.words import Found
from orchestrator.events import Event
from orchestrator.inbox.inbox import Decision, Entry
from orchestrator.inbox.orders import Order, Pausable
from orchestrator.sources.source import OPERATOR

TO_RUNS: Final = "run."


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """The decisions to write about an entry, and what it orders beside them."""

    decisions: list[Decision]
    order: Order | None = None


async def followed(means: Means, entry: Entry) -> Followed:
    """What follows from an entry, whoever rang."""
    if entry.source != OPERATOR or entry.type.startswith(TO_RUNS):
        return Followed(decisions=await asked(means, entry))
    word = event_in(means, entry)
    if isinstance(word, str):
        return Followed(decisions=await asked(means, entry))
    if word.type == words.REDELIVER:
        return Followed(decisions=await _redelivered(means, word, entry.position))
    said = words.ordered(word, await _found(means, word))
    order = None if isinstance(said, str) else said
    return Followed(decisions=[words.answer(word, said)], order=order)


async def _redelivered(means: Means, word: Event, position: int) -> list[Decision]:
    event_id = words.named(word, "event")
    entry = await means.inbox.entry(event_id)
    why_not = words.refused(entry, event_id)
    if entry is None or why_not is not None:
        return [words.answer(word, why_not or "")]
    anew = await asked_anew(means, entry, word.received_at, position)
    return [words.redelivered(word, anew), *anew]


async def _found(means: Means, word: Event) -> Found:
    if "decision" in word.data:
        decision = await means.inbox.decision(words.named(word, "decision"))
        if decision is None:
            return Found()
        beside = await means.inbox.decisions([decision.event_id])
        return Found(decision=decision, beside=beside[decision.event_id])
    paused = await means.inbox.pauses()
    # A rule that is gone from the files may still have something to deliver.
    rules = {rule.name for rule in means.configuration().rules} | set(
        await means.inbox.undelivered()
    )
    sources = set(means.sources()) - {OPERATOR}
    return Found(
        rules=(rules | {one.name for one in paused if one.what is Pausable.RULE}) - {""},
        sources=sources | {one.name for one in paused if one.what is Pausable.SOURCE},
    )
