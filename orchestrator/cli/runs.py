"""`doorbell runs`: what the agent did, and a person's word to it."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.cli.approvals import answer, approve, deny
from orchestrator.cli.asking_temporal import HERE
from orchestrator.cli.consoles import anywhere, console_of
from orchestrator.cli.log import log
from orchestrator.cli.lost import lost
from orchestrator.cli.options import console, print_json
from orchestrator.cli.retry import retry
from orchestrator.cli.start import start
from orchestrator.console.questions import Run, Runs, Word
from orchestrator.console.saying import to_apply
from orchestrator.ledger.tallies import Writes
from orchestrator.tell import plain, table, value, when
from workflows.messages import CallState

NO_MODEL = "none"
FIELD = 4_000
"""Characters of one field of a proposal that are shown."""
COLOURS = {"running": "cyan", "waiting": "blue", "parked": "yellow", "ended": "green"}


@click.group("runs")
def runs() -> None:
    """What the agent did for each event, and what it waits for."""


@runs.command("list")
@anywhere
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
@anywhere
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
    @anywhere
    @click.argument("run")
    def command(*, as_json: bool, run: str, **flags: Any) -> None:
        receipt = asyncio.run(_said(Word(kind=f"run.{name}", named=run, patience=0), flags))
        if as_json:
            print_json(receipt)
        else:
            click.echo(f"recorded as {receipt['event']}: {said} run {receipt['run']}")

    return command


runs.command("resume", help="Go on with a parked run, under the limits in force now.")(
    _word("resume", "resume")
)
runs.command("apply", help="Make the writes that a preview recorded, exactly.")(
    _word("apply", "apply the proposals of")
)
runs.command("cancel", help="End a run.")(_word("cancel", "cancel"))


async def _newest(limit: int, flags: dict[str, Any]) -> list[dict[str, Any]]:
    async with console_of(**flags) as asked:
        found: list[dict[str, Any]] = (await asked.ask(Runs(limit=limit)))["runs"]
        return found


async def _whole(text: str, flags: dict[str, Any]) -> dict[str, Any]:
    async with console_of(HERE, **flags) as asked:
        return dict(await asked.ask(Run(run=text)))


async def _said(word: Word, flags: dict[str, Any]) -> dict[str, Any]:
    async with console_of(**flags) as asked:
        return await asked.say(word)


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
    for text in _figures(run):
        line(text)
    for call in sorted(run["tool_calls"], key=lambda call: call["turn"] or sys.maxsize):
        for text in _call(call):
            line(text)
    for text in _beside(run):
        line(text)
    for text in (run["account"] or "").splitlines():
        line(f"  > {text}", "italic")
    for text in _next(run):
        line(text)


def _figures(run: dict[str, Any]) -> list[str]:
    scripted = ["The model was scripted: no real model was asked."] if run["scripted"] else []
    written = str(Writes(**run["writes"]))
    return [*scripted, _spent(run), *([f"writes: {written}"] if written else [])]


def _spent(run: dict[str, Any]) -> str:
    if run["model"] == NO_MODEL:
        return f"{run['turns']} turns, no model: what is called stands in the rule"
    spent = run["spent"]
    tokens = f"{spent['input_tokens']} in ({spent['cached_tokens']} from the cache), {spent['output_tokens']} out"
    return (
        f"{run['turns']} turns, {tokens}, USD {spent['usd']:.4f}{_lost(spent['assumed_attempts'])}"
    )


def _lost(attempts: int) -> str:
    if not attempts:
        return ""
    many = "attempt" if attempts == 1 else "attempts"
    return f", of which {attempts} {many} charged as assumed: no whole answer came, or none that says what it used"


def _call(call: dict[str, Any]) -> list[str]:
    name = f"{call['server']}.{call['tool']}" if call["server"] else call["tool"]
    turn = f"{call['turn']:>7}" if call["turn"] else "applied"
    if call["state"] != CallState.PROPOSED:
        line = f"{turn}  {name}  {call['state']}  {value(call['arguments'])}"
        return [line, *(f"{'':9}{words}" for words in _last_words(call))]
    # Somebody has to decide about this one, so every field is shown whole.
    fields = [f"{'':9}{field}: {value(given, FIELD)}" for field, given in call["arguments"].items()]
    return [f"{turn}  {name}  {call['state']}", *fields]


def _last_words(call: dict[str, Any]) -> list[str]:
    """What its server said last of a call that is under way, or that it answers later."""
    said = [f"now: {call['progress']}"] if call["progress"] else []
    task = call["task"]
    if task is None:
        return said
    words = f"{task['status']}: {task['said']}" if task["said"] else task["status"]
    looks = "once" if task["looks"] == 1 else f"{task['looks']} times"
    again = f", again {when(task['look_at'])}" if task["look_at"] else ""
    return [*said, f"its server answers later: {words} (asked after {looks}{again})"]


def _request(request: dict[str, Any]) -> str:
    by, until = " or ".join(request["by"]), when(request["expires_at"])
    if request["tool"] is None:
        words = f"waits for an answer by {by}, until {until}: `doorbell runs answer"
    else:
        words = (
            f"waits for consent to {request['tool']} by {by}, until {until}: `doorbell runs approve"
        )
    return f"{words} {request['code']}`"


def _beside(run: dict[str, Any]) -> list[str]:
    """What happened beside its calls, counted: `doorbell runs log` tells it in order."""
    told = []
    if run["people"]:
        people = ", ".join(f"{count} {standing}" for standing, count in run["people"].items())
        told.append(f"people asked: {people}")
    if run["notices"]:
        wrong = [one["became"] for one in run["notices"] if one["failed"]]
        known = sum(one["failed"] is False for one in run["notices"])
        told.append(f"notices: {known} of {len(run['notices'])} told, {len(wrong)} failed")
        told += [f"notice FAILED: {why}" for why in wrong]
    if run["cleared_through"]:
        told.append(f"results up to turn {run['cleared_through']} are shown to the model no more")
    return told


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
        told.append(f"waits for you: {_mending(run, waits['reason'])}")
    if to_apply(run):
        told.append(f"`doorbell runs apply {run['id']}` makes what was proposed, exactly")
    return [*told, run["temporal_url"]] if run["temporal_url"] else told


def _mending(run: dict[str, Any], reason: str) -> str:
    word = f"`doorbell runs resume {run['id']}`"
    if "budget: " in reason:
        return f"raise `budget:` in playbooks/{run['playbook']}.md, then {word}"
    return f"{word} when it is mended"
