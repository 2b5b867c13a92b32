"""Senders at the door over a real socket: greetings, batches, tokens and URLs, and what must never be kept."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
import structlog

from orchestrator.database import Database, sqlite_url
from orchestrator.doorbell.app import build
from orchestrator.doorbell.health import Readiness
from orchestrator.doorbell.receive import door
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from orchestrator.secrets import Secret
from orchestrator.signatures.signing import prove
from orchestrator.sources.preset import Options, bound, handshake_of
from orchestrator.sources.presets import PRESETS
from orchestrator.sources.source import Source
from tests.support.asgi import serving
from tests.support.told import told

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SECRET = "a secret made for tests"
ORACLES = Path(__file__).parents[1] / "oracles"
DELIVERIES = Path(__file__).parents[1] / "deliveries"
OPTIONS = Options(
    public_url="https://bell.example.com/hooks/x",
    verify_token=Secret("env:W", "our word"),
    origins=frozenset({"eventgrid.azure.net"}),
    topics=frozenset({"arn:aws:sns:eu-west-1:123456789012:orders"}),
)
MESSAGES = [
    one
    for one in json.loads((ORACLES / "vectors.json").read_text(encoding="utf-8"))
    if one["scheme"] == "sns"
]


def source(name):
    preset = PRESETS[name]
    return Source(
        name=name,
        scheme=bound(preset.scheme, OPTIONS),
        secrets=() if preset.secret is None else (Secret("env:S", SECRET),),
        dialect=preset.dialect or PRESETS["stripe"].dialect,
        max_body=preset.max_body,
        dedupe_body=preset.dedupe_body,
        handshake=handshake_of(preset.handshake, OPTIONS),
        thanks=preset.thanks,
        batch=preset.batch,
    )


NAMES = (
    "slack", "zoom", "meta", "hubspot", "gitlab", "cloudevents", "event-grid", "sns", "twilio", "linear",
    "shopify", "stripe", "bearer", "unsigned",
)  # fmt: skip


class House:
    """A door on a real inbox and a real socket; `fetched` are the addresses it asked for."""

    def __init__(self, url, inbox, sources):
        self.inbox, self.sources = inbox, sources
        self.fetched, self.broken = [], False
        self.http = httpx2.AsyncClient(base_url=url, timeout=20)

    async def ring(self, name, body, *, query="", **headers):
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        sent |= prove(self.sources[name].scheme, SECRET.encode(), body, NOW, sent)
        return await self.http.post(f"/hooks/{name}{query}", content=body, headers=sent)

    async def kept(self):
        found = [await self.inbox.entry(entry.id) for entry in await self.inbox.entries(99)]
        return sorted(found, key=lambda entry: entry.position)

    async def fetch(self, url):
        self.fetched.append(url)
        if self.broken:
            raise OSError("no route")
        return MESSAGES[0]["certificate"].encode() if url.endswith(".pem") else b""


@pytest.fixture
async def home(tmp_path):
    database = Database.open(sqlite_url(tmp_path / "inbox.db"), MIGRATIONS)
    inbox = SqlInbox(database)
    sources = {name: source(name) for name in NAMES}
    place = House("http://unused", inbox, sources)
    ids = iter(range(1, 10_000))
    log = structlog.wrap_logger(structlog.PrintLogger(), processors=[_drop])

    async def fetch(url):
        return await place.fetch(url)

    async with GroupCommit(inbox) as keeps, RefusalLog(inbox) as remembers:
        knock = door(
            lambda: sources,
            keeps,
            remembers.refuse,
            lambda: NOW,
            lambda: f"e{next(ids)}",
            told(log),
            fetch=fetch,
        )
        app = build(knock, Readiness(inbox.pulse, lambda: NOW), _status, log)
        async with serving(app) as url:
            await place.http.aclose()
            place.http = httpx2.AsyncClient(base_url=url, timeout=20)
            async with place.http:
                yield place
    database.close()


def _drop(_logger, _method, _event):
    raise structlog.DropEvent


async def _status():
    return {}


async def test_d5_slacks_greeting_is_answered_and_not_kept(home):
    body = b'{"type": "url_verification", "challenge": "abc"}'

    answer = await home.ring("slack", body)

    assert (answer.status_code, answer.json()) == (200, {"challenge": "abc"})
    assert await home.kept() == []


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("slack", b'{"type": "url_verification", "challenge": "abc"}'),
        ("zoom", b'{"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}}'),
        ("event-grid", b'[{"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent"}]'),
    ],
)
async def test_d1_a_greeting_that_nobody_signed_is_refused(home, name, body):
    answer = await home.http.post(f"/hooks/{name}", content=body)

    assert answer.status_code == 401
    assert "abc" not in answer.text


async def test_d5_zooms_greeting_is_answered(home):
    body = b'{"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}}'

    answer = await home.ring("zoom", body)

    assert answer.json()["plainToken"] == "abc"
    assert len(answer.json()["encryptedToken"]) == 64


async def test_d5_metas_get_is_answered_to_our_word_and_is_405_elsewhere(home):
    query = "?hub.mode=subscribe&hub.verify_token=our+word&hub.challenge=42"

    answer = await home.http.get(f"/hooks/meta{query}")
    assert (answer.status_code, answer.text) == (200, "42")
    assert answer.headers["content-type"].startswith("text/plain")
    assert (await home.http.get("/hooks/meta?hub.challenge=42")).status_code == 403
    assert (await home.http.get(f"/hooks/stripe{query}")).status_code == 405
    assert (await home.http.put("/hooks/meta", content=b"{}")).status_code == 405


async def test_d5_an_options_question_is_answered_to_a_listed_origin(home):
    origin = {"webhook-request-origin": "eventgrid.azure.net"}

    answer = await home.http.options("/hooks/cloudevents", headers=origin)
    assert (answer.status_code, answer.headers["webhook-allowed-origin"]) == (
        200,
        "eventgrid.azure.net",
    )
    for name in ("cloudevents", "stripe", "nobody"):
        other = await home.http.options(f"/hooks/{name}", headers={"webhook-request-origin": "x"})
        assert other.status_code == 405


async def test_d3_a_batch_is_kept_event_by_event_and_each_once(home):
    body = (DELIVERIES / "hubspot" / "batch.json").read_bytes()

    answer = await home.ring("hubspot", body)

    assert answer.status_code == 202
    assert [one["status"] for one in answer.json()["events"]] == ["kept", "kept"]
    first, second = await home.kept()
    assert (first.type, second.type) == ("contact.propertyChange", "contact.creation")
    assert json.loads(second.body)["objectId"] == 1246978

    events = json.loads(body)
    more = {**events[0], "eventId": 1, "attemptNumber": 0}
    again = json.dumps([{**events[1], "attemptNumber": 1}, more]).encode()
    statuses = [one["status"] for one in (await home.ring("hubspot", again)).json()["events"]]
    assert statuses == ["duplicate", "kept"]
    assert len(await home.kept()) == 3


async def test_d3_what_was_kept_of_a_batch_reads_as_one_event_again(home):
    body = (DELIVERIES / "meta" / "whatsapp.json").read_bytes()

    answer = await home.ring("meta", body)

    assert answer.status_code == 200
    kept = await home.kept()
    assert [entry.type.partition(".")[2] for entry in kept] == [
        "messages",
        "messages",
        "message_template_status_update",
    ]
    dialect = home.sources["meta"].dialect
    assert [dialect.read(entry.headers, entry.body).type for entry in kept] == [
        entry.type for entry in kept
    ]


async def test_an_empty_batch_is_no_event_and_well(home):
    answer = await home.ring("hubspot", b"[]")

    assert (answer.status_code, answer.json()) == (202, {"events": []})


async def test_d3_a_new_id_over_the_same_signed_bytes_is_a_duplicate(home):
    body = (DELIVERIES / "shopify" / "orders.create.json").read_bytes()
    await home.ring("shopify", body, x_shopify_topic="orders/create", x_shopify_webhook_id="a")

    again = await home.ring(
        "shopify", body, x_shopify_topic="orders/create", x_shopify_webhook_id="b"
    )

    assert again.json()["status"] == "duplicate"


@pytest.mark.parametrize(
    ("name", "headers", "query"),
    [
        ("gitlab", {"x-gitlab-token": SECRET}, ""),
        ("event-grid", {"authorization": f"Bearer {SECRET}"}, ""),
        ("event-grid", {}, "?access_token=a+secret+made+for+tests"),
    ],
)
async def test_a7_a_token_opens_the_door_and_is_kept_nowhere(home, name, headers, query):
    body = b'{"object_kind": "push", "id": "1", "eventType": "x"}'

    answer = await home.http.post(f"/hooks/{name}{query}", content=body, headers=headers)

    assert answer.status_code == 202
    [entry] = await home.kept()
    assert SECRET not in str(entry.headers) + str(entry.body)
    assert not [name for name in entry.headers if name.startswith(":")]


async def test_d1_a_wrong_token_in_the_query_is_refused_and_not_remembered(home):
    answer = await home.http.post("/hooks/bearer?access_token=hunter2", content=b"{}")

    assert answer.status_code == 401
    assert "hunter2" not in str(await home.inbox.refusals(9))


async def test_d1_a_url_that_is_signed_is_the_configured_one(home):
    body, spoofed = b"MessageSid=SM1&MessageStatus=sent", {"x_forwarded_host": "evil.example"}

    answer = await home.ring("twilio", body, **spoofed)
    assert (answer.status_code, answer.text) == (200, "<Response/>")
    assert answer.headers["content-type"] == "text/xml"
    headers = prove(
        bound(PRESETS["twilio"].scheme, Options(public_url=str(answer.url))),
        SECRET.encode(),
        body,
        NOW,
        {},
    )
    assert (await home.http.post("/hooks/twilio", content=body, headers=headers)).status_code == 401


async def test_a_sender_that_wants_200_gets_its_receipt_with_200(home):
    body = (DELIVERIES / "linear" / "Issue.create.json").read_bytes()

    answer = await home.ring("linear", body, linear_delivery="l1")

    assert (answer.status_code, answer.json()["status"]) == (200, "kept")


async def test_d1_an_unsigned_source_is_answered_here_and_not_through_a_proxy(home):
    body = b'{"id": "1", "type": "x"}'

    assert (await home.http.post("/hooks/unsigned", content=body)).status_code == 202
    via = {"x-forwarded-for": "203.0.113.9"}
    assert (await home.http.post("/hooks/unsigned", content=body, headers=via)).status_code == 401


def sns(number):
    return MESSAGES[number]["body"].encode()


async def test_d1_sns_fetches_its_certificate_once_and_then_verifies(home):
    for _ in range(2):
        answer = await home.http.post("/hooks/sns", content=sns(0))
        assert answer.status_code == 202

    assert home.fetched == [json.loads(sns(0))["SigningCertURL"]]
    changed = sns(0).replace(b"order", b"Order")
    assert (await home.http.post("/hooks/sns", content=changed)).status_code == 401


async def test_d5_a_subscription_is_confirmed_before_it_is_answered(home):
    answer = await home.http.post("/hooks/sns", content=sns(2))

    assert answer.status_code == 200
    assert home.fetched[-1] == json.loads(sns(2))["SubscribeURL"]
    assert await home.kept() == []


async def test_d5_what_cannot_be_fetched_is_deferred(home):
    home.broken = True

    answer = await home.http.post("/hooks/sns", content=sns(0))

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize(
    "change",
    [
        {"TopicArn": "arn:aws:sns:eu-west-1:999999999999:evil"},
        {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com.evil/x.pem"},
        {"SigningCertURL": "https://127.0.0.1/SimpleNotificationService-00000000.pem"},
    ],
    ids=range(3),
)
async def test_d7_a_stranger_cannot_make_the_door_fetch_anything(home, change):
    body = json.dumps(json.loads(sns(2)) | change).encode()

    answer = await home.http.post("/hooks/sns", content=body)

    assert answer.status_code == 401
    assert home.fetched == []


async def test_basic_passwords_are_read_where_they_stand(home):
    text = base64.b64encode(SECRET.encode()).decode()
    home.sources["basic"] = source("basic")

    headers = {"authorization": f"Basic {text}"}
    body = b'{"id": "1", "type": "x"}'
    answer = await home.http.post("/hooks/basic", content=body, headers=headers)

    assert answer.status_code == 202
