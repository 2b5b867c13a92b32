"""`doorbell rules`: what the rules are and what waits for them, and a person's word to hold one, or a source."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.table import Table

from orchestrator import views
from orchestrator.cli import words
from orchestrator.cli.consoles import anywhere, console_of
from orchestrator.cli.options import (
    DOTENV,
    config_option,
    console,
    print_json,
    settings_from,
    stores_of,
)
from orchestrator.cli.rules_test import test
from orchestrator.cli.rules_try import try_
from orchestrator.cli.status import broken_lines
from orchestrator.cli.times import said_on
from orchestrator.cli.why import why
from orchestrator.configuration.broken import broken
from orchestrator.console.questions import Rules, Shown
from orchestrator.console.rules import rule_line
from orchestrator.errors import OperatorError
from orchestrator.rules.rule import Rule
from orchestrator.settings import Settings, environment
from orchestrator.state import StateDirectory
from orchestrator.stores import configuration_reader
from orchestrator.tell import paused as told_pause
from orchestrator.tell import plain, table

SOURCE = "source:"
"""How a source is named where a rule is expected; no rule's name has a colon."""


@click.group("rules")
def rules() -> None:
    """What answers which events, and what of it is held."""


rules.add_command(test)
rules.add_command(try_)


rules.add_command(why)


@rules.command("list")
@anywhere
@config_option
def list_(*, as_json: bool, **flags: Any) -> None:
    """List rules: what they want, what they do, what waits for them, what is paused."""
    settings = settings_from(**flags)
    if settings.url is not None:
        _tell(asyncio.run(_elsewhere(flags)), as_json=as_json)
        return
    if not settings.config.is_dir():
        raise OperatorError(f"no configuration in {str(settings.config)!r}: give --config DIR")
    configuration = configuration_reader(settings.config, environment(DOTENV))()
    found = asyncio.run(_standing(settings, configuration.rules, flags))
    wrong = [one.told() for one in broken(configuration.mistakes, configuration.texts)]
    _tell({**found, "broken": wrong}, as_json=as_json)


def _tell(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json({name: found[name] for name in ("rules", "paused", "broken")})
        return
    console().print(_table(found["rules"]))
    for pause in found["paused"]:
        click.echo(plain(f"paused: {told_pause(pause)}"))
    for line in broken_lines("broken  ", found["broken"]):
        click.echo(plain(line), err=True)


async def _elsewhere(flags: dict[str, Any]) -> dict[str, Any]:
    async with console_of(**flags) as asked:
        return dict(await asked.ask(Rules()))


async def _standing(
    settings: Settings, known: Sequence[Rule], flags: dict[str, Any]
) -> dict[str, Any]:
    now = datetime.now(UTC)
    there = settings.database is not None or StateDirectory(settings.state.resolve()).inbox.exists()
    if not there:
        return {"rules": [rule_line(rule, {}, (), now) for rule in known], "paused": []}
    _, stores = stores_of(settings_from(**flags))
    try:
        waiting = await stores.inbox.undelivered()
        paused = views.paused(await stores.inbox.pauses(), known)
    finally:
        stores.close()
    held = {one["name"] for one in paused if one["what"] == "rule"}
    return {"rules": [rule_line(rule, waiting, held, now) for rule in known], "paused": paused}


def _table(found: Sequence[dict[str, Any]]) -> Table:
    rows = [
        (
            one["name"],
            ", ".join(said_on(one["on"], one["schedule"])),
            one["does"],
            one["stage"],
            one["place"],
            str(one["waiting"]),
            "paused" if one["paused"] else "",
        )
        for one in found
    ]
    columns = ("rule", "on", "does", "stage", "where", "waiting", "")
    return table(columns, rows, whole={"rule"})


def _word(verb: str) -> Callable[..., None]:
    @anywhere
    @click.argument("name", required=False)
    @click.option("--source", help="A source, instead of a rule.")
    def command(*, as_json: bool, name: str | None, source: str | None, **flags: Any) -> None:
        kind, named = _meant(name, source)
        words.tell(asyncio.run(_said(f"{kind}.{verb}", named, flags)), as_json=as_json)

    return command


rules.command(
    "pause",
    help="Hold a rule (or NAME source:SOURCE): what comes waits, runs at work begin no further turn or call.",
)(_word("pause"))
rules.command("unpause", help="Go on: what waits is delivered in its order, its runs go on.")(
    _word("unpause")
)


def _meant(name: str | None, source: str | None) -> tuple[str, str]:
    if (name is None) is (source is None):
        raise click.UsageError("name a rule, or say --source NAME")
    if source is not None:
        return "source", source
    text = name or ""
    if text.startswith(SOURCE):
        return "source", text.removeprefix(SOURCE)
    return "rule", text


async def _said(kind: str, named: str, flags: dict[str, Any]) -> list[Shown]:
    async with console_of(**flags) as asked:
        return await words.said(asked, kind, [named])
