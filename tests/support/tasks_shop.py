"""The print shop that the template server wraps, and the doorbell between the two; both stand-ins over real HTTP."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import httpx2
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from orchestrator.dispatch.cloudevent import body_of, headers_of
from tests.support.asgi import serving
from tests.support.receiving import WHSEC, decision, entry

TOKEN = "shop_token"


@dataclass(kw_only=True)
class Shop:
    """Takes orders; each idempotency key orders once. `before_answer` may ring before the order is answered."""

    orders: dict[str, dict] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    before_answer: object = None

    def app(self):
        routes = [
            Route("/orders", self._order, methods=["POST"]),
            Route("/orders/{id}", self._read),
        ]
        return Starlette(routes=routes)

    @property
    def made(self):
        return list(self.orders.values())

    async def _order(self, request):
        key, wanted = request.headers["idempotency-key"], await request.json()
        self.asked.append(key)
        status = self.answers.pop(0) if self.answers else 200
        if 400 <= status < 500:
            return JSONResponse({"error": {"message": "no paper"}}, status_code=status)
        number = f"o{len(self.orders) + 1}"
        order = self.orders.setdefault(key, wanted | {"id": number, "state": "placed"})
        if self.before_answer is not None:
            await self.before_answer(order)
        if status >= 500:
            return JSONResponse({}, status_code=status)
        return JSONResponse(order)

    async def _read(self, request):
        found = [order for order in self.made if order["id"] == request.path_params["id"]]
        return JSONResponse(found[0]) if found else JSONResponse({}, status_code=404)


@asynccontextmanager
async def shop(**changes):
    """The shop on a port."""
    open_shop = Shop(**changes)
    async with serving(open_shop.app()) as url:
        yield open_shop, url


def event(type_, order, id_="evt_1", secret=WHSEC, now=None, **changes):
    """The shop's webhook as our own `forward:` sends it on: body and headers."""
    payload = changes.pop("payload", {"order": order})
    raw, kind = changes.pop("raw", None), changes.pop("kind", "application/json")
    kept = replace(
        entry(body=raw or json.dumps(payload).encode(), headers={"content-type": kind}),
        id=id_,
        source="shop",
        type=type_,
    )
    decided = decision(id=changes.pop("decision", f"dec_{id_}"))
    body = body_of(decided, kept)
    return body, headers_of(body, decided, kept, [secret], now or datetime.now(UTC)) | changes


async def ring(url, type_, order, id_="evt_1", path="/callbacks", **changes):
    """Forward one of the shop's webhooks to the server; its status and its words."""
    body, headers = event(type_, order, id_, **changes)
    async with httpx2.AsyncClient(timeout=30) as http:
        answer = await http.post(f"{url}{path}", content=body, headers=headers)
    return answer.status_code, answer.json()


async def gathered(*rings):
    return await asyncio.gather(*rings)
