"""The door over a real socket: each kind of knock gets its published answer, and 2xx only what is on disk."""

import asyncio
import gzip
import json
import socket
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode, urlsplit

import httpx2
import pytest
import structlog

from orchestrator.database import Database, DatabaseUnavailable, sqlite_url
from orchestrator.doorbell.app import build
from orchestrator.doorbell.body import Room
from orchestrator.doorbell.health import Readiness
from orchestrator.doorbell.receive import door
from orchestrator.errors import Reason
from orchestrator.inbox.batches import Overloaded
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from orchestrator.secrets import Secret
from orchestrator.signatures import github, standard_webhooks
from orchestrator.sources.operator import operator_source
from orchestrator.sources.presets import PRESETS
from orchestrator.sources.source import Source
from tests.support.asgi import serving

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SECRET = b"It's a Secret to Everybody"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ISSUE = json.dumps(
    {
        "action": "opened",
        "issue": {"number": 7},
        "repository": {"full_name": "acme/api"},
        "sender": {"id": 1, "login": "ann"},
    }
).encode()


def source(name: str, preset: str, *secrets: str, max_body: int | None = None) -> Source:
    chosen = PRESETS[preset]
    return Source(
        name=name,
        scheme=chosen.scheme,
        secrets=tuple(Secret(f"env:{name}", secret) for secret in secrets),
        dialect=chosen.dialect,
        max_body=max_body or chosen.max_body,
        dedupe_body=chosen.dedupe_body,
    )


SOURCES = {
    "github": source("github", "github", SECRET.decode()),
    "second": source("second", "github", "another secret"),
    "small": source("small", "github", SECRET.decode(), max_body=2_000),
    "billing": source("billing", "standard-webhooks", WHSEC),
    "operator": operator_source(Secret("file:s", WHSEC)),
}


class Lines(list):
    """The log, line by line; `came` is set by the first."""

    def __init__(self):
        super().__init__()
        self.came = asyncio.Event()

    def __call__(self, _logger, _method, event):
        self.append(event)
        self.came.set()
        raise structlog.DropEvent


class House:
    """A door on a real inbox and a real socket."""

    def __init__(self, url: str, inbox: SqlInbox, lines: Lines) -> None:
        self.url, self.inbox, self.lines = url, inbox, lines
        self.http = httpx2.AsyncClient(base_url=url, timeout=20, verify=False)

    async def ring(self, body=ISSUE, *, to="github", secret=SECRET, event="issues", **headers):
        sent = {"x-github-event": event, "x-github-delivery": "d1", **github.sign(secret, body)}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in sent.items() if value is not None}
        return await self.http.post(f"/hooks/{to}", content=body, headers=kept)

    async def raw(self, text: bytes) -> bytes:
        """What the server answers to these exact bytes."""
        address = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(text)
        try:
            return await asyncio.wait_for(reader.read(65536), 5)
        finally:
            writer.close()


@asynccontextmanager
async def house(directory, *, commit=None, refuse=None, deadline=5.0, probe=None):
    database = Database.open(sqlite_url(directory / "inbox.db"), MIGRATIONS)
    inbox = SqlInbox(database)
    lines = Lines()
    ids = iter(range(1, 10_000))
    log = structlog.wrap_logger(structlog.PrintLogger(), processors=[lines])
    async with GroupCommit(inbox) as keeps, RefusalLog(inbox) as remembers:
        knock = door(
            lambda: SOURCES,
            commit or keeps,
            refuse or remembers.refuse,
            lambda: NOW,
            lambda: f"e{next(ids)}",
            log,
            deadline=deadline,
        )
        app = build(knock, Readiness(probe or inbox.pulse, lambda: NOW), _status, log)
        async with serving(app) as url:
            place = House(url, inbox, lines)
            async with place.http:
                yield place
    database.close()


async def _status():
    return {"temporal": "down"}


@pytest.fixture
async def home(tmp_path):
    async with house(tmp_path) as place:
        yield place


def says(answer, status, reason):
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status)
    assert problem["type"] == f"urn:doorbell:problem:{reason}"
    assert problem["title"]
    assert problem["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail"}


async def test_d2_a_signed_delivery_is_on_disk_when_it_is_answered(home):
    answer = await home.ring()

    assert answer.status_code == 202
    assert answer.json() == {
        "event": "e1",
        "status": "kept",
        "duplicate_of": None,
        "hint": "doorbell why e1",
    }
    entry = await home.inbox.entry("e1")
    assert (entry.body, entry.type, entry.delivery_id) == (ISSUE, "issues.opened", "d1")
    assert entry.keys == ("issue:acme/api#7",)
    assert entry.headers["x-github-event"] == "issues"


async def test_a_form_body_and_a_ping_are_kept_too(home):
    form = urlencode({"payload": ISSUE.decode()}).encode()
    ping = b'{"zen": "Design for failure.", "hook_id": 1}'

    answer = await home.ring(form, content_type="application/x-www-form-urlencoded")
    assert answer.json()["status"] == "kept"
    answer = await home.ring(ping, event="ping", x_github_delivery="d2")
    assert answer.json()["status"] == "kept"
    assert [entry.type for entry in await home.inbox.entries(9)] == ["ping", "issues.opened"]


async def test_a_body_of_megabytes_is_kept_while_others_are_answered(home):
    heavy = ISSUE[:-1] + b',"text":"' + b"x" * 4_000_000 + b'"}'

    answers = await asyncio.gather(home.ring(heavy, x_github_delivery="d2"), home.ring())

    assert [answer.json()["status"] for answer in answers] == ["kept", "kept"]
    [entry] = await home.inbox.find("d2")
    assert entry.body == heavy


