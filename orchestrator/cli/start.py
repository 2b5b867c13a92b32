"""`doorbell runs start`: a run of a playbook by hand; it says a word to the service, and starts nothing itself."""

import asyncio
from collections.abc import Mapping
from typing import Any

import click

from orchestrator.cli.consoles import anywhere, console_of
from orchestrator.cli.inputs import typed
from orchestrator.cli.options import config_option, print_json, settings_from
from orchestrator.cli.words import PATIENCE, refused
from orchestrator.console.questions import Console, Playbooks, Shown, Word
from orchestrator.dispatch.starting import START
from orchestrator.errors import OperatorError
from orchestrator.tell import plain
from workflows.playbook import InputType, Stage


@click.command("start")
@anywhere
@config_option
@click.argument("playbook")
@click.option("--with", "given", metavar="NAME=VALUE", multiple=True, help="An input; repeatable.")
@click.option(
    "--key",
    metavar="KIND:VALUE",
    help="What it is about, such as issue:acme/api#7: an open run of it is told instead.",
)
@click.option(
    "--stage",
    type=click.Choice([stage.value for stage in Stage]),
    default=Stage.PREVIEW.value,
    show_default=True,
    help="Whether it may write.",
)
def start(
    *,
    as_json: bool,
    playbook: str,
    given: tuple[str, ...],
    key: str | None,
    stage: str,
    **flags: Any,
) -> None:
    """Start a run of PLAYBOOK by hand, without a rule: its limits don't apply, the caps of the day do."""
    if key is not None and not all(key.partition(":")):
        raise click.UsageError(f"expected a key such as issue:7, got {key!r}")
    settings = settings_from(**flags)
    if settings.url is None and not settings.config.is_dir():
        raise OperatorError(f"no configuration in {str(settings.config)!r}: give --config DIR")
    about = {"stage": stage, **({} if key is None else {"key": key})}
    receipt = asyncio.run(_said(playbook, given, about, flags))
    if as_json:
        print_json(_shown(receipt))
    else:
        click.echo(plain(_line(playbook, receipt)), err=refused(receipt))
    if refused(receipt):
        raise SystemExit(1)


async def _said(
    playbook: str, given: tuple[str, ...], about: Mapping[str, Any], flags: Mapping[str, Any]
) -> Shown:
    async with console_of(**flags) as asked:
        inputs = typed(await _inputs(asked, playbook), given)
        more = {**about, "with": inputs}
        return await asked.say(Word(kind=START, named=playbook, more=more, patience=PATIENCE))


async def _inputs(asked: Console, playbook: str) -> Mapping[str, InputType]:
    """What it takes, by name; nothing of a playbook that isn't there, which is said when it is started."""
    known = (await asked.ask(Playbooks()))["playbooks"]
    declared: Mapping[str, str] = next(
        (one["inputs"] for one in known if one["name"] == playbook), {}
    )
    return {name: InputType(kind) for name, kind in declared.items()}


def _line(playbook: str, receipt: Shown) -> str:
    event, run = receipt["event"], receipt["run"]
    if receipt["accepted"] is None:
        return f"{playbook}: recorded as {event}, not decided yet: `doorbell why {event}`"
    if refused(receipt):
        return f"{playbook}: refused: {receipt['reason']}"
    if run is None:
        return f"{playbook}: recorded as {event}, not taken up yet: {receipt['reason']}"
    if receipt["opened"]:
        return f"started run {run}, recorded as {event}: {receipt['reason']}"
    return f"told run {run}, which is open (mode signal): recorded as {event}"


def _shown(receipt: Shown) -> dict[str, Any]:
    return {
        "event": receipt["event"],
        "done": receipt["accepted"],
        "reason": receipt["reason"],
        "run": receipt["run"],
        "opened": bool(receipt["opened"]),
        "workflow": receipt["workflow"],
    }
