"""The door over a real socket: each kind of knock that is no delivery gets its published answer."""

import gzip
import socket
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from orchestrator.errors import Reason
from orchestrator.signatures import github, standard_webhooks
from tests.support.doors import ISSUE, NOW, SECRET, WHSEC, house, says


@pytest.fixture
async def home(tmp_path):
    async with house(tmp_path) as place:
        yield place


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (None, Reason.NO_SIGNATURE),
        ("", Reason.NO_SIGNATURE),
        ("sha256=", Reason.BAD_SIGNATURE),
        ("sha1=" + "0" * 40, Reason.BAD_SIGNATURE),
        ("sha256=" + "0" * 64, Reason.BAD_SIGNATURE),
        (github.sign(SECRET, ISSUE)["x-hub-signature-256"] + "zz", Reason.BAD_SIGNATURE),
        (",".join([github.sign(SECRET, ISSUE)["x-hub-signature-256"]] * 99), Reason.BAD_SIGNATURE),
    ],
)
async def test_d1_what_does_not_verify_is_refused_with_its_reason(home, signature, reason):
    says(await home.ring(x_hub_signature_256=signature), 401, reason)

    [refusal] = await home.inbox.refusals(9)
    assert (refusal.source, refusal.reason, refusal.at) == ("github", reason, NOW)
    assert await home.inbox.entries(9) == []


async def test_d1_a_delivery_signed_for_another_source_is_refused(home):
    says(await home.ring(to="second"), 401, Reason.BAD_SIGNATURE)


@pytest.mark.parametrize(("late", "reason"), [(6, Reason.STALE), (-6, Reason.FUTURE)])
async def test_d1_a_clock_that_is_off_is_refused(home, late, reason):
    body = b'{"type": "invoice.paid"}'
    headers = standard_webhooks.sign(WHSEC, "m1", body, NOW - timedelta(minutes=late))

    says(await home.http.post("/hooks/billing", content=body, headers=headers), 401, reason)


async def test_d1_svix_headers_do_not_open_a_standard_source(home):
    body = b'{"type": "invoice.paid"}'
    signed = standard_webhooks.sign(WHSEC, "m1", body, NOW)
    headers = {name.replace("webhook", "svix"): value for name, value in signed.items()}

    answer = await home.http.post("/hooks/billing", content=body, headers=headers)

    says(answer, 401, Reason.NO_SIGNATURE)


async def test_d1_an_answer_never_echoes_a_secret_or_the_body(home):
    for answer in [
        await home.ring(b'{"password": "hunter2"}', x_hub_signature_256="sha256=hunter2"),
        await home.ring(b'{"password": "hunter2"', event="hunter2"),
        await home.ring(to="hunter2"),
    ]:
        assert "hunter2" not in answer.text
        assert SECRET.decode() not in answer.text
    assert not any("hunter2" in name for r in await home.inbox.refusals(9) for name in r.headers)
    assert SECRET.decode() not in str(home.lines)


async def test_d4_an_event_name_that_does_not_fit_the_body_is_refused(home):
    says(await home.ring(event="deployment_status"), 400, Reason.TYPE_MISMATCH)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[1]", b"{}{}", b'{"a": NaN}', b"[" * 100_000, b'{"a": 1, "a": 2}', b"\xff"],
)
async def test_d7_a_signed_body_that_cannot_be_read_is_malformed(home, body):
    says(await home.ring(body), 400, Reason.MALFORMED)


async def test_d7_a_multipart_body_is_malformed(home):
    kind = "multipart/form-data; boundary=x"

    says(await home.ring(b"--x\r\n\r\n--x--", content_type=kind), 400, Reason.MALFORMED)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("to", ["github", "nobody"])
async def test_d5_other_methods_are_not_allowed(home, method, to):
    answer = await home.http.request(method, f"/hooks/{to}")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "path",
    ["/hooks/nobody", "/hooks", "/hooks/", "/hooks/github/extra", "/hooks/%00", "/hooks/é"],
)
async def test_d5_an_unknown_source_is_not_found(home, path):
    says(await home.http.post(path, content=b"{}"), 404, Reason.UNKNOWN_SOURCE)


