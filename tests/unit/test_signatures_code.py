"""The senders that no table can say, and the parts that schemes are made of: what they accept, and what they don't."""

import base64
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Reason, Refused
from orchestrator.signatures import sns
from orchestrator.signatures.jira_connect import JiraConnectScheme, query_hash
from orchestrator.signatures.keys import public_key, shared_key
from orchestrator.signatures.scheme import PEER, QUERY
from orchestrator.signatures.signing import prove
from orchestrator.signatures.sns import CertificateWanted, SnsScheme
from orchestrator.signatures.table import Place, Stamp, TableScheme, pieces
from orchestrator.signatures.twilio import TwilioScheme
from orchestrator.signatures.unsigned import FORWARDED, UnsignedScheme, loopback
from orchestrator.sources.presets import PRESETS

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SECRET = b"a secret made for tests, which is long enough for any of the hashes here"
FORM = {"content-type": "application/x-www-form-urlencoded"}
URL = "https://bell.example.com/hooks/jira"


def refused(scheme, headers, body=b"{}", secrets=(SECRET,), now=NOW):
    with pytest.raises(Refused) as caught:
        scheme.verify(headers, body, secrets, now)
    return caught.value.reason


TWILIO = TwilioScheme(url="https://bell.example.com/hooks/twilio")


@pytest.mark.parametrize(
    "url", ["https://bell.example.com/hooks/other", "http://bell.example.com/hooks/twilio"]
)
def test_d1_twilio_is_bound_to_the_configured_url_whatever_a_request_says(url):
    elsewhere = {"host": "bell.example.com", "x-forwarded-host": "bell.example.com"}
    headers = elsewhere | prove(TwilioScheme(url=url), SECRET, b"a=1", NOW, {})

    assert refused(TWILIO, headers, b"a=1") is Reason.BAD_SIGNATURE
    assert refused(TwilioScheme(), headers, b"a=1") is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("kind", ["application/json", "text/plain", ""])
def test_d1_a_twilio_body_that_nothing_signs_is_refused(kind):
    signature = prove(TWILIO, SECRET, b"", NOW, {})["x-twilio-signature"]
    headers = {"content-type": kind, "x-twilio-signature": signature}

    assert refused(TWILIO, headers, b'{"amount": 1000000}') is Reason.BAD_SIGNATURE


def test_d1_a_twilio_json_body_is_held_against_its_signed_hash():
    body = b'{"type": "x"}'
    query = "bodySHA256=" + sha256(body).hexdigest()
    signed = prove(TwilioScheme(url=f"{TWILIO.url}?{query}"), SECRET, b"", NOW, {})
    headers = {**signed, "content-type": "application/json", QUERY: query}

    TWILIO.verify(headers, body, [SECRET], NOW)
    assert refused(TWILIO, headers, body + b" ") is Reason.BAD_SIGNATURE
    for changed in (query + "&x=1", f"{query}&{query}", query.replace("bodySHA256", "bodysha256")):
        assert refused(TWILIO, headers | {QUERY: changed}, body) is Reason.BAD_SIGNATURE


def test_d7_a_twilio_form_of_ten_thousand_fields_or_other_bytes_is_refused():
    headers = prove(TWILIO, SECRET, b"a=1", NOW, {})

    for body in (b"&".join([b"a=1"] * 10_000), b"a=%ff", "a=ü".encode()):
        assert refused(TWILIO, headers, body) is Reason.BAD_SIGNATURE


JIRA = JiraConnectScheme(url=URL)


def token(secret=SECRET, alg="HS256", **claims):
    given_ = {
        "iss": "client",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 180,
        "qsh": query_hash("POST", "/hooks/jira", "user=ann"),
    }
    text = jwt.encode(given_ | claims, secret, algorithm=alg)
    return {"authorization": f"JWT {text}", QUERY: "user=ann"}


def test_d1_a_connect_token_for_this_url_and_moment_verifies():
    JIRA.verify(token(), b"{}", [b"old one", SECRET], NOW)
    JIRA.verify(token() | {QUERY: "user=ann&jwt=ignored"}, b"{}", [SECRET], NOW)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Reason.NO_SIGNATURE),
        (token(secret=SECRET[::-1]), Reason.BAD_SIGNATURE),
        (token(secret=None, alg="none"), Reason.BAD_SIGNATURE),
        (token(alg="HS512"), Reason.BAD_SIGNATURE),
        (token(qsh="context-qsh"), Reason.BAD_SIGNATURE),
        (token(qsh=query_hash("POST", "/hooks/other", "user=ann")), Reason.BAD_SIGNATURE),
        (token(qsh=query_hash("GET", "/hooks/jira", "user=ann")), Reason.BAD_SIGNATURE),
        (token(qsh=None), Reason.BAD_SIGNATURE),
        (token() | {QUERY: "user=bob"}, Reason.BAD_SIGNATURE),
        (token(exp=None), Reason.BAD_SIGNATURE),
        (token(exp=int(NOW.timestamp()) - 301), Reason.STALE),
        (token(iat=int(NOW.timestamp()) + 301), Reason.FUTURE),
        ({"authorization": "JWT a.b"}, Reason.BAD_SIGNATURE),
        ({"authorization": "JWT " + "a" * 10_000 + ".b.c"}, Reason.BAD_SIGNATURE),
        ({"authorization": "Bearer a.b.c"}, Reason.BAD_SIGNATURE),
        ({"authorization": "JWT ü.é.è"}, Reason.BAD_SIGNATURE),
    ],
    ids=range(16),
)
def test_d1_every_other_connect_token_is_refused(headers, expected):
    assert refused(JIRA, headers) is expected


