"""`doorbell runs`: what the agent did, and a person's word to it."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator import views
from orchestrator.cli.options import local, settings_from, stores_of
from orchestrator.cli.ring import say
from orchestrator.ledger import conversations
from orchestrator.ledger.conversations import Conversation
from orchestrator.tell import value, when

COLOURS = {"running": "cyan", "waiting": "blue", "parked": "yellow", "ended": "green"}


@click.group("runs")
def runs() -> None:
    """What the agent did for each event, and what it waits for."""


@runs.command("list")
@local
@click.option("--limit", default=50, show_default=True, help="How many, the newest first.")
def list_(*, as_json: bool, limit: int, **flags: Any) -> None:
    """List runs."""
    found = [views.run_line(one) for one in asyncio.run(_newest(limit, flags))]
    click.echo(json.dumps(found, indent=2, ensure_ascii=False)) if as_json else Console().print(
        _table(found)
    )


@runs.command("show")
@local
@click.argument("run")
def show(*, as_json: bool, run: str, **flags: Any) -> None:
    """One run: state, tool calls, money, and where Temporal shows it."""
    found = asyncio.run(_whole(run, flags))
    click.echo(json.dumps(found, indent=2, ensure_ascii=False)) if as_json else _print(found)


def _word(name: str, said: str) -> Callable[..., None]:
    @local
    @click.argument("run")
    def command(*, as_json: bool, run: str, **flags: Any) -> None:
        run_id = asyncio.run(_one(run, flags)).run_id
        state, stores = stores_of(settings_from(**flags))
        stores.close()
        receipt = say(state, f"run.{name}", run_id)
        click.echo(
            json.dumps(receipt)
            if as_json
            else f"recorded as {receipt['event']}: {said} run {run_id}"
        )

    return command


runs.command("resume", help="Go on with a parked run, under the limits in force now.")(
    _word("resume", "resume")
)
runs.command("apply", help="Make the writes that a preview recorded, exactly.")(
    _word("apply", "apply the proposals of")
)
runs.command("cancel", help="End a run.")(_word("cancel", "cancel"))


async def _newest(limit: int, flags: dict[str, Any]) -> list[Conversation]:
    _, stores = stores_of(settings_from(**flags))
    try:
        return await stores.ledger.read(conversations.newest, limit)
    finally:
        stores.close()


async def _one(text: str, flags: dict[str, Any]) -> Conversation:
    _, stores = stores_of(settings_from(**flags))
    try:
        found = await stores.ledger.read(conversations.beginning_with, text)
    finally:
        stores.close()
    if len(found) != 1:
        ids = ", ".join(one.run_id for one in found) or "none"
        raise click.ClickException(f"{text!r} must name exactly one run; it names: {ids}")
    return found[0]


async def _whole(text: str, flags: dict[str, Any]) -> dict[str, Any]:
    run_id = (await _one(text, flags)).run_id
    settings = settings_from(**flags)
    state, stores = stores_of(settings)
    addresses = state.addresses()
    ui = settings.temporal_ui or (addresses.temporal_ui if addresses else None)
    try:
        return await stores.ledger.read(views.run, run_id, ui, settings.namespace)
    finally:
        stores.close()


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table(
        "run", "opened", "rule", "key", "state", "outcome or reason", box=None, header_style="bold"
    )
    for run in found:
        state = Text(run["state"], style=COLOURS[run["state"]])
        ended = run["outcome"] or run["reason"]
        table.add_row(
            run["id"], when(run["opened_at"]), run["rule"], run["key"], state, value(ended)
        )
    return table


def _print(run: dict[str, Any]) -> None:
    console = Console()
    head = f"run {run['id']}  {run['rule']} -> {run['playbook']}  {run['key']}  ({run['stage']})"
    console.print(Text(head, style="bold"))
    ended = f": {run['outcome']}" if run["outcome"] else ""
    console.print(
        Text(f"{run['state']}{ended}  {run['reason']}".rstrip(), style=COLOURS[run["state"]])
    )
    if run["scripted"]:
        console.print("The model was scripted: no real model was asked.")
    spent = run["spent"]
    tokens = f"{spent['input_tokens']} in ({spent['cached_tokens']} from the cache), {spent['output_tokens']} out"
    console.print(f"{run['turns']} turns, {tokens}, USD {spent['usd']:.4f}")
    for call in run["tool_calls"]:
        arguments = value(call["arguments"])
        console.print(
            Text(
                f"  {call['turn']:>3}  {call['server']}.{call['tool']}  {call['state']}  {arguments}"
            )
        )
    if run["waiting_for"]:
        console.print(f"waits for {value(run['waiting_for'])}")
    if run["temporal_url"]:
        console.print(run["temporal_url"], soft_wrap=True)
