"""`doorbell why EVENT`: for every rule, each leaf with what was expected and what came."""

import asyncio
import json
from typing import Any

import click
from rich.console import Console

from orchestrator import views
from orchestrator.cli.options import local, settings_from, stores_of
from orchestrator.tell import tree


@click.command("why")
@local
@click.argument("event", required=False)
@click.option("--last", is_flag=True, help="The newest event.")
def why(*, as_json: bool, event: str | None, last: bool, **flags: Any) -> None:
    """Say why an event did, or did not, start or wake anything.

    EVENT is an event id, a delivery id, or the beginning of either.
    """
    if event is None and not last:
        raise click.UsageError("name an EVENT, or say --last")
    found = asyncio.run(_found(event, flags))
    if len(found) != 1:
        ids = ", ".join(shown["id"] for shown in found) or "none"
        raise click.ClickException(f"{event!r} must name exactly one event; it names: {ids}")
    click.echo(json.dumps(found[0], indent=2, ensure_ascii=False)) if as_json else Console().print(
        tree(found[0])
    )


async def _found(text: str | None, flags: dict[str, Any]) -> list[dict[str, Any]]:
    _, stores = stores_of(settings_from(**flags))
    try:
        entries = await stores.inbox.entries(1) if text is None else await stores.inbox.find(text)
        return await views.events(stores, entries)
    finally:
        stores.close()
