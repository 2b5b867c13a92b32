"""What the configuration in force wants subscribed, and whether it may be taken at its word; values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from orchestrator.configuration.files import SOURCES
from orchestrator.configuration.reloading import Loaded
from orchestrator.inbox.subscriptions import Subscription, Want
from orchestrator.servers import HttpServer, Server
from orchestrator.sources.source import Source, Subscribe, Wanted

DIGEST: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One subscription whole: whose, where, and what; `server` None: there is none, or not one that rings."""

    source: Source
    subscribe: Subscribe
    wanted: Wanted
    server: HttpServer | None

    @property
    def secret(self) -> str:
        """What its deliveries are signed with."""
        return self.wanted.secrets[0].reveal()

    def want(self) -> Want:
        """As a row knows it."""
        return Want(
            mark=self.wanted.mark,
            source=self.source.name,
            server=self.subscribe.server,
            address=address_of(self.server),
            event=self.wanted.event,
            arguments=self.wanted.arguments,
            url=self.subscribe.url,
            secret=digest(self.secret),
        )


def wishes_of(loaded: Loaded) -> dict[str, Wish]:
    """Every subscription that is wanted, by its mark."""
    servers = loaded.configuration.servers
    return {
        wanted.mark: Wish(
            source=source,
            subscribe=source.subscribe,
            wanted=wanted,
            server=http_server(servers, source.subscribe.server),
        )
        for source in loaded.sources.values()
        if source.subscribe is not None
        for wanted in source.subscribe.events
    }


def leave_alone(loaded: Loaded) -> list[str] | None:
    """The sources of which nothing is ended though nothing is wanted; None where that may be any.

    One whose secret is unset is a mistake of somebody's, and so is a file that can't be read whole.
    """
    configuration = loaded.configuration
    file = configuration.documents[SOURCES].file if SOURCES in configuration.documents else None
    if any(mistake.file == file for mistake in configuration.mistakes):
        return None
    return sorted(configuration.shut)


def http_server(servers: Mapping[str, Server], name: str) -> HttpServer | None:
    """The server of this name, if it is one that can ring."""
    found = servers.get(name)
    return found if isinstance(found, HttpServer) else None


def address_of(server: HttpServer | None) -> str:
    """A digest of where a server is; nothing where there is none."""
    return "" if server is None else digest(server.url)


def elsewhere(row: Subscription, server: HttpServer | None) -> bool:
    """Whether the server of a row isn't where it was granted."""
    return row.address is not None and row.address != address_of(server)


def digest(text: str) -> str:
    """By which a text is known again, and not read."""
    return sha256(text.encode()).hexdigest()[:DIGEST]
