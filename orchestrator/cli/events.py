"""`doorbell events`: what was kept and what was refused."""

import asyncio
import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator import views
from orchestrator.cli.naming import event_named
from orchestrator.cli.options import console, local, print_json, settings_from, stores_of
from orchestrator.cli.prune import prune
from orchestrator.tell import nearest, plain, shape, table, tree, when

REMEMBERED = 1_000
"""Refusals that the bounded log holds."""
COLOURS = {"start": "green", "resume": "cyan", "control": "magenta", "ignore": "dim"}


@click.group("events")
def events() -> None:
    """Every delivery that was kept, and why the others weren't."""


events.add_command(prune)


@events.command("list")
@local
@click.option("--source", help="Only this source.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="How many, the newest first.",
)
@click.option("--refused", is_flag=True, help="The deliveries that were refused, instead.")
def list_(*, as_json: bool, source: str | None, limit: int, refused: bool, **flags: Any) -> None:
    """List events with what was decided about each."""
    found = asyncio.run(_listed(source, limit, refused=refused, flags=flags))
    if as_json:
        print_json(found)
    else:
        console().print(_refusals(found) if refused else _table(found))


@events.command("show")
@local
@click.argument("event")
def show(*, as_json: bool, event: str, **flags: Any) -> None:
    """One event whole: decisions, headers, body."""
    found = asyncio.run(_whole(event, flags))
    if as_json:
        print_json(found)
    else:
        _print(console(), found)


async def _listed(
    source: str | None, limit: int, *, refused: bool, flags: dict[str, Any]
) -> list[Any]:
    _, stores = stores_of(settings_from(**flags))
    try:
        if refused:
            told = views.refusals(await stores.inbox.refusals(REMEMBERED))
            return [one for one in told if source in {None, one["source"]}][:limit]
        return await views.events(stores, await stores.inbox.entries(limit, source))
    finally:
        stores.close()


async def _whole(text: str, flags: dict[str, Any]) -> dict[str, Any]:
    _, stores = stores_of(settings_from(**flags))
    try:
        entry = await event_named(stores, text)
        shown = (await views.events(stores, [entry]))[0]
        body = entry.body.decode("utf-8", "replace")
        return {**shown, "headers": dict(entry.headers), "body": body}
    finally:
        stores.close()


def _table(found: list[dict[str, Any]]) -> Table:
    rows = [
        (
            event["id"],
            when(event["received_at"]),
            f"{event['source']}/{event['type']}",
            event["subject"] or "-",
            Text("\n").join(_lines(event)),
        )
        for event in found
    ]
    return table(("event", "when", "what", "about", "decided"), rows, whole={"event", "when"})


def _lines(event: dict[str, Any]) -> list[Text]:
    told = nearest(event["decisions"])
    if not told:
        return [Text(event["state"], style="yellow")]
    return [
        Text(
            plain(f"{d['action']} {d['run_id'] or d['rule']}: {d['reason']}"),
            style=COLOURS[d["action"]],
        )
        for d in told
    ]


def _refusals(found: list[dict[str, Any]]) -> Table:
    rows = [
        (
            when(refusal["at"]),
            refusal["source"],
            refusal["reason"],
            refusal["detail"],
            shape(refusal["headers"]),
        )
        for refusal in found
    ]
    columns = ("when", "source", "reason", "detail", "headers")
    return table(columns, rows, whole={"when", "reason"})


def _print(out: Console, shown: dict[str, Any]) -> None:
    by = f", by {shown['actor']}" if shown["actor"] else ""
    again = f", came {shown['duplicates']} more times" if shown["duplicates"] else ""
    kept = f"kept {when(shown['received_at'])}, delivery {shown['delivery_id'] or '-'}{by}{again}"
    out.print(tree(shown))
    out.print(Text(plain(kept)), soft_wrap=True)
    for name, said in shown["headers"].items():
        out.print(Text(plain(f"  {name}: {said}")), soft_wrap=True)
    for line in _pretty(shown["body"]).splitlines():
        out.print(Text(plain(line)), soft_wrap=True)


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body
