"""Whoever tells people what runs ask and what came of it, with an office that has a run which asks."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.agent.text.redacting import Redaction
from orchestrator.inbox.inbox import Entry
from orchestrator.ledger import conversations, notices
from orchestrator.ledger.notices import Notice
from orchestrator.rules.rule import All, Rule
from orchestrator.rules.steps import Step
from orchestrator.sources.notices import notices_source
from orchestrator.sources.source import DOORBELL, OPERATOR
from orchestrator.telemetry import catalogue
from orchestrator.telemetry.instruments import DispatchInstruments
from orchestrator.telemetry.registry import Number, Registry
from orchestrator.tending.notifying import Notifying
from tests.support.builders import AT, OPERATOR_SOURCE, RUN, Log, source
from tests.support.consent import Office, office_at
from workflows.messages import RunState
from workflows.playbook import Stage

TELL = Rule(
    id="tell",
    name="tell",
    on=(f"{DOORBELL}/*",),
    when=All(()),
    playbook=None,
    call=(Step(tool="github.add_issue_comment", args={"body": "{{ event.text }}"}),),
    stage=Stage.LIVE,
)


@dataclass
class Desk:
    """The office, and whoever tells people what it asks."""

    office: Office
    notifying: Notifying
    registry: Registry
    log: Log

    async def rows(self) -> list[Entry]:
        """The notices in the inbox, the oldest first."""
        found = [one for one in await self.office.inbox.entries(50) if one.source == DOORBELL]
        rows = [await self.office.inbox.entry(one.id) for one in reversed(found)]
        return [row for row in rows if row is not None]

    async def said(self) -> Any:
        """What the only one says."""
        (row,) = await self.rows()
        return json.loads(row.body)

    async def of(self, kind: str) -> list[Any]:
        """What those of a kind say, the oldest first."""
        return [json.loads(row.body) for row in await self.rows() if row.type == kind]

    async def told(self) -> list[Notice]:
        return await self.office.ledger.read(notices.of_run, RUN)

    async def park(self, reason: str = "the model is away") -> None:
        given = (RUN, RunState.PARKED, reason, None, AT)
        await self.office.ledger.write(conversations.record, *given)

    async def counted(self) -> dict[Any, Any]:
        families = await self.registry.collect()
        found = next(one for one in families if one.metric is catalogue.NOTIFICATIONS)
        return {one.labels: one.value for one in found.points if isinstance(one, Number)}


@contextmanager
def desk_at(directory: Path, *rules: Rule, **more: Any) -> Iterator[Desk]:
    """One whose configuration has these rules."""
    with office_at(directory, **more) as office:
        office.configure(rules=rules)
        sources = {
            "github": source(own_actors=frozenset({"our-bot"})),
            OPERATOR: OPERATOR_SOURCE,
            DOORBELL: notices_source(),
        }
        office.dispatcher.sources = lambda: sources
        registry, log = Registry(catalogue.SCRAPE_FAILURES), Log()
        notifying = Notifying(
            inbox=office.inbox,
            ledger=office.ledger,
            configuration=lambda: office.files,
            redact=lambda: Redaction((("Hello", "env:GREETING"),)),
            counts=DispatchInstruments(registry, lambda: ["github"]),
            now=office.clock.now,
            poke=lambda: None,
            log=log,
        )
        yield Desk(office, notifying, registry, log)
