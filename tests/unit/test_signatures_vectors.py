"""The vendors' recorded and documented vectors: each verifies, and nothing near it does."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Reason, Refused
from orchestrator.signatures.jira_connect import query_hash
from orchestrator.signatures.scheme import QUERY
from orchestrator.signatures.sns import CertificateWanted, SnsScheme
from orchestrator.sources.preset import Options, bound
from orchestrator.sources.presets import PRESETS
from tests.oracles.documented import DOCUMENTED

VECTORS = Path(__file__).parents[1] / "oracles" / "vectors.json"
TOPICS = frozenset({"arn:aws:sns:eu-west-1:123456789012:orders"})


@dataclass(frozen=True)
class Vector:
    scheme: object
    headers: dict
    body: bytes
    secret: bytes
    now: datetime
    name: str

    def verify(self, **changed):
        given_ = {"headers": self.headers, "body": self.body, "now": self.now, **changed}
        secrets = given_.get("secrets", [self.secret])
        self.scheme.verify(given_["headers"], given_["body"], secrets, given_["now"])


def recorded(one):
    options = Options(public_url=one.get("public_url"), topics=TOPICS)
    scheme = bound(PRESETS[one["scheme"]].scheme, options)
    if isinstance(scheme, SnsScheme):
        scheme.learn(json.loads(one["body"])["SigningCertURL"], one["certificate"].encode())
    return Vector(
        scheme=scheme,
        headers=one["headers"] | ({QUERY: one["query"]} if "query" in one else {}),
        body=one["body"].encode(),
        secret=one["secret"].encode(),
        now=datetime.fromtimestamp(one["now"], UTC),
        name=one["scheme"],
    )


RECORDED = [recorded(one) for one in json.loads(VECTORS.read_text(encoding="utf-8"))]


def documented(name, body, secret, headers, now):
    return Vector(
        scheme=PRESETS[name].scheme,
        headers=headers,
        body=body.encode(),
        secret=secret.encode(),
        now=datetime.fromtimestamp(now, UTC),
        name=name,
    )


ALL = [*RECORDED, *(documented(*one) for one in DOCUMENTED)]
SIGNED = [vector for vector in ALL if vector.scheme.proves.body]
CLOCKED = [vector for vector in ALL if vector.scheme.proves.clock]


def each(vectors):
    names = [f"{vector.name}-{number}" for number, vector in enumerate(vectors)]
    return pytest.mark.parametrize("vector", vectors, ids=names)


def refused(vector, **changed):
    with pytest.raises(Refused) as caught:
        vector.verify(**changed)
    return caught.value.reason


@each(ALL)
def test_d1_what_the_vendor_vouches_for_verifies(vector):
    vector.verify()


@each([vector for vector in ALL if vector.secret])
def test_d1_while_secrets_rotate_either_one_fits_and_no_other(vector):
    vector.verify(secrets=[b"whsec_" + base64.b64encode(b"another"), vector.secret])

    assert refused(vector, secrets=[b"another", b""]) is Reason.BAD_SIGNATURE
    assert refused(vector, secrets=[]) is Reason.BAD_SIGNATURE


@each(ALL)
def test_d1_without_its_headers_nothing_is_proved(vector):
    if vector.name == "sns":
        assert refused(vector, body=b"{}") is Reason.NO_SIGNATURE
    else:
        assert refused(vector, headers={}) in {Reason.NO_SIGNATURE, Reason.BAD_SIGNATURE}


@each(CLOCKED)
def test_d1_the_clock_is_checked_both_ways(vector):
    far = timedelta(hours=1, seconds=1)
    near = timedelta(seconds=59)

    vector.verify(now=vector.now + near)
    vector.verify(now=vector.now - near)
    assert refused(vector, now=vector.now + far) is Reason.STALE
    assert refused(vector, now=vector.now - far) is Reason.FUTURE


@given(vector=st.sampled_from(SIGNED), at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_d1_a_flipped_bit_of_the_body_is_refused(vector, at, bit):
    body = bytearray(vector.body)
    body[at % len(body)] ^= 1 << bit
    if vector.name == "sns" and _same_message(bytes(body), vector.body):
        return  # SNS signs the values, not their spelling.
    if vector.name.startswith("twilio") and _same_form(bytes(body), vector.body):
        return  # Twilio signs the fields, not their spelling.

    # A flipped digit in SNS's certificate address names a certificate that must be fetched first: no yes either.
    with pytest.raises((Refused, CertificateWanted)):
        vector.verify(body=bytes(body))


def _same_message(one, other):
    try:
        found, wanted = json.loads(one), json.loads(other)
    except ValueError:
        return False
    signed = {
        "Message",
        "MessageId",
        "Subject",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    }
    names = signed | {"Signature", "SignatureVersion", "SigningCertURL"}
    return all(found.get(name) == wanted.get(name) for name in names if name in wanted)


def _same_form(one, other):
    # `+` and `%20`, upper and lower case of an escape; and `=`/`&` moved is another name or value.
    return one.replace(b"+", b"%20").lower() == other.replace(b"+", b"%20").lower()


PROOF = st.one_of(
    st.text(max_size=80),
    st.text("0123456789abcdef=,. v1", max_size=80),
    st.sampled_from(["", "v1=", "sha256=", "v0=" + "0" * 64, "v1,AAAA", "9" * 5000, "é" * 64]),
)


@given(
    vector=st.sampled_from([v for v in ALL if v.name != "sns"]), value=PROOF, at=st.integers(0, 9)
)
def test_d7_a_changed_proof_header_is_refused_and_nothing_else_happens(vector, value, at):
    proving = [
        name
        for name in vector.headers
        if any(word in name for word in ("signature", "hmac", "token", "authorization"))
        and "idempotency" not in name
    ]
    name = proving[at % len(proving)]
    if value == vector.headers[name]:
        return

    refused(vector, headers=vector.headers | {name: value})


def test_a_published_query_hash_is_ours_too():
    # hackage: atlassian-connect-core, Snap.AtlassianConnect.QueryStringHash, its documentation
    assert query_hash("GET", "/path/to/service", "a=1&A=2&b=3&B=4") == (
        "70282c7cf82834bd5a3d6dacda1b4ccd5cf5860a63a1fa2fb86b64d576e6a1d5"
    )
