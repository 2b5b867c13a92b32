"""Proofs as strangers forge them, each with the answer it must get; it knows deliveries, and rings no bell."""

import json
from dataclasses import replace
from urllib.parse import urlencode

from tests.support.senders import AT, FORM, SECRET, SENDERS, Signed

ISSUE = json.dumps(
    {
        "action": "opened",
        "issue": {"number": 7, "title": "it\r\nfails"},
        "repository": {"full_name": "acme/api"},
        "sender": {"id": 1, "login": "ann"},
    }
).encode()
EVENT = b'{"type": "event", "id": "e1", "webhookTimestamp": %d}' % (AT * 1000)
GITHUB = SENDERS["github"].sign(ISSUE)
GOOD = GITHUB.headers["x-hub-signature-256"]
SHOPIFY = SENDERS["shopify"].sign(EVENT)
B64 = SHOPIFY.headers["x-shopify-hmac-sha256"]
STRIPE = SENDERS["stripe"].sign(EVENT)
STAMPED = STRIPE.headers["stripe-signature"]
STANDARD = SENDERS["standard-webhooks"].sign(EVENT)
SLACK = SENDERS["slack"].sign(EVENT)
LINEAR = SENDERS["linear"].sign(EVENT)
SQUARE = SENDERS["square"]
ELSEWHERE = replace(SQUARE, name="evil")
NONE, BAD, OLD, SOON = "no_signature", "bad_signature", "stale", "future"
ODD = "malformed"


def github(value: str | None) -> Signed:
    return GITHUB.but(x_hub_signature_256=value)


def at(name: str, late: int) -> Signed:
    return SENDERS[name].sign(EVENT, AT - late)


