"""Hold back while a provider is slowed down or gone, for all runs of one credential; it asks no model.

A 429 of one run holds the others: none asks before its time, then one tries first, and the rest follow its answer.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from orchestrator.agent.means import Means
from orchestrator.agent.reply import Rejected, Unavailable
from orchestrator.database import Transaction
from orchestrator.ledger import outages, pauses

UNSAID: Final = 10.0
"""Seconds to hold back for where the provider didn't say how long."""

LONGEST: Final = 600.0
"""Seconds to hold back for at most, whatever the provider said."""

LEASE: Final = 30.0
"""Seconds for which the others wait for the one that tries first."""

SPREAD: Final = 10.0
"""Seconds over which those who were held back come again."""

COARSE: Final = 5.0
"""Seconds within which one answer says as much as another."""


class Paused(Unavailable):
    """The provider wants no request of this credential for now."""


def credential_of(key: str | None, base_url: str | None) -> str:
    """A name for a credential that doesn't tell it."""
    return hashlib.sha256(f"{base_url or ''}\0{key or ''}".encode()).hexdigest()[:16]


@asynccontextmanager
async def paced(means: Means, run_id: str) -> AsyncIterator[None]:
    """Ask a model in here: it is asked when its provider wants to be, and the others hear what became of it.

    Raises Paused, or what is raised inside.
    """
    try:
        await _admitted(means)
        yield
    except Unavailable as error:
        await means.ledger.write(outages.record, run_id, means.credential, str(error), means.now())
        if error.slowed:
            await _slowed(means, error)
        raise
    except Rejected:
        await answered(means, run_id)
        raise


async def answered(means: Means, run_id: str) -> None:
    """The provider answered: it is there, and so is this run."""
    await means.ledger.write(_answered, run_id, means.credential, means.now())


def _answered(connection: Transaction, run_id: str, credential: str, at: float) -> None:
    pauses.answered(connection, credential, at, COARSE)
    outages.met(connection, run_id)


async def _admitted(means: Means) -> None:
    pause, now = await means.ledger.read(pauses.of, means.credential), means.now()
    if pause is None or not pause.until:
        return
    spread = SPREAD * means.jitter()
    if now < pause.until:
        text = "the model's provider slows this credential down; another run was told so"
        raise Paused(text, pause.until - now + spread)
    if not await means.ledger.write(pauses.probe, means.credential, now, LEASE):
        text = "another run tries first whether the model's provider answers again"
        raise Paused(text, LEASE / 2 + spread)


async def _slowed(means: Means, error: Unavailable) -> None:
    pause = UNSAID if error.retry_after is None else min(error.retry_after, LONGEST)
    await means.ledger.write(pauses.slow, means.credential, means.now() + pause)