@pytest.mark.parametrize("path", ["/hooksgithub", "/hookss/github", "/", "/nothing"])
async def test_d5_elsewhere_there_is_no_door(home, path):
    answer = await home.http.post(path, content=ISSUE, headers=github.sign(SECRET, ISSUE))

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert await home.inbox.entries(9) == []


async def test_d7_a_body_over_the_sources_limit_is_too_large(home):
    fits = ISSUE + b" " * (2_000 - len(ISSUE))

    assert (await home.ring(fits, to="small")).status_code == 202
    says(await home.ring(fits + b" ", to="small"), 413, Reason.TOO_LARGE)


async def test_d7_a_body_that_does_not_say_how_long_it_is_is_cut_off(home):
    head = b"POST /hooks/small HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    # One byte too many and not one more: what is never read could reset the connection before its answer.
    answer = await home.raw(head + b"7d1\r\n" + b" " * 2_001 + b"\r\n")

    assert answer.split(b" ")[1] == b"413"


@pytest.mark.parametrize("length", ["100000000000", "9" * 4_000])
async def test_d7_a_huge_announced_body_is_refused_unread(home, length):
    head = f"POST /hooks/github HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n"
    answer = await home.raw(head.encode())

    assert answer.split(b" ")[1] in {b"413", b"400"}


async def test_d7_a_body_that_never_ends_meets_its_deadline(tmp_path):
    async with house(tmp_path, deadline=0.2) as home:
        head = b"POST /hooks/github HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"

        assert (await home.raw(head)).split(b" ")[1] == b"408"
        [refusal] = await home.inbox.refusals(9)
        assert refusal.reason is Reason.TOO_SLOW


async def test_d7_a_sender_that_goes_away_is_noted_and_nothing_else(home):
    address = urlsplit(home.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(b"POST /hooks/github HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")
    await home.lines.came.wait()

    assert home.lines[-1]["outcome"] == "gone"
    assert await home.inbox.refusals(9) == []


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "br", "deflate", "nonsense"])
async def test_d7_an_encoded_body_is_not_unpacked(home, encoding):
    bomb = gzip.compress(b"0" * 1_000_000)

    answer = await home.ring(bomb, content_encoding=encoding)

    says(answer, 415, Reason.UNSUPPORTED_ENCODING)


@pytest.mark.parametrize("name", ["x-hub-signature-256", "x-github-event", "X-GitHub-Delivery"])
async def test_d1_a_header_that_could_be_read_two_ways_is_ambiguous(home, name):
    headers = [("x-github-event", "issues"), ("x-github-delivery", "d1")]
    headers += [*github.sign(SECRET, ISSUE).items(), (name, "other")]

    answer = await home.http.post("/hooks/github", content=ISSUE, headers=headers)

    says(answer, 400, Reason.AMBIGUOUS_HEADER)


@pytest.mark.parametrize(
    "line",
    [b"x-a : b", b"x-a: b\r\n folded", b"x-a: \0", b"content-length: 1\r\ncontent-length: 2"],
)
async def test_d7_a_broken_request_is_never_accepted(home, line):
    signed = github.sign(SECRET, b"{}")["x-hub-signature-256"].encode()
    head = b"POST /hooks/github HTTP/1.1\r\nhost: x\r\n" + line + b"\r\nx-hub-signature-256: "
    answer = await home.raw(head + signed + b"\r\n\r\n{}")

    assert answer[:1] == b"" or answer.split(b" ")[1].startswith(b"4")
    assert await home.inbox.entries(9) == []


async def test_d7_thousands_of_headers_are_borne(home):
    many = [(f"x-{n}", "v") for n in range(3_000)]

    answer = await home.http.post("/hooks/github", content=b"{}", headers=many)

    assert answer.status_code in {400, 401, 431}
