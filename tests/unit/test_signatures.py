"""Each signature scheme: what it accepts, what it refuses, and that it never fails in any other way."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from orchestrator.errors import Reason, Refused
from orchestrator.signatures import declared, github, standard_webhooks
from orchestrator.signatures.declared import DeclaredHmac
from orchestrator.signatures.github import GithubScheme
from orchestrator.signatures.standard_webhooks import StandardWebhooksScheme

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BODY = b"Hello, World!"
GITHUB_SECRET = b"It's a Secret to Everybody"
GITHUB_DIGEST = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
WHSEC = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = b"whsec_" + base64.b64encode(b"another secret altogether")
BILLING = DeclaredHmac(
    name="billing",
    algorithm="sha256",
    header="X-Signature",
    prefix="sha256=",
    signed="{timestamp}.{body}",
    timestamp="X-Timestamp",
    tolerance=timedelta(minutes=5),
)


def reason(scheme, headers, body=BODY, secrets=(GITHUB_SECRET,), now=NOW):
    with pytest.raises(Refused) as caught:
        scheme.verify(headers, body, secrets, now)
    return caught.value.reason


def test_d1_github_accepts_its_documented_vector():
    GithubScheme().verify(
        {"x-hub-signature-256": f"sha256={GITHUB_DIGEST}"}, BODY, [GITHUB_SECRET], NOW
    )

    assert github.sign(GITHUB_SECRET, BODY) == {"x-hub-signature-256": f"sha256={GITHUB_DIGEST}"}


def test_d1_uppercase_hex_is_the_same_bytes():
    headers = {"x-hub-signature-256": f"sha256={GITHUB_DIGEST.upper()}"}

    GithubScheme().verify(headers, BODY, [GITHUB_SECRET], NOW)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, Reason.NO_SIGNATURE),
        ("", Reason.NO_SIGNATURE),
        ("sha256=", Reason.BAD_SIGNATURE),
        (GITHUB_DIGEST, Reason.BAD_SIGNATURE),
        (f"sha1={GITHUB_DIGEST}", Reason.BAD_SIGNATURE),
        (f"SHA256={GITHUB_DIGEST}", Reason.BAD_SIGNATURE),
        (f"sha256={GITHUB_DIGEST[:-2]}", Reason.BAD_SIGNATURE),
        (f"sha256={GITHUB_DIGEST[:-1]}", Reason.BAD_SIGNATURE),
        (f"sha256={GITHUB_DIGEST}00", Reason.BAD_SIGNATURE),
        (f"sha256={GITHUB_DIGEST} ", Reason.BAD_SIGNATURE),
        (f"sha256= {GITHUB_DIGEST}", Reason.BAD_SIGNATURE),
        (f"sha256={GITHUB_DIGEST},sha256={GITHUB_DIGEST}", Reason.BAD_SIGNATURE),
        ("sha256=" + GITHUB_DIGEST.replace("7", "\uff17"), Reason.BAD_SIGNATURE),
        ("sha256=" + "é" * 64, Reason.BAD_SIGNATURE),
    ],
)
def test_d1_github_refuses_every_other_spelling(value, expected):
    headers = {} if value is None else {"x-hub-signature-256": value}

    assert reason(GithubScheme(), headers) is expected


def test_d1_github_never_reads_sha1():
    sha1 = hmac.new(GITHUB_SECRET, BODY, hashlib.sha1).hexdigest()

    assert reason(GithubScheme(), {"x-hub-signature": f"sha1={sha1}"}) is Reason.NO_SIGNATURE


def test_d1_an_empty_secret_proves_nothing():
    headers = github.sign(b"", BODY)

    assert reason(GithubScheme(), headers, secrets=[b""]) is Reason.BAD_SIGNATURE
    assert reason(GithubScheme(), headers, secrets=[]) is Reason.BAD_SIGNATURE


def test_d1_while_secrets_rotate_either_one_fits():
    headers = github.sign(b"old", BODY)

    GithubScheme().verify(headers, BODY, [b"new", b"old"], NOW)

    assert reason(GithubScheme(), headers, secrets=[b"new"]) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("change", [BODY + b"\n", BODY[:-1], BODY.replace(b",", b"\r\n"), b""])
def test_d1_other_bytes_are_refused(change):
    headers = github.sign(GITHUB_SECRET, BODY)

    assert reason(GithubScheme(), headers, body=change) is Reason.BAD_SIGNATURE


def test_d1_standard_webhooks_agrees_with_the_reference_library():
    oracle = Webhook(WHSEC.decode())
    body = b'{"type":"invoice.paid"}'
    signature = oracle.sign("msg_1", NOW, body.decode())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": signature,
    }

    StandardWebhooksScheme().verify(headers, body, [WHSEC], NOW)

    assert standard_webhooks.sign(WHSEC, "msg_1", body, NOW) == headers


def test_d1_the_reference_library_accepts_what_we_sign():
    now = datetime.now(UTC)
    headers = standard_webhooks.sign(WHSEC, "msg_1", b'{"a":1}', now)

    assert Webhook(WHSEC.decode()).verify(b'{"a":1}', headers) == {"a": 1}


def test_d1_one_good_signature_among_others_is_enough():
    headers = standard_webhooks.sign(WHSEC, "msg_1", BODY, NOW)
    headers["webhook-signature"] = f"v1a,xyz v1,AAAA {headers['webhook-signature']}"

    StandardWebhooksScheme().verify(headers, BODY, [OTHER, WHSEC], NOW)


@pytest.mark.parametrize(
    ("late", "expected"), [(301, Reason.STALE), (-301, Reason.FUTURE), (10**9, Reason.STALE)]
)
def test_d1_the_clock_is_checked_both_ways(late, expected):
    headers = standard_webhooks.sign(WHSEC, "msg_1", BODY, NOW)
    now = NOW + timedelta(seconds=late)

    assert reason(StandardWebhooksScheme(), headers, secrets=[WHSEC], now=now) is expected


@pytest.mark.parametrize("late", [300, 0, -300])
def test_d1_five_minutes_are_tolerated(late):
    headers = standard_webhooks.sign(WHSEC, "msg_1", BODY, NOW)

    StandardWebhooksScheme().verify(headers, BODY, [WHSEC], NOW + timedelta(seconds=late))


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_2"},
        {"webhook-id": "msg_\xe9"},
        {"webhook-timestamp": "1795262401"},
        {"webhook-timestamp": "\u0661\u0667"},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "1e9"},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": " "},
        {"webhook-signature": "v1,a,b"},
        {"webhook-signature": "v2,AAAA"},
        {"webhook-signature": "v1,\xff"},
    ],
)
def test_d1_standard_webhooks_refuses_changed_headers(change):
    headers = standard_webhooks.sign(WHSEC, "msg_1", BODY, NOW) | change

    assert reason(StandardWebhooksScheme(), headers, secrets=[WHSEC]) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("junk", ["!", "\n", " ", "=", "AAAA"])
def test_d1_base64_with_junk_in_it_is_refused(junk):
    headers = standard_webhooks.sign(WHSEC, "msg_1", BODY, NOW)
    good = headers["webhook-signature"]
    headers["webhook-signature"] = good[:10] + junk + good[10:]

    assert reason(StandardWebhooksScheme(), headers, secrets=[WHSEC]) is Reason.BAD_SIGNATURE


def test_d7_a_thousand_signatures_are_refused_unread():
    headers = standard_webhooks.sign(WHSEC, "msg_1", BODY, NOW)
    headers["webhook-signature"] = " ".join([headers["webhook-signature"]] * 1000)

    assert reason(StandardWebhooksScheme(), headers, secrets=[WHSEC]) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_d1_each_standard_header_is_needed(name):
    headers = standard_webhooks.sign(WHSEC, "msg_1", BODY, NOW)
    svix = {key.replace("webhook", "svix"): value for key, value in headers.items()}
    del headers[name]

    assert reason(StandardWebhooksScheme(), headers | svix, secrets=[WHSEC]) is Reason.NO_SIGNATURE


def test_a_secret_that_is_no_secret_is_named():
    with pytest.raises(ValueError, match="whsec_"):
        standard_webhooks.key("a pass phrase")
    headers = standard_webhooks.sign(WHSEC, "msg_1", BODY, NOW)

    assert reason(StandardWebhooksScheme(), headers, secrets=[b"a pass phrase"]) is (
        Reason.BAD_SIGNATURE
    )


def test_d1_a_declared_scheme_proves_time_and_body():
    headers = declared.sign(BILLING, b"s", BODY, NOW)

    BILLING.verify(headers, BODY, [b"s"], NOW)

    late = NOW + timedelta(minutes=6)
    stamp = int(NOW.timestamp())
    assert reason(BILLING, headers, secrets=[b"s"], now=late) is Reason.STALE
    assert headers["x-signature"] == "sha256=" + (
        hmac.new(b"s", f"{stamp}.".encode() + BODY, "sha256").hexdigest()
    )
    assert reason(BILLING, headers | {"x-timestamp": str(stamp + 1)}, secrets=[b"s"]) is (
        Reason.BAD_SIGNATURE
    )


def test_d1_a_declared_scheme_may_sign_the_id_and_use_sha512_in_base64():
    scheme = DeclaredHmac(
        name="x",
        algorithm="sha512",
        header="X-Sig",
        prefix="v1,",
        encoding="base64",
        signed="{id}:{body}",
        id_header="X-Id",
    )
    headers = declared.sign(scheme, b"s", BODY, NOW, id="7")

    scheme.verify(headers, BODY, [b"s"], NOW)

    assert scheme.signs_id
    assert not BILLING.signs_id
    assert reason(scheme, headers | {"x-id": "8"}, secrets=[b"s"]) is Reason.BAD_SIGNATURE


def test_d1_a_declared_list_of_signatures_is_split_at_commas():
    scheme = DeclaredHmac(name="pd", algorithm="sha256", header="X-Sig", prefix="v1=")
    headers = declared.sign(scheme, b"s", BODY, NOW)
    headers["x-sig"] = f"v1=00,v0=11, {headers['x-sig']}"

    scheme.verify(headers, BODY, [b"s"], NOW)


@pytest.mark.parametrize(
    "broken",
    [
        {"signed": "constant"},
        {"signed": "{body}{url}"},
        {"signed": "{timestamp}.{body}"},
        {"signed": "{id}.{body}"},
        {"tolerance": timedelta(minutes=5)},
        {"tolerance": timedelta(minutes=5), "timestamp": "X-Time"},
        {"algorithm": "md5"},
        {"encoding": "base32"},
        {"header": ""},
    ],
)
def test_a_declaration_that_cannot_work_is_refused_at_once(broken):
    sound = {"name": "x", "algorithm": "sha256", "header": "X-Sig"}

    with pytest.raises(ValueError, match=r"expected|needs|name its header"):
        DeclaredHmac(**sound | broken)


SCHEMES = [
    (GithubScheme(), lambda body: github.sign(GITHUB_SECRET, body), GITHUB_SECRET),
    (StandardWebhooksScheme(), lambda body: standard_webhooks.sign(WHSEC, "m", body, NOW), WHSEC),
    (BILLING, lambda body: declared.sign(BILLING, b"s", body, NOW), b"s"),
]


@given(which=st.sampled_from(SCHEMES), body=st.binary(max_size=200), at=st.integers(0, 10**6))
def test_d1_what_was_signed_verifies_and_a_flipped_bit_does_not(which, body, at):
    scheme, sign, secret = which
    headers = sign(body)
    flipped = bytearray(body or b"\0")
    flipped[at % len(flipped)] ^= 1 << (at % 8)

    scheme.verify(headers, body, [secret], NOW)
    with pytest.raises(Refused):
        scheme.verify(headers, bytes(flipped), [secret], NOW)


NAMES = st.sampled_from(
    [
        "x-hub-signature-256",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "x-signature",
        "x-timestamp",
    ]
)
VALUES = st.one_of(
    st.text(max_size=80),
    st.text("0123456789abcdef=,. v1", max_size=80),
    st.sampled_from([f"sha256={GITHUB_DIGEST}", "v1,AAAA", "1795262400", "9" * 5000]),
)


@given(headers=st.dictionaries(NAMES, VALUES), body=st.binary(max_size=50))
def test_d7_arbitrary_headers_are_refused_and_nothing_else_happens(headers, body):
    for scheme, _, secret in SCHEMES:
        with pytest.raises(Refused):
            scheme.verify(headers, body, [secret, b"\xff\x00", b""], NOW)


def test_d1_the_same_value_in_other_bytes_is_refused():
    body = b'{"a": 1}'
    headers = github.sign(GITHUB_SECRET, body)
    again = json.dumps(json.loads(body), separators=(",", ":")).encode()

    assert reason(GithubScheme(), headers, body=again) is Reason.BAD_SIGNATURE
