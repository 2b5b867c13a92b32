"""Which event or run a person means: an id, a delivery id, or the beginning of one that fits nothing else."""

from collections.abc import Sequence
from typing import NoReturn

import click

from orchestrator.inbox.inbox import Entry
from orchestrator.ledger import conversations
from orchestrator.ledger.conversations import Conversation
from orchestrator.stores import Stores


async def event_named(stores: Stores, text: str) -> Entry:
    """That event. Exits when it isn't exactly one."""
    found = await stores.inbox.find(text) if text else []
    exact = [entry for entry in found if text in {entry.id, entry.delivery_id}]
    chosen = exact or found
    return chosen[0] if len(chosen) == 1 else _not_one("event", text, [one.id for one in chosen])


async def newest_event(stores: Stores) -> Entry:
    """The event that was kept last. Exits when there is none."""
    found = await stores.inbox.entries(1)
    if not found:
        raise click.ClickException("no event has been kept yet")
    return found[0]


async def run_named(stores: Stores, text: str) -> Conversation:
    """That run. Exits when it isn't exactly one."""
    exact = await stores.ledger.read(conversations.find, text)
    if exact is not None:
        return exact
    found = await stores.ledger.read(conversations.beginning_with, text) if text else []
    return found[0] if len(found) == 1 else _not_one("run", text, [one.run_id for one in found])


def _not_one(what: str, text: str, ids: Sequence[str]) -> NoReturn:
    if not ids:
        raise click.ClickException(f"there is no {what} whose id is or begins with {text!r}")
    raise click.ClickException(f"{text!r} names more than one {what}: {', '.join(ids)}")