MESSAGES = [
    one
    for one in json.loads((Path(__file__).parents[1] / "oracles" / "vectors.json").read_text())
    if one["scheme"] == "sns"
]
TOPIC = "arn:aws:sns:eu-west-1:123456789012:orders"


def test_d1_sns_asks_for_a_certificate_only_for_a_listed_topic_and_a_pinned_host():
    body = MESSAGES[0]["body"].encode()
    message = json.loads(body)
    scheme = SnsScheme().trusting(frozenset({TOPIC}))

    assert refused(SnsScheme(), {}, body) is Reason.BAD_SIGNATURE
    with pytest.raises(CertificateWanted) as caught:
        scheme.verify({}, body, [], NOW)
    assert caught.value.url == message["SigningCertURL"]
    scheme.learn(message["SigningCertURL"], MESSAGES[0]["certificate"].encode())
    scheme.verify({}, body, [], NOW)


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.eu-west-1.amazonaws.com.evil/SimpleNotificationService-00000000.pem",
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-00000000.pem",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-00000000.pem",
        "https://sns.eu-west-1.amazonaws.com@evil/SimpleNotificationService-00000000.pem",
        "https://evil/sns.eu-west-1.amazonaws.com/SimpleNotificationService-00000000.pem",
        "https://sns.eu-west-1.amazonaws.com/../x.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-00000000.pem",
        "https://169.254.169.254/SimpleNotificationService-00000000.pem",
        "file:///etc/passwd",
    ],
)
def test_d7_no_other_address_is_ever_asked_for_a_certificate(url):
    scheme = SnsScheme().trusting(frozenset({TOPIC}))
    body = json.dumps(json.loads(MESSAGES[0]["body"]) | {"SigningCertURL": url}).encode()

    assert refused(scheme, {}, body) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    "change",
    [
        {"Message": "other"},
        {"MessageId": "m2"},
        {"Timestamp": "2026-11-21T12:00:01.000Z"},
        {"Signature": "AAAA"},
        {"Signature": "é"},
        {"SignatureVersion": "2"},
        {"SignatureVersion": "3"},
        {"Type": "SubscriptionConfirmation"},
        {"Type": "Other"},
        {"Timestamp": "soon"},
        {"Subject": "added"},
    ],
    ids=str,
)
def test_d1_a_changed_sns_message_is_refused(change):
    scheme = SnsScheme().trusting(frozenset({TOPIC}))
    message = json.loads(MESSAGES[0]["body"])
    scheme.learn(message["SigningCertURL"], MESSAGES[0]["certificate"].encode())

    reason = refused(scheme, {}, json.dumps(message | change).encode())
    assert reason in {Reason.BAD_SIGNATURE, Reason.NO_SIGNATURE}


def test_what_is_no_certificate_is_not_learned_and_few_are_remembered():
    scheme = SnsScheme()
    for text in (b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(Refused):
            scheme.learn("https://x", text)
    for number in range(40):
        scheme.learn(f"https://x/{number}", MESSAGES[0]["certificate"].encode())

    assert len(scheme.certificates) == sns.MAX_CERTIFICATES


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t", True),
        ("https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=t", False),
        ("https://sns.eu-west-1.amazonaws.com.evil/?Action=ConfirmSubscription&Token=t", False),
        ("https://sns.eu-west-1.amazonaws.com/?Action=DeleteTopic&Token=t", False),
        ("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t\r\nx: y", False),
        (None, False),
    ],
)
def test_d7_a_subscription_is_confirmed_at_its_topics_own_host_only(address, expected):
    found = sns.confirmation({"SubscribeURL": address, "TopicArn": TOPIC})

    assert found == address if expected else found is None


BEARER = PRESETS["cloudevents"].scheme


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {SECRET.decode()}"},
        {"authorization": f"bearer {SECRET.decode()}"},
        {
            QUERY: "x=1&access_token=a+secret+made+for+tests,%20which%20is%20long%20enough%20for+any+of+the+hashes+here"
        },
    ],
)
def test_d1_a_token_may_stand_in_the_header_or_in_the_query(headers):
    BEARER.verify(headers, b"", [b"old", SECRET], NOW)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer nonsense", QUERY: f"access_token={SECRET.decode()}"},
        {"authorization": SECRET.decode()},
        {"authorization": "Bearer "},
        {"authorization": f"Basic {SECRET.decode()}"},
        {QUERY: f"access_token={SECRET.decode()}&access_token={SECRET.decode()}"},
        {QUERY: "access_token="},
        {"authorization": "Bearer \xe9\u0661"},
    ],
)
def test_d1_no_other_token_opens(headers):
    assert refused(BEARER, headers) in {
        Reason.NO_SIGNATURE,
        Reason.BAD_SIGNATURE,
        Reason.AMBIGUOUS_HEADER,
    }


