"""Our verifier beside the vendors' own Python libraries: good deliveries verify in both, mutations never in ours.

Where a library is more lenient than it should be (a date in the future), only ours refuses.
"""

import base64
import time
from datetime import UTC, datetime

import anthropic
import openai
import pytest
import stripe
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from discord_interactions import verify_key
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook

from orchestrator.errors import Reason, Refused
from orchestrator.signatures.signing import prove
from orchestrator.sources.presets import PRESETS

WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRET = "a secret made for tests"
DISCORD = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
DISCORD_PUBLIC = DISCORD.public_key().public_bytes_raw().hex()
BODIES = st.builds(
    lambda text, number: (
        f'{{"type":"event","id":"e1","text":{ascii(text)!r},"n":{number}}}'.encode()
    ),
    st.text(max_size=20),
    st.integers(),
)


def sent_headers(name, secret, body, now, **headers):
    return headers | prove(PRESETS[name].scheme, secret.encode(), body, now, headers)


def ours(name, headers, body, secret, now):
    PRESETS[name].scheme.verify(headers, body, [secret.encode()], now)


def theirs_stripe(headers, body, now):
    # `now` is the library's own clock: it takes no other.
    try:
        stripe.WebhookSignature.verify_header(body, headers["stripe-signature"], SECRET, None)
    except stripe.SignatureVerificationError:
        return False
    return True


class At:
    """A clock for slack_sdk."""

    def __init__(self, now):
        self._now = now

    def now(self):
        return self._now.timestamp()


def theirs_slack(headers, body, now):
    return SignatureVerifier(SECRET, At(now)).is_valid_request(body, headers)


def theirs_standard(headers, body, now):
    try:
        Webhook(WHSEC).verify(body, dict(headers), json_parse=False)
    except Exception:  # noqa: BLE001 - the library raises whatever its parsing meets
        return False
    return True


def theirs_openai(headers, body, now):
    client = openai.OpenAI(api_key="k", webhook_secret=WHSEC)
    try:
        client.webhooks.verify_signature(body, headers)
    except openai.InvalidWebhookSignatureError:
        return False
    return True


def theirs_anthropic(headers, body, now):
    client = anthropic.Anthropic(api_key="k")
    try:
        client.beta.webhooks.unwrap(body.decode(), headers=headers, key=WHSEC)
    except Exception:  # noqa: BLE001 - standardwebhooks' own, an optional package of theirs
        return False
    return True


JUDGES = {
    "stripe": (SECRET, theirs_stripe),
    "slack": (SECRET, theirs_slack),
    "standard-webhooks": (WHSEC, theirs_standard),
    "gitlab-signed": (WHSEC, theirs_standard),
    "mcp-events": (WHSEC, theirs_standard),
    "openai": (WHSEC, theirs_openai),
    "anthropic": (WHSEC, theirs_anthropic),
}
EVENT = b'{"type":"event","id":"e1","created_at":"2026-11-21T12:00:00Z","data":{"type":"session.idled","id":"s",'
EVENT += b'"organization_id":"o","workspace_id":"w"}}'


@pytest.mark.parametrize("name", JUDGES)
def test_d1_what_we_would_send_is_accepted_by_the_vendors_library_and_by_us(name):
    secret, theirs = JUDGES[name]
    # These libraries read the wall clock themselves, so the delivery must be of this moment.
    now = datetime.fromtimestamp(time.time(), UTC)
    headers = sent_headers(name, secret, EVENT, now, **{"webhook-id": "msg_1"})

    assert theirs(headers, EVENT, now)
    ours(name, headers, EVENT, secret, now)


@pytest.mark.parametrize("name", JUDGES)
@pytest.mark.parametrize("change", [EVENT + b" ", EVENT[:-1], EVENT.replace(b"e1", b"e2")])
def test_d1_what_the_vendors_library_refuses_we_refuse(name, change):
    secret, theirs = JUDGES[name]
    now = datetime.fromtimestamp(time.time(), UTC)
    headers = sent_headers(name, secret, EVENT, now, **{"webhook-id": "msg_1"})

    assert not theirs(headers, change, now)
    with pytest.raises(Refused):
        ours(name, headers, change, secret, now)