async def test_a_standard_webhook_is_kept(home):
    body = b'{"type": "invoice.paid"}'
    headers = standard_webhooks.sign(WHSEC, "m1", body, NOW)

    answer = await home.http.post("/hooks/billing", content=body, headers=headers)

    assert answer.json()["status"] == "kept"
    assert (await home.inbox.entry("e1")).type == "invoice.paid"


async def test_the_operator_rings_at_the_same_door(home):
    body = b'{"type": "run.resume", "run": "w1", "by": "ann"}'
    headers = standard_webhooks.sign(WHSEC, "o1", body, NOW)

    answer = await home.http.post("/hooks/operator", content=body, headers=headers)

    assert answer.status_code == 202
    assert (await home.inbox.entry("e1")).keys == ("run:w1",)


async def test_d3_the_same_delivery_twice_is_named_a_duplicate(home):
    await home.ring()
    answer = await home.ring()

    assert answer.status_code == 202
    assert answer.json() == {
        "event": "e1",
        "status": "duplicate",
        "duplicate_of": "e1",
        "hint": "doorbell why e1",
    }


async def test_d3_the_same_bytes_under_an_unsigned_new_id_are_a_duplicate(home):
    await home.ring()

    assert (await home.ring(x_github_delivery="d2")).json()["duplicate_of"] == "e1"


async def test_d3_other_bytes_under_a_known_id_are_quarantined(home):
    await home.ring()
    answer = await home.ring(ISSUE + b" ")

    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["duplicate_of"]) == ("quarantined", "e1")


async def test_d3_two_hundred_at_once_are_one_delivery_and_named_duplicates(home):
    answers = await asyncio.gather(*[home.ring() for _ in range(200)])

    told = [answer.json() for answer in answers]
    assert {answer.status_code for answer in answers} == {202}
    [kept] = [said["event"] for said in told if said["status"] == "kept"]
    assert sum(said["duplicate_of"] == kept for said in told) == 199
    assert len(await home.inbox.entries(300)) == 1


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


async def test_proxies_may_repeat_their_own_headers(home):
    headers = [("x-github-event", "issues"), *github.sign(SECRET, ISSUE).items()]
    headers += [("x-forwarded-for", "a"), ("x-forwarded-for", "b"), ("authorization", "Bearer x")]

    answer = await home.http.post("/hooks/github", content=ISSUE, headers=headers)

    assert answer.status_code == 202
    kept = (await home.inbox.entry("e1")).headers
    assert kept["x-forwarded-for"] == "a, b"
    assert "authorization" not in kept


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


class Failing:
    """A commit that cannot."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def keep(self, _arrival):
        raise self.error

    async def refuse(self, _refusal):
        raise self.error


@pytest.mark.parametrize("error", [Overloaded(), DatabaseUnavailable("disk full: /secret/path")])
async def test_d5_what_cannot_be_kept_is_deferred_and_never_answered_2xx(tmp_path, error):
    async with house(tmp_path, commit=Failing(error)) as home:
        answer = await home.ring()

        says(answer, 503, Reason.OVERLOADED)
        assert int(answer.headers["retry-after"]) > 0
        assert "secret" not in answer.text
        assert home.lines[-1]["outcome"] == "deferred"


async def test_d5_a_commit_that_takes_too_long_is_deferred(tmp_path):
    class Stuck:
        async def keep(self, _arrival):
            await asyncio.Event().wait()

    async with house(tmp_path, commit=Stuck(), deadline=0.1) as home:
        says(await home.ring(), 503, Reason.OVERLOADED)


async def test_d5_bodies_without_room_are_deferred():
    room = Room(10)
    room.take(8)
    with pytest.raises(Overloaded):
        room.take(3)
    room.give(8)
    room.take(10)


async def test_a_refusal_that_cannot_be_remembered_is_still_a_refusal(tmp_path):
    refuse = Failing(DatabaseUnavailable("gone")).refuse
    async with house(tmp_path, refuse=refuse) as home:
        says(await home.ring(x_hub_signature_256="x"), 401, Reason.BAD_SIGNATURE)
        assert home.lines[-1]["unrecorded"] == "true"


async def test_a_fault_of_ours_tells_no_trace(tmp_path):
    async with house(tmp_path, commit=Failing(RuntimeError("internal words"))) as home:
        answer = await home.ring()

        assert answer.status_code == 500
        assert answer.json()["status"] == 500
        assert "internal words" not in answer.text
        assert "Traceback" not in answer.text


async def test_o3_every_delivery_leaves_one_line(home):
    await home.ring()
    await home.ring(x_hub_signature_256="x")

    kept, refused = home.lines
    assert (kept["outcome"], kept["event_id"], kept["delivery_id"]) == ("kept", "e1", "d1")
    assert (kept["source"], kept["type"], kept["status"]) == ("github", "issues.opened", 202)
    assert (refused["outcome"], refused["reason"]) == ("refused", "bad_signature")
    assert ISSUE.decode() not in str(home.lines)


async def test_d6_ready_means_a_delivery_can_be_kept(home):
    assert (await home.http.get("/live")).status_code == 200
    assert (await home.http.get("/ready")).json() == {"status": "ready"}
    assert (await home.http.get("/status")).json() == {"temporal": "down"}


async def test_d6_an_inbox_that_cannot_be_written_is_not_ready(tmp_path):
    async def broken(_now):
        raise DatabaseUnavailable("gone")

    async with house(tmp_path, probe=broken) as home:
        assert (await home.http.get("/ready")).status_code == 503
        assert (await home.http.get("/live")).status_code == 200
