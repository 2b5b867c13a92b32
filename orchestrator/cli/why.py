"""`doorbell why EVENT`: for every rule, each leaf with what was expected and what came."""

import asyncio
import json
from typing import Any

import click
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from orchestrator import views
from orchestrator.cli.options import local, settings_from, stores_of
from orchestrator.cli.tell import value


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


def tree(shown: dict[str, Any]) -> Tree:
    """The whole answer, drawn."""
    root = Tree(
        Text(
            f"{shown['source']}/{shown['type']}  {shown['subject'] or ''}  {shown['id']}",
            style="bold",
        )
    )
    if not shown["decisions"]:
        root.add(f"{shown['state']}: nothing has been decided yet")
    for decision in shown["decisions"]:
        acted = decision["action"] != "ignore"
        head = f"{decision['rule']}: {decision['action']}: {decision['reason']}"
        branch = root.add(Text(head, style="green" if acted else "yellow"))
        if decision["run_id"]:
            branch.add(f"run {decision['run_id']} ({decision['state']})")
        for line in decision["trace"]:
            branch.add(_line(line))
    return root


def _line(line: dict[str, Any]) -> Text:
    mark, style = ("✓", "green") if line["held"] else ("✗", "red")
    said = f"{line['path']} {line['operator']} {value(line['expected'])}"
    return Text.assemble((f"{mark} ", style), said, (f"   came: {value(line['actual'])}", "dim"))


async def _found(text: str | None, flags: dict[str, Any]) -> list[dict[str, Any]]:
    _, stores = stores_of(settings_from(**flags))
    try:
        entries = await stores.inbox.entries(1) if text is None else await stores.inbox.find(text)
        return await views.events(stores, entries)
    finally:
        stores.close()
