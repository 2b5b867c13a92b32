"""Makes `vectors.json`: deliveries that the vendors' own libraries sign or accept. Run by hand, not by the tests.

These libraries are too heavy for the development extra (twilio and hubspot 50 MB each, square 30 MB), so they judged
once, in an environment of their own:

    python -m venv oracles && oracles/bin/pip install cryptography==50.0.2 twilio hubspot-api-client squareup sendgrid \
        svix standardwebhooks && oracles/bin/python tests/oracles/record.py
    npm install @linear/sdk @shopify/shopify-api@11 sns-validator @octokit/webhooks-methods @sendgrid/eventwebhook \
        && NODE_PATH=$PWD/node_modules node tests/oracles/judge.mjs tests/oracles/vectors.json

`judge.mjs` asks the npm libraries. Each vector names who vouched for it under `by`. The keys were made for this file.
"""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from hubspot.utils.signature import Signature
from sendgrid.helpers.eventwebhook import EventWebhook
from square.utils.webhooks_helper import verify_signature
from svix.webhooks import Webhook as Svix
from twilio.request_validator import RequestValidator

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STAMP = int(NOW.timestamp())
SECRET = "a secret made for tests"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
URL = "https://bell.example.com/hooks/"


def b64_hmac(body: str) -> str:
    return base64.b64encode(hmac.digest(SECRET.encode(), body.encode(), "sha256")).decode()


def twilio_vectors():
    fields = {
        "MessageSid": "SM1",
        "MessageStatus": "delivered",
        "Body": "",
        "To": "+49 30 / ü&=",
        "From": "+1",
    }
    url, validator = URL + "twilio", RequestValidator(SECRET)
    for scheme, algorithm in (("twilio", "HMAC_SHA1"), ("twilio-sha256", "HMAC_SHA256")):
        for signed_url in (url, url.replace(".com", ".com:443")):
            signature = validator.compute_signature(signed_url, fields, algorithm)
            assert validator.validate(url, fields, signature, algorithm)
            yield vector(
                scheme,
                "twilio",
                urlencode(fields),
                {
                    "content-type": "application/x-www-form-urlencoded",
                    "x-twilio-signature": signature,
                    "i-twilio-idempotency-token": "t1",
                },
                public_url=url,
            )
        body = '{"type": "com.example.sent", "n": 1}'
        query = "bodySHA256=" + sha256(body.encode()).hexdigest()
        signature = validator.compute_signature(f"{url}?{query}", {}, algorithm)
        assert validator.validate(f"{url}?{query}", body, signature, algorithm)
        yield vector(
            scheme,
            "twilio",
            body,
            {
                "content-type": "application/json",
                "x-twilio-signature": signature,
                "i-twilio-idempotency-token": "t2",
            },
            public_url=url,
            query=query,
        )


def hubspot_vectors():
    url, stamp = URL + "hubspot", str(STAMP * 1000)
    event = {
        "eventId": 100,
        "subscriptionId": 7,
        "occurredAt": STAMP * 1000,
        "subscriptionType": "deal.creation",
        "objectId": 42,
        "attemptNumber": 0,
    }
    body = json.dumps([event, {**event, "eventId": 101, "objectId": 43}])
    signature = Signature.get_signature(SECRET, body, "v3", url, "POST", stamp)
    yield vector(
        "hubspot",
        "hubspot-api-client",
        body,
        {
            "content-type": "application/json",
            "x-hubspot-signature-v3": signature,
            "x-hubspot-request-timestamp": stamp,
        },
        public_url=url,
    )


def square_vectors():
    url = URL + "square"
    body = (
        '{"merchant_id": "M1", "type": "payment.updated", "event_id": "e-1", "data": {"id": "P1"}}'
    )
    signature = b64_hmac(url + body)
    assert verify_signature(
        request_body=body, signature_header=signature, signature_key=SECRET, notification_url=url
    )
    yield vector(
        "square", "squareup", body, {"x-square-hmacsha256-signature": signature}, public_url=url
    )


def sendgrid_vectors():
    key = ec.generate_private_key(ec.SECP256R1())
    spki = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    public, stamp = base64.b64encode(spki).decode(), str(STAMP)
    item = {
        "email": "ann@example.com",
        "event": "delivered",
        "sg_event_id": "s1",
        "sg_message_id": "m1.x",
    }
    body = json.dumps([item, {**item, "sg_event_id": "s2", "event": "open"}]) + "\r\n"
    signature = base64.b64encode(
        key.sign((stamp + body).encode(), ec.ECDSA(hashes.SHA256()))
    ).decode()
    assert EventWebhook(public).verify_signature(body, signature, stamp)
    yield vector(
        "sendgrid",
        "sendgrid, @sendgrid/eventwebhook",
        body,
        {
            "content-type": "application/json",
            "x-twilio-email-event-webhook-signature": signature,
            "x-twilio-email-event-webhook-timestamp": stamp,
        },
        secret=public,
    )


