"""`doorbell listen github`: deliveries for a laptop that no sender can reach; it only joins what recovery knows."""

import asyncio
import hashlib
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import click
import httpx2
import structlog

from orchestrator.cli.naming import source_named
from orchestrator.cli.options import DOTENV, config_option, settings_from, state_option
from orchestrator.configuration.quantities import duration
from orchestrator.configuration.recover import place_of
from orchestrator.configuration.shapes import GITHUB_API, api_url
from orchestrator.errors import DoorbellError, OperatorError
from orchestrator.recovery.github import connected
from orchestrator.recovery.indoors import Rung, told_of
from orchestrator.recovery.listening import NOWHERE, Fed, Listening
from orchestrator.secrets import REFERENCE, Secret, missing, resolve
from orchestrator.settings import Settings, environment
from orchestrator.signatures.github import GithubScheme
from orchestrator.sources.source import Source
from orchestrator.state import StateDirectory
from orchestrator.stores import configuration_reader, read_secret_file

EVENTS: Final = "issues,issue_comment,pull_request"
TOKEN: Final = "env:GITHUB_TOKEN"  # noqa: S105 - where it is, not what it is
PATIENCE: Final = 20.0
"""Seconds for our own door; it gives itself ten for a body and ten for its commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for on the command line."""

    place: str
    events: tuple[str, ...]
    source: Source
    token: Secret
    api: str
    every: timedelta
    url: str
    door: str


@click.group("listen")
def listen() -> None:
    """Get deliveries without a public URL."""


@listen.command("github")
@click.option("--repo", metavar="OWNER/NAME", help="The repository to listen to.")
@click.option("--org", metavar="NAME", help="Or a whole organization.")
@click.option("--events", default=EVENTS, show_default=True, help="GitHub's names of the events.")
@click.option("--source", "name", default="github", show_default=True, help="The source to ring.")
@click.option("--token", default=TOKEN, show_default=True, help="env:NAME or file:/path.")
@click.option("--api", default=GITHUB_API, show_default=True, help="GitHub's REST API.")
@click.option("--every", default="2s", show_default=True, help="How often to look.")
@click.option(
    "--hook-url", help="What stands as the hook's URL at GitHub [one that leads nowhere]."
)
@config_option
@state_option
def listen_github(
    *,
    repo: str | None,
    org: str | None,
    events: str,
    name: str,
    token: str,
    api: str,
    every: str,
    hook_url: str | None,
    config: Path | None,
    state: Path | None,
) -> None:
    """Create a webhook at GitHub, fetch what it delivers, ring the running door with it; Ctrl-C removes it again."""
    settings = settings_from(config=config, state=state)
    directory = StateDirectory(settings.state.resolve())
    source = _source(settings, name)
    wanted = Wanted(
        place=place_of(repo, org),
        events=_events(events),
        source=source,
        token=_token(token),
        api=_api(api),
        every=_duration(every),
        url=_marked(hook_url or NOWHERE, directory, name),
        door=_door(directory),
    )
    asyncio.run(_listen(wanted))


async def _listen(wanted: Wanted) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with (
        connected(wanted.api, wanted.place, wanted.token) as api,
        httpx2.AsyncClient(timeout=PATIENCE, trust_env=False) as http,
    ):
        listening = Listening(
            api=api,
            url=wanted.url,
            events=wanted.events,
            source=wanted.source,
            post=partial(_post, http, f"{wanted.door}/hooks/{wanted.source.name}"),
            tell=lambda fed: click.echo(_line(fed)),
            warn=lambda said: click.echo(f"doorbell: {said}", err=True),
            now=lambda: datetime.now(UTC),
            log=structlog.get_logger("listen"),
            every=wanted.every,
        )
        try:
            await listening.listen(stopping, partial(_ready, wanted))
        except DoorbellError as error:
            raise OperatorError(str(error)) from error


async def _post(
    http: httpx2.AsyncClient, url: str, headers: Mapping[str, str], body: bytes
) -> Rung:
    try:
        answer = await http.post(url, content=body, headers=dict(headers))
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        said = str(error) or type(error).__name__
        raise OperatorError(f"nobody answers at {url}: {said}") from None
    return Rung(status=answer.status_code, told=told_of(answer.content))


def _ready(wanted: Wanted, hook: int) -> None:
    where = wanted.place.split("/", 2)[2]
    said = f"webhook {hook} of {where} feeds {wanted.door}/hooks/{wanted.source.name}"
    click.echo(f"{said} with {', '.join(wanted.events)}; Ctrl-C ends it and removes the webhook")


def _line(fed: Fed) -> str:
    told, attempt = fed.rung.told, fed.attempt
    if "event" in told:
        said = f"{told['status']} {told['event']}"
    else:
        said = f"{told.get('title', 'no answer')}: {told.get('detail', '')}"
    signed = " (signed by us: GitHub's own bytes couldn't be found again)"
    at = attempt.at.astimezone(UTC).strftime("%H:%M:%S")
    status = fed.rung.status or "-"
    return f"{at}  {attempt.event}  {attempt.guid}  {status} {said}{signed if fed.signed_by_us else ''}"


def _source(settings: Settings, name: str) -> Source:
    source = source_named(configuration_reader(settings.config, environment(DOTENV))(), name)
    if not isinstance(source.scheme, GithubScheme):
        raise OperatorError(f"source {name!r} speaks {source.scheme.name!r}, not 'github'")
    return source


def _token(reference: str) -> Secret:
    if REFERENCE.fullmatch(reference) is None:
        raise OperatorError("--token expects a reference, env:NAME or file:/path, not the token")
    token = resolve(reference, environment(DOTENV), read_secret_file)
    if token is None:
        raise OperatorError(
            f"{missing(reference, read_secret_file)}: make a token that may read and write the repository's webhooks"
        )
    return token


def _api(text: str) -> str:
    try:
        return api_url(text)
    except ValueError as error:
        raise OperatorError(f"--api: {error}") from None


def _events(text: str) -> tuple[str, ...]:
    events = tuple(event for word in text.split(",") if (event := word.strip()))
    if not events:
        raise OperatorError("--events expects names such as issues,issue_comment, got none")
    return events


def _duration(text: str) -> timedelta:
    try:
        found = duration(text)
    except ValueError as error:
        raise OperatorError(f"--every: {error}") from None
    return max(found, timedelta(seconds=1))


def _door(directory: StateDirectory) -> str:
    addresses = directory.addresses()
    if addresses is None:
        raise OperatorError("no service is running here; start `doorbell up`, or give --state DIR")
    return addresses.url


def _marked(url: str, directory: StateDirectory, name: str) -> str:
    # Ours alone, and the same after a kill: a hook that was left behind is known again, and no other is touched.
    secret = f"listen:{name}:{directory.operator_secret()}"
    mark = hashlib.sha256(secret.encode()).hexdigest()[:16]
    return f"{url}{'&' if '?' in url else '?'}doorbell={mark}"
