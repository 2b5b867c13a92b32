"""Tell people what they are asked, what came of it, and that a run stands still: a row each; what follows, rules say.

A notice is an event of the source `doorbell`. A rule that is on it calls a tool or forwards it, with everything that
holds for rules; without such a rule nothing is written. No run waits for it, and none ends otherwise because of it:
what became of it is written down and counted.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from orchestrator.agent.text.redacting import Redact
from orchestrator.configuration.configuration import Configuration
from orchestrator.database import Database, Transaction
from orchestrator.dispatch.skips import FAULTS
from orchestrator.inbox.inbox import (
    Action,
    Arrival,
    Decision,
    DecisionState,
    EntryState,
    Inbox,
)
from orchestrator.ledger import calls, causes, conversations, installation, notices, shortfalls
from orchestrator.ledger.approvals import Approval
from orchestrator.ledger.causes import Cause
from orchestrator.ledger.conversations import Conversation
from orchestrator.ledger.notices import Heard, Notice
from orchestrator.loops import forever
from orchestrator.rules.operators import like
from orchestrator.sources.notices import (
    ANSWERED,
    ASKED,
    EXECUTED,
    PARKED,
    NoticeDialect,
    written,
)
from orchestrator.sources.source import DOORBELL
from orchestrator.telemetry.instruments import DispatchInstruments
from orchestrator.telemetry.words import Notified
from orchestrator.tending import announcing
from orchestrator.tending.announcing import Opened
from workflows.messages import Outcome, RunState

EVERY: Final = 1.0
"""Seconds between two looks."""

AT_ONCE: Final = 50
FOLLOWED: Final = 200
FINE: Final = frozenset({Outcome.COMPLETED, Outcome.COMPLETED_WITH_DENIALS})
UNWANTED: Final = "no rule wanted it"
PREVIEW: Final = "only proposed: the rule is a preview"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Became:
    """How one decision about a notice went; None while nobody knows."""

    words: str
    failed: bool = False
    proposed: bool = False


@dataclass(slots=True, kw_only=True)
class Notifying:
    """One for each service; `poke` says that something was kept."""

    inbox: Inbox
    ledger: Database
    configuration: Callable[[], Configuration]
    redact: Redact
    counts: DispatchInstruments
    now: Callable[[], datetime]
    poke: Callable[[], None]
    log: Any

    async def work(self) -> None:
        """Tell and follow up, every second, until cancelled."""
        await forever("notify", self.step, _rest, self.log, self.counts.failed)

    async def step(self) -> int:
        """One round; returns how many notices were written."""
        # Looked for first and told last: whoever reads the rows in order hears of the word before the end of its call.
        ended = await self._ended()
        told = await self._stands() + await self._words()
        for approval in ended:
            await self._tell_executed(approval)
        await self._follow()
        return told + len(ended)

    async def _stands(self) -> int:
        """Tell of what stands now, however long it does: who is asked, and which run stands still."""
        asking, parked = [], []
        if self._heard(ASKED):
            now = self.now().timestamp()
            asking = await self.ledger.read(notices.asking, DOORBELL, now, AT_ONCE)
        for approval in asking:
            await self._tell_asked(approval)
        if self._heard(PARKED):
            parked = await self.ledger.read(notices.parked, DOORBELL, AT_ONCE)
        for run, about in parked:
            await self._tell_parked(run, about)
        return len(asking) + len(parked)

    async def _words(self) -> int:
        """Tell what became of people's words."""
        since, now = await self._since(ANSWERED), self.now().timestamp()
        if since is None:
            return 0
        words = await self.ledger.read(notices.answered, DOORBELL, since, now, AT_ONCE)
        for heard in words:
            await self._tell_answered(heard)
        return len(words)

    async def _ended(self) -> list[Approval]:
        """The requests whose calls ended that people consented to, and nobody was told."""
        since = await self._since(EXECUTED)
        if since is None:
            return []
        return await self.ledger.read(notices.executed, DOORBELL, since, AT_ONCE)

    async def _since(self, kind: str) -> float | None:
        """Since when a rule hears of it: what happened before is nobody's news; None while none does."""
        since = await self.ledger.read(installation.heard_since, kind)
        hears = self._heard(kind)
        if hears and since is None:
            since = self.now().timestamp()
            await self.ledger.write(installation.hear, kind, since)
        elif since is not None and not hears:
            await self.ledger.write(installation.hear_no_more, kind)
        return since if hears else None

    def _heard(self, kind: str) -> bool:
        """Whether a rule is on it: to nobody there is nothing to tell."""
        rang = f"{DOORBELL}/{kind}"
        return any(
            pattern.startswith(f"{DOORBELL}/") and like(rang, pattern)
            for rule in self.configuration().rules
            for pattern in rule.on
        )

    async def _tell_asked(self, approval: Approval) -> None:
        run = await self.ledger.read(conversations.one, approval.run_id)
        call = await self.ledger.read(calls.one, approval.run_id, approval.call_id)
        by = await self._opened(run)
        said = announcing.asked(approval, call.arguments, call.alias, run, by)
        identity = f"{notices.ASKED}{approval.approval_id}"
        await self._tell(identity, run, approval.approval_id, said)

    async def _tell_answered(self, heard: Heard) -> None:
        approval = heard.approval
        run = await self.ledger.read(conversations.one, approval.run_id)
        call = await self.ledger.read(calls.one, approval.run_id, approval.call_id)
        where = await self.inbox.entry(heard.said.event_id)
        said = announcing.answered(heard, call, run, await self._opened(run), where)
        await self._tell(heard.identity, run, approval.approval_id, said)

    async def _tell_executed(self, approval: Approval) -> None:
        run = await self.ledger.read(conversations.one, approval.run_id)
        call = await self.ledger.read(calls.one, approval.run_id, approval.call_id)
        said = announcing.executed(approval, call, run, await self._opened(run))
        await self._tell(
            f"{notices.EXECUTED}{approval.approval_id}", run, approval.approval_id, said
        )

    async def _tell_parked(self, run: Conversation, about: str) -> None:
        summary = await self.ledger.read(shortfalls.summary, run.run_id)
        said = announcing.parked(run, summary, await self._opened(run))
        await self._tell(f"parked-{run.run_id}-{about}", run, about, said)

    async def _opened(self, run: Conversation) -> Opened:
        entry = await self.inbox.entry(run.event_id)
        decision = await self.inbox.decision(run.decision_id)
        return Opened(
            inputs={} if decision is None else decision.with_,
            source=run.source,
            type="" if entry is None else entry.type,
            subject=None if entry is None else entry.subject,
        )

    async def _tell(
        self, identity: str, run: Conversation, about: str, said: Mapping[str, Any]
    ) -> None:
        now = self.now()
        arrival = _arrival(identity, self.redact().tree(dict(said)), now)
        # Whoever answers it answers what led to the run.
        await self.ledger.write(_caused, arrival.id, run.run_id, now.timestamp())
        # The row first: written twice it is a duplicate, and forgotten nobody would ever be told.
        await self.inbox.keep([arrival])
        self.poke()
        notice = Notice(
            identity=identity,
            run_id=run.run_id,
            about=about,
            type=arrival.type,
            event_id=arrival.id,
            at=now.timestamp(),
        )
        await self.ledger.write(notices.told, notice)
        self.log.info("run.notice", run=run.run_id, type=arrival.type, event_id=arrival.id)

    async def _follow(self) -> None:
        for notice in await self.ledger.read(notices.unsettled, FOLLOWED):
            became = await self._became(notice)
            if became is not None:
                await self._settle(notice, became)

    async def _settle(self, notice: Notice, became: _Became) -> None:
        at = self.now().timestamp()
        first = await self.ledger.write(
            notices.settle, notice.identity, became.words, at, became.failed
        )
        if not first:
            return
        self.counts.notified(notice.type, _counted(became))
        if became.failed:
            self.log.error("run.notice_failed", run=notice.run_id, reason=became.words)

    async def _became(self, notice: Notice) -> _Became | None:
        """What became of a notice; None while a rule is still at it."""
        entry = await self.inbox.entry(notice.event_id)
        if entry is None or entry.state is EntryState.PRUNED:
            return _Became(words="it was pruned before it was known what became of it", failed=True)
        if entry.state is EntryState.RECEIVED:
            return None
        made = (await self.inbox.decisions([notice.event_id])).get(notice.event_id, [])
        found = [await self._went(one) for one in made if _concerns(one)]
        known = [one for one in found if one is not None]
        if len(known) < len(found):
            return None
        return _together(known)

    async def _went(self, decision: Decision) -> _Became | None:
        name = decision.rule or decision.cause
        match decision.action, decision.state:
            case Action.IGNORE, _:
                return _Became(words=f"{name}: {decision.reason}", failed=True)
            case _, DecisionState.DEAD:
                return _Became(words=f"{name}: given up, {decision.note}", failed=True)
            case _, DecisionState.READY:
                return None
            case Action.FORWARD, _:
                to = decision.with_.get("to", "its destination")
                return _Became(words=f"{name}: {to} has it")
            case _:
                return await self.ledger.read(_ran, decision)


