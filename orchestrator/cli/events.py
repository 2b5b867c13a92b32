"""`doorbell events`: what was kept and what was refused."""

import asyncio
import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator import views
from orchestrator.cli.options import local, settings_from, stores_of
from orchestrator.tell import shape, when

COLOURS = {"start": "green", "resume": "cyan", "control": "magenta", "ignore": "dim"}


@click.group("events")
def events() -> None:
    """Every delivery that was kept, and why the others weren't."""


@events.command("list")
@local
@click.option("--source", help="Only this source.")
@click.option("--limit", default=50, show_default=True, help="How many, the newest first.")
@click.option("--refused", is_flag=True, help="The deliveries that were refused, instead.")
def list_(*, as_json: bool, source: str | None, limit: int, refused: bool, **flags: Any) -> None:
    """List events with what was decided about each."""
    found = asyncio.run(_listed(source, limit, refused=refused, flags=flags))
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        Console().print(_refusals(found) if refused else _table(found))


@events.command("show")
@local
@click.argument("event")
def show(*, as_json: bool, event: str, **flags: Any) -> None:
    """One event whole: headers, body, decisions."""
    found = asyncio.run(_whole(event, flags))
    if found is None:
        raise click.ClickException(f"no event has an id or delivery id beginning with {event!r}")
    click.echo(json.dumps(found, indent=None if as_json else 2, ensure_ascii=False))


async def _listed(
    source: str | None, limit: int, *, refused: bool, flags: dict[str, Any]
) -> list[Any]:
    _, stores = stores_of(settings_from(**flags))
    try:
        if refused:
            return views.refusals(await stores.inbox.refusals(limit))
        return await views.events(stores, await stores.inbox.entries(limit, source))
    finally:
        stores.close()


async def _whole(text: str, flags: dict[str, Any]) -> dict[str, Any] | None:
    _, stores = stores_of(settings_from(**flags))
    try:
        found = await stores.inbox.find(text)
        if not found:
            return None
        shown = (await views.events(stores, found[:1]))[0]
        body = found[0].body.decode("utf-8", "replace")
        return {**shown, "headers": dict(found[0].headers), "body": body}
    finally:
        stores.close()


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table("event", "when", "what", "about", "decided", box=None, header_style="bold")
    for event in found:
        decided = Text("\n").join(_lines(event["decisions"])) or Text(
            event["state"], style="yellow"
        )
        what = f"{event['source']}/{event['type']}"
        table.add_row(
            event["id"], when(event["received_at"]), what, event["subject"] or "-", decided
        )
    return table


def _lines(decisions: list[dict[str, Any]]) -> list[Text]:
    acted = [decision for decision in decisions if decision["action"] != "ignore"] or decisions[-1:]
    return [
        Text(f"{d['action']} {d['run_id'] or d['rule']}: {d['reason']}", style=COLOURS[d["action"]])
        for d in acted
    ]


def _refusals(found: list[dict[str, Any]]) -> Table:
    table = Table("when", "source", "reason", "detail", "headers", box=None, header_style="bold")
    for refusal in found:
        names = shape(refusal["headers"])
        table.add_row(
            when(refusal["at"]), refusal["source"], refusal["reason"], refusal["detail"], names
        )
    return table
