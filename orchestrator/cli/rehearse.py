"""`doorbell rehearse`: a playbook of today on a kept event, its writes only proposed; it tells what differs."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from orchestrator.agent.rehearsing import Ending
from orchestrator.cli.options import (
    DOTENV,
    config_option,
    console,
    local,
    print_json,
    settings_from,
    stores_of,
)
from orchestrator.cli.scene import Scene, Wanted, scene_of
from orchestrator.cli.staging import Played, play
from orchestrator.errors import OperatorError
from orchestrator.rehearsal.compared import BEFORE, Change, Compared, Field, Step, compare
from orchestrator.rehearsal.runs import Account, Made
from orchestrator.settings import Settings, environment
from orchestrator.stores import configuration_reader
from orchestrator.tell import plain, table, value

DIFFERS: Final = 3
WRONG: Final = 2
WIDEST: Final = 100
"""Characters of arguments that are shown in one line."""

Shown = dict[str, Any]


@click.command("rehearse")
@click.argument("playbook")
@click.argument("recording", metavar="[RUN]", required=False)
@click.option("--event", required=True, metavar="EVENT", help="The kept event it is about.")
@click.option(
    "--with",
    "given",
    metavar="NAME=VALUE",
    multiple=True,
    help="An input, in place of the rule's; repeatable.",
)
@click.option(
    "--reads",
    type=click.Choice(["live", "replay"]),
    default="live",
    show_default=True,
    help="Ask the servers, or answer as in an earlier run: `--reads replay [RUN]`.",
)
@click.option(
    "--against",
    metavar="RUN",
    help="The run to compare with [the one that is replayed, or the event's newest].",
)
@local
@config_option
def rehearse(
    *,
    as_json: bool,
    playbook: str,
    recording: str | None,
    event: str,
    given: tuple[str, ...],
    reads: str,
    against: str | None,
    **flags: Any,
) -> None:
    """Rehearse PLAYBOOK on a kept event, without Temporal and without writing: exit 0 as before, 3 if it differs.

    The model is asked and paid, what tools would write is only proposed, and nothing is waited for. What differs from
    the earlier run of the event, if there is one, is shown.
    """
    if recording is not None and reads != "replay":
        raise click.UsageError("a RUN is named for its answers: --reads replay RUN")
    settings = settings_from(**flags)
    wanted = Wanted(
        playbook=playbook,
        event=event,
        given=given,
        against=against,
        replay=reads == "replay",
        recording=recording,
    )
    scene, played = _rehearsed(settings, wanted)
    compared = None if scene.earlier is None else compare(scene.earlier, played.account)
    if as_json:
        print_json(_report(scene, played, compared))
    else:
        _print(scene, played, compared)
    if code := _code(played, compared):
        raise SystemExit(code)


def _rehearsed(settings: Settings, wanted: Wanted) -> tuple[Scene, Played]:
    try:
        return asyncio.run(_played(settings, wanted))
    except click.UsageError:
        raise
    except click.ClickException as error:
        # A name that fits nothing is a mistake like the others here: one exit code for all of them.
        raise OperatorError(error.message) from None


async def _played(settings: Settings, wanted: Wanted) -> tuple[Scene, Played]:
    if not settings.config.is_dir():
        raise OperatorError(f"no configuration in {str(settings.config)!r}: give --config DIR")
    _, stores = stores_of(settings)
    try:
        configuration = configuration_reader(settings.config, environment(DOTENV))()
        scene = await scene_of(stores, configuration, wanted)
        click.echo(plain(_before(scene)), err=True)
        return scene, await play(settings, stores.ledger, scene)
    finally:
        stores.close()


def _before(scene: Scene) -> str:
    playbook = scene.playbook
    reads = f"as run {scene.recording} was answered" if scene.recording else "live"
    return (
        f"{playbook.name} on {scene.entry.id}: {playbook.model} may spend up to USD {playbook.budget.usd}, which counts"
        f" for the day's caps; reads are {reads}, writes are only proposed"
    )


def _code(played: Played, compared: Compared | None) -> int:
    if played.rehearsed.ending is Ending.BROKEN:
        return WRONG
    return DIFFERS if compared is not None and not compared.same else 0


def _report(scene: Scene, played: Played, compared: Compared | None) -> Shown:
    return {
        "playbook": scene.playbook.name,
        "event": scene.entry.id,
        "reads": scene.recording or "live",
        "most_usd": float(scene.playbook.budget.usd),
        "ending": str(played.rehearsed.ending),
        "rehearsed": _account(played.account),
        "unheard": [{"tool": one.tool, "arguments": dict(one.arguments)} for one in played.unheard],
        "against": None if compared is None else _account(compared.before),
        "same": None if compared is None else compared.same,
        "same_outcome": None if compared is None else compared.same_outcome,
        "same_writes": None if compared is None else compared.same_writes,
        "calls": [] if compared is None else [_step(one) for one in compared.calls],
        "writes": [] if compared is None else [_step(one) for one in compared.writes],
    }


def _account(account: Account) -> Shown:
    return {
        "run": account.run_id,
        "event": account.event_id,
        "playbook": account.playbook,
        "model": account.model,
        "stage": account.stage,
        "came": account.came,
        "reason": account.reason,
        "turns": account.turns,
        "tokens": account.tokens,
        "usd": float(account.usd),
        "unpriced_turns": account.unpriced,
        "events_heard": account.heard,
        "said": account.said,
        "calls": [_made(one) for one in account.calls],
    }


def _made(made: Made) -> Shown:
    return {
        "turn": made.turn,
        "tool": made.tool,
        "writes": made.writes,
        "arguments": dict(made.arguments),
        "state": str(made.state),
    }


def _step(step: Step) -> Shown:
    return {
        "change": step.change.name.lower(),
        "tool": step.tool,
        "before": None if step.before is None else _made(step.before),
        "after": None if step.after is None else _made(step.after),
        "fields": [
            {"name": one.name, "before": one.before, "after": one.after, "lacks": one.lacks or None}
            for one in step.fields
        ],
    }


def _print(scene: Scene, played: Played, compared: Compared | None) -> None:
    account = played.account
    if compared is None:
        _print_calls(account)
    else:
        _print_steps(compared)
    for one in played.unheard:
        said = f"not answered by run {scene.recording}: {one.tool} {_arguments(one.arguments)}"
        click.echo(plain(said))
    click.echo(plain(f"rehearsed: {_came(account)}"))
    if compared is None:
        click.echo("no earlier run of this event to compare with")
        return
    click.echo(plain(f"{_whose(scene, compared.before)}: {_came(compared.before)}"))
    if more := compared.before.heard - 1:
        events = "1 more event" if more == 1 else f"{more} more events"
        click.echo(f"that run heard {events} later; a rehearsal hears the first alone")
    click.echo(_verdict(compared))


def _print_calls(account: Account) -> None:
    rows = [
        (str(one.turn), one.tool, str(one.state), _arguments(one.arguments))
        for one in account.calls
    ]
    if rows:
        console().print(table(("turn", "tool", "rehearsed", "arguments"), rows, whole={"tool"}))


def _print_steps(compared: Compared) -> None:
    rows = [
        (str(one.change), one.tool, _state(one.before), _state(one.after), "\n".join(_told(one)))
        for one in compared.calls
    ]
    if rows:
        columns = ("call", "tool", "earlier", "rehearsed", "arguments")
        console().print(table(columns, rows, whole={"tool"}))


def _told(step: Step) -> Iterator[str]:
    """The arguments of a call, or what of them is another; each line fit for a terminal."""
    if step.change is Change.OTHERWISE:
        yield from map(_field, step.fields)
    else:
        made = step.after or step.before
        yield "" if made is None else _arguments(made.arguments)


def _field(field: Field) -> str:
    before, after = value(field.before, WIDEST), value(field.after, WIDEST)
    if field.lacks:
        return f"{field.name}: new, {after}" if field.lacks == BEFORE else f"{field.name}: gone"
    return f"{field.name}: {before} -> {after}"


def _state(made: Made | None) -> str:
    return "" if made is None else str(made.state)


def _arguments(arguments: Mapping[str, Any]) -> str:
    return value(dict(arguments), WIDEST)


def _came(account: Account) -> str:
    unpriced = f" and {account.unpriced} turns of unknown price" if account.unpriced else ""
    cost = f"{account.turns} turns, {account.tokens:,} tokens, USD {account.usd:.4f}{unpriced}"
    return f"{account.came}{f', {account.reason}' if account.reason else ''}: {cost}"


def _whose(scene: Scene, before: Account) -> str:
    other = [f"playbook {before.playbook}"] if before.playbook != scene.playbook.name else []
    other += [f"event {before.event_id}"] if before.event_id != scene.entry.id else []
    of = f" of {', '.join(other)}" if other else ""
    return f"run {before.run_id}{of}"


def _verdict(compared: Compared) -> str:
    if compared.same:
        return "the same outcome and the same writes"
    differs = [] if compared.same_outcome else ["the outcome"]
    differs += [] if compared.same_writes else ["what is written"]
    return f"it differs: {' and '.join(differs)}"