def test_d1_an_empty_token_is_no_token():
    for name in ("gitlab", "bearer", "basic"):
        assert refused(PRESETS[name].scheme, {"x-gitlab-token": ""}, secrets=[b""]) is (
            Reason.NO_SIGNATURE
        )


def test_d1_headers_of_two_styles_are_never_mixed():
    svix = PRESETS["svix"].scheme
    secret = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = prove(PRESETS["standard-webhooks"].scheme, secret, b"{}", NOW, {"webhook-id": "m"})

    svix.verify(headers, b"{}", [secret], NOW)
    # The id would be read from the svix header, which nothing signed.
    assert refused(svix, headers | {"svix-id": "m2"}, secrets=[secret]) is Reason.NO_SIGNATURE

    shopify = PRESETS["shopify"].scheme
    good = prove(shopify, SECRET, b"{}", NOW, {})
    shopify.verify(good, b"{}", [SECRET], NOW)
    bad = good | {"shopify-hmac-sha256": base64.b64encode(b"0" * 32).decode()}
    assert refused(shopify, bad) is Reason.BAD_SIGNATURE

    forgejo = prove(PRESETS["gitea"].scheme, SECRET, b"{}", NOW, {"x-forgejo-signature": ""})
    assert forgejo.keys() == {"x-forgejo-signature"}
    PRESETS["gitea"].scheme.verify(forgejo, b"{}", [SECRET], NOW)
    gitea = prove(PRESETS["gitea"].scheme, SECRET, b"{}", NOW, {})
    worse = gitea | {"x-forgejo-signature": "0" * 64}
    assert refused(PRESETS["gitea"].scheme, worse) is Reason.BAD_SIGNATURE


def test_d1_hookdecks_second_signature_counts_while_secrets_rotate():
    scheme = PRESETS["hookdeck"].scheme
    old = prove(scheme, b"old", b"{}", NOW, {})["x-hookdeck-signature"]
    new = prove(scheme, b"new", b"{}", NOW, {})["x-hookdeck-signature"]

    scheme.verify(
        {"x-hookdeck-signature": old, "x-hookdeck-signature-2": new}, b"{}", [b"new"], NOW
    )


@pytest.mark.parametrize("stamp", [None, 1.5, "1795262400000", True, -1, 10**17])
def test_d1_linears_clock_is_the_one_in_the_signed_body(stamp):
    scheme = PRESETS["linear"].scheme
    body = json.dumps({"webhookTimestamp": stamp}).encode()
    fresh_header = {"linear-timestamp": str(int(NOW.timestamp() * 1000))}

    assert refused(scheme, fresh_header | prove(scheme, SECRET, body, NOW, {}), body) in {
        Reason.BAD_SIGNATURE,
        Reason.FUTURE,
    }


@pytest.mark.parametrize("name", FORWARDED)
def test_d1_an_unsigned_source_is_answered_on_loopback_and_not_through_a_proxy(name):
    scheme = UnsignedScheme()

    for peer in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        scheme.verify({PEER: peer}, b"", [], NOW)
    for peer in ("", "10.0.0.1", "192.168.1.2", "::ffff:10.0.0.1", "localhost.evil", "203.0.113.9"):
        assert refused(scheme, {PEER: peer}) is Reason.NO_SIGNATURE
    assert refused(scheme, {PEER: "127.0.0.1", name: "x"}) is Reason.NO_SIGNATURE
    assert loopback("localhost")
    assert not loopback("0.0.0.0")


@pytest.mark.parametrize(
    "broken",
    [
        {"signed": pieces("{ts}.{body}")},
        {"tolerance": timedelta(minutes=5)},
        {"stamp": Stamp(header="x-time"), "tolerance": timedelta(minutes=5)},
        {"place": Place(headers=("",))},
    ],
    ids=range(4),
)
def test_a_row_that_cannot_work_is_refused_at_once(broken):
    sound = {"name": "x", "algorithm": "hmac-sha256", "place": Place(headers=("x-sig",))}

    with pytest.raises(ValueError, match=r"x: "):
        TableScheme(**sound | broken)


@pytest.mark.parametrize("signed", ["constant", "{body}{nonsense}", "{ts}"])
def test_a_signed_text_without_the_body_is_refused(signed):
    with pytest.raises(ValueError, match="expected"):
        pieces(signed)


@given(
    text=st.binary(max_size=60),
    form=st.sampled_from(["whsec", "hex", "base64", "spki", "pem", "whpk"]),
)
def test_d7_any_text_is_a_key_or_a_value_error(text, form):
    for read in (lambda: shared_key(form, text), lambda: public_key("ed25519", form, text)):
        try:
            assert read()
        except ValueError as error:
            assert "expected" in str(error)  # noqa: PT017 - the one exception that may come