@given(body=BODIES, at=st.integers(0, 10**4), late=st.integers(-300, 300))
def test_d1_slack_and_we_agree_on_every_delivery(body, at, late):
    signed_at = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    now = datetime.fromtimestamp(signed_at.timestamp() + late, UTC)
    headers = sent_headers("slack", SECRET, body, signed_at)
    flipped = bytearray(body)
    flipped[at % len(body)] ^= 1

    assert theirs_slack(headers, body, now)
    ours("slack", headers, body, SECRET, now)
    assert not theirs_slack(headers, bytes(flipped), now)
    with pytest.raises(Refused):
        ours("slack", headers, bytes(flipped), SECRET, now)


@given(body=BODIES, at=st.integers(0, 10**4))
def test_d1_discord_and_we_agree_on_every_delivery(body, at):
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    stamp = str(int(now.timestamp()))
    headers = {
        "x-signature-ed25519": DISCORD.sign(stamp.encode() + body).hex(),
        "x-signature-timestamp": stamp,
    }
    flipped = bytearray(body)
    flipped[at % len(body)] ^= 1

    assert verify_key(body, headers["x-signature-ed25519"], stamp, DISCORD_PUBLIC)
    ours("discord", headers, body, DISCORD_PUBLIC, now)
    with pytest.raises(Refused):
        ours("discord", headers, bytes(flipped), DISCORD_PUBLIC, now)
    with pytest.raises(Refused):
        ours("discord", headers | {"x-signature-timestamp": "0" + stamp}, body, DISCORD_PUBLIC, now)


@given(body=BODIES, prefix=st.sampled_from(["", "t=1,", "v0=00,", "v1=00,", "v1=zz,"]))
def test_d1_stripe_and_we_agree_on_lists_of_signatures(body, prefix):
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    headers = sent_headers("stripe", SECRET, body, now)
    headers["stripe-signature"] = prefix + headers["stripe-signature"]

    if prefix == "t=1,":
        assert not theirs_stripe(headers, body, now)
        with pytest.raises(Refused):
            ours("stripe", headers, body, SECRET, now)
    else:
        assert theirs_stripe(headers, body, now)
        ours("stripe", headers, body, SECRET, now)


def test_d1_a_signature_of_the_future_is_refused_where_stripes_library_takes_it():
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    headers = sent_headers("stripe", SECRET, EVENT, datetime(2026, 12, 1, tzinfo=UTC))

    assert theirs_stripe(headers, EVENT, now)
    with pytest.raises(Refused) as caught:
        ours("stripe", headers, EVENT, SECRET, now)
    assert caught.value.reason is Reason.FUTURE


def test_d1_a_v0_signature_alone_does_not_open_stripe():
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    headers = sent_headers("stripe", SECRET, EVENT, now)
    downgraded = {"stripe-signature": headers["stripe-signature"].replace("v1=", "v0=")}

    assert not theirs_stripe(downgraded, EVENT, now)
    with pytest.raises(Refused):
        ours("stripe", downgraded, EVENT, SECRET, now)


def test_d1_openais_unprefixed_secret_is_taken_as_it_is():
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    headers = sent_headers("openai", "not in base64!", EVENT, now, **{"webhook-id": "m"})

    ours("openai", headers, EVENT, "not in base64!", now)
    with pytest.raises(Refused):
        ours("anthropic", headers, EVENT, "not in base64!", now)


def test_d1_a_public_key_verifies_v1a_and_nothing_else():
    # https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#asymmetric-signatures
    key = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
    public = "whpk_" + base64.b64encode(key.public_key().public_bytes_raw()).decode()
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    stamp = str(int(now.timestamp()))
    content = f"msg_1.{stamp}.".encode() + EVENT
    signature = base64.b64encode(key.sign(content)).decode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": stamp}
    good = headers | {"webhook-signature": f"v1,AAAA v1a,{signature}"}

    for name in ("standard-webhooks", "svix"):
        ours(name, good, EVENT, public, now)
        for bad, body, secret in (
            (headers | {"webhook-signature": f"v1,{signature}"}, EVENT, public),
            (good, EVENT + b" ", public),
            (good | {"webhook-id": "msg_2"}, EVENT, public),
            (good, EVENT, "whpk_" + base64.b64encode(b"\x02" * 32).decode()),
            (good, EVENT, "whpk_AAAA"),
            (good, EVENT, WHSEC),
        ):
            with pytest.raises(Refused):
                ours(name, bad, body, secret, now)
