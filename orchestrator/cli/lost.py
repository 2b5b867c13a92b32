"""`doorbell runs lost`: which runs Temporal no longer knew, and a person's word that a server is gone for good."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import click
from temporalio.service import RPCError

from orchestrator import embedded
from orchestrator.cli.options import console, local, print_json, settings_from, stores_of
from orchestrator.errors import OperatorError
from orchestrator.ledger import installation, losses
from orchestrator.ledger.losses import Loss
from orchestrator.settings import Settings
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores
from orchestrator.tell import table, when


@click.command("lost")
@local
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--accept", is_flag=True, help="The server we look at now is the one, from now on.")
@click.option("--temporal", metavar="ADDRESS", help="The Temporal server [the service's].")
@click.option("--namespace", help="Temporal namespace [default].")
def lost(*, as_json: bool, limit: int, accept: bool, **flags: Any) -> None:
    """Runs that were lost in Temporal, the newest first.

    The ledger knows on which namespace its runs live. On another one nothing is lost until you say with --accept that
    the one of before won't come back: then its open runs end, and those that sent no write begin again.
    """
    settings = settings_from(**flags)
    state, stores = stores_of(settings)
    try:
        if accept:
            click.echo(asyncio.run(_accepted(settings, state, stores)), err=True)
        found = asyncio.run(stores.ledger.read(losses.newest, limit))
    finally:
        stores.close()
    if as_json:
        print_json([_shown(loss) for loss in found])
    else:
        console().print(table(("run", "lost", "why"), map(_row, found), whole=("run", "lost")))


async def _accepted(settings: Settings, state: StateDirectory, stores: Stores) -> str:
    running = state.addresses()
    address = settings.temporal or (running.temporal if running else "")
    if not address:
        raise OperatorError("no service is running here: name the server with --temporal ADDRESS")
    try:
        found = await embedded.identity(address, settings.namespace)
    except (RPCError, RuntimeError) as error:
        raise OperatorError(f"Temporal at {address!r} does not answer: {error}") from error
    before = await stores.ledger.read(installation.namespace)
    await stores.ledger.write(installation.accept, found, datetime.now(UTC).timestamp())
    if before in {None, found}:
        return f"namespace {settings.namespace!r} ({found}) it was already"
    return (
        f"runs live on namespace {settings.namespace!r} ({found}) from now on, no longer on {before}; "
        f"within a minute the service ends those that aren't there"
    )


def _shown(loss: Loss) -> dict[str, Any]:
    return {"run": loss.run_id, "at": _iso(loss), "again": loss.again, "reason": loss.words}


def _row(loss: Loss) -> tuple[str, str, str]:
    return loss.run_id, when(_iso(loss)), loss.words


def _iso(loss: Loss) -> str:
    return datetime.fromtimestamp(loss.at, UTC).isoformat()
