"""The console that a command talks to: of the state directory here, or of an installation elsewhere over HTTP."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from getpass import getuser
from typing import Any, TypeVar

import click

from orchestrator.cli.options import DOTENV, local, settings_from, stores_of
from orchestrator.cli.ring import get, post
from orchestrator.configuration.configuration import Configuration
from orchestrator.console.acting import Acting, Namespace
from orchestrator.console.indoors import Indoors
from orchestrator.console.questions import Console
from orchestrator.console.reading import Reading
from orchestrator.console.remote import Remote
from orchestrator.console.saying import Ring, Rung, Saying, Voice
from orchestrator.errors import AskerError, OperatorError
from orchestrator.settings import Settings, environment
from orchestrator.signatures import standard_webhooks
from orchestrator.sources.source import OPERATOR
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores, configuration_reader

F = TypeVar("F", bound=Callable[..., Any])
NOTHING = Configuration(digest="", sources={}, servers={}, playbooks={}, rules=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Who asks the Temporal server of an installation here; to ask at all loads what only few commands need.

    `identity` is of its namespace (raises OperatorError), `progress` what a workflow's calls said last, by call.
    """

    identity: Callable[[Settings, StateDirectory], Awaitable[str]]
    progress: Callable[[Settings, StateDirectory, str], Awaitable[Mapping[str, str]]]


async def _no_identity(_settings: Settings, _state: StateDirectory) -> str:
    raise OperatorError("only `doorbell runs lost --accept` looks at the Temporal server here")


async def _no_progress(_settings: Settings, _state: StateDirectory, _id: str) -> Mapping[str, str]:
    return {}


UNASKED = Server(identity=_no_identity, progress=_no_progress)

url_option = click.option(
    "--url", help="An installation elsewhere, by its REST API [DOORBELL_URL, else the state here]."
)
token_option = click.option(
    "--token", help="What that API is shown; better in DOORBELL_TOKEN, where `ps` doesn't show it."
)


def anywhere(command: F) -> F:
    """A verb that opens the state directory, or with `--url` asks an installation elsewhere."""
    return url_option(token_option(local(command)))


@asynccontextmanager
async def console_of(server: Server = UNASKED, **flags: Any) -> AsyncIterator[Console]:
    """Whom a command asks, says words to and has act. Exits where what is asked can't be answered."""
    settings = settings_from(**flags)
    try:
        if settings.url is not None:
            yield remote_of(settings)
            return
        state, stores = stores_of(settings)
        try:
            yield indoors_of(settings, state, stores, server)
        finally:
            stores.close()
    except AskerError as error:
        raise click.ClickException(error.detail) from error


def remote_of(settings: Settings) -> Remote:
    """The console at `--url`. Raises OperatorError where it can't be asked like that."""
    url, token = settings.url or "", settings.token
    if not url.startswith(("http://", "https://")):
        raise OperatorError(f"expected --url such as https://doorbell.example.com, got {url!r}")
    if not token:
        said = (
            "expected a token: set DOORBELL_TOKEN to what `doorbell token new NAME` printed there"
        )
        raise OperatorError(said)
    return Remote(url=url, token=token)


def indoors_of(
    settings: Settings, state: StateDirectory, stores: Stores, server: Server = UNASKED
) -> Indoors:
    """The console of open stores; words go to the service that is running there."""
    configuration = _configuration(settings)
    identity = partial(server.identity, settings, state)
    namespace = Namespace(name=settings.namespace, identity=identity)
    reading = Reading(
        stores=stores,
        configuration=configuration,
        status=partial(_status, state),
        now=lambda: datetime.now(UTC),
        ui=lambda: settings.temporal_ui or _announced_ui(state),
        namespace=settings.namespace,
        progress=partial(server.progress, settings, state),
    )
    saying = Saying(
        stores=stores,
        configuration=configuration,
        ring=_ringing(state),
        voice=Voice(by=getuser()),
        new_id=lambda: secrets.token_hex(8),
    )
    acting = Acting(
        stores=stores,
        configuration=configuration,
        namespace=namespace,
        now=lambda: datetime.now(UTC),
        patience=None,
    )
    return Indoors(reading, saying, acting)


def _configuration(settings: Settings) -> Callable[[], Configuration]:
    if not settings.config.is_dir():
        return lambda: NOTHING
    return configuration_reader(settings.config, environment(DOTENV))


def _announced_ui(state: StateDirectory) -> str | None:
    addresses = state.addresses()
    return None if addresses is None else addresses.temporal_ui


async def _status(state: StateDirectory) -> Mapping[str, Any]:
    addresses = state.addresses()
    if addresses is None:
        raise OperatorError("the service is not running here: start it with `doorbell up`")
    _, told = await asyncio.to_thread(get, f"{addresses.url}/status")
    return told


def _ringing(state: StateDirectory) -> Ring:
    async def ring(identity: str, body: bytes) -> Rung:
        addresses = state.addresses()
        if addresses is None:
            said = "the service is not running here: start it with `doorbell up`, then say it again"
            raise OperatorError(said)
        signed = standard_webhooks.sign(state.operator_secret(), identity, body, datetime.now(UTC))
        headers = {"content-type": "application/json", **signed}
        url = f"{addresses.url}/hooks/{OPERATOR}"
        status, told = await asyncio.to_thread(post, url, body, headers)
        return Rung(status=int(status), told=told)

    return ring
