"""Our six servers, each before a stand-in of what it wraps; what a client calls there, and how its task is ended."""

import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp_servers.shopify import server as shopify_server
from mcp_servers.shopify.told import by_shopify
from mcp_servers.shopify.told import callback as shopify_callback
from mcp_servers.slack import server as slack_server
from mcp_servers.slack.told import by_slack
from mcp_servers.slack.told import callback as slack_callback
from orchestrator.demo.github_deployments import status
from tests.support import crm, tasks_github, tasks_stripe, tasks_template, tasks_vendors
from tests.support.github import AT
from tests.support.tasks_shop import ring, shop

STRIPE = Path(__file__).parents[1] / "deliveries" / "stripe" / "checkout.session.completed.json"


@dataclass(frozen=True, kw_only=True)
class Call:
    """A tool, its arguments, and what stands in its answer."""

    tool: str
    arguments: dict = field(default_factory=dict)
    hears: str


@dataclass(frozen=True, kw_only=True)
class Later:
    """A call that a webhook answers: `made` counts what the vendor was asked to make, `end` has it ring."""

    call: Call
    made: Callable[[], int]
    end: Callable[[], Awaitable[Any]]


@dataclass(frozen=True, kw_only=True)
class Ours:
    """One server of ours: a URL, or a command as JSON."""

    name: str
    target: str
    call: Call
    later: Later | None = None


@asynccontextmanager
async def template(path):
    """The print shop's."""
    async with shop() as (peer, shop_url), tasks_template.template(path, shop_url) as served:
        peer.orders["before"] = {"id": "o1", "state": "placed"}

        async def end():
            order = peer.made[-1]
            await ring(served.url, "order.shipped", order, f"evt_{order['id']}")

        later = Later(
            call=Call(
                tool="order_print",
                arguments={"text": "hello", "copies": 2},
                hears="has left the shop",
            ),
            made=lambda: len(peer.made),
            end=end,
        )
        get = Call(tool="get_order", arguments={"order": "o1"}, hears="order o1: placed")
        yield Ours(name="template", target=f"{served.url}/mcp", call=get, later=later)


@asynccontextmanager
async def github(path):
    """GitHub's."""
    async with tasks_github.github(path) as peer:

        async def end():
            told = status(peer.state, max(peer.state.deployments), "success")[1]
            await tasks_github.rung(peer.url, told, "deployment_status")

        later = Later(
            call=Call(tool="create_deployment", arguments={**AT, "ref": "master"}, hears="success"),
            made=lambda: len(peer.state.deployments),
            end=end,
        )
        read = Call(
            tool="issue_read",
            arguments={**AT, "method": "get", "issue_number": 1},
            hears="Spelling error",
        )
        yield Ours(name="github", target=f"{peer.url}/mcp", call=read, later=later)


@asynccontextmanager
async def stripe(path):
    """Stripe's."""
    async with (
        tasks_stripe.stripe() as (peer, stripe_url),
        tasks_stripe.hands(path, stripe_url) as served,
    ):
        peer.made["pi_0"] = {"id": "pi_0", "object": "payment_intent", "status": "succeeded"}
        recorded = json.loads(STRIPE.read_text(encoding="utf-8"))["data"]["object"]

        async def end():
            link = peer.of("payment_link")[-1]["id"]
            paid = {**recorded, "payment_link": link, "amount_total": 1250, "currency": "eur"}
            kind = "checkout.session.completed"
            await tasks_stripe.rung(served.url, kind, paid, f"evt_{link}")

        wanted = {"amount": 1250, "currency": "EUR", "product": "A mug"}
        later = Later(
            call=Call(tool="create_payment_link", arguments=wanted, hears="has paid 12.50 EUR"),
            made=lambda: len(peer.of("payment_link")),
            end=end,
        )
        read = Call(
            tool="read", arguments={"kind": "payment_intent", "id": "pi_0"}, hears="succeeded"
        )
        yield Ours(name="stripe", target=f"{served.url}/mcp", call=read, later=later)


@asynccontextmanager
async def shopify(path):
    """Shopify's."""
    made = tasks_vendors.hands(
        path,
        "shopify",
        shopify_server.build,
        shopify_callback,
        by_shopify,
        Order=[{"data": {"order": {"name": "#1001"}}}],
    )
    async with made as served:
        read = Call(tool="read_order", arguments={"order": 5}, hears="#1001")
        yield Ours(name="shopify", target=f"{served.url}/mcp", call=read)


@asynccontextmanager
async def slack(path):
    """Slack's."""
    posted = {"ok": True, "channel": "C1CHANNEL", "ts": "1548261231.000200"}
    answers = {"chat.postMessage": [posted]}
    made = tasks_vendors.hands(
        path, "slack", slack_server.build, slack_callback, by_slack, **answers
    )
    async with made as served:
        post = Call(
            tool="post_message",
            arguments={"channel": "C1CHANNEL", "text": "hello"},
            hears="posted 1548261231.000200",
        )
        yield Ours(name="slack", target=f"{served.url}/mcp", call=post)


@asynccontextmanager
async def openapi(path):
    """An API's that has only a description; on stdio."""
    description = path / "crm.openapi.yaml"
    description.write_text(crm.DESCRIPTION, encoding="utf-8")
    async with crm.crm() as api:
        operation = ["--operations", "createContact", "--base-url", api.url]
        command = [sys.executable, "-m", "mcp_servers.openapi", str(description), *operation]
        make = Call(tool="createContact", arguments={"name": "Ann"}, hears="Ann")
        yield Ours(name="openapi", target=json.dumps(command), call=make)


ALL = (template, github, stripe, shopify, slack, openapi)
