"""Answers a person's questions from the inbox, the ledger and the files; it changes nothing."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from orchestrator import asked, views
from orchestrator.configuration.broken import broken
from orchestrator.configuration.configuration import Configuration
from orchestrator.console import lines, underway
from orchestrator.console.naming import call_named, event_named, request_named, run_named
from orchestrator.console.questions import (
    Approval,
    Approvals,
    Call,
    DeadLetters,
    Delivery,
    Event,
    Events,
    Log,
    LostRuns,
    OfOneRun,
    OfRuns,
    OfTheHouse,
    OfTheInbox,
    Playbooks,
    Question,
    Refusals,
    Rule,
    Rules,
    Run,
    Runs,
    Shown,
    Spend,
    Status,
    Why,
)
from orchestrator.console.rules import rule_line
from orchestrator.console.spent import read, report
from orchestrator.errors import AskerError, Fault
from orchestrator.inbox.sought import Sought
from orchestrator.ledger import conversations, losses, seeking, transcript
from orchestrator.ledger.conversations import Conversation
from orchestrator.rules import days
from orchestrator.rules.load import closest
from orchestrator.signatures.standard_webhooks import StandardWebhooksScheme
from orchestrator.sources.source import OPERATOR
from orchestrator.stores import Stores
from workflows.approvals import Standing

REMEMBERED = 1_000
"""Refusals that the bounded log holds."""

BEFORE = "`before` expected the id of the last event of a page"
AFTER = "`after` expected the whole id of an event that was told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Where answers come from. `ui` is where people reach the Temporal UI, `status` what the service says of itself.

    `progress` is what servers said last of how far the calls of a workflow are, by call.
    """

    stores: Stores
    configuration: Callable[[], Configuration]
    status: Callable[[], Awaitable[Mapping[str, Any]]]
    now: Callable[[], datetime]
    ui: Callable[[], str | None]
    namespace: str
    progress: Callable[[str], Awaitable[Mapping[str, str]]]

    async def answer(self, question: Question) -> Any:
        """The answer, as JSON's types. Raises AskerError."""
        match question:
            case Events() | Event() | Delivery() | Why() | Refusals() | DeadLetters():
                return await self._of_the_inbox(question)
            case Runs() | Run() | Log() | Call() | LostRuns() | Approvals() | Approval():
                return await self._of_runs(question)
            case Rules() | Rule() | Playbooks() | Spend() | Status():
                return await self._of_the_house(question)

    async def _of_the_inbox(self, question: OfTheInbox) -> Any:
        match question:
            case Events():
                return await self._events(question)
            case Event():
                return await self._event(question.event)
            case Delivery():
                return lines.delivery(await event_named(self.stores, question.event))
            case Why():
                return await views.why(self.stores, await event_named(self.stores, question.event))
            case Refusals():
                return await self._refusals(question)
            case DeadLetters():
                found = await self.stores.inbox.dead(question.limit)
                return {"dead_letters": [views.dead(one) for one in found]}

    async def _of_runs(self, question: OfRuns) -> Any:
        ledger = self.stores.ledger
        match question:
            case Runs():
                return await self._runs(question)
            case Run() | Log() | Call():
                return await self._of_one_run(question)
            case LostRuns():
                found = await ledger.read(losses.newest, question.limit)
                return {"lost": [lines.loss_line(one) for one in found]}
            case Approvals():
                standings = asked.EVERY if question.every else (Standing.OPEN,)
                return {"approvals": await ledger.read(asked.listed, question.limit, standings)}
            case Approval():
                request = await request_named(self.stores, question.code)
                return await ledger.read(asked.whole, request)

    async def _of_one_run(self, question: OfOneRun) -> Any:
        ledger = self.stores.ledger
        match question:
            case Run():
                return await self._run(question.run)
            case Log():
                run_id = (await run_named(self.stores, question.run)).run_id
                return {"lines": await ledger.read(transcript.shown, run_id)}
            case Call():
                return await ledger.read(lines.call, await call_named(self.stores, question))

    async def _of_the_house(self, question: OfTheHouse) -> Any:
        match question:
            case Rules():
                return await self._rules()
            case Rule():
                return await self._rule(question.rule)
            case Playbooks():
                known = self.configuration().playbooks
                return {"playbooks": [lines.playbook_line(known[name]) for name in sorted(known)]}
            case Spend():
                return await self._spend(question.day)
            case Status():
                return dict(await self.status())

    async def _events(self, question: Events) -> Shown:
        before, after = question.before, question.after
        sought = Sought(
            source=question.source,
            type=question.type,
            state=question.stand,
            since=question.since,
            until=question.until,
            before=None if before is None else (await self._exact(before, BEFORE)).position,
            after=0 if after is None else (await self._exact(after, AFTER)).position,
        )
        found = await self.stores.inbox.entries(question.limit + 1, sought)
        page = found[: question.limit]
        return {
            "events": await views.events(self.stores, page, bare=not question.decisions),
            "next": page[-1].id if len(found) > len(page) else None,
        }

    async def _exact(self, event_id: str, expected: str) -> Any:
        entry = await self.stores.inbox.entry(event_id)
        if entry is None:
            raise AskerError(Fault.UNREADABLE, f"{expected}, got {event_id!r}")
        return entry

    async def _event(self, text: str) -> Shown:
        entry = await event_named(self.stores, text)
        shown = (await views.events(self.stores, [entry]))[0]
        return {
            **shown,
            "scheme": self._scheme(entry.source),
            "runs": await self._reached(shown),
            "headers": dict(entry.headers),
            "body": entry.body.decode("utf-8", "replace"),
        }

    async def _reached(self, shown: Shown) -> list[Shown]:
        reached = dict.fromkeys(one["run_id"] for one in shown["decisions"] if one["run_id"])
        ledger = self.stores.ledger
        found = [await ledger.read(conversations.find, run_id) for run_id in reached]
        return await ledger.read(views.run_lines, [one for one in found if one is not None])

    def _scheme(self, name: str) -> str | None:
        """How the source proves itself, as the files say today; None where it isn't in them."""
        if name == OPERATOR:
            return StandardWebhooksScheme().name
        source = self.configuration().sources.get(name)
        return None if source is None else source.scheme.name

    async def _refusals(self, question: Refusals) -> Shown:
        told = views.refusals(await self.stores.inbox.refusals(REMEMBERED))
        mine = [one for one in told if question.source in {None, one["source"]}]
        return {"refusals": mine[: question.limit]}

    async def _runs(self, question: Runs) -> Shown:
        wanted = seeking.Wanted(
            state=question.state,
            rule=question.rule,
            playbook=question.playbook,
            key=question.key,
            before=None if question.before is None else await self._begun(question.before),
        )
        ledger = self.stores.ledger
        found = await ledger.read(seeking.page, question.limit + 1, wanted)
        page = found[: question.limit]
        return {
            "runs": await ledger.read(views.run_lines, page),
            "next": page[-1].run_id if len(found) > len(page) else None,
        }

    async def _begun(self, run_id: str) -> Conversation:
        found = await self.stores.ledger.read(conversations.find, run_id)
        if found is None:
            said = f"`before` expected the id of the last run of a page, got {run_id!r}"
            raise AskerError(Fault.UNREADABLE, said)
        return found

    async def _run(self, text: str) -> Shown:
        found = await run_named(self.stores, text)
        shown: Shown = await self.stores.ledger.read(
            views.run, found.run_id, self.ui(), self.namespace
        )
        following = await self.stores.ledger.read(underway.tasks, found.run_id)
        going = underway.has_sent(shown)
        said = await self.progress(found.workflow_id) if going else {}
        return underway.told(shown, following, said)

    async def _rules(self) -> Shown:
        configuration, inbox = self.configuration(), self.stores.inbox
        waiting = await inbox.undelivered()
        paused = views.paused(await inbox.pauses(), configuration.rules)
        held = {one["name"] for one in paused if one["what"] == "rule"}
        now = self.now()
        return {
            "rules": [rule_line(rule, waiting, held, now) for rule in configuration.rules],
            "paused": paused,
            "broken": [one.told() for one in broken(configuration.mistakes, configuration.texts)],
        }

    async def _rule(self, name: str) -> Shown:
        configuration = self.configuration()
        found = next((one for one in (await self._rules())["rules"] if one["name"] == name), None)
        if found is None:
            known = [rule.name for rule in configuration.rules]
            said = f"there is no sound rule {name!r}{closest(name, known)}"
            raise AskerError(Fault.NO_SUCH, said)
        texts = await self.stores.ledger.read(views.rules_of, configuration.digest)
        return {**found, "text": texts.get(name), "configuration": configuration.digest}

    async def _spend(self, day: date | None) -> Shown:
        configuration = self.configuration()
        zone = configuration.allowance.zone
        asked_for = day.isoformat() if day else days.day_of(self.now().timestamp(), zone)
        found = await self.stores.ledger.read(read, asked_for, zone)
        return report(found, configuration, asked_for)
