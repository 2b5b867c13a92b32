"""`doorbell why EVENT`: for every rule, each leaf with what was expected and what came, and what its run cost."""

import asyncio
from typing import Any

import click

from orchestrator import views
from orchestrator.cli.naming import event_named, newest_event
from orchestrator.cli.options import console, local, print_json, settings_from, stores_of
from orchestrator.tell import tree


@click.command("why")
@local
@click.argument("event", required=False)
@click.option("--last", is_flag=True, help="The newest event.")
def why(*, as_json: bool, event: str | None, last: bool, **flags: Any) -> None:
    """Say why an event did, or did not, start or wake anything.

    EVENT is an event id, a delivery id, or the beginning of either.
    """
    if (event is None) != last:
        raise click.UsageError("name an EVENT, or say --last")
    found = asyncio.run(_found(event, flags))
    if as_json:
        print_json(found)
    else:
        console().print(tree(found))


async def _found(text: str | None, flags: dict[str, Any]) -> dict[str, Any]:
    _, stores = stores_of(settings_from(**flags))
    try:
        entry = await newest_event(stores) if text is None else await event_named(stores, text)
        return await views.why(stores, entry)
    finally:
        stores.close()
