"""What a stranger writes into the proof of a delivery, over a real socket: each gets its published answer (D1)."""

import json

import pytest

from tests.support.proofs import EVENT, GITHUB, GOOD, KEPT, REFUSED
from tests.support.senders import CERTIFICATE_URL, SECRET, SENDERS, certificate
from tests.support.wire import post, sent, standing


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with standing(tmp_path_factory.mktemp("door"), certificate()) as one:
        yield one


@pytest.mark.parametrize("case", REFUSED)
async def test_d1_a_hostile_proof_is_refused_with_its_own_answer(door, case):
    name, signed, status, reason = REFUSED[case]
    signed = signed.but(x_github_delivery=f"never {len(case)}") if name == "github" else signed

    first, last = await door.ask(sent(signed, name))

    assert (first.status, first.reason) == (status, reason)
    assert set(first.told) == {"type", "title", "status", "detail"}
    # What was read whole leaves the connection as it was.
    assert last.told == {"status": "live"}
    assert SECRET not in str(first)


@pytest.mark.parametrize("case", KEPT)
async def test_d1_what_only_looks_odd_is_kept(door, case):
    name, signed = KEPT[case]

    assert (await door.one(sent(signed, name))).status in {200, 202}


TWICE_NAMED = ["x-hub-signature-256", "X-Hub-Signature-256", "x-github-event", "X-GITHUB-DELIVERY"]


@pytest.mark.parametrize("name", TWICE_NAMED)
@pytest.mark.parametrize("value", [GOOD, "other", ""])
async def test_d1_a_header_that_came_twice_is_ambiguous_even_if_it_says_the_same(door, name, value):
    whole = sent(GITHUB, "github")
    doubled = whole.replace(b"host:", f"{name}: {value}\r\nhost:".encode(), 1)

    answer = await door.one(doubled)

    assert (answer.status, answer.reason) == (400, "ambiguous_header")


@pytest.mark.parametrize("name", ["authorization", "Authorization"])
async def test_d1_two_tokens_are_ambiguous(door, name):
    whole = sent(SENDERS["bearer"].sign(EVENT), "bearer")

    answer = await door.one(whole.replace(b"host:", f"{name}: Bearer x\r\nhost:".encode(), 1))

    assert (answer.status, answer.reason) == (400, "ambiguous_header")


async def test_d1_two_tokens_in_the_query_are_ambiguous(door):
    token = SECRET.replace(" ", "+")
    answer = await door.one(post(f"/hooks/bearer?access_token=a&access_token={token}", {}, EVENT))

    assert (answer.status, answer.reason) == (400, "ambiguous_header")


async def test_a7_a_secret_in_the_query_is_in_no_line_of_the_log(door):
    token = SECRET.replace(" ", "+")
    kept = await door.one(post(f"/hooks/bearer?access_token={token}", {}, EVENT))
    refused = await door.one(post("/hooks/bearer?access_token=nearly+secret", {}, EVENT))

    assert (kept.status, refused.status) == (202, 401)
    log = (door.directory / "log").read_text(encoding="utf-8")
    assert token not in log
    assert SECRET not in log
    assert "nearly" not in log


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.us-east-1.amazonaws.com.evil/SimpleNotificationService-00000000.pem",
        "https://sns.evil.com/SimpleNotificationService-00000000.pem",
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-00000000.pem",
        "https://sns.eu-west-1.amazonaws.com@127.0.0.1/SimpleNotificationService-00000000.pem",
        "https://sns.eu-west-1.amazonaws.com:444/SimpleNotificationService-00000000.pem",
        "https://sns.eu-west-1.amazonaws.com/../SimpleNotificationService-00000000.pem",
        "file:///etc/passwd",
        "",
    ],
)
async def test_d7_a_certificate_from_anywhere_else_is_not_looked_at(door, url):
    signed = SENDERS["sns"].sign(EVENT)
    body = signed.body.replace(CERTIFICATE_URL.encode(), url.encode())

    answer = await door.one(sent(signed.saying(body), "sns"))

    assert answer.status == 401