def svix_vectors():
    body = '{"type": "invoice.paid", "data": {"id": "i1"}}'
    signature = Svix(WHSEC).sign("msg_1", NOW, body)
    for family in ("svix", "webhook"):
        yield vector(
            "svix",
            "svix",
            body,
            {
                f"{family}-id": "msg_1",
                f"{family}-timestamp": str(STAMP),
                f"{family}-signature": signature,
            },
            secret=WHSEC,
        )


def shopify_vectors():
    order = "gid://shopify/Order/820982911946154508"
    body = f'{{"id": 820982911946154508, "admin_graphql_api_id": "{order}", "note": "ü"}}'
    yield vector(
        "shopify",
        "@shopify/shopify-api",
        body,
        {
            "x-shopify-hmac-sha256": b64_hmac(body),
            "x-shopify-topic": "orders/create",
            "x-shopify-webhook-id": "w1",
            "x-shopify-shop-domain": "acme.myshopify.com",
            "x-shopify-api-version": "2026-10",
        },
    )


def linear_vectors():
    body = json.dumps(
        {
            "action": "create",
            "type": "Issue",
            "data": {"id": "u1", "identifier": "ENG-7"},
            "actor": {"id": "a1", "name": "Ann", "type": "user"},
            "webhookTimestamp": STAMP * 1000,
        }
    )
    signature = hmac.digest(SECRET.encode(), body.encode(), "sha256").hex()
    yield vector(
        "linear",
        "@linear/sdk",
        body,
        {"linear-signature": signature, "linear-delivery": "l1", "linear-event": "Issue"},
    )


def github_vectors():
    body = '{"action": "opened", "issue": {"number": 7}, "repository": {"full_name": "acme/api"}, "note": "ü"}'
    signature = "sha256=" + hmac.digest(SECRET.encode(), body.encode(), "sha256").hex()
    yield vector(
        "github",
        "@octokit/webhooks-methods",
        body,
        {"x-hub-signature-256": signature, "x-github-event": "issues", "x-github-delivery": "g1"},
    )


def sns_vectors():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    host = "https://sns.eu-west-1.amazonaws.com/"
    common = {
        "MessageId": "m1",
        "TopicArn": "arn:aws:sns:eu-west-1:123456789012:orders",
        "Timestamp": "2026-11-21T12:00:00.000Z",
        "SigningCertURL": f"{host}SimpleNotificationService-{'0' * 32}.pem",
    }
    confirm = {
        "Type": "SubscriptionConfirmation",
        "Token": "t0",
        "Message": "Confirm",
        "SubscribeURL": f"{host}?Action=ConfirmSubscription&TopicArn=x&Token=t0",
    }
    notice = {"Type": "Notification", "Message": '{"order": 7}'}
    for extra, version in (
        (notice, "1"),
        ({**notice, "Subject": "paid"}, "2"),
        (confirm, "1"),
        (confirm, "2"),
    ):
        message = {**common, **extra, "SignatureVersion": version}
        names = [
            "Message",
            "MessageId",
            "SubscribeURL",
            "Subject",
            "Timestamp",
            "Token",
            "TopicArn",
            "Type",
        ]
        text = "".join(f"{n}\n{message[n]}\n" for n in names if n in message)
        chosen = hashes.SHA1() if version == "1" else hashes.SHA256()
        message["Signature"] = base64.b64encode(
            key.sign(text.encode(), padding.PKCS1v15(), chosen)
        ).decode()
        yield vector(
            "sns",
            "sns-validator",
            json.dumps(message),
            {"content-type": "text/plain; charset=UTF-8"},
            secret="",
            certificate=pem,
        )


def vector(
    scheme: str, by: str, body: str, headers: dict[str, str], **more: str
) -> dict[str, object]:
    return {
        "scheme": scheme,
        "by": by,
        "now": STAMP,
        "secret": SECRET,
        "headers": headers,
        "body": body,
        **more,
    }


def main() -> None:
    makers = (
        github_vectors,
        svix_vectors,
        shopify_vectors,
        twilio_vectors,
        sendgrid_vectors,
        linear_vectors,
        square_vectors,
        hubspot_vectors,
        sns_vectors,
    )
    found = [one for maker in makers for one in maker()]
    text = json.dumps(found, indent=1, ensure_ascii=False)
    Path(__file__).with_name("vectors.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
