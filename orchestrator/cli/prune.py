"""`doorbell events prune`: forget what is old enough, by each source's policy; it decides nothing itself."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import click
from rich.table import Table

from orchestrator.cli.consoles import anywhere, console_of
from orchestrator.cli.options import config_option, console, print_json, settings_from
from orchestrator.configuration import quantities
from orchestrator.console.questions import Prune, Shown
from orchestrator.errors import OperatorError
from orchestrator.tell import plain


def _duration(_context: click.Context, _option: click.Parameter, value: str | None) -> Any:
    try:
        return None if value is None else quantities.duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command("prune")
@anywhere
@config_option
@click.option("--dry-run", is_flag=True, help="Only say what would be pruned.")
@click.option(
    "--keep", callback=_duration, metavar="30d", help="Keep so much of every source, instead."
)
def prune(*, as_json: bool, dry_run: bool, keep: timedelta | None, **flags: Any) -> None:
    """Forget deliveries that are old enough and that nothing open refers to.

    A tombstone stays for 400 days, so that a delivery that comes again is still a duplicate. The service does the
    same every night. A SQLite file doesn't shrink; the space is used again.
    """
    settings = settings_from(**flags)
    if settings.url is None and keep is None and not settings.config.is_dir():
        # Without the files nobody knows what is kept for ever.
        said = f"no configuration in {str(settings.config)!r}: give --config DIR, or --keep 30d for all"
        raise OperatorError(said)
    pruned = asyncio.run(_pruned(Prune(keep=keep, dry_run=dry_run), flags))
    if as_json:
        print_json(pruned)
    else:
        console().print(_table(pruned, "would be pruned" if dry_run else "pruned"))


async def _pruned(act: Prune, flags: dict[str, Any]) -> list[Shown]:
    async with console_of(**flags) as asked:
        found: list[Shown] = (await asked.act(act))["pruned"]
        return found


def _table(found: Sequence[Shown], verb: str) -> Table:
    table = Table("source", "received before", verb, "old but needed", box=None)
    for done in found:
        before = f"{datetime.fromisoformat(done['before']):%Y-%m-%d %H:%M} UTC"
        table.add_row(plain(done["source"]), before, str(done["pruned"]), str(done["referred"]))
    return table
