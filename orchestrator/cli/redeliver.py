"""`doorbell events redeliver`: the same events again, deliberately; it asks first, and writes nothing itself."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from orchestrator.cli import words
from orchestrator.cli.moments import ago
from orchestrator.cli.naming import event_named
from orchestrator.cli.options import local, settings_from, stores_of
from orchestrator.inbox.inbox import Entry
from orchestrator.inbox.sought import Sought, Stand
from orchestrator.sources.source import DOORBELL, OPERATOR
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores

MOST = 100_000

NEVER_SWEPT = frozenset({OPERATOR, DOORBELL})
"""Words and notices are redelivered only by their id: nobody means them by "all since then"."""


@click.command("redeliver")
@local
@click.argument("events", metavar="ID...", nargs=-1)
@click.option(
    "--since",
    metavar="2h|DATE",
    callback=ago,
    help="All that were kept since then, instead of IDs.",
)
@click.option("--source", help="With --since: only this source.")
@click.option("--type", "type_", metavar="GLOB", help="With --since: only types like this.")
@click.option("--yes", is_flag=True, help="Don't ask.")
def redeliver(
    *,
    as_json: bool,
    events: tuple[str, ...],
    since: datetime | None,
    source: str | None,
    type_: str | None,
    yes: bool,
    **flags: Any,
) -> None:
    """Have the rules of today decide anew about events that were kept; what matches acts again.

    An ID is an event id, a delivery id, or the beginning of either.
    """
    if bool(events) is (since is not None):
        raise click.UsageError("name events by ID, or say --since 2h")
    if events and (source or type_):
        raise click.UsageError("--source and --type choose among what --since finds")
    sought = Sought(source=source, type=type_, since=since, state=Stand.DECIDED)
    state, stores = stores_of(settings_from(**flags))
    try:
        chosen = asyncio.run(_chosen(stores, events, sought))
        if not chosen or not (yes or _agreed(chosen)):
            click.echo("nothing is redelivered", err=True)
            return
        words.tell(asyncio.run(_said(state, stores, chosen)), as_json=as_json)
    finally:
        stores.close()


async def _chosen(stores: Stores, events: Sequence[str], sought: Sought) -> list[Entry]:
    """Oldest first, so that of one key they act in their order."""
    if events:
        named = [await event_named(stores, text) for text in events]
        return sorted({entry.position: entry for entry in named}.values(), key=_position)
    found = await stores.inbox.entries(MOST, sought)
    return sorted((entry for entry in found if entry.source not in NEVER_SWEPT), key=_position)


def _position(entry: Entry) -> int:
    return entry.position


def _agreed(chosen: Sequence[Entry]) -> bool:
    counted = Counter(f"{entry.source}/{entry.type}" for entry in chosen)
    for what, many in counted.most_common():
        click.echo(f"{many:>6}  {what}", err=True)
    events = "1 event" if len(chosen) == 1 else f"{len(chosen)} events"
    return click.confirm(f"Redeliver {events}? What matches today acts again.", err=True)


async def _said(state: StateDirectory, stores: Stores, chosen: Sequence[Entry]) -> list[words.Said]:
    return await words.said(state, stores, "event.redeliver", [entry.id for entry in chosen])
