"""Destinations that are mute, endless, misleading or inside our own network: bounded, and never reached by mistake."""

import asyncio
import ssl
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orchestrator.dispatch import posting
from orchestrator.dispatch.forwards import Finished
from orchestrator.dispatch.runs import Undeliverable, Unreachable
from tests.support.ports import free_port
from tests.support.receiving import answering, destination, receiving, resolving_to, sending

SOON = timedelta(milliseconds=300)
HEAD = b"HTTP/1.1 %d So\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(posting, "WORDS_PATIENCE", 0.1)
    monkeypatch.setattr(posting, "CLOSING", 0.1)


def mute():
    async def behave(writer):
        await asyncio.Event().wait()

    return behave


def trickling(*pieces, then):
    async def behave(writer):
        for piece in pieces:
            writer.write(piece)
        while True:
            writer.write(then)
            await writer.drain()
            await asyncio.sleep(0)

    return behave


def slow(*pieces):
    async def behave(writer):
        for piece in pieces:
            writer.write(piece)
        await writer.drain()
        await asyncio.Event().wait()

    return behave


@pytest.mark.parametrize(
    "behave",
    [
        mute(),
        slow(b"HTTP/1.1 20"),
        slow(b"HTTP/1.1 200 OK\r\nx: y\r\n"),
        trickling(then=b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ],
    ids=["mute", "half a line", "half a head", "endless hints"],
)
async def test_d7_no_whole_answer_in_time_is_an_attempt(behave):
    async with receiving(behave) as receiver:
        out = sending(destination(receiver.url(), timeout=SOON))
        with pytest.raises(Undeliverable, match=r"no answer within 0\.3s"):
            await out.forward()


@pytest.mark.parametrize(
    "behave",
    [
        trickling(b"HTTP/1.1 200 OK\r\n", then=b"x-more: " + b"y" * 4000 + b"\r\n"),
        slow(b"SSH-2.0-OpenSSH_9\r\n"),
        slow(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"),
    ],
    ids=["endless head", "no HTTP", "negative length"],
)
async def test_d7_what_is_no_answer_is_an_attempt(behave):
    async with receiving(behave) as receiver:
        with pytest.raises(Undeliverable):
            await sending(destination(receiver.url(), timeout=SOON)).forward()


async def test_a_connection_that_breaks_is_an_attempt():
    async def behave(writer):
        writer.transport.abort()

    async with receiving(behave) as receiver:
        with pytest.raises(Undeliverable, match=r"http://127\.0\.0\.1:\d+: \w+"):
            await sending(destination(receiver.url())).forward()


@pytest.mark.parametrize(
    "behave",
    [
        trickling(HEAD % 200, then=b"400\r\n" + b"x" * 0x400 + b"\r\n"),
        slow(HEAD % 200, b"3\r\nabc\r\n"),
        slow(HEAD % 200, b"not a chunk at all\r\n"),
    ],
    ids=["endless", "slow loris", "broken"],
)
async def test_d7_the_status_is_the_answer_whatever_its_body_does(behave):
    async with receiving(behave) as receiver:
        await sending(destination(receiver.url())).forward()

    assert receiver.connections == 1


async def test_d7_an_endless_refusal_costs_two_kilobytes():
    endless = trickling(HEAD % 500, then=b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    async with receiving(endless) as receiver:
        out = sending(destination(receiver.url()))
        tracemalloc.start()
        with pytest.raises(Undeliverable) as raised:
            await out.forward()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert len(str(raised.value)) < 300
    assert most < 4_000_000


async def test_a_late_body_does_not_undo_a_status_that_came_in_time():
    """The deadline is for the status: a body that outlives it must not make us send again."""

    async def behave(writer):
        await asyncio.sleep(0.2)
        writer.write(HEAD % 202)
        await writer.drain()
        await asyncio.Event().wait()

    async with receiving(behave) as receiver:
        await sending(destination(receiver.url(), timeout=timedelta(seconds=3))).forward()

    assert receiver.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_finished_and_not_followed(status):
    async with receiving() as inside, receiving() as front:
        front.behaviours = [answering(status, location=inside.url("/latest/meta-data"))]
        with pytest.raises(Finished, match="redirects are not followed"):
            await sending(destination(front.url())).forward()

    assert inside.connections == 0


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.5"],
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["fe80::1%eth0"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
        ["1.1.1.1", "127.0.0.1"],
        ["127.0.0.1", "1.1.1.1"],
        ["no address at all"],
    ],
    ids=str,
)
async def test_a_name_that_leads_inside_is_refused_before_a_connection(addresses):
    async with receiving() as receiver:
        resolve, asked = resolving_to(addresses)
        there = destination(receiver.url(host="hooks.example.com"), private=False)
        out = sending(there, resolve=resolve)
        with pytest.raises(Undeliverable, match=r"refused: .*nothing was sent"):
            await out.forward()

    assert asked == [("hooks.example.com", receiver.port)]
    assert receiver.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "localhost", "127.1"])
async def test_every_spelling_of_loopback_is_refused_by_what_it_resolves_to(host):
    async with receiving() as receiver:
        with pytest.raises(Undeliverable, match=r"refused: (127\.0\.0\.1|::1) is loopback"):
            await sending(destination(receiver.url(host=host), private=False)).forward()

    assert receiver.connections == 0


async def test_the_address_that_was_judged_is_the_one_that_is_connected_to():
    """DNS rebinding: the second answer of the resolver would lead elsewhere, so it is asked once."""
    async with receiving() as judged, receiving() as other:
        resolve, asked = resolving_to(["127.0.0.1"], ["10.0.0.5"])
        out = sending(destination(judged.url(host="hooks.example.com")), resolve=resolve)
        await out.forward()

    assert len(asked) == len(judged.came) == 1
    assert judged.came[0].headers["host"] == f"hooks.example.com:{judged.port}"
    assert other.connections == 0


