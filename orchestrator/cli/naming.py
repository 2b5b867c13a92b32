"""Which event, run or source a person means on the command line; it finds nothing itself, and exits where none is."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from orchestrator.configuration.configuration import Configuration
from orchestrator.console import naming
from orchestrator.errors import AskerError, OperatorError
from orchestrator.inbox.inbox import Entry
from orchestrator.ledger.conversations import Conversation
from orchestrator.rules.load import closest
from orchestrator.sources.source import Source
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


def source_named(configuration: Configuration, name: str) -> Source:
    """That source, whose secret is known here. Raises `OperatorError`."""
    source = configuration.sources.get(name)
    if source is not None:
        return source
    if name in configuration.shut:
        raise OperatorError(
            f"the secret of source {name!r} is unset here, so nothing can be signed as it: set what its `secrets:`"
            " names (env: in ./.env or the environment, file: that file); `doorbell check` says what it is called"
        )
    near = closest(name, {**configuration.shut, **configuration.sources})
    raise OperatorError(
        f"sources.yaml has no source {name!r} without a mistake{near}; `doorbell check` names every mistake"
    )


@contextmanager
def _exiting() -> Iterator[None]:
    try:
        yield
    except AskerError as error:
        raise click.ClickException(error.detail) from error
