"""Ask every rule and every open wait about a kept event: all decisions on it, whatever it holds; it writes nothing."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from orchestrator.configuration.people import Speaker, speaker
from orchestrator.database import Transaction
from orchestrator.dispatch import answers, pausing
from orchestrator.dispatch.answers import Answer
from orchestrator.dispatch.awaited import Wanted
from orchestrator.dispatch.causes import caused
from orchestrator.dispatch.decide import Known, decide, decision_id
from orchestrator.dispatch.means import Means, bug, event_in
from orchestrator.dispatch.ours import ours_because
from orchestrator.dispatch.wanting import left, run_named, wanted
from orchestrator.events import Event
from orchestrator.inbox.inbox import Action, Decision, DecisionState, Entry
from orchestrator.ledger import approvals, artifacts, own_actors
from orchestrator.ledger.approvals import Approval, Said
from orchestrator.rules.rule import Rule
from orchestrator.rules.rulebook import PAGES, Rulebook
from orchestrator.sources.source import OPERATOR

UNREADABLE = "doorbell:unreadable"


async def asked(means: Means, entry: Entry) -> list[Decision]:
    """What follows from an entry when it is worked off."""
    return await _asked(means, entry, entry.received_at, entry.position)


async def asked_anew(
    means: Means, entry: Entry, received_at: datetime, position: int
) -> list[Decision]:
    """What follows from it today, as if it had come just now, at this position of the inbox."""
    return await _asked(means, entry, received_at, position, again=position)


async def _asked(
    means: Means, entry: Entry, received_at: datetime, position: int, again: int | None = None
) -> list[Decision]:
    event = event_in(means, entry)
    if isinstance(event, str):
        return [_unreadable(entry, event, again)]
    event = replace(event, received_at=received_at)
    answer = answers.answer_in(event)
    if answer is not None and (decided := await _answered(means, event, answer, again)):
        return [decided]
    known = await _known(means, event, again)
    try:
        return decide(event, position, known)
    except Exception as error:
        means.log.exception("decide.failed", event_id=entry.id)
        return [_unreadable(entry, bug(error), again)]


async def _answered(
    means: Means, event: Event, answer: Answer, again: int | None
) -> Decision | None:
    """What becomes of a person's word; None for a comment that names no request of ours."""
    approval = await means.ledger.read(approvals.by_code, answer.code)
    if approval is None and event.source != OPERATOR:
        return None
    own = means.sources()[event.source].own_actors
    learned = await means.ledger.read(own_actors.of_source, event.source)
    who = speaker(event, means.configuration().people)
    ours = ours_because(event, own | learned)
    refusal = answers.refusal_of(approval, answer, who, ours)
    if approval is None or who is None or ours is not None:
        return answers.unheard(event, refusal, again)
    if refusal:
        decision = answers.unheard(event, refusal, again)
        said = _said(decision, approval, answer, who, event)
        short = replace(said, became=f"refused: {answers.short_of(approval, who)}")
        # Of those we know: a stranger's guess leaves nothing that people are told of, nor does what is delivered again.
        if again is None and who.said in means.configuration().people:
            await means.ledger.write(approvals.heard, short)
        return decision
    decision = answers.heard(event, approval, answer, who, again)
    # Before the decision is: as long as its event counts as undecided, or this stands here, no request expires.
    await means.ledger.write(approvals.heard, _said(decision, approval, answer, who, event))
    return decision


def _said(
    decision: Decision, approval: Approval, answer: Answer, who: Speaker, event: Event
) -> Said:
    return Said(
        decision_id=decision.id,
        approval_id=approval.approval_id,
        event_id=event.id,
        word=answer.word,
        person=who.said,
        at=event.received_at.timestamp(),
    )


async def _known(means: Means, event: Event, again: int | None) -> Known:
    configuration = means.configuration()
    await _kept(means, Rulebook.of(configuration.rules))
    source = means.sources()[event.source]
    wanting, learned = await means.ledger.read(_looked_up, event, configuration.rules)
    runs: dict[str, str] = {}
    if event.source == OPERATOR:
        runs = await means.ledger.read(run_named, str(event.data.get("run", "")))
    own = source.own_actors | learned
    led = await caused(means, event, own)
    held = await pausing.unapplied(means, event) if event.source == OPERATOR else ""
    return Known(
        rules=configuration.rules,
        unsound=configuration.unsound,
        waits=wanting,
        own_actors=own,
        runs=runs,
        configuration=configuration.digest,
        again=again,
        catch_up=source.catch_up,
        foreign=led.foreign,
        hops=led.cause.hops,
        chain=led.cause.chain,
        held=held,
    )


def _looked_up(
    connection: Transaction, event: Event, rules: Sequence[Rule]
) -> tuple[list[Wanted], frozenset[str]]:
    """The waits that may want the event, and whom our servers said they write as: for every event, so in one go."""
    if event.source == OPERATOR:
        # A person ends no wait; our own row may say of one that its time is up.
        waiting = left(connection, str(event.data.get("wait", "")), rules)
    else:
        waiting = wanted(connection, event.keys, event.received_at.timestamp(), rules)
    return waiting, own_actors.of_source(connection, event.source)


async def _kept(means: Means, book: Rulebook) -> None:
    """Before a decision names the rulebook's pages they are on disk; they are small, and written once."""
    if book.digest not in means.kept:
        await means.ledger.write(artifacts.put, book.pages, PAGES, means.now().timestamp())
        means.kept.add(book.digest)


def _unreadable(entry: Entry, reason: str, again: int | None) -> Decision:
    return Decision(
        id=decision_id(entry.id, UNREADABLE, again or 0),
        event_id=entry.id,
        cause=UNREADABLE,
        rule="",
        action=Action.IGNORE,
        reason=reason,
        state=DecisionState.SETTLED,
        again=again,
    )