async def test_d5_an_unknown_source_and_a_wrong_secret_are_answered_in_the_same_shape(door):
    unknown = await door.one(sent(GITHUB, "nobody"))
    wrong = await door.one(sent(GITHUB, "second"))

    assert (unknown.status, wrong.status) == (404, 401)
    assert set(unknown.told) == set(wrong.told)
    assert set(unknown.headers) == set(wrong.headers)
    again = await door.one(sent(GITHUB, "nobody-else"))
    assert again.body == unknown.body


HELLO = "hub.mode=subscribe&hub.verify_token={}&hub.challenge={}"


@pytest.mark.parametrize(
    ("query", "status", "body"),
    [
        (HELLO.format("our+word", "1158201444"), 200, b"1158201444"),
        (HELLO.format("our+word", "%3Cscript%3E"), 200, b"<script>"),
        (HELLO.format("other", "1"), 403, b"forbidden"),
        (HELLO.format("", "1"), 403, b"forbidden"),
        (HELLO.format("our+word", "a" * 501), 403, b"forbidden"),
        (HELLO.format("our+word", "a%0d%0ab"), 403, b"forbidden"),
        (HELLO.format("our+word", "%00"), 403, b"forbidden"),
        (HELLO.format("our+word", "1") + "&hub.challenge=2", 403, b"forbidden"),
        (HELLO.format("our+word", "1") + "&hub.verify_token=x", 403, b"forbidden"),
        ("hub.mode=unsubscribe&hub.verify_token=our+word&hub.challenge=1", 403, b"forbidden"),
        ("", 403, b"forbidden"),
        ("&" * 5_000, 403, b"forbidden"),
    ],
)
async def test_d5_a_get_challenge_is_plain_text_and_only_for_our_word(door, query, status, body):
    answer = await door.one(f"GET /hooks/meta?{query} HTTP/1.1\r\nhost: x\r\n\r\n".encode())

    assert (answer.status, answer.body) == (status, body)
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("name", "origin", "status"),
    [
        ("cloudevents", "eventgrid.azure.net", 200),
        ("cloudevents", "EventGrid.Azure.Net", 200),
        ("event-grid", "eventgrid.azure.net", 200),
        ("cloudevents", "evil.example.com", 405),
        ("cloudevents", "eventgrid.azure.net.evil", 405),
        ("cloudevents", "*", 405),
        ("cloudevents", "", 405),
        ("github", "eventgrid.azure.net", 405),
        ("nobody", "eventgrid.azure.net", 405),
    ],
)
async def test_d5_an_options_question_is_answered_to_a_listed_origin_only(
    door, name, origin, status
):
    asked = f"OPTIONS /hooks/{name} HTTP/1.1\r\nhost: x\r\nwebhook-request-origin: {origin}\r\n\r\n"

    answer = await door.one(asked.encode())

    assert answer.status == status
    assert ("webhook-allowed-origin" in answer.headers) == (status == 200)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("slack", {"type": "url_verification", "challenge": "a\r\nb"}),
        ("slack", {"type": "url_verification", "challenge": "a" * 501}),
        ("slack", {"type": "url_verification", "challenge": {"a": 1}}),
        ("slack", {"type": "url_verification"}),
        # What Zoom's token would sign for a stranger if it were any text: a delivery.
        ("zoom", {"event": "endpoint.url_validation", "payload": {"plainToken": "v0:1:{}"}}),
        ("zoom", {"event": "endpoint.url_validation", "payload": []}),
        ("zoom", {"event": "endpoint.url_validation"}),
    ],
)
async def test_d7_a_signed_greeting_that_asks_for_too_much_is_malformed(door, name, body):
    answer = await door.one(sent(SENDERS[name].sign(json.dumps(body).encode()), name))

    assert (answer.status, answer.reason) == (400, "malformed")


async def test_a_door_that_was_asked_all_this_has_no_fault_in_its_log(door):
    assert door.faults() == []