REFUSED = {
    "no signature header": ("github", github(None), 401, NONE),
    "an empty signature": ("github", github(""), 401, NONE),
    "the prefix only": ("github", github("sha256="), 401, BAD),
    "junk behind a good one": ("github", github(f"{GOOD}zz"), 401, BAD),
    "a space inside": ("github", github(GOOD.replace("=", "= ")), 401, BAD),
    "truncated hex": ("github", github(GOOD[:-2]), 401, BAD),
    "half a byte": ("github", github(GOOD[:-1]), 401, BAD),
    "a thousand signatures": ("github", github(",".join([GOOD] * 1000)), 401, BAD),
    "a sha1 downgrade in its place": ("github", github("sha1=" + "0" * 40), 401, BAD),
    "the sha1 header alone": ("github", github(None).but(x_hub_signature="sha1=00"), 401, NONE),
    "digits of another script": ("github", github("sha256=" + "\xb2" * 64), 401, BAD),
    "lenient base64": (
        "shopify",
        SHOPIFY.but(x_shopify_hmac_sha256=f"{B64[:9]}!{B64[9:]}"),
        401,
        BAD,
    ),
    "base64 without its padding": (
        "shopify",
        SHOPIFY.but(x_shopify_hmac_sha256=B64.rstrip("=")),
        401,
        BAD,
    ),
    "base64 with too much padding": (
        "shopify",
        SHOPIFY.but(x_shopify_hmac_sha256=f"{B64}===="),
        401,
        BAD,
    ),
    "stripe's v0 alone": (
        "stripe",
        STRIPE.but(stripe_signature=STAMPED.replace("v1=", "v0=")),
        401,
        BAD,
    ),
    "two timestamps for stripe": (
        "stripe",
        STRIPE.but(stripe_signature=f"t={AT - 1}," + STAMPED),
        401,
        BAD,
    ),
    "no timestamp for stripe": (
        "stripe",
        STRIPE.but(stripe_signature=STAMPED.partition(",")[2]),
        401,
        BAD,
    ),
    "signed for another source": ("second", GITHUB, 401, BAD),
    "svix headers on a standard source": (
        "standard-webhooks",
        SENDERS["svix"].sign(EVENT),
        401,
        NONE,
    ),
    "a thousand standard signatures": (
        "standard-webhooks",
        STANDARD.but(webhook_signature="v1,AAAA " * 1000),
        401,
        BAD,
    ),
    "the right signature among a thousand": (
        "standard-webhooks",
        STANDARD.but(webhook_signature="v1,AAAA " * 1000 + STANDARD.headers["webhook-signature"]),
        401,
        BAD,
    ),
    "another id than the signed one": (
        "standard-webhooks",
        STANDARD.but(webhook_id="msg_2"),
        401,
        BAD,
    ),
    "an old slack delivery": ("slack", at("slack", 301), 401, OLD),
    "a slack delivery of the future": ("slack", at("slack", -301), 401, SOON),
    "an old stripe delivery": ("stripe", at("stripe", 301), 401, OLD),
    "a stripe delivery of the future": ("stripe", at("stripe", -301), 401, SOON),
    "an old standard webhook": ("standard-webhooks", at("standard-webhooks", 301), 401, OLD),
    "a standard webhook of the future": (
        "standard-webhooks",
        at("standard-webhooks", -301),
        401,
        SOON,
    ),
    "an old hubspot delivery": ("hubspot", at("hubspot", 301), 401, OLD),
    "a hubspot delivery of the future": ("hubspot", at("hubspot", -301), 401, SOON),
    "an old discord interaction": ("discord", at("discord", 301), 401, OLD),
    "an old sendgrid batch": ("sendgrid", at("sendgrid", 301), 401, OLD),
    "an old zoom event": ("zoom", at("zoom", 301), 401, OLD),
    "an old sns message": ("sns", at("sns", 3601), 401, OLD),
    "a moved slack clock": ("slack", SLACK.but(x_slack_request_timestamp=str(AT + 1)), 401, BAD),
    "a clock with a fraction": ("slack", SLACK.but(x_slack_request_timestamp=f"{AT}.0"), 401, BAD),
    "a negative clock": ("slack", SLACK.but(x_slack_request_timestamp="-1"), 401, BAD),
    "a clock of a thousand digits": (
        "slack",
        SLACK.but(x_slack_request_timestamp="9" * 1000),
        401,
        BAD,
    ),
    "linear's header clock is no clock": (
        "linear",
        SENDERS["linear"].sign(
            EVENT.replace(b"%d" % (AT * 1000), b"%d" % ((AT - 61) * 1000)),
            linear_timestamp=str(AT * 1000),
        ),
        401,
        OLD,
    ),
    "linear's body without a clock": (
        "linear",
        SENDERS["linear"].sign(b'{"type": "Issue"}'),
        401,
        BAD,
    ),
    "a value re-serialised": (
        "github",
        GITHUB.saying(json.dumps(json.loads(ISSUE), indent=1).encode()),
        401,
        BAD,
    ),
    "one byte appended": ("github", GITHUB.saying(ISSUE + b"\n"), 401, BAD),
    "one byte taken": ("github", GITHUB.saying(ISSUE[:-1]), 401, BAD),
    "line ends changed": ("github", GITHUB.saying(ISSUE.replace(rb"\r\n", rb"\n")), 401, BAD),
    "no body at all": ("github", GITHUB.saying(b""), 401, BAD),
    "signed json called a form": ("github", GITHUB.but(content_type=FORM), 400, ODD),
    "a signed form called json": (
        "github",
        SENDERS["github"].sign(urlencode({"payload": ISSUE.decode()}).encode()),
        400,
        ODD,
    ),
    "a form's fields in another order of meaning": (
        "twilio",
        SENDERS["twilio"].sign(b"A=1&B=2").saying(b"A=2&B=1"),
        401,
        BAD,
    ),
    "twilio json under a form's signature": (
        "twilio",
        SENDERS["twilio"].sign(b"A=1").saying(b'{"A":1}').but(content_type="application/json"),
        401,
        BAD,
    ),
    "a signed url that is the host's": (
        "square",
        ELSEWHERE.sign(EVENT).but(host="evil.example.com"),
        401,
        BAD,
    ),
    "the same by x-forwarded-host": (
        "square",
        ELSEWHERE.sign(EVENT).but(x_forwarded_host="evil.example.com"),
        401,
        BAD,
    ),
    "an unsigned source behind a proxy": (
        "unsigned",
        SENDERS["unsigned"].sign(EVENT).but(x_forwarded_for="127.0.0.1"),
        401,
        NONE,
    ),
    "an unsigned greeting to slack": (
        "slack",
        SENDERS["unsigned"].sign(b'{"type":"url_verification","challenge":"x"}'),
        401,
        NONE,
    ),
    "an unsigned greeting to zoom": (
        "zoom",
        SENDERS["unsigned"].sign(
            b'{"event":"endpoint.url_validation","payload":{"plainToken":"x"}}'
        ),
        401,
        NONE,
    ),
    "an unsigned ping to discord": ("discord", SENDERS["unsigned"].sign(b'{"type":1}'), 401, NONE),
    "a token of another": (
        "bearer",
        SENDERS["bearer"].sign(EVENT).but(authorization="Bearer no"),
        401,
        BAD,
    ),
    "a token without its word": (
        "bearer",
        SENDERS["bearer"].sign(EVENT).but(authorization=SECRET),
        401,
        BAD,
    ),
    "a token twice in the query": ("bearer", SENDERS["unsigned"].sign(EVENT), 401, NONE),
    "basic without base64": (
        "basic",
        SENDERS["basic"].sign(EVENT).but(authorization="Basic !!!"),
        401,
        BAD,
    ),
    "a connect token without an algorithm": (
        "jira-connect",
        SENDERS["jira-connect"].sign(EVENT).but(authorization="JWT eyJhbGciOiJub25lIn0.e30."),
        401,
        BAD,
    ),
    "a connect token of a megabyte's kind": (
        "jira-connect",
        SENDERS["jira-connect"].sign(EVENT).but(authorization="JWT " + "a" * 9000),
        401,
        BAD,
    ),
}


KEPT = {
    "uppercase hex": ("github", github(GOOD.upper().replace("SHA256", "sha256"))),
    "a signed url whatever the host": (
        "square",
        SQUARE.sign(EVENT).but(host="evil.example.com", x_forwarded_host="evil"),
    ),
    "a bearer in lower case": (
        "bearer",
        SENDERS["bearer"].sign(EVENT).but(authorization=f"bearer {SECRET}"),
    ),
    "the last second of the past": ("slack", at("slack", 299)),
    "the last second of the future": ("slack", at("slack", -299)),
    "an sns message of nearly an hour ago": ("sns", at("sns", 3599)),
    "a header clock that nobody reads": (
        "linear",
        SENDERS["linear"].sign(EVENT, linear_timestamp="1"),
    ),
}