def _ran(connection: Transaction, decision: Decision) -> _Became | None:
    """How the run went that a notice opened; None while it is under way."""
    run = conversations.by_decision(connection, decision.id)
    if run is not None and run.state is RunState.PARKED:
        # It tells nobody that it waits for somebody: it is itself what should have told.
        words = f"{decision.rule}: run {run.run_id} is parked: {run.reason}"
        return _Became(words=words, failed=True)
    if run is None or run.state is not RunState.ENDED:
        return None
    told = f"{decision.rule}: run {run.run_id} {run.outcome}"
    proposed = run.stage == "preview"
    if run.outcome not in FINE:
        why = ": ".join(filter(None, (run.reason, _refused(connection, run.run_id))))
        return _Became(words=f"{told}: {why}".rstrip(": "), failed=True)
    return _Became(words=f"{told}, {PREVIEW}" if proposed else told, proposed=proposed)


def _refused(connection: Transaction, run_id: str) -> str:
    wrong = [call for call in calls.of_run(connection, run_id) if call.is_error]
    texts = [str(block.get("text", "")) for call in wrong for block in call.content or ()]
    return " ".join(texts)[:300]


def _concerns(decision: Decision) -> bool:
    """Whether a rule took it up, or would have and can't: only that must be followed."""
    broken = decision.reason.startswith(FAULTS)
    return broken or decision.action is not Action.IGNORE


