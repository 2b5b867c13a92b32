"""`doorbell mcp`: an MCP server for an assistant, on stdio or over HTTP; what it does is the console's."""

import asyncio
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Any

import click
import structlog
from mcp.server.mcpserver import Context
from mcp.server.subscriptions import InMemorySubscriptionBus
from structlog.typing import FilteringBoundLogger

from orchestrator.assistant.answering import Answering
from orchestrator.assistant.pushing import Heard, Pushing
from orchestrator.assistant.server import server_of
from orchestrator.assistant.serving import bearer_of, behind_tokens, beside, serve_stdio
from orchestrator.assistant.watching import Watching
from orchestrator.cli.asking_temporal import HERE
from orchestrator.cli.consoles import console_of, token_option, url_option
from orchestrator.cli.options import config_option, database_option, settings_from, state_option
from orchestrator.configuration.tokens import Scope
from orchestrator.console.questions import Console
from orchestrator.console.remote import Remote
from orchestrator.doorbell.listening import listening
from orchestrator.errors import OperatorError
from orchestrator.settings import Settings
from orchestrator.state import StateDirectory

EVERYTHING = frozenset(Scope)


@click.command("mcp")
@state_option
@database_option
@config_option
@url_option
@token_option
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([str(one) for one in Scope]),
    multiple=True,
    help="What the assistant may do with the state here; repeatable [read].",
)
@click.option(
    "--channel",
    "globs",
    metavar="GLOB",
    multiple=True,
    help="Push events such as github/issues.* into Claude Code's channel; repeatable.",
)
@click.option("--http", metavar="HOST:PORT", help="Serve over HTTP, at /mcp, instead of stdio.")
def mcp(*, scopes: tuple[str, ...], globs: tuple[str, ...], http: str | None, **flags: Any) -> None:
    """Serve an assistant over MCP: it finds events and runs, says why, and, where it may, says a person's word.

    Over HTTP every request shows a token of tokens.yaml, and may do what that is for.
    """
    log = _logging()
    if http is None:
        asyncio.run(_on_stdio(scopes, globs, flags, log))
    elif scopes or globs:
        raise click.UsageError("--scope and --channel are for stdio: over HTTP the token says it")
    else:
        asyncio.run(_over_http(http, flags, log))


async def _on_stdio(
    scopes: tuple[str, ...],
    globs: tuple[str, ...],
    flags: dict[str, Any],
    log: FilteringBoundLogger,
) -> None:
    bus, heard = InMemorySubscriptionBus(), Heard()
    async with console_of(HERE, **flags) as console:
        may = await scopes_of(console, scopes)
        answering = Answering(lambda _ctx: console, _nonce)
        server = server_of(answering, may, _version(), bus, heard, channel=bool(globs))
        pushing = Pushing(
            watching=Watching(console=console), bus=bus, log=log, heard=heard, channel=globs
        )
        async with beside(pushing.work()):
            await serve_stdio(server, channel=bool(globs))


async def _over_http(http: str, flags: dict[str, Any], log: FilteringBoundLogger) -> None:
    host, port = _address(http)
    settings, bus = settings_from(**flags), InMemorySubscriptionBus()
    url = settings.url or _announced(settings)

    def console(ctx: Context) -> Console:
        return Remote(url=url, token=bearer_of(ctx.headers or {}))

    server = server_of(Answering(console, _nonce), EVERYTHING, _version(), bus, Heard())
    app = server.streamable_http_app(stateless_http=True, host=host)

    async def prove(token: str) -> Any:
        return await Remote(url=url, token=token).me()

    async with (
        _watching(settings, flags, bus, log),
        listening(behind_tokens(app, prove), host, port),
    ):
        click.echo(f"http://{host}:{port}/mcp", err=True)
        await _stopped()


@asynccontextmanager
async def _watching(
    settings: Settings,
    flags: dict[str, Any],
    bus: InMemorySubscriptionBus,
    log: FilteringBoundLogger,
) -> AsyncIterator[None]:
    """Subscribers hear of new events; of an installation elsewhere only with a token of our own."""
    if settings.url is not None and not settings.token:
        yield
        return
    async with (
        console_of(HERE, **flags) as console,
        beside(Pushing(watching=Watching(console=console), bus=bus, log=log).work()),
    ):
        yield


async def scopes_of(console: Console, given: tuple[str, ...]) -> frozenset[Scope]:
    """What the assistant may do: of an installation elsewhere what the token is for, here what was said."""
    if not isinstance(console, Remote):
        return frozenset(Scope(one) for one in given) | {Scope.READ}
    held = frozenset(Scope(one) for one in (await console.me())["scopes"])
    return held & {*map(Scope, given), Scope.READ} if given else held


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()):
        raise OperatorError(f"expected --http such as 127.0.0.1:8931, got {text!r}")
    return host.strip("[]") or "127.0.0.1", int(port)


def _announced(settings: Settings) -> str:
    addresses = StateDirectory(settings.state.resolve()).addresses()
    if addresses is None:
        said = "the service is not running here: start it with `doorbell up`, or give --url"
        raise OperatorError(said)
    return addresses.url


async def _stopped() -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await stopping.wait()


def _logging() -> FilteringBoundLogger:
    """On stdio, stdout belongs to the protocol: whatever is logged goes to stderr."""
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
    log: FilteringBoundLogger = structlog.get_logger("mcp")
    return log


def _nonce() -> str:
    return secrets.token_hex(4)


def _version() -> str:
    return metadata.version("doorbell")
