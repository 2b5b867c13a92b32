"""Other signers than ours: the vendors' recipes written a second time, good and forged, over a real socket (D1)."""

import json
import re
from pathlib import Path

import pytest
import stripe
from discord_interactions import verify_key
from slack_sdk.signature import SignatureVerifier

from tests.oracles.readings import READ
from tests.support.senders import AT, FORM, SECRET, SENDERS, Signed, certificate
from tests.support.wire import sent, standing

DELIVERIES = Path(__file__).parents[1] / "deliveries"
TOKENS = {"gitlab", "event-grid"}
"""What only shows a token says nothing about the body."""
PROOFS = re.compile(r"signature|hmac|timestamp|authorization|gitlab-token|^(webhook|svix)-id$")


def delivery(name, file, said):
    """A recorded delivery, signed at the door's own moment by the vendor's recipe."""
    body = (DELIVERIES / name / file).read_bytes()
    body = re.sub(rb'("webhookTimestamp":\s*)\d+', rb"\g<1>%d" % (AT * 1000), body)
    signed = SENDERS[name].sign(body, **{key: str(value) for key, value in said.items()})
    if "shopify_topic" in said:
        # The newer of Shopify's two spellings.
        digest = signed.headers["x-shopify-hmac-sha256"]
        signed = signed.but(x_shopify_hmac_sha256=None, shopify_hmac_sha256=digest)
    return signed.but(content_type=FORM) if file.endswith(".form") else signed


GOOD = {f"{name}/{file}": (name, delivery(name, file, said)) for (name, file, said), _ in READ}


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with standing(tmp_path_factory.mktemp("door"), certificate()) as one:
        yield one


def forged_bodies(signed):
    body = signed.body
    yield from (body + b" ", b" " + body, body[:-1], body[1:], b"", body * 2)
    yield body.replace(b"a", b"b", 1)
    yield body.replace(b"1", b"2", 1)
    yield body.replace(b": ", b":") if b": " in body else body.replace(b",", b", ")
    for at in range(0, len(body), max(1, len(body) // 12)):
        yield body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


def forged_headers(signed):
    other = "webhook-" if "svix-id" in signed.headers else "linear-timestamp"
    proving = [name for name in signed.headers if PROOFS.search(name) and other not in name]
    for name in proving:
        value = signed.headers[name]
        last = "1" if value[-1] != "1" else "0"
        for forged in (value[:-1] + last, value[1:], value + value[-1:], "", None):
            changed = {**signed.headers, name: forged}
            kept = {n: v for n, v in changed.items() if v is not None}
            yield Signed(kept, signed.body, signed.query)


@pytest.mark.parametrize("case", GOOD)
async def test_d1_a_delivery_signed_by_the_vendors_text_is_kept(door, case):
    name, signed = GOOD[case]

    answer = await door.one(sent(signed, name))

    assert answer.status in {200, 202, 204}, answer


@pytest.mark.parametrize("case", GOOD)
async def test_d1_no_forged_body_under_its_signature_is_kept(door, case):
    name, signed = GOOD[case]
    if name in TOKENS:
        return
    forged = [body for body in forged_bodies(signed) if body != signed.body]

    *answers, _ = await door.ask(b"".join(sent(signed.saying(body), name) for body in forged))

    assert len(answers) == len(forged)
    kept = [body for body, one in zip(forged, answers, strict=True) if one.status != 401]
    same = SAME.get(name, bytes.__eq__)
    assert all(same(body, signed.body) for body in kept), kept


def same_message(one, other):
    """SNS signs these values, not their spelling, nor where its certificate stands: that address is pinned."""
    names = ("Message", "MessageId", "Timestamp", "TopicArn", "Type")
    found, wanted = json.loads(one), json.loads(other)
    return [found.get(name) for name in names] == [wanted[name] for name in names]


def same_form(one, other):
    """Twilio signs the fields, not their spelling."""
    return sorted(one.replace(b"+", b"%20").lower().split(b"&")) == sorted(
        other.replace(b"+", b"%20").lower().split(b"&")
    )


SAME = {"sns": same_message, "twilio": same_form, "twilio-sha256": same_form}


@pytest.mark.parametrize("case", GOOD)
async def test_d1_no_forged_proof_of_it_is_kept(door, case):
    name, signed = GOOD[case]
    forged = list(forged_headers(signed))

    *answers, _ = await door.ask(b"".join(sent(one, name) for one in forged))

    assert len(forged) > 3 or name == "sns"
    assert {answer.status for answer in answers} <= {401}


@pytest.mark.parametrize("case", GOOD)
async def test_d1_one_senders_signature_opens_no_other_senders_source(door, case):
    name, signed = GOOD[case]
    # These two sign the same way, with the same secret in this test: their sources tell them apart by theirs.
    alike = {"jira", "bitbucket", "github", "meta", "standard-webhooks", "gitlab-signed", "openai"}
    alike |= {"anthropic", "svix", "bearer", "cloudevents", "event-grid", "basic", "unsigned"}
    alike |= {"mcp-events"}
    others = [other for other in SENDERS if other not in alike | {name}]

    *answers, _ = await door.ask(b"".join(sent(signed, other) for other in others))

    assert {answer.status for answer in answers} <= {401, 400}
    wrong = [other for other, one in zip(others, answers, strict=True) if one.status != 401]
    assert not [other for other in wrong if not other.startswith("twilio")], wrong


class At:
    """A clock for slack_sdk."""

    def now(self):
        return float(AT)


def test_d1_the_vendors_own_libraries_take_what_these_recipes_sign():
    body = b'{"id":"evt_1","type":"charge.succeeded"}'
    paid = SENDERS["stripe"].sign(body).headers
    said = SENDERS["slack"].sign(body).headers
    asked = SENDERS["discord"].sign(body).headers
    stamp = asked["x-signature-timestamp"]

    assert stripe.WebhookSignature.verify_header(body, paid["stripe-signature"], SECRET, None)
    assert SignatureVerifier(SECRET, At()).is_valid_request(body, dict(said))
    assert verify_key(body, asked["x-signature-ed25519"], stamp, SENDERS["discord"].secret)