def _together(found: Sequence[_Became]) -> _Became:
    if not found:
        return _Became(words=UNWANTED)
    return _Became(
        words="; ".join(one.words for one in found),
        failed=any(one.failed for one in found),
        proposed=all(one.proposed for one in found),
    )


def _counted(became: _Became) -> Notified:
    if became.failed:
        return Notified.FAILED
    if became.words == UNWANTED:
        return Notified.UNWANTED
    return Notified.PROPOSED if became.proposed else Notified.DONE


def _arrival(identity: str, said: Mapping[str, Any], now: datetime) -> Arrival:
    headers, body = written(identity, said)
    reading = NoticeDialect().read(headers, body)
    return Arrival(
        id=f"evt_{hashlib.sha256(identity.encode()).hexdigest()[:16]}",
        source=DOORBELL,
        delivery_id=reading.delivery_id,
        type=reading.type,
        subject=reading.subject,
        actor=None,
        keys=reading.keys,
        headers=headers,
        body=body,
        received_at=now,
        dedupe_body=False,
        lasting=reading.lasting,
    )


def _caused(connection: Transaction, event_id: str, run_id: str, at: float) -> None:
    cause = causes.of_run(connection, run_id)
    if cause != Cause():
        causes.found(connection, event_id, cause, at)


async def _rest(_told: int) -> None:
    await asyncio.sleep(EVERY)
