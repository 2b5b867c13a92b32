"""`doorbell runs lost`: which runs Temporal no longer knew, and a person's word that a server is gone for good."""

import asyncio
from collections.abc import Mapping
from typing import Any

import click

from orchestrator.cli.asking_temporal import HERE
from orchestrator.cli.consoles import anywhere, console_of
from orchestrator.cli.options import console, print_json, settings_from
from orchestrator.console.questions import AcceptNamespace, LostRuns, Shown
from orchestrator.tell import table, when


@click.command("lost")
@anywhere
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--accept", is_flag=True, help="The server we look at now is the one, from now on.")
@click.option("--temporal", metavar="ADDRESS", help="The Temporal server [the service's].")
@click.option("--namespace", help="Temporal namespace [default].")
def lost(*, as_json: bool, limit: int, accept: bool, **flags: Any) -> None:
    """Runs that were lost in Temporal, the newest first.

    The ledger knows on which namespace its runs live. On another one nothing is lost until you say with --accept that
    the one of before won't come back: then its open runs end, and those that sent no write begin again.
    """
    if settings_from(**flags).url and (flags["temporal"] or flags["namespace"]):
        raise click.UsageError("with --url it is the service there that knows its Temporal server")
    accepted, found = asyncio.run(_answered(limit, flags, accept=accept))
    if accepted is not None:
        click.echo(_words(accepted), err=True)
    if as_json:
        print_json(found)
    else:
        rows = [(one["run"], when(one["at"]), one["reason"]) for one in found]
        console().print(table(("run", "lost", "why"), rows, whole=("run", "lost")))


async def _answered(
    limit: int, flags: Mapping[str, Any], *, accept: bool
) -> tuple[Shown | None, list[Any]]:
    async with console_of(HERE, **flags) as asked:
        accepted = await asked.act(AcceptNamespace()) if accept else None
        found: list[Any] = (await asked.ask(LostRuns(limit=limit)))["lost"]
        return accepted, found


def _words(accepted: Shown) -> str:
    name, found = accepted["namespace"], accepted["identity"]
    if not accepted["changed"]:
        return f"namespace {name!r} ({found}) it was already"
    return (
        f"runs live on namespace {name!r} ({found}) from now on, no longer on {accepted['before']}; "
        f"within a minute the service ends those that aren't there"
    )
