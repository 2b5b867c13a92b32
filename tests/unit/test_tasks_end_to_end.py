"""The doorbell as the mailroom of four servers: a vendor rings the door, `forward:` sends it on, a task ends.

Receive, verify, dedupe, route, correlate, update the task: for each vendor with its own signature and its own bytes.
"""

import hashlib
import hmac
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx2
import structlog

from mcp_servers.shopify import server as shopify_server
from mcp_servers.shopify.told import by_shopify
from mcp_servers.shopify.told import callback as shopify_callback
from mcp_servers.slack import server as slack_server
from mcp_servers.slack.told import by_slack
from mcp_servers.slack.told import callback as slack_callback
from orchestrator.doorbell.app import build
from orchestrator.doorbell.health import Readiness
from orchestrator.doorbell.receive import door
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.secrets import Secret
from orchestrator.sources.presets import PRESETS
from orchestrator.sources.source import Source
from tests.support import tasks_github, tasks_stripe, tasks_vendors
from tests.support.asgi import serving
from tests.support.builders import inbox_at
from tests.support.receiving import decision, destination, sending
from tests.support.tasks_client import Taking, call, get, over_http, words
from tests.support.told import told
from tests.unit import test_tasks_github, test_tasks_shopify, test_tasks_slack

SECRET = "AVendorsOwnSecret"


async def _status():
    return {}


def now():
    return datetime.now(UTC)


@asynccontextmanager
async def doorbell(directory, preset):
    """The real door with one vendor as its source; yields its address and its inbox."""
    directory.mkdir()
    found = PRESETS[preset]
    source = Source(
        name="vendor",
        scheme=found.scheme,
        secrets=(Secret("env:X", SECRET),),
        dialect=found.dialect,
        max_body=found.max_body,
        dedupe_body=found.dedupe_body,
    )
    ids = iter(range(1, 100))
    log = structlog.wrap_logger(structlog.ReturnLogger())
    with inbox_at(directory) as inbox:
        async with GroupCommit(inbox) as commit, RefusalLog(inbox) as refused:
            knock = door(
                lambda: {"vendor": source},
                commit,
                refused.refuse,
                now,
                lambda: f"evt_{next(ids)}",
                told(log),
            )
            app = build(knock, Readiness(inbox.pulse, now), _status, log)
            async with serving(app) as url:
                yield f"{url}/hooks/vendor", inbox


async def rung(hook, inbox, callbacks, body, headers):
    """A vendor rings twice; what was kept is forwarded to our server, twice as well."""
    async with httpx2.AsyncClient(timeout=30) as http:
        answers = [await http.post(hook, content=body, headers=headers) for _ in range(2)]
    assert all(answer.is_success for answer in answers), [answer.text for answer in answers]
    (kept,) = await inbox.undecided(5)
    sent = sending(destination(callbacks))
    sent.clock.time = now()
    for number in (1, 2):
        await sent.to.forward(decision(id=f"dec_{number}"), kept)
    return kept


async def test_h4_stripe_by_way_of_the_door(tmp_path):
    async with (
        tasks_stripe.stripe() as (peer, api),
        tasks_stripe.hands(tmp_path, api) as served,
        doorbell(tmp_path / "door", "stripe") as (hook, inbox),
        over_http(served.url, Taking()) as client,
    ):
        handle = await call(client, "refund", payment_intent="pi_1")
        refund = peer.of("refund")[0] | {"status": "succeeded"}
        body = json.dumps(tasks_stripe.event("refund.updated", refund)).encode()
        headers = tasks_stripe.signed(body, SECRET) | {"content-type": "application/json"}
        kept = await rung(hook, inbox, f"{served.url}/callbacks", body, headers)
        task = await get(client, handle.task_id)

    assert kept.type == "refund.updated"
    assert words(task) == "12.50 EUR is refunded"


async def test_h4_github_by_way_of_the_door(tmp_path):
    async with (
        tasks_github.github(tmp_path) as peer,
        doorbell(tmp_path / "door", "github") as (hook, inbox),
        over_http(peer.url, Taking()) as client,
    ):
        handle = await call(client, "run_workflow", **test_tasks_github.RUN)
        body = json.dumps(test_tasks_github.ran(conclusion="success")).encode()
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "x-hub-signature-256": f"sha256={digest}",
            "x-github-event": "workflow_run",
            "x-github-delivery": "d1",
            "content-type": "application/json",
        }
        kept = await rung(hook, inbox, f"{peer.url}/callbacks", body, headers)
        task = await get(client, handle.task_id)

    assert kept.type == "workflow_run.completed"
    assert task.result["structuredContent"]["conclusion"] == "success"


async def test_h4_shopify_by_way_of_the_door(tmp_path):
    made = {"fulfillment": test_tasks_shopify.MADE, "userErrors": []}
    answers = {"Fulfill": [test_tasks_shopify.data(fulfillmentCreate=made)]}
    built = (shopify_server.build, shopify_callback, by_shopify)
    async with (
        tasks_vendors.hands(tmp_path, "shopify", *built, **answers) as served,
        doorbell(tmp_path / "door", "shopify") as (hook, inbox),
        over_http(served.url, Taking()) as client,
    ):
        handle = await call(client, "fulfill_order", fulfillment_order=9)
        body = json.dumps(test_tasks_shopify.fulfillment(status="success")).encode()
        headers = tasks_vendors.shopify_signed(body, "fulfillments/update", SECRET)
        headers |= {"x-shopify-webhook-id": "w1", "content-type": "application/json"}
        kept = await rung(hook, inbox, f"{served.url}/callbacks", body, headers)
        task = await get(client, handle.task_id)

    assert kept.type == "fulfillments/update"
    assert "is shipped" in words(task)


async def test_h4_slack_by_way_of_the_door(tmp_path):
    answers = {"chat.postMessage": [test_tasks_slack.POSTED]}
    built = (slack_server.build, slack_callback, by_slack)
    async with (
        tasks_vendors.hands(tmp_path, "slack", *built, **answers) as served,
        doorbell(tmp_path / "door", "slack") as (hook, inbox),
        over_http(served.url, Taking()) as client,
    ):
        handle = await call(client, "ask", **test_tasks_slack.QUESTION)
        body = tasks_vendors.form(test_tasks_slack.pressed(served))
        headers = tasks_vendors.slack_signed(body, SECRET)
        headers |= {"content-type": "application/x-www-form-urlencoded"}
        kept = await rung(hook, inbox, f"{served.url}/callbacks", body, headers)
        task = await get(client, handle.task_id)

    assert kept.type == "interaction.block_actions"
    assert words(task) == "ann (U1) answered: Approve"
