"""How such a server is started by hand: flags, settings with their names, stdio or HTTP, and the mailroom beside it.

It reads no environment: `__main__` hands it in. Everything a server of this kind understands is in `OPTIONS`.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn
from mcp.server import MCPServer
from starlette.applications import Starlette

from mcp_servers.tasks.desk import Desk
from mcp_servers.tasks.mailroom import Door, Mailroom, by_doorbell
from mcp_servers.tasks.memory import MemoryStore
from mcp_servers.tasks.proofs import signing_key
from mcp_servers.tasks.sql import SqlStore
from mcp_servers.tasks.store import StoreUnavailable

OPTIONS: Final = (
    "TASKS_DATABASE (sqlite:///FILE or postgresql://…; a file under ~/.local/state unless set), "
    "CALLBACK_SECRETS (whsec_… of the doorbell that forwards to /callbacks; several during a rotation). "
    "Without a secret for any callback every tool answers at once"
)


class Unusable(Exception):
    """A setting that can't be used: the operator must mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every server of this kind is told."""

    database: str
    callback_secrets: Sequence[str]


def settings_of(name: str, environment: Mapping[str, str]) -> Settings:
    """The settings of the server with this name. Raises `Unusable`."""
    given = words_of(environment, "CALLBACK_SECRETS")
    for number, secret in enumerate(given, 1):
        try:
            signing_key(secret)
        except ValueError as error:
            raise Unusable(f"CALLBACK_SECRETS, number {number}: {error}") from None
    database = environment.get("TASKS_DATABASE", "").strip() or _own_file(name, environment)
    return Settings(database=database, callback_secrets=given)


def desk_of(settings: Settings, *others: str) -> Desk:
    """The desk over the settings' database; one that makes no tasks where no secret is set. Raises `Unusable`.

    `others` are the secrets of the doors that the server has besides the doorbell's.
    """
    if not (settings.callback_secrets or others):
        return Desk(store=MemoryStore(), hears=False)
    try:
        _make_room(settings.database)
        return Desk(store=SqlStore.open_at(settings.database))
    except (StoreUnavailable, OSError) as error:
        raise Unusable(f"TASKS_DATABASE: {error}") from None


def flags_of(name: str, about: str, options: str) -> argparse.ArgumentParser:
    """The flags of the server with this name."""
    flags = argparse.ArgumentParser(
        prog=f"python -m mcp_servers.{name}",
        description=f"{about}, on stdio unless --http is given. Environment: {options}, {OPTIONS}.",
    )
    flags.add_argument(
        "--http", type=int, metavar="PORT", help="serve Streamable HTTP at /mcp, and the callbacks"
    )
    flags.add_argument(
        "--callbacks", type=int, metavar="PORT", help="beside stdio: take callbacks in on this port"
    )
    flags.add_argument(
        "--host",
        default="127.0.0.1",
        help="address for both; /mcp asks callers for no password, so keep it on loopback (%(default)s)",
    )
    return flags


def serve(
    server: MCPServer[Any],
    mailroom: Mailroom,
    settings: Settings,
    flags: argparse.Namespace,
    *doors: Door,
) -> None:
    """Serve until the client or a signal ends it."""
    every = [by_doorbell(settings.callback_secrets), *doors]
    if flags.http is not None:
        mailroom.mount(server, *every)
        # Stateless, so that any replica may answer an older client as well.
        server.run("streamable-http", host=flags.host, port=flags.http, stateless_http=True)
    elif flags.callbacks is not None:
        asyncio.run(_both(server, Starlette(routes=mailroom.routes(*every)), flags))
    else:
        server.run()


def words_of(environment: Mapping[str, str], name: str) -> list[str]:
    """The words of a setting that may hold several, such as secrets during a rotation."""
    return environment.get(name, "").replace(",", " ").split()


def exit_with(error: Unusable) -> int:
    """Tell the operator, and fail."""
    sys.stderr.write(f"{error}\n")
    return 2


async def _both(server: MCPServer[Any], callbacks: Starlette, flags: argparse.Namespace) -> None:
    config = uvicorn.Config(callbacks, host=flags.host, port=flags.callbacks, log_level="warning")
    web = uvicorn.Server(config)
    # stdout is the MCP client's: uvicorn's own access log would be noise on it.
    config.access_log = False
    serving = asyncio.create_task(web.serve())
    try:
        await server.run_stdio_async()
    finally:
        web.should_exit = True
        await serving


def _make_room(database: str) -> None:
    file = database.removeprefix("sqlite:///")
    if file != database:
        Path(file).parent.mkdir(parents=True, exist_ok=True)


def _own_file(name: str, environment: Mapping[str, str]) -> str:
    base = environment.get("XDG_STATE_HOME", "").strip()
    home = Path(base) if base else Path.home() / ".local" / "state"
    return f"sqlite:///{home / 'mcp_servers' / f'{name}.db'}"
