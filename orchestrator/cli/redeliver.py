"""`doorbell events redeliver`: the same events again, deliberately; it asks first, and writes nothing itself."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from orchestrator.cli import words
from orchestrator.cli.consoles import anywhere, console_of
from orchestrator.cli.moments import ago
from orchestrator.console.questions import Console, Event, Events, Shown
from orchestrator.inbox.sought import Stand
from orchestrator.sources.source import DOORBELL, OPERATOR

MOST = 100_000

NEVER_SWEPT = frozenset({OPERATOR, DOORBELL})
"""Words and notices are redelivered only by their id: nobody means them by "all since then"."""


@click.command("redeliver")
@anywhere
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
    sought = Events(source=source, type=type_, since=since, stand=Stand.DECIDED, limit=MOST)
    receipts = asyncio.run(_said(events, sought, flags, yes=yes))
    if receipts is None:
        click.echo("nothing is redelivered", err=True)
    else:
        words.tell(receipts, as_json=as_json)


async def _said(
    events: Sequence[str], sought: Events, flags: Mapping[str, Any], *, yes: bool
) -> list[Shown] | None:
    async with console_of(**flags) as asked:
        chosen = await _chosen(asked, events, sought)
        if not chosen or not (yes or _agreed(chosen)):
            return None
        return await words.said(asked, "event.redeliver", [one["id"] for one in chosen])


async def _chosen(asked: Console, events: Sequence[str], sought: Events) -> list[Shown]:
    """Oldest first, so that of one key they act in their order."""
    if events:
        named = [await asked.ask(Event(event=text)) for text in events]
        return sorted({one["id"]: one for one in named}.values(), key=_received)
    found = (await asked.ask(sought))["events"]
    return [one for one in reversed(found) if one["source"] not in NEVER_SWEPT]


def _received(shown: Shown) -> datetime:
    return datetime.fromisoformat(shown["received_at"])


def _agreed(chosen: Sequence[Shown]) -> bool:
    counted = Counter(f"{one['source']}/{one['type']}" for one in chosen)
    for what, many in counted.most_common():
        click.echo(f"{many:>6}  {what}", err=True)
    events = "1 event" if len(chosen) == 1 else f"{len(chosen)} events"
    return click.confirm(f"Redeliver {events}? What matches today acts again.", err=True)
