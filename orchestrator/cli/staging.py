"""Plays a rehearsal's scene: real model and hands, an inbox and a ledger of its own that are gone afterwards.

Of the installation it uses the configuration and, for money alone, the ledger: what its turns cost counts for the day.
"""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestrator.agent.asking.outlay import Charged
from orchestrator.agent.asking.pacing import credential_of
from orchestrator.agent.calling.recorded import Replayed, Unheard
from orchestrator.agent.hands.pool import Hands
from orchestrator.agent.means import Means
from orchestrator.agent.model import Claude
from orchestrator.agent.rehearsing import Rehearsed, rehearse
from orchestrator.agent.tools.prospect import from_lock
from orchestrator.cli.options import DOTENV
from orchestrator.cli.recounting import account
from orchestrator.cli.scene import Scene
from orchestrator.configuration.locks import Lock
from orchestrator.database import Database, sqlite_url
from orchestrator.inbox.inbox import Arrival, Entry
from orchestrator.inbox.memory import MemoryInbox
from orchestrator.known_secrets import held_by, redact_of
from orchestrator.ledger import migrations
from orchestrator.rehearsal.runs import Account
from orchestrator.settings import Settings, environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What was rehearsed, how it ended, and which reads an earlier run had no answer for."""

    account: Account
    rehearsed: Rehearsed
    unheard: tuple[Unheard, ...] = ()


async def play(settings: Settings, kept: Database, scene: Scene) -> Played:
    """Play it, at real cost; `kept` is the installation's ledger. Raises DoorbellError where no run would open."""
    with TemporaryDirectory(prefix="doorbell-rehearsal-") as place, _ledger(Path(place)) as own:
        async with (
            _hands(settings, scene, Path(place)) as hands,
            _model(settings, scene, own, kept) as model,
        ):
            means = _means(settings, scene, own, model, hands)
            await means.inbox.keep([_arrival(scene.entry)])
            await means.inbox.decide(scene.entry.id, [scene.decision], datetime.now(UTC))
            rehearsed = await rehearse(means, scene.decision)
        unheard = tuple(hands.unheard) if isinstance(hands, Replayed) else ()
        played = await own.read(account, scene.run_id)
        return Played(account=played, rehearsed=rehearsed, unheard=unheard)


@contextmanager
def _ledger(place: Path) -> Iterator[Database]:
    ledger = Database.open(sqlite_url(place / "ledger.db"), migrations.MIGRATIONS)
    try:
        yield ledger
    finally:
        ledger.close()


@asynccontextmanager
async def _hands(settings: Settings, scene: Scene, place: Path) -> AsyncIterator[Hands | Replayed]:
    configuration = scene.configuration
    redact = redact_of(held_by(settings), lambda: configuration)
    reaching = Hands(
        configuration.servers, environment=environment(DOTENV), stderr=place, redact=redact
    )
    try:
        if scene.recording is None:
            yield reaching
        else:
            yield Replayed(reaching, scene.answers, from_lock(configuration.lock or Lock()))
    finally:
        await reaching.close()


@asynccontextmanager
async def _model(
    settings: Settings, scene: Scene, own: Database, kept: Database
) -> AsyncIterator[Charged]:
    key = settings.anthropic_api_key
    model = Charged(
        model=Claude(key.get_secret_value() if key else None, settings.anthropic_base_url),
        own=own,
        kept=kept,
        configuration=lambda: scene.configuration,
        now=time.time,
        run_id=scene.run_id,
    )
    try:
        yield model
    finally:
        await model.close()


def _means(
    settings: Settings, scene: Scene, own: Database, model: Charged, hands: Hands | Replayed
) -> Means:
    key, configuration = settings.anthropic_api_key, scene.configuration
    secret = key.get_secret_value() if key else None
    return Means(
        inbox=MemoryInbox(),
        ledger=own,
        model=model,
        hands=hands,
        configuration=lambda: configuration,
        now=time.time,
        scripted=settings.scripted,
        credential=credential_of(secret, settings.anthropic_base_url),
        redact=redact_of(held_by(settings), lambda: configuration),
    )


def _arrival(entry: Entry) -> Arrival:
    """The kept event, for an inbox of its own."""
    return Arrival(
        id=entry.id,
        source=entry.source,
        delivery_id=entry.delivery_id,
        type=entry.type,
        subject=entry.subject,
        actor=entry.actor,
        keys=entry.keys,
        headers=entry.headers,
        body=entry.body,
        received_at=entry.received_at,
        dedupe_body=False,
    )
