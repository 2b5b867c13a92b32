"""Requests that are no honest HTTP, over a real socket: each is answered or cut off, in bounded time (D5, D7)."""

import asyncio
from itertools import pairwise

import pytest

from tests.support.proofs import EVENT, GITHUB, GOOD, ISSUE
from tests.support.senders import SENDERS, certificate
from tests.support.wire import LAST, post, sent, standing

HEAD = b"POST /hooks/github HTTP/1.1\r\nhost: x\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
SIGNED = sent(GITHUB, "github")
EMPTY = b"0\r\n\r\n"


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with standing(tmp_path_factory.mktemp("door"), certificate()) as one:
        yield one


def head(*lines, first=b"POST /hooks/github HTTP/1.1"):
    return b"\r\n".join([first, b"host: x", *lines]) + b"\r\n\r\n"


def to(target, method=b"POST"):
    return head(b"content-length: 0", first=b"%s %s HTTP/1.1" % (method, target))


def signed_with(*lines):
    """A good delivery with more header lines."""
    return SIGNED.replace(b"host:", b"".join(line + b"\r\n" for line in lines) + b"host:", 1)


# What the door or the server before it answers first; `ends`: whether nothing more is read from that connection.
BROKEN = {
    "a header line folded": (signed_with(b"x-a: b\r\n c"), 400),
    "a space before the colon": (signed_with(b"x-a : b"), 400),
    "NUL in a header": (signed_with(b"x-a: \0"), 400),
    "NUL in the path": (to(b"/hooks/a\0b"), 400),
    "a header without a name": (signed_with(b": b"), 400),
    "a method that is none": (to(b"/live", b"F@O"), 400),
    "HTTP/0.9": (b"GET /live\r\n", 400),
    "HTTP/3 as text": (b"GET /live HTTP/3.0\r\nhost: x\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200, 400),
    "two lengths": (signed_with(b"content-length: 1"), 400),
    "a list of lengths": (head(b"content-length: 2, 2"), 400),
    "a negative length": (head(b"content-length: -1"), 400),
    "a length with a sign": (head(b"content-length: +2"), 400),
    "a length in hex": (head(b"content-length: 0x2"), 400),
    "a length beyond counting": (head(b"content-length: " + b"9" * 4000), 400),
    "a hundred gigabytes announced": (head(b"content-length: 100000000000"), 413),
    "one byte more than may be": (head(b"content-length: %d" % (25 * 2**20 + 1)), 413),
    "an encoding that isn't the last": (head(b"transfer-encoding: identity"), 400),
    "chunked and a length": (
        SIGNED.replace(b"host:", b"transfer-encoding: chunked\r\nhost:"),
        400,
    ),
    "five thousand headers": (head(*[b"x-%d: 1" % n for n in range(5000)]), 431),
    "a header of a megabyte": (head(b"x: " + b"a" * 2**20), 431),
    "a target of 100 KB": (to(b"/hooks/" + b"a" * 100_000), 414),
    "a query of 100 KB": (to(b"/hooks/bearer?access_token=" + b"a" * 100_000), 414),
    "gzip": (signed_with(b"content-encoding: gzip"), 415),
    "gzip twice": (signed_with(b"content-encoding: gzip, gzip"), 415),
    "an encoding nobody knows": (signed_with(b"content-encoding: x"), 415),
    "a chunk without a size": (CHUNKED + b"zz\r\n", 400),
    "a chunk of more than can be": (CHUNKED + b"f" * 17 + b"\r\n", 400),
    "a chunk of a negative size": (CHUNKED + b"-2\r\n{}\r\n", 400),
    "a chunk with an endless extension": (CHUNKED + b"2;a=" + b"b" * 50_000 + b"\r\n", 400),
    "a chunk longer than it says": (CHUNKED + b"1\r\n{}\r\n0\r\n\r\n", 400),
}
STILL_OPEN = {
    "a length twice, the same": (head(b"content-length: 0", b"content-length: 0"), 401),
    "chunked twice": (
        CHUNKED.replace(b"host:", b"transfer-encoding: chunked\r\nhost:") + EMPTY,
        400,
    ),
    "gzip in two lines": (signed_with(b"content-encoding: gzip", b"content-encoding: gzip"), 400),
    "no host": (b"POST /hooks/github HTTP/1.1\r\ncontent-length: 0\r\n\r\n", 401),
    "a host elsewhere": (b"POST http://evil/hooks/github HTTP/1.1\r\nhost: x\r\n\r\n", 401),
    "lines that end in LF": (b"POST /hooks/github HTTP/1.1\nhost: x\ncontent-length: 0\n\n", 401),
    "a signature that comes behind the body": (
        CHUNKED + b"2\r\n{}\r\n0\r\nx-hub-signature-256: " + GOOD.encode() + b"\r\n\r\n",
        401,
    ),
    "an expectation that is none": (signed_with(b"expect: 200-ok", b"x-twice: a"), 202),
    "a name of many bytes": (to(b"/hooks/" + b"a" * 1_000), 404),
    "a name in UTF-8": (to("/hooks/é".encode()), 404),
    "a name with NUL escaped": (to(b"/hooks/a%00b"), 404),
    "a name that is no text": (to(b"/hooks/%ff%zz"), 404),
    "a path upwards": (to(b"/hooks/../status"), 404),
    "a path upwards, escaped": (to(b"/hooks/%2e%2e/status"), 404),
    "a path through another": (to(b"/hooks/nobody/../github"), 404),
    "two slashes": (to(b"//hooks/github"), 404),
    "an asterisk": (to(b"*", b"OPTIONS"), 404),
    "a tunnel": (head(first=b"CONNECT x:443 HTTP/1.1"), 404),
    "the query of another language": (to(b"/hooks/github?{{7*7}}"), 401),
    "the method in lower case": (to(b"/live", b"get"), 405),
    "a method nobody knows": (to(b"/hooks/github", b"BREW"), 405),
    "a websocket": (
        head(
            b"connection: upgrade",
            b"upgrade: websocket",
            b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
            b"sec-websocket-version: 13",
            first=b"GET /hooks/github HTTP/1.1",
        ),
        405,
    ),
    "a change to HTTP/2": (
        head(
            b"connection: upgrade, http2-settings",
            b"upgrade: h2c",
            b"http2-settings: AAMAAABkAARAAAAAAAIAAAAA",
            first=b"GET /live HTTP/1.1",
        ),
        200,
    ),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_d7_a_request_that_could_be_read_two_ways_ends_its_connection(door, case):
    raw, status = BROKEN[case]

    answers = await door.ask(raw)

    assert [answer.status for answer in answers] == [status]
    assert answers[0].headers.get("connection") == "close"


@pytest.mark.parametrize("case", STILL_OPEN)
async def test_d7_a_strange_request_gets_its_answer_and_the_next_one_too(door, case):
    raw, status = STILL_OPEN[case]

    first, last = await door.ask(raw)

    assert first.status == status
    assert last.told == {"status": "live"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("name", ["github", "stripe", "operator", "nobody"])
async def test_d5_nothing_but_post_rings(door, method, name):
    first, last = await door.ask(to(f"/hooks/{name}".encode(), method.encode()))

    assert (first.status, first.headers["allow"]) == (405, "POST")
    assert last.status == 200


@pytest.mark.parametrize("path", ["/live", "/ready", "/status"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
async def test_d5_what_is_there_to_be_read_can_only_be_read(door, method, path):
    first, last = await door.ask(to(path.encode(), method.encode()))

    assert first.status == 405
    assert "GET" in first.headers["allow"]
    assert last.status == 200


async def test_d7_http_1_0_is_answered_and_closed(door):
    old = SIGNED.replace(b"HTTP/1.1", b"HTTP/1.0", 1)

    [answer] = await door.ask(old)

    assert answer.status == 202


async def test_d7_an_expected_continue_is_said_before_the_body_is_read(door):
    first, second, last = await door.ask(signed_with(b"expect: 100-continue"))

    assert [first.status, second.status, last.status] == [100, 202, 200]


async def test_d7_too_much_announced_is_refused_before_a_continue_is_said(door):
    lines = (b"expect: 100-continue", b"content-length: 100000000000")

    [answer] = await door.ask(head(*lines))

    assert answer.status == 413


async def test_d7_a_hundred_requests_in_one_write_are_answered_in_order(door):
    names = [name for name in SENDERS if name != "meta"][:25]
    wrong = SENDERS["unsigned"].sign(EVENT)
    raw = b"".join(sent(wrong, name) + SIGNED for name in names) * 2

    *answers, last = await door.ask(raw)

    assert len(answers) == 4 * len(names)
    assert last.status == 200
    assert {answer.status for answer in answers[1::2]} == {202}


@pytest.mark.parametrize("at", range(0, len(SIGNED), 37))
async def test_d7_a_request_that_comes_in_two_halves_is_one_request(door, at):
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(SIGNED[:at])
    await writer.drain()
    writer.write(SIGNED[at:] + LAST)

    async with asyncio.timeout(30):
        found = await reader.read()

    writer.close()
    assert found.startswith(b"HTTP/1.1 202")


HALVES = {
    b"": [],
    b"P": [],
    b"POST /hooks/gi": [],
    HEAD: [],
    HEAD + b"x-a: b\r\n" * 9: [],
    head(b"content-length: 10") + b"{": [408],
    CHUNKED + b"5\r\n{": [408],
    CHUNKED + b"1\r\n{\r\n": [408],
    SIGNED: [202],
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": [],
}


async def test_d7_nobody_can_hold_a_connection_by_saying_nothing_more(door):
    # Its end comes from the door: this side never closes, and waits six times the door's deadline.
    all_answers = await asyncio.gather(*map(door.say, HALVES))

    told = [[one.status for one in answers if one.status != 400] for answers in all_answers]
    assert told == list(HALVES.values())


async def test_d7_a_header_an_hour_does_not_hold_a_connection(door):
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(HEAD)

    async def drip():
        while True:
            writer.write(b"x-a: b\r\n")
            await asyncio.sleep(0.2)

    dripping = asyncio.create_task(drip())
    # A hundred and fifty drops, of which none may begin the header's second anew.
    async with asyncio.timeout(30):
        await reader.read()
    dripping.cancel()
    writer.close()


async def test_d7_while_hundreds_say_nothing_the_next_one_is_answered(door):
    held = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(300)]
    for _, writer in held[::2]:
        writer.write(HEAD)
    for _, writer in held[::3]:
        writer.write(CHUNKED[len(HEAD) :] + b"1\r\n{")

    answers = await asyncio.gather(*(door.one(SIGNED) for _ in range(20)))

    for _, writer in held:
        writer.close()
    assert {answer.status for answer in answers} == {202}


async def test_d7_a_sender_that_goes_away_at_any_byte_leaves_nothing_behind(door):
    before = door.open_files
    for one, other in pairwise(range(0, len(SIGNED), 29)):
        for at in (one, other):
            _, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(SIGNED[:at])
            writer.transport.abort()
    async with asyncio.timeout(30):
        while door.open_files > before + 1:
            await door.one(SIGNED)
    assert (await door.one(post("/hooks/nobody", {}, ISSUE))).status == 404
    assert door.faults() == []
