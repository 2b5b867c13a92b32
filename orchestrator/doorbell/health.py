"""Is it alive, can it keep a delivery, and what else is there to know; it knows no database and no Temporal."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.status_codes import HTTP_200_OK, HTTP_503_SERVICE_UNAVAILABLE

from orchestrator.database import DatabaseError

PATIENCE: Final = 2.0
"""Seconds after which an inbox that doesn't answer is not ready."""

Probe = Callable[[datetime], Awaitable[None]]
"""Writes and reads as keeping a delivery would; raises `DatabaseError`."""

Status = Callable[[], Awaitable[Mapping[str, Any]]]


class Readiness:
    """Whether a delivery could be kept; however many ask, one probe runs at a time."""

    def __init__(self, probe: Probe, now: Callable[[], datetime]) -> None:
        self._probe = probe
        self._now = now
        self._asking: asyncio.Task[bool] | None = None

    async def ready(self) -> bool:
        """True if the inbox was just written and read."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._probe(self._now())
        except (DatabaseError, TimeoutError):
            return False
        return True


def health(readiness: Readiness, status: Status) -> list[HTTPRouteHandler]:
    """The handlers of `/live`, `/ready` and `/status`."""

    @get("/live", sync_to_thread=False)
    def live() -> dict[str, str]:
        return {"status": "live"}

    @get("/ready")
    async def ready() -> Response[dict[str, str]]:
        # 200 with Temporal down: deliveries are kept, and caught up with later (promise D6).
        if await readiness.ready():
            return Response({"status": "ready"}, status_code=HTTP_200_OK)
        told = {"status": "unready", "detail": "the inbox can't be written"}
        return Response(told, status_code=HTTP_503_SERVICE_UNAVAILABLE)

    @get("/status")
    async def tell() -> dict[str, Any]:
        return dict(await status())

    return [live, ready, tell]
