"""`doorbell runs`: what the agent did, and a person's word to it."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator import views
from orchestrator.cli.approvals import answer, approve, deny
from orchestrator.cli.log import log
from orchestrator.cli.lost import lost
from orchestrator.cli.naming import run_named
from orchestrator.cli.options import console, local, print_json, settings_from, stores_of
from orchestrator.cli.retry import retry
from orchestrator.cli.ring import say
from orchestrator.cli.start import start
from orchestrator.database import Transaction
from orchestrator.ledger import conversations
from orchestrator.ledger.tallies import Writes
from orchestrator.tell import plain, table, value, when
from workflows.messages import CallState, RunState

NO_MODEL = "none"
FIELD = 4_000
"""Characters of one field of a proposal that are shown."""
COLOURS = {"running": "cyan", "waiting": "blue", "parked": "yellow", "ended": "green"}


@click.group("runs")
def runs() -> None:
    """What the agent did for each event, and what it waits for."""


@runs.command("list")
@local
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="How many, the newest first.",
)
def list_(*, as_json: bool, limit: int, **flags: Any) -> None:
    """List runs."""
    found = asyncio.run(_newest(limit, flags))
    if as_json:
        print_json(found)
    else:
        console().print(_table(found))


@runs.command("show")
@local
@click.argument("run")
def show(*, as_json: bool, run: str, **flags: Any) -> None:
    """One run: state, tool calls, money, and where Temporal shows it."""
    found = asyncio.run(_whole(run, flags))
    if as_json:
        print_json(found)
    else:
        _print(console(), found)


runs.add_command(start)
runs.add_command(log)
runs.add_command(approve)
runs.add_command(deny)
runs.add_command(answer)
runs.add_command(retry)
runs.add_command(lost)


def _word(name: str, said: str) -> Callable[..., None]:
    @local
    @click.argument("run")
    def command(*, as_json: bool, run: str, **flags: Any) -> None:
        run_id = asyncio.run(_sayable(run, name, flags))
        state, stores = stores_of(settings_from(**flags))
        stores.close()
        receipt = say(state, f"run.{name}", run_id)
        if as_json:
            print_json(receipt)
        else:
            click.echo(f"recorded as {receipt['event']}: {said} run {run_id}")

    return command


runs.command("resume", help="Go on with a parked run, under the limits in force now.")(
    _word("resume", "resume")
)
runs.command("apply", help="Make the writes that a preview recorded, exactly.")(
    _word("apply", "apply the proposals of")
)
runs.command("cancel", help="End a run.")(_word("cancel", "cancel"))


async def _newest(limit: int, flags: dict[str, Any]) -> list[dict[str, Any]]:
    _, stores = stores_of(settings_from(**flags))
    try:
        return await stores.ledger.read(_lines, limit)
    finally:
        stores.close()


def _lines(connection: Transaction, limit: int) -> list[dict[str, Any]]:
    return views.run_lines(connection, conversations.newest(connection, limit))


async def _sayable(text: str, word: str, flags: dict[str, Any]) -> str:
    """The id of the run, if the word still means something to it."""
    _, stores = stores_of(settings_from(**flags))
    try:
        found = await run_named(stores, text)
        if word == "apply":
            _refuse_if_nothing_to_apply(await stores.ledger.read(_shown, found.run_id))
        elif found.state is RunState.ENDED:
            ended = f"run {found.run_id} has ended ({found.outcome}): there is nothing to {word}"
            raise click.ClickException(ended)
        return found.run_id
    finally:
        stores.close()


def _shown(connection: Transaction, run_id: str) -> dict[str, Any]:
    return views.run(connection, run_id, None, "")


def _refuse_if_nothing_to_apply(run: dict[str, Any]) -> None:
    if not _to_apply(run):
        proposed = any(call["state"] == CallState.PROPOSED for call in run["tool_calls"])
        said = "what it proposed has been applied" if proposed else "it has proposed nothing"
        raise click.ClickException(f"run {run['id']}: there is nothing to apply, {said}")


def _to_apply(run: dict[str, Any]) -> list[dict[str, Any]]:
    """The proposals that nobody has applied; an applied one stands beside its proposal, at turn 0."""
    applied = {
        call["id"].rpartition(":")[0]
        for call in run["tool_calls"]
        if call["turn"] == 0 and call["state"] != CallState.PENDING
    }
    proposed = (call for call in run["tool_calls"] if call["state"] == CallState.PROPOSED)
    return [call for call in proposed if call["id"] not in applied]


async def _whole(text: str, flags: dict[str, Any]) -> dict[str, Any]:
    settings = settings_from(**flags)
    state, stores = stores_of(settings)
    addresses = state.addresses()
    ui = settings.temporal_ui or (addresses.temporal_ui if addresses else None)
    try:
        found = await run_named(stores, text)
        return await stores.ledger.read(views.run, found.run_id, ui, settings.namespace)
    finally:
        stores.close()


def _table(found: list[dict[str, Any]]) -> Table:
    rows = [
        (
            run["id"],
            when(run["opened_at"]),
            run["rule"],
            run["key"],
            Text(run["state"], style=COLOURS[run["state"]]),
            str(Writes(**run["writes"])),
            run["outcome"] or run["reason"],
        )
        for run in found
    ]
    columns = ("run", "opened", "rule", "key", "state", "writes", "outcome or reason")
    return table(columns, rows, whole={"run", "opened", "state"})


def _print(out: Console, run: dict[str, Any]) -> None:
    def line(text: str, style: str = "") -> None:
        out.print(Text(plain(text), style=style), soft_wrap=True)

    line(
        f"run {run['id']}  {run['rule']} -> {run['playbook']}  {run['key']}  ({run['stage']})",
        "bold",
    )
    ended = f": {run['outcome']}" if run["outcome"] else ""
    line(f"{run['state']}{ended}  {run['reason']}".rstrip(), COLOURS[run["state"]])
    if run["scripted"]:
        line("The model was scripted: no real model was asked.")
    line(_spent(run))
    if written := str(Writes(**run["writes"])):
        line(f"writes: {written}")
    for call in sorted(run["tool_calls"], key=lambda call: call["turn"] or sys.maxsize):
        for text in _call(call):
            line(text)
    for text in (run["account"] or "").splitlines():
        line(f"  > {text}", "italic")
    for text in _next(run):
        line(text)


def _spent(run: dict[str, Any]) -> str:
    if run["model"] == NO_MODEL:
        return f"{run['turns']} turns, no model: what is called stands in the rule"
    spent = run["spent"]
    tokens = f"{spent['input_tokens']} in ({spent['cached_tokens']} from the cache), {spent['output_tokens']} out"
    return f"{run['turns']} turns, {tokens}, USD {spent['usd']:.4f}"


def _call(call: dict[str, Any]) -> list[str]:
    name = f"{call['server']}.{call['tool']}" if call["server"] else call["tool"]
    turn = f"{call['turn']:>7}" if call["turn"] else "applied"
    if call["state"] != CallState.PROPOSED:
        return [f"{turn}  {name}  {call['state']}  {value(call['arguments'])}"]
    # Somebody has to decide about this one, so every field is shown whole.
    fields = [f"{'':9}{field}: {value(given, FIELD)}" for field, given in call["arguments"].items()]
    return [f"{turn}  {name}  {call['state']}", *fields]


def _request(request: dict[str, Any]) -> str:
    by, until = " or ".join(request["by"]), when(request["expires_at"])
    if request["tool"] is None:
        words = f"waits for an answer by {by}, until {until}: `doorbell runs answer"
    else:
        words = (
            f"waits for consent to {request['tool']} by {by}, until {until}: `doorbell runs approve"
        )
    return f"{words} {request['code']}`"


def _next(run: dict[str, Any]) -> list[str]:
    told = [f"quarantine: {words}" for words in run["quarantines"]]
    waits = run["waiting_for"]
    if waits and waits["kind"] == "event":
        wanted = " or ".join(waits["events"])
        told.append(f"waits for {wanted} of {waits['key']}, until {when(waits['until'])}")
    elif waits and waits["kind"] == "time":
        told.append(f"sleeps until {when(waits['until'])}")
    elif waits and waits["kind"] == "people":
        told += [_request(one) for one in waits["requests"]]
    elif waits:
        told.append(f"waits for you: `doorbell runs resume {run['id']}` when it is mended")
    if _to_apply(run):
        told.append(f"`doorbell runs apply {run['id']}` makes what was proposed, exactly")
    return [*told, run["temporal_url"]] if run["temporal_url"] else told
