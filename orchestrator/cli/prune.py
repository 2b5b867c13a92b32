"""`doorbell events prune`: forget what is old enough, by each source's policy; it decides nothing itself."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.table import Table

from orchestrator import retention
from orchestrator.cli.options import (
    DOTENV,
    config_option,
    console,
    local,
    print_json,
    settings_from,
    stores_of,
)
from orchestrator.configuration import quantities
from orchestrator.errors import OperatorError
from orchestrator.retention import Keep, Pruned
from orchestrator.settings import environment
from orchestrator.stores import configuration_reader
from orchestrator.tell import plain


def _duration(_context: click.Context, _option: click.Parameter, value: str | None) -> Any:
    try:
        return None if value is None else quantities.duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command("prune")
@local
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
    policy = _policy(flags) if keep is None else (lambda _source: keep)
    pruned = asyncio.run(_pruned(policy, dry_run=dry_run, flags=flags))
    if as_json:
        print_json([_shown(done) for done in pruned])
    else:
        console().print(_table(pruned, "would be pruned" if dry_run else "pruned"))


def _policy(flags: dict[str, Any]) -> Keep:
    """Each source's own `keep`. Without the configuration nobody knows what is kept for ever."""
    directory = settings_from(**flags).config
    if not directory.is_dir():
        raise OperatorError(
            f"no configuration in {str(directory)!r}: give --config DIR, or --keep 30d for all"
        )
    sources = configuration_reader(directory, environment(DOTENV))().sources
    return lambda name: sources[name].keep if name in sources else retention.DEFAULT_KEEP


async def _pruned(keep: Keep, *, dry_run: bool, flags: dict[str, Any]) -> list[Pruned]:
    _, stores = stores_of(settings_from(**flags))
    try:
        return await retention.prune(
            stores.inbox,
            retention.referred_in(stores.ledger),
            keep,
            datetime.now(UTC),
            dry_run=dry_run,
        )
    finally:
        stores.close()


def _shown(done: Pruned) -> dict[str, Any]:
    return {
        "source": done.source,
        "before": done.before.isoformat(),
        "pruned": done.pruned,
        "referred": done.referred,
    }


def _table(found: Sequence[Pruned], verb: str) -> Table:
    table = Table("source", "received before", verb, "old but needed", box=None)
    for done in found:
        before = f"{done.before:%Y-%m-%d %H:%M} UTC"
        table.add_row(plain(done.source), before, str(done.pruned), str(done.referred))
    return table
