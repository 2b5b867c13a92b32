"""Asking a server about its events: every way that can end is a value, in both dialects of its errors."""

from datetime import UTC, datetime, timedelta

import pytest
from mcp.server import MCPServer

from orchestrator.agent.hands.events import Events
from orchestrator.agent.hands.subscriptions import CODES, Asked, Denied, Granted, Trouble
from orchestrator.agent.text.redacting import Redaction
from orchestrator.servers import HttpServer
from tests.support.asgi import serving
from tests.support.event_server import NAME, tickets
from tests.support.old_http import OldHttp
from tests.support.ports import free_port

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOBODY = "http://127.0.0.1:9/hooks/tickets"


def asked(**changes):
    values = {
        "event": NAME,
        "arguments": "{}",
        "url": NOBODY,
        "secret": SECRET,
        "cursor": None,
        "ttl": timedelta(days=1),
    }
    return Asked(**{**values, **changes})


def at(url):
    return HttpServer(name="crm", url=url)


async def answer(desk, *, look=False, events=None, **changes):
    return await (events or Events()).subscribe(at(desk.url), asked(**changes), look=look)


@pytest.fixture
async def desk(tmp_path):
    async with tickets(tmp_path) as opened:
        yield opened


def _echoing(challenged):
    """A door that lets everybody in."""

    async def app(scope, receive, send):
        message = await receive()
        challenged.append(message["body"])
        head = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": message["body"]})

    return app


async def test_what_is_granted_says_until_when(desk):
    challenged = []
    async with serving(_echoing(challenged)) as url:
        granted = await answer(desk, look=True, url=f"{url}/hooks/tickets", cursor="c1")
        assert isinstance(granted, Granted)
        assert granted.until > datetime.now(UTC) + timedelta(hours=23)
        assert desk.asked[-1]["cursor"] == "c1"
        assert desk.asked[-1]["ttlMs"] == 86_400_000
        assert await Events().unsubscribe(at(desk.url), asked(url=f"{url}/hooks/tickets")) is None
    assert (desk.subscriptions(), len(challenged)) == ([], 1)
    assert "secret" not in desk.left[-1]["delivery"]


async def test_a_door_that_the_server_does_not_reach_is_told_as_that(desk):
    denied = await answer(desk)
    assert (denied.why, denied.said) == (
        Trouble.CALLBACK,
        "Callback endpoint error: connection_failed (-32015)",
    )


async def test_an_event_that_the_server_does_not_have_is_told_with_one_that_it_has(desk):
    denied = await answer(desk, look=True, event="ticket.updatd")
    assert denied.why is Trouble.NOT_FOUND
    assert f"did you mean {NAME!r}" in denied.said


async def test_arguments_that_it_will_not_have_are_told(desk):
    denied = await answer(desk, arguments='{"nonsense": 1}')
    assert denied.why is Trouble.INVALID
    assert "nonsense" in denied.said


@pytest.mark.parametrize("code", [code for code in CODES if code < -32602 or code > -32600])
async def test_both_dialects_of_refusal_mean_the_same(desk, code):
    desk.refuses = [(code, "No", {"reason": "because"})]
    denied = await answer(desk)
    assert (denied.why, denied.said) == (CODES[code], f"No: because ({code})")


async def test_a_refusal_in_words_of_its_own_is_a_refusal(desk):
    desk.refuses = [(-31999, "x" * 5000, None)]
    denied = await answer(desk)
    assert denied.why is Trouble.REFUSED
    assert len(denied.said) == 300


async def test_a7_a_secret_that_a_server_repeats_is_not_told(desk):
    desk.refuses = [(-32012, f"your secret {SECRET} is bad", None)]
    redaction = Redaction.of({SECRET: "the subscription's"})
    denied = await answer(desk, events=Events(lambda: redaction))
    assert SECRET not in denied.said


@pytest.mark.parametrize(
    "odd",
    [
        {"id": 7},
        {"id": ""},
        {"id": "x" * 501},
        {"refreshBefore": ["soon"]},
        {"cursor": "c" * 10_001},
    ],
)
async def test_d7_an_answer_that_is_none_is_told_as_that(desk, odd):
    desk.answers = odd
    async with serving(_echoing([])) as url:
        denied = await answer(desk, url=url)
    assert isinstance(denied, Denied)
    assert denied.why is Trouble.UNREADABLE


@pytest.mark.parametrize(
    ("said", "until"),
    [
        (None, None),
        ("2026-11-22T10:00:00Z", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("2026-11-22T10:00:00", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        (1_795_341_600_000, datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("soon", datetime.fromtimestamp(0, UTC)),
        (1e300, datetime.fromtimestamp(0, UTC)),
    ],
)
async def test_until_when_is_read_as_servers_write_it(desk, said, until):
    desk.answers = {"refreshBefore": said}
    async with serving(_echoing([])) as url:
        assert (await answer(desk, url=url)).until == until


async def test_h3_a_dead_server_one_without_events_and_one_that_is_none_are_results(tmp_path):
    async def empty(scope, receive, send):
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b"who are you?"})

    gone = at(f"http://127.0.0.1:{free_port()}/mcp")
    assert (await Events().subscribe(gone, asked(), look=True)).why is Trouble.UNREACHABLE
    assert (await Events().unsubscribe(gone, asked())).why is Trouble.UNREACHABLE
    async with serving(empty) as url:
        denied = await Events().subscribe(at(url), asked(), look=True)
    assert denied.why is Trouble.UNREACHABLE
    assert "401" in denied.said


async def test_h3_a_mute_server_is_a_result_in_time(tmp_path):
    async def mute(scope, receive, send):
        assert scope["type"] == "http"
        while (await receive())["type"] != "http.disconnect":
            pass

    async with serving(mute) as url:
        denied = await Events(patience=0.5).subscribe(at(url), asked(), look=True)
    assert denied.why is Trouble.UNREACHABLE


async def test_a_server_without_events_says_so():
    app = MCPServer("plain").streamable_http_app(stateless_http=True, json_response=True)
    async with serving(app) as url:
        denied = await Events().subscribe(at(f"{url}/mcp"), asked(), look=True)
    assert denied.why is Trouble.NO_EVENTS


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-11-25"])
async def test_h3_a_server_of_the_handshake_era_is_asked_too(version):
    """This one answers everything as if it were a tool."""
    async with serving(OldHttp(version)) as url:
        denied = await Events(patience=5).subscribe(at(f"{url}/mcp"), asked(), look=True)
    assert (denied.why, denied.said) == (Trouble.UNREADABLE, "events: Field required")