async def test_every_sending_judges_anew():
    async with receiving() as receiver:
        resolve, asked = resolving_to(["127.0.0.1"], ["169.254.169.254"])
        out = sending(destination(receiver.url(host="hooks.example.com")), resolve=resolve)
        await out.forward()
        with pytest.raises(Undeliverable, match="metadata"):
            await out.forward()

    assert len(asked) == 2
    assert receiver.connections == 1


async def test_of_several_addresses_the_first_that_can_be_connected_to_is_used():
    async with receiving() as receiver:
        resolve, _ = resolving_to(["127.0.0.7", "127.0.0.1"])
        await sending(destination(receiver.url(host="two.example.com")), resolve=resolve).forward()

    assert len(receiver.came) == 1


async def test_a_name_without_an_address_or_a_resolver_that_fails_is_an_attempt():
    async def failing(_host, _port):
        raise OSError("Name or service not known")

    there = destination("https://hooks.example.com/x")
    with pytest.raises(Undeliverable, match="can't be resolved: Name or service not known"):
        await sending(there, resolve=failing).forward()
    with pytest.raises(Undeliverable, match="no address"):
        await sending(there, resolve=resolving_to([])[0]).forward()


async def test_d7_a_mute_resolver_is_inside_the_deadline():
    async def mute_(_host, _port):
        await asyncio.Event().wait()

    there = destination("https://hooks.example.com/x", timeout=SOON)
    with pytest.raises(Undeliverable, match="no answer within"):
        await sending(there, resolve=mute_).forward()


async def test_after_five_failures_nothing_is_sent_and_no_attempt_is_burnt():
    there = destination(f"http://127.0.0.1:{free_port()}/events")
    out = sending(there)
    for _ in range(5):
        with pytest.raises(Undeliverable):
            await out.forward()
    with pytest.raises(Unreachable, match="failed 5 times in a row") as raised:
        await out.forward()

    assert raised.value.until == out.clock.now() + timedelta(seconds=10)
    (standing,) = out.to.status()
    assert (standing.destination, standing.state) == (there.label, "open")
    assert standing.until == raised.value.until
    assert ("forward.breaker", "open") in [(name, said.get("state")) for name, said in out.log]


async def test_when_it_is_over_one_probe_goes_and_closes_it_for_all():
    arrived, go = asyncio.Event(), asyncio.Event()

    async def behave(writer):
        arrived.set()
        await go.wait()
        await answering(204)(writer)

    async with receiving(*[answering(503)] * 5, behave, answering(204)) as receiver:
        out = sending(destination(receiver.url()))
        for _ in range(5):
            with pytest.raises(Undeliverable):
                await out.forward()
        out.clock.pass_by(10)
        probe = asyncio.create_task(out.forward())
        await arrived.wait()
        assert out.to.status()[0].state == "half open"
        with pytest.raises(Unreachable) as raised:
            await out.forward()
        assert raised.value.until == out.clock.now() + timedelta(seconds=1)
        go.set()
        await probe
        await out.forward()

    assert len(receiver.came) == 7
    assert out.to.status() == []


async def test_a_probe_that_is_cancelled_does_not_close_the_road_for_ever():
    arrived = asyncio.Event()

    async def behave(_writer):
        arrived.set()
        await asyncio.Event().wait()

    async with receiving(*[answering(503)] * 5, behave, answering(204)) as receiver:
        out = sending(destination(receiver.url()))
        for _ in range(5):
            with pytest.raises(Undeliverable):
                await out.forward()
        out.clock.pass_by(10)
        probe = asyncio.create_task(out.forward())
        await arrived.wait()
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        out.clock.pass_by(5)
        await out.forward()

    assert out.to.status() == []


async def test_destinations_on_other_ports_have_breakers_of_their_own():
    async with receiving(answering(500)) as broken, receiving() as well:
        out = sending(destination(broken.url()))
        for _ in range(5):
            with pytest.raises(Undeliverable):
                await out.forward()
        out.rules[:] = sending(destination(well.url())).rules
        await out.forward()

    assert len(well.came) == 1


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """A server's TLS for `hooks.example.com`, and a client's that trusts only it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example.com")])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example.com")]), False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, *plain))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=file)


async def test_the_pinned_address_must_still_prove_the_name(certified):
    server, client = certified
    asked_for = []
    server.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    async with receiving(tls=server) as receiver:
        resolve, _ = resolving_to(["127.0.0.1"])
        right = destination(receiver.url(host="hooks.example.com", scheme="https"))
        await sending(right, resolve=resolve, tls=client).forward()
        wrong = destination(receiver.url(host="other.example.com", scheme="https"))
        with pytest.raises(Undeliverable, match="certificate"):
            await sending(wrong, resolve=resolve, tls=client).forward()

    assert asked_for == ["hooks.example.com", "other.example.com"]
    assert len(receiver.came) == 1


async def test_a_certificate_nobody_vouches_for_is_refused(certified, monkeypatch):
    # As it ships: by the authorities of the system.
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    server, _ = certified
    async with receiving(tls=server) as receiver:
        resolve, _ = resolving_to(["127.0.0.1"])
        there = destination(receiver.url(host="hooks.example.com", scheme="https"))
        with pytest.raises(Undeliverable, match="certificate"):
            await sending(there, resolve=resolve).forward()

    assert receiver.came == []
