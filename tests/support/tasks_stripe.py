"""Stripe as far as our server asks it, built from its documented shapes; it signs its events as Stripe does."""

import hashlib
import hmac
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from urllib.parse import parse_qsl

import httpx2
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from mcp_servers.stripe.objects import callback
from mcp_servers.stripe.server import build
from mcp_servers.stripe.signing import by_stripe
from mcp_servers.tasks.desk import Desk
from mcp_servers.tasks.mailroom import Door, Mailroom, by_doorbell
from mcp_servers.tasks.sql import SqlStore
from tests.support.asgi import serving
from tests.support.receiving import WHSEC

KEY = "sk_test_NobodyMaySeeThis"
SIGNS = "whsec_StripesOwnSecret"
KINDS = {
    "prices": ("price", "price"),
    "payment_links": ("payment_link", "plink"),
    "payment_intents": ("payment_intent", "pi"),
    "refunds": ("refund", "re"),
    "subscriptions": ("subscription", "sub"),
}


@dataclass(kw_only=True)
class Stripe:
    """Makes what it's asked for, once for each idempotency key, in the state it's told to."""

    made: dict[str, dict] = field(default_factory=dict)
    keys: dict[str, tuple] = field(default_factory=dict)
    requests: list[tuple] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    sessions: list[dict] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    numbers: count = field(default_factory=lambda: count(1))

    def app(self):
        routes = [
            Route("/v1/checkout/sessions", self._sessions),
            Route("/v1/{kind}", self._create, methods=["POST"]),
            Route("/v1/{kind}/{id}", self._get),
            Route("/v1/{kind}/{id}", self._update, methods=["POST"]),
            Route("/v1/{kind}/{id}/cancel", self._cancel, methods=["POST"]),
        ]
        return Starlette(routes=routes)

    def of(self, kind):
        return [thing for thing in self.made.values() if thing["object"] == kind]

    async def _create(self, request):
        form = dict(parse_qsl((await request.body()).decode()))
        kind, key = request.path_params["kind"], request.headers["idempotency-key"]
        self.requests.append((kind, key, form, request.headers["authorization"]))
        status = self.answers.pop(0) if self.answers else 200
        if 400 <= status < 500:
            fault = {"error": {"type": "card_error", "message": "Your card was declined."}}
            return JSONResponse(fault, status_code=status)
        if key not in self.keys:
            self.keys[key] = (form, self._made(kind, form))
        known = self.keys[key]
        if known[0] != form:
            return JSONResponse({"error": {"type": "idempotency_error"}}, status_code=400)
        return JSONResponse(known[1] if status < 500 else {}, status_code=status)

    def _made(self, kind, form):
        object_, prefix = KINDS[kind]
        token = form.get("metadata[doorbell_task]")
        id_ = f"{prefix}_{next(self.numbers)}"
        thing = {
            "id": id_,
            "object": object_,
            "amount": int(form.get("amount", 1250)),
            "currency": form.get("currency", "eur"),
            "metadata": {"doorbell_task": token},
            "status": self.states.get(object_, "pending"),
            "url": f"https://buy.stripe.com/{id_}",
            "active": True,
        }
        self.made[id_] = thing
        return thing

    async def _sessions(self, request):
        wanted = request.query_params["payment_link"]
        found = [one for one in self.sessions if one["payment_link"] == wanted]
        return JSONResponse({"object": "list", "data": found})

    async def _get(self, request):
        found = self.made.get(request.path_params["id"])
        return JSONResponse(found or {}, status_code=200 if found else 404)

    async def _update(self, request):
        form = dict(parse_qsl((await request.body()).decode()))
        thing = self.made[request.path_params["id"]]
        thing["active"] = form.get("active") == "true"
        return JSONResponse(thing)

    async def _cancel(self, request):
        thing = self.made[request.path_params["id"]]
        thing["status"] = "canceled"
        return JSONResponse(thing)


@asynccontextmanager
async def stripe(**changes):
    """It on a port."""
    peer = Stripe(**changes)
    async with serving(peer.app()) as url:
        yield peer, url


@dataclass(frozen=True, kw_only=True)
class Served:
    url: str
    desk: Desk


@asynccontextmanager
async def hands(path, stripe_url, **changes):
    """Our server over HTTP."""
    store = SqlStore.open_at(f"sqlite:///{path / 'stripe.db'}")
    desk = replace(Desk(store=store), **changes)
    server = build(stripe_url, KEY, desk)
    own = Door(path="/webhooks/stripe", secrets=[SIGNS], read=by_stripe)
    Mailroom(desk=desk, route=callback).mount(server, by_doorbell([WHSEC]), own)
    try:
        async with serving(server.streamable_http_app(stateless_http=True)) as url:
            yield Served(url=url, desk=desk)
    finally:
        store.close()


def event(type_, thing, id_="evt_1"):
    return {"id": id_, "object": "event", "type": type_, "data": {"object": thing}}


def signed(body, secret=SIGNS, at=None):
    """Stripe's header for a body."""
    stamp = int((at or datetime.now(UTC)).timestamp())
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={stamp},v1={digest},v0=0123"}


async def rung(url, type_, thing, id_="evt_1", **changes):
    """Stripe calls our server itself."""
    body = json.dumps(event(type_, thing, id_)).encode()
    async with httpx2.AsyncClient(timeout=30) as http:
        answer = await http.post(
            f"{url}/webhooks/stripe", content=body, headers=signed(body, **changes)
        )
    return answer.status_code, answer.json()
