"""The line to one server: its connection, whether it may be tried, and who waits for a place; it knows no run.

A dead connection is opened again; a server that fails again and again is left alone for a while (`breaker`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.agent.hands.breaker import Breaker, State
from orchestrator.agent.hands.connection import Connection, Limits, News
from orchestrator.agent.hands.credentials import Credentials
from orchestrator.agent.hands.definitions import HandsUnreachable, Standing
from orchestrator.agent.hands.gates import Gates
from orchestrator.agent.text.redacting import Redact
from orchestrator.servers import HttpServer, Server


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What all lines share; `stood` hears that a server begins or ceases to be left alone, `changed` of other tools."""

    environment: Mapping[str, str]
    limits: Limits
    stderr: Path | None
    redact: Redact
    stood: Callable[[Standing], None]
    changed: Callable[[str], None]


class Line:
    """One for each server; `connections` are those that haven't ended."""

    def __init__(self, server: Server, house: House, connections: set[Connection]) -> None:
        self.gates = Gates(server)
        self.breaker = Breaker()
        self._server, self._house, self._connections = server, house, connections
        self._connection: Connection | None = None
        oauth = server.oauth if isinstance(server, HttpServer) else None
        self._credentials = (
            Credentials(server, oauth) if isinstance(server, HttpServer) and oauth else None
        )

    @property
    def standing(self) -> Standing:
        """How the server fares."""
        breaker = self.breaker
        return Standing(
            server=self._server.name,
            state=str(breaker.state),
            failures=breaker.failures,
            error=breaker.error,
            again_in=breaker.closed_for(_now()),
        )

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        """A connection to give a request to. Raises HandsUnreachable."""
        trial = await self._let_through()
        # Held from the moment it's taken, or it could be closed for being idle meanwhile.
        connection = self._current()
        with connection.held():
            await connection.ready()
            if not (connection.suspect or trial) or await connection.answers():
                yield connection
                return
            connection.retire()
        if trial:
            raise HandsUnreachable(self._alone(self.breaker.closed_for(_now())))
        connection = self._current()
        with connection.held():
            await connection.ready()
            yield connection

    def retire(self) -> None:
        """Give the connection up, once what is in flight is over."""
        if self._connection is not None:
            self._connection.retire()

    async def _let_through(self) -> bool:
        """Wait until the server may be tried; whether this is the trial of one that is left alone."""
        while True:
            closed = self.breaker.closed_for(_now())
            if closed > 0:
                raise HandsUnreachable(self._alone(closed))
            rest = 0.0 if self._usable else self.breaker.rest(_now())
            if rest == 0:
                break
            await asyncio.sleep(rest)
        trial = self.breaker.until is not None
        self._turn(self.breaker.tried(_now()))
        return trial

    @property
    def _usable(self) -> bool:
        return self._connection is not None and self._connection.usable

    def _current(self) -> Connection:
        # No await between the look and the entry: two callers never open the same server twice.
        found = self._connection
        if found is not None and found.usable:
            return found
        if found is not None:
            found.retire()
        name, house = self._server.name, self._house
        opened = Connection(
            self._server,
            environment=house.environment,
            limits=house.limits,
            news=News(
                worked=self._worked, failed=self._failed, changed=lambda: house.changed(name)
            ),
            stderr=None if house.stderr is None else house.stderr / f"{name}.log",
            redact=house.redact,
            credentials=self._credentials,
        )
        self._connection = opened
        self._connections.add(opened)
        opened.owner.add_done_callback(lambda _: self._connections.discard(opened))
        return opened

    def _worked(self) -> None:
        self._turn(self.breaker.worked())

    def _failed(self, why: str) -> None:
        self._turn(self.breaker.failed(_now(), why))

    def _turn(self, breaker: Breaker) -> None:
        before, self.breaker = self.breaker.state, breaker
        if before is not breaker.state:
            self._house.stood(self.standing)

    def _alone(self, closed: float) -> str:
        breaker = self.breaker
        tried = (
            "somebody is trying it just now"
            if breaker.state is State.HALF_OPEN
            else f"it is tried again in {max(closed, 1.0):.0f} s"
        )
        return (
            f"server {self._server.name!r} is left alone after {breaker.failures} failures in a row; {tried}"
            f" (the last: {breaker.error})"
        )


def _now() -> float:
    return asyncio.get_running_loop().time()
