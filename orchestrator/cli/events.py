"""`doorbell events`: what was kept and what was refused."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.cli.consoles import anywhere, console_of
from orchestrator.cli.dead import dead
from orchestrator.cli.following import follow
from orchestrator.cli.moments import ago
from orchestrator.cli.options import config_option, console, print_json
from orchestrator.cli.prune import prune
from orchestrator.cli.redeliver import redeliver
from orchestrator.console.lines import delivered
from orchestrator.console.questions import Delivery, Event, Events, Refusals, Shown
from orchestrator.inbox.sought import Stand
from orchestrator.rehearsal.requests import HOOKS, Request, written
from orchestrator.tell import nearest, plain, shape, standing, table, tree, when

COLOURS = {
    "start": "green",
    "resume": "cyan",
    "control": "magenta",
    "forward": "blue",
    "ignore": "dim",
}


@click.group("events")
def events() -> None:
    """Every delivery that was kept, and why the others weren't."""


events.add_command(prune)
events.add_command(redeliver)
events.add_command(dead)


@events.command("list")
@anywhere
@click.option("--source", help="Only this source.")
@click.option("--type", "type_", metavar="GLOB", help="Only types like this, such as issues.*")
@click.option(
    "--is",
    "stand",
    type=click.Choice([str(one) for one in Stand]),
    help="Only what stands like this.",
)
@click.option("--since", metavar="2h|DATE", callback=ago, help="Only what was kept since then.")
@click.option("--until", metavar="2h|DATE", callback=ago, help="Only what was kept before then.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="How many, the newest first.",
)
@click.option("--refused", is_flag=True, help="The deliveries that were refused, instead.")
@click.option(
    "--follow", "follows", is_flag=True, help="Those that come from now on, until Ctrl-C."
)
def list_(
    *,
    as_json: bool,
    source: str | None,
    type_: str | None,
    stand: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    refused: bool,
    follows: bool,
    **flags: Any,
) -> None:
    """List events with what was decided about each."""
    state = None if stand is None else Stand(stand)
    sought = Events(source=source, type=type_, stand=state, since=since, until=until, limit=limit)
    if refused and (follows or sought != Events(source=source, limit=limit)):
        raise click.UsageError("--refused goes with --source and --limit only")
    if follows:
        with suppress(KeyboardInterrupt):
            asyncio.run(_followed(sought, flags, as_json=as_json))
        return
    found = asyncio.run(_listed(sought, refused=refused, flags=flags))
    if as_json:
        print_json(found)
    else:
        console().print(_refusals(found) if refused else _table(found))


@events.command("show")
@anywhere
@config_option
@click.argument("event")
@click.option(
    "--raw", is_flag=True, help="The delivery as a .http file, for rules' tests and `send`."
)
def show(*, as_json: bool, event: str, raw: bool, **flags: Any) -> None:
    """One event whole: how it was verified, decisions, runs, headers, body."""
    if raw:
        if as_json:
            raise click.UsageError("--raw is no JSON: leave one of the two out")
        click.echo(asyncio.run(_raw(event, flags)), nl=False)
        return
    found = asyncio.run(_whole(event, flags))
    if as_json:
        print_json(found)
    else:
        _print(console(), found)


async def _listed(sought: Events, *, refused: bool, flags: dict[str, Any]) -> list[Any]:
    async with console_of(**flags) as asked:
        if refused:
            told = await asked.ask(Refusals(source=sought.source, limit=sought.limit))
            refusals: list[Any] = told["refusals"]
            return refusals
        found: list[Any] = (await asked.ask(sought))["events"]
        return found


async def _followed(sought: Events, flags: dict[str, Any], *, as_json: bool) -> None:
    out = console()

    async def tell(found: Sequence[Shown]) -> None:
        for shown in found:
            if as_json:
                click.echo(json.dumps(shown, ensure_ascii=False))
            else:
                out.print(_line(shown), soft_wrap=True)

    async with console_of(**flags) as asked:
        await follow(asked, sought, tell)


async def _whole(text: str, flags: dict[str, Any]) -> dict[str, Any]:
    async with console_of(**flags) as asked:
        return dict(await asked.ask(Event(event=text)))


async def _raw(text: str, flags: dict[str, Any]) -> bytes:
    async with console_of(**flags) as asked:
        entry = delivered(await asked.ask(Delivery(event=text)))
    path = f"{HOOKS}{entry.source}"
    return written(Request(path=path, headers=dict(entry.headers), body=entry.body))


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


def _line(event: dict[str, Any]) -> Text:
    what = f"{event['id']}  {when(event['received_at'])}  {event['source']}/{event['type']}"
    start = Text(plain(f"{what}  {event['subject'] or '-'}  "))
    return Text("  ").join([start, *_lines(event)])


def _lines(event: dict[str, Any]) -> list[Text]:
    told = nearest(event["decisions"])
    if not told:
        return [Text(event["state"], style="yellow")]
    return [
        Text(
            plain(f"{d['action']} {d['run_id'] or d['rule']}: {standing(d) or d['reason']}"),
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
    proved = (
        f"verified as source {shown['source']}, scheme {shown['scheme'] or 'not configured here'}"
    )
    out.print(tree(shown))
    for run in shown["runs"]:
        line = f"run {run['id']}: {run['rule']}, {run['state']} {run['outcome'] or run['reason']}"
        out.print(Text(plain(line)), soft_wrap=True)
    for line in (kept, proved):
        out.print(Text(plain(line)), soft_wrap=True)
    for name, said in shown["headers"].items():
        out.print(Text(plain(f"  {name}: {said}")), soft_wrap=True)
    for line in _pretty(shown["body"]).splitlines():
        out.print(Text(plain(line)), soft_wrap=True)


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body
