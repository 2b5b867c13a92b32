"""Every inbox there is, opened empty, and values to put into it; a new implementation joins by a line here."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from orchestrator.database import Database
from orchestrator.events import Actor
from orchestrator.inbox.inbox import Action, Arrival, Decision
from orchestrator.inbox.memory import MemoryInbox
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from tests.support.blanks import inbox_file

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LEASE = timedelta(seconds=30)


@contextmanager
def in_memory(_directory, _postgres):
    yield MemoryInbox()


@contextmanager
def on_sqlite(directory, _postgres):
    with at(inbox_file(directory / "inbox.db")) as inbox:
        yield inbox


@contextmanager
def on_postgres(_directory, postgres):
    with postgres.database() as url, at(url) as inbox:
        yield inbox


@contextmanager
def at(url):
    """The inbox of a database, brought up to date."""
    database = Database.open(url, MIGRATIONS)
    try:
        yield SqlInbox(database)
    finally:
        database.close()


IMPLEMENTATIONS = {"memory": in_memory, "sqlite": on_sqlite, "postgres": on_postgres}


def arrival(receipt="e1", delivery_id="d1", body=b"{}", **changes):
    values = {
        "id": receipt,
        "source": "github",
        "delivery_id": delivery_id,
        "type": "issues.opened",
        "subject": "acme/api#7",
        "actor": Actor(id="1", login="ann"),
        "keys": ("issue:acme/api#7",),
        "headers": {"x-github-event": "issues"},
        "body": body,
        "received_at": NOW,
        "dedupe_body": True,
    }
    return Arrival(**values | changes)


def decision(known="c1", event_id="e1", lane="triage/7", **changes):
    values = {
        "id": known,
        "event_id": event_id,
        "cause": "triage",
        "rule": "triage",
        "action": Action.START,
        "reason": "it matched",
        "lane": lane,
    }
    return Decision(**values | changes)


async def one(inbox, receipt="e1", **changes):
    """Keep one delivery that is like no other."""
    await inbox.keep([arrival(receipt, f"d-{receipt}", receipt.encode(), **changes)])


async def decided(inbox, *decisions, event_id="e1", **changes):
    """Keep one delivery and decide about it."""
    await one(inbox, event_id, **changes)
    await inbox.decide(event_id, decisions, NOW)


async def delivered(inbox, *ids, at=NOW):
    """Claim whatever can be and settle these, giving the others back."""
    for lease in await inbox.claim(NOW, LEASE, 100):
        if lease.decision.id in ids:
            await inbox.settle(lease.decision.id, lease.fence, at)
        else:
            await inbox.release(lease.decision.id, lease.fence, NOW, "not now", count=False)
