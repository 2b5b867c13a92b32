"""What `doorbell up` does before another version touches the databases: try Temporal's file, back all of them up.

Everything that can be refused is refused here, with the commands to run, while nothing is changed yet.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from importlib import metadata
from typing import Final

import click

from orchestrator import backups, embedded, probe
from orchestrator.errors import OperatorError
from orchestrator.inbox import schema as inbox_schema
from orchestrator.ledger import migrations as ledger_migrations
from orchestrator.probe import Tried
from orchestrator.settings import Settings
from orchestrator.state import StateDirectory

REFUSED: Final = """\
{database!r} was written by {name} {before}, and {name} {now}, which is installed, can't work on it: {why}.
Temporal doesn't migrate this file. Nothing was changed; see {log!r}. Either go back:
    pip install {name}=={before}
or begin with a new file. Runs that are open are lost then: those that wrote nothing begin again.
    mkdir {aside} && mv {database}* {aside}/"""


async def upgraded(
    settings: Settings,
    state: StateDirectory,
    environment: Mapping[str, str],
    at: datetime,
    *,
    backup: bool,
) -> None:
    """Make sure that this version may begin. Raises `OperatorError`."""
    ours = settings.temporal is None
    if ours:
        await _try(settings, state, environment)
    mark = mark_of(temporal=embedded.version() if ours else None)
    if backup and backups.outdated(state, mark):
        before = backups.last_mark(state) or "a version that left no word"
        made = await asyncio.to_thread(backups.back_up, state, at)
        click.echo(f"the databases of {before} are backed up in {made}", err=True)
        if settings.database is not None:
            click.echo("your Postgres is not: see pg_dump", err=True)
    if ours:
        embedded.record_version(state.path, embedded.version())
    backups.remember(state, mark)


def mark_of(*, temporal: str | None) -> str:
    """All that another version may differ in, in one line."""
    schemas = [part.MIGRATIONS[-1].__name__ for part in (inbox_schema, ledger_migrations)]
    server = [] if temporal is None else [f"{embedded.DISTRIBUTION} {temporal}"]
    return ", ".join([f"doorbell {metadata.version('doorbell')}", *schemas, *server])


async def _try(settings: Settings, state: StateDirectory, environment: Mapping[str, str]) -> None:
    before, now = embedded.made_by(state.path), embedded.version()
    if before in {None, now}:
        return
    state.logs.mkdir(parents=True, exist_ok=True)
    tried = Tried(
        database=state.temporal,
        binary=embedded.binary(),
        log=state.logs / "temporal-probe.log",
        environment=environment,
        namespace=settings.namespace,
    )
    name = embedded.DISTRIBUTION
    click.echo(f"{name} {now} is tried on a copy of what {before} left", err=True)
    try:
        read = await probe.probe(tried)
    except OperatorError as error:
        told = {"database": str(state.temporal), "log": str(tried.log), "why": str(error)}
        told["aside"] = str(state.path / f"temporal-{before}")
        raise OperatorError(REFUSED.format(name=name, before=before, now=now, **told)) from error
    click.echo(f"it works: {read} open runs were read, one was started and ended", err=True)
