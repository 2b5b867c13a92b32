"""Anything at all, over a real socket, at every endpoint: an answer or an end in time, no 500, no growth (D7)."""

import asyncio
from itertools import cycle, islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.mad import JSON_BUT_ODD, NEVER_JSON
from tests.support.proofs import KEPT, REFUSED
from tests.support.senders import SENDERS, certificate
from tests.support.wire import sent, standing

PATHS = (
    *(f"/hooks/{name}" for name in SENDERS), "/hooks/nobody", "/hooks", "/hooks/", "/live", "/ready", "/status", "/",
    "*", "/docs", "/schema", "/favicon.ico", "/hooks/github/", "/hooks/github/x", "//hooks/github", "/hooks//github",
    "/hooks/../live", "/hooks/%2e%2e/live", "/hooks/%00", "/hooks/%ff", "/hooks/%", "/hooks/%c3%a9", "/hooks/é",
    "/hooks/github;a=b", "/hooks/github?a=b&a=c", "/hooks/github#a", "http://evil/hooks/github", "evil:443",
    "/HOOKS/github", "/hooks/GitHub", "/hooks/git%68ub",
)  # fmt: skip
METHODS = (
    "POST", "POST", "POST", "POST", "GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "post",
    "BREW", "PRI", "P\0ST", "", "A" * 99,
)  # fmt: skip
VERSIONS = ("HTTP/1.1",) * 9 + (
    "HTTP/1.0",
    "HTTP/2.0",
    "HTTP/1.2",
    "HTTP/0.9",
    "",
    "http/1.1",
    "HTTP/1.1 x",
)
NAMES = (
    "content-type", "content-encoding", "expect", "connection", "upgrade", "te", "trailer", "host", "cookie",
    "authorization", "x-hub-signature-256", "x-hub-signature", "stripe-signature", "webhook-id", "webhook-timestamp",
    "webhook-signature", "x-slack-signature", "x-slack-request-timestamp", "x-github-event", "x-github-delivery",
    "x-forwarded-for", "forwarded", "x-gitlab-token", "x-twilio-signature", "x-signature-ed25519",
    "sentry-hook-resource", "x-shopify-topic", "content-length", "transfer-encoding", "webhook-request-origin",
    "ce-id", "ce-type",
    "doorbell-x",
)  # fmt: skip
VALUES = (
    "", "x", "sha256=", "sha256=" + "0" * 64, "t=1,v1=00", "v1,AAAA", "v0=00", "Bearer x", "Basic eDp5", "JWT a.b.c",
    "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "gzip", "identity",
    "close", "keep-alive", "100-continue", "chunked", "gzip, chunked", "0", "5", "-1", "99999999999999999999", "1, 2",
    "127.0.0.1", "{{7*7}}", "\xe9", "\xff" * 9, "a" * 5_000, "\t x \t", '"', "%00", "٣", "1e9",
)  # fmt: skip
SMALL = [body for body in (NEVER_JSON | JSON_BUT_ODD).values() if len(body) < 20_000]
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(NAMES) | st.text(st.characters(max_codepoint=255), max_size=9),
        st.sampled_from(VALUES) | st.text(st.characters(max_codepoint=255), max_size=30),
    ),
    max_size=6,
)
BODIES = st.sampled_from(SMALL) | st.binary(max_size=60)
SEPARATORS = st.sampled_from([b": ", b": ", b": ", b":", b" : ", b"\r\n ", b"\0", b""])
ENDS = st.sampled_from([b"\r\n"] * 9 + [b"\n", b"\r", b"\r\n ", b"\0\r\n"])
FRAMES = st.sampled_from(
    ["length"] * 5 + ["short", "long", "none", "chunks", "torn", "both", "trailers"]
)


def chunks(body):
    return b"%x\r\n%s\r\n0\r\n" % (len(body), body) if body else b"0\r\n"


