"""Which event or run a person means on the command line; it finds nothing itself, and exits where nothing was found."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from orchestrator.console import naming
from orchestrator.errors import AskerError
from orchestrator.inbox.inbox import Entry
from orchestrator.ledger.conversations import Conversation
from orchestrator.stores import Stores


async def event_named(stores: Stores, text: str) -> Entry:
    """That event. Exits when it isn't exactly one."""
    with _exiting():
        return await naming.event_named(stores, text)


async def newest_event(stores: Stores) -> Entry:
    """The event that was kept last. Exits when there is none."""
    with _exiting():
        return await naming.newest_event(stores)


async def run_named(stores: Stores, text: str) -> Conversation:
    """That run. Exits when it isn't exactly one."""
    with _exiting():
        return await naming.run_named(stores, text)


@contextmanager
def _exiting() -> Iterator[None]:
    try:
        yield
    except AskerError as error:
        raise click.ClickException(error.detail) from error
