"""`doorbell why EVENT`: for every rule, each leaf with what was expected and what came, and what its run cost."""

import asyncio
from typing import Any

import click

from orchestrator.cli.consoles import anywhere, console_of
from orchestrator.cli.options import console, print_json
from orchestrator.console.questions import LAST, Why
from orchestrator.tell import tree


@click.command("why")
@anywhere
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
    async with console_of(**flags) as asked:
        return dict(await asked.ask(Why(event=LAST if text is None else text)))