CODED, LENGTH = b"transfer-encoding: chunked\r\n", b"content-length: %d\r\n"
TRAILERS = b"x-hub-signature-256: sha256=00\r\nhost: y\r\n\r\n"
FRAMED = {
    "length": lambda body: (LENGTH % len(body), body),
    "short": lambda body: (LENGTH % (len(body) // 2), body),
    "long": lambda body: (LENGTH % (len(body) + 9), body),
    "none": lambda body: (b"", body),
    "chunks": lambda body: (CODED, chunks(body) + b"\r\n"),
    "torn": lambda body: (CODED, chunks(body)[: len(body) // 2] + b"zz\r\n"),
    "both": lambda body: (CODED + LENGTH % len(body), chunks(body) + b"\r\n"),
    "trailers": lambda body: (CODED, chunks(body) + TRAILERS),
}
"""The header lines that announce a body, and the body as it travels."""


@st.composite
def requests(draw):
    """The bytes of something like a request."""
    end = draw(ENDS)
    first = " ".join(
        draw(st.sampled_from(choices)) for choices in (METHODS, PATHS, VERSIONS)
    ).encode()
    lines = [
        name.encode("latin-1", "replace") + draw(SEPARATORS) + value.encode("latin-1", "replace")
        for name, value in draw(HEADERS)
    ]
    announced, body = FRAMED[draw(FRAMES)](draw(BODIES))
    host = draw(st.sampled_from([b"host: x\r\n"] * 5 + [b"", b"host: x\r\nhost: y\r\n"]))
    head = end.join([first, *lines]) + b"\r\n" + host + announced
    return head + b"\r\n" + body


@st.composite
def proved(draw):
    """A delivery that is really signed, of something."""
    name = draw(st.sampled_from(sorted(SENDERS)))
    signed = SENDERS[name].sign(draw(BODIES))
    changes = draw(st.dictionaries(st.sampled_from(NAMES[:4]), st.sampled_from(VALUES), max_size=1))
    changed = {key.replace("-", "_"): value for key, value in changes.items()}
    return sent(signed.but(**changed), name)


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with standing(tmp_path_factory.mktemp("door"), certificate()) as one:
        yield one


async def rung(door, raws):
    """Every answer to each of these, all at once."""
    return await asyncio.gather(*map(door.ask, raws))


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(raws=st.lists(requests() | requests() | proved(), min_size=10, max_size=25))
def test_d7_whatever_is_said_is_answered_or_cut_off_in_time_and_is_no_fault_of_ours(door, raws):
    # A connection that the door neither answers nor ends raises here.
    told = asyncio.run(rung(door, raws))

    for raw, answers in zip(raws, told, strict=True):
        assert all(answer.status < 500 for answer in answers), raw
        # A problem in our own words, or none at all: the server's own, and Meta's plain refusal.
        assert all(answer.reason for answer in answers if answer.status > 403 and answer.body), raw
    assert door.faults() == []


STEADY = [
    *(sent(signed, name) for name, signed, *_ in (REFUSED | KEPT).values()),
    *(sent(sender.sign(body), name) for name, sender in SENDERS.items() for body in SMALL[::5]),
]


def many(count, each):
    """So many requests of all kinds, `each` to a connection."""
    raws = list(islice(cycle(STEADY), count))
    return [b"".join(raws[at : at + each]) for at in range(0, count, each)]


async def borne(door, connections):
    """Let them all knock, a few at a time; the number of answers."""
    few = asyncio.Semaphore(8)

    async def one(raw):
        async with few:
            return len(await door.ask(raw))

    return sum(await asyncio.gather(*map(one, connections)))


async def test_d7_five_thousand_hostile_requests_leave_no_memory_and_no_file_behind(door):
    await borne(door, many(1_000, 20))
    memory, files = door.resident, door.open_files

    answers = await borne(door, many(5_000, 20))

    assert answers == 5_000 + 250
    assert door.resident - memory < 50 * 2**20
    async with asyncio.timeout(5):
        while door.open_files > files:
            await door.one(STEADY[0])
    assert door.faults() == []
