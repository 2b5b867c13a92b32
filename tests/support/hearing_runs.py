"""A conversation that was opened by the first of two comments, with what its activities work with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.agent.means import Means
from orchestrator.database import Database
from orchestrator.inbox.inbox import Arrival
from orchestrator.inbox.memory import MemoryInbox
from orchestrator.ledger import conversations
from orchestrator.sources.source import Source
from tests.support.builders import AT, configuration, github, ledger_at, opening, source


@dataclass
class Hearing:
    """Its parts; `sources` may be changed."""

    inbox: MemoryInbox
    ledger: Database
    means: Means
    sources: dict[str, Source]

    def means_with(self, hands: Any) -> Means:
        """The same means with these hands."""
        return replace(self.means, hands=hands)


@asynccontextmanager
async def hearing(directory: Path) -> AsyncIterator[Hearing]:
    """Bring it up."""
    inbox, sources = MemoryInbox(), {"github": source()}
    await inbox.keep([said("e1", "It fails."), said("e2", "A stranger's secret.", number=8)])
    nobody: dict[str, Any] = {"model": None, "hands": None}
    with ledger_at(directory) as ledger:
        means = Means(
            inbox=inbox,
            ledger=ledger,
            configuration=lambda: replace(configuration(), sources=sources),
            now=lambda: AT,
            scripted=True,
            **nobody,
        )
        await ledger.write(conversations.begin, opening(event_id="e1", position=1), AT)
        yield Hearing(inbox=inbox, ledger=ledger, means=means, sources=sources)


def said(receipt: str, text: str, number: int = 7) -> Arrival:
    """A comment, with a field that hides something."""
    data = {
        "action": "created",
        "issue": {"number": number},
        "comment": {"body": text, "hidden": "a\u200bb"},
        "repository": {"full_name": "acme/api"},
        "sender": {"id": 1, "login": "ann", "type": "User"},
    }
    return github(receipt, "issue_comment", data)
