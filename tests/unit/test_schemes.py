"""The table of senders, `doorbell schemes`, and what sources.yaml may and may not say about a scheme."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from orchestrator.cli.schemes import schemes
from orchestrator.configuration.document import read
from orchestrator.configuration.sources import sources_of
from orchestrator.errors import OperatorError, Refused
from orchestrator.signatures.signing import prove
from orchestrator.signatures.table import TableScheme
from orchestrator.sources.handshakes import MetaHandshake
from orchestrator.sources.presets import PRESETS
from orchestrator.sources.unsigned import check_listening

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ISSUE = """
    github gitlab gitlab-signed gitea bitbucket stripe slack shopify twilio twilio-sha256 sendgrid pagerduty
    linear jira jira-connect sentry discord zoom meta square hubspot intercom typeform standard-webhooks svix
    anthropic openai hookdeck sns cloudevents event-grid bearer basic unsigned
    mcp-events
"""
ED25519 = Ed25519PrivateKey.from_private_bytes(b"\x05" * 32)
P256 = generate_private_key(SECP256R1())
SECRETS = {
    "S": "a secret",
    "WHSEC": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "ED": ED25519.public_key().public_bytes_raw().hex(),
    "PEM": P256.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    "SPKI": base64.b64encode(
        P256.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode(),
}
TOPIC = "arn:aws:sns:eu-west-1:123456789012:orders"


def found(text):
    return sources_of(read("sources.yaml", text), SECRETS, lambda _path: None)


def flaws(text):
    return [flaw.message for flaw in found(text).flaws]


def source(text):
    loaded = found("x: " + text)
    assert loaded.flaws == []
    return loaded.things["x"]


def test_every_sender_of_the_list_is_in_the_table():
    assert set(PRESETS) == set(ISSUE.split())


@pytest.mark.parametrize("name", PRESETS)
def test_each_row_says_who_where_and_how_far_it_is_proven(name):
    preset = PRESETS[name]

    assert preset.title
    assert preset.docs.startswith("https://")
    assert (preset.proven == "unproven") == (not preset.by)
    assert preset.scheme.name == name
    assert preset.generic == (preset.dialect is None)


def test_d3_a_preset_whose_id_is_not_signed_has_the_body_as_second_key():
    tokens = {"gitlab", "cloudevents", "event-grid", "bearer", "basic", "unsigned"}

    for name, preset in PRESETS.items():
        assert preset.scheme.signs_id or preset.dedupe_body or name in tokens, name


def test_schemes_lists_them_with_what_each_proves():
    result = CliRunner().invoke(schemes, [])

    assert result.exit_code == 0
    [stripe] = [line for line in result.output.splitlines() if line.startswith("stripe")]
    assert "vendor SDK" in stripe
    assert stripe.count("signed") == 3

    told = json.loads(CliRunner().invoke(schemes, ["--json"]).output)
    assert [one["scheme"] for one in told] == list(PRESETS)
    github = told[0]
    assert github["proves"] == {"body": True, "id": False, "url": False, "clock": False}
    assert github["replay"] == "the hash of the body"


def test_schemes_tells_everything_about_one():
    result = CliRunner().invoke(schemes, ["twilio"])

    assert "public_url: …" in result.output
    assert "secrets: [env:TWILIO_WEBHOOK_SECRET]" in result.output
    said = json.loads(CliRunner().invoke(schemes, ["meta", "--json"]).output)
    assert said["may_have"] == ["verify_token"]
    wrong = CliRunner().invoke(schemes, ["strype"])
    assert isinstance(wrong.exception, OperatorError)
    assert "did you mean 'stripe'" in str(wrong.exception)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{scheme: none, secrets: env:S}", "'none' proves nothing"),
        ("{scheme: stripe}", "the key 'secrets' is missing"),
        ("{scheme: unsigned, type: a, secrets: env:S}", "has no secret: remove it"),
        ("{scheme: twilio, secrets: env:S}", "'twilio' needs `public_url:`"),
        (
            "{scheme: twilio, secrets: env:S, public_url: /hooks/x}",
            "expected the URL the sender calls",
        ),
        (
            "{scheme: stripe, secrets: env:S, public_url: 'https://a/b'}",
            "means nothing to this scheme",
        ),
        ("{scheme: sns}", "'sns' needs `topics:`"),
        ("{scheme: sns, topics: [orders]}", "expected a topic's ARN"),
        ("{scheme: stripe, secrets: env:S, verify_token: env:S}", "means nothing to this scheme"),
        (
            "{scheme: standard-webhooks, secrets: env:S}",
            "env:S: expected a Standard Webhooks secret",
        ),
        ("{scheme: discord, secrets: env:S}", "env:S: expected a public key written as hex"),
        ("{scheme: sendgrid, secrets: env:ED}", "env:ED: expected a public key written as spki"),
        ("{scheme: bearer, secrets: env:S}", "a declared scheme needs a `type:`"),
        (
            "{scheme: {hmac: sha256, token: header}, type: a, secrets: env:S}",
            "expected one of hmac",
        ),
        ("{scheme: {token: header}, type: a, secrets: env:S}", "needs `header:`"),
        ("{scheme: {token: query, header: A}, type: a, secrets: env:S}", "needs `parameter:`"),
        ("{scheme: {ed25519: hex}, type: a, secrets: env:ED}", "the key 'header' is missing"),
        (
            "{scheme: {ed25519: hex, header: A, signed: x}, type: a, secrets: env:ED}",
            "expected {body}",
        ),
        (
            "{scheme: {ed25519: hex, header: A, signed: '{timestamp}{body}'}, type: a, secrets: env:ED}",
            "name its header under timestamp",
        ),
        (
            "{scheme: {ed25519: hex, header: A, signed: '{id}{body}'}, type: a, secrets: env:ED}",
            "name its header under id",
        ),
        (
            "{scheme: {ecdsa: hex, header: A}, type: a, secrets: env:PEM}",
            "expected 'spki' or 'pem'",
        ),
    ],
    ids=range(21),
)
def test_d1_a_source_that_could_not_prove_anything_is_a_mistake(text, expected):
    said = flaws(f"x: {text}")

    assert any(expected in one for one in said), said
    assert found(f"x: {text}").things == {}


def test_the_secret_itself_is_in_no_message():
    loaded = found("x: {scheme: discord, secrets: env:S}\ny: {scheme: openai, secrets: [env:S]}")

    assert "a secret" not in str(loaded.flaws) + str(loaded.warnings) + str(loaded.things)


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("{scheme: github, secrets: env:S}", False),
        ("{scheme: stripe, secrets: env:S}", False),
        ("{scheme: github, secrets: env:S, dedupe: {body: off}}", True),
        ("{scheme: {hmac: sha256, header: A}, type: a, secrets: env:S}", True),
        (
            "{scheme: {hmac: sha256, header: A}, type: a, secrets: env:S, dedupe: {body: forever}}",
            False,
        ),
        ("{scheme: unsigned, type: a}", True),
        ("{scheme: bearer, type: a, secrets: env:S}", False),
    ],
    ids=range(7),
)
def test_d1_what_lets_an_overheard_delivery_in_again_is_warned_of(text, warned):
    loaded = found("x: " + text)

    assert loaded.flaws == []
    assert bool(loaded.warnings) is warned


def test_a_public_url_and_a_verify_token_reach_what_needs_them():
    square = source(
        "{scheme: square, secrets: env:S, public_url: 'https://bell.example.com/hooks/x'}"
    )
    assert isinstance(square.scheme, TableScheme)
    assert square.scheme.url == "https://bell.example.com/hooks/x"
    headers = prove(square.scheme, b"a secret", b"{}", NOW, {})
    square.scheme.verify(headers, b"{}", [b"a secret"], NOW)

    meta = source("{scheme: meta, secrets: env:S, verify_token: env:WHSEC}")
    assert isinstance(meta.handshake, MetaHandshake)
    assert meta.batch is not None
    unset = found("x: {scheme: meta, secrets: env:S, verify_token: env:NO}")
    assert "env:NO is unset" in unset.warnings[0].message
    sns = source(f"{{scheme: sns, topics: {TOPIC}}}")
    assert sns.scheme.topics == {TOPIC}
    assert sns.secrets == ()


def test_an_unbound_scheme_that_signs_the_url_refuses_everything():
    for name in ("square", "hubspot", "twilio", "jira-connect"):
        with pytest.raises(Refused):
            PRESETS[name].scheme.verify(
                {"x-twilio-signature": "AAAA", "content-type": "application/x-www-form-urlencoded"},
                b"a=1",
                [b"s"],
                NOW,
            )


def test_d1_a_declared_ed25519_scheme_proves_id_time_and_body():
    made = source(
        "{scheme: {ed25519: hex, header: X-Sig, encoding: hex, signed: '{id}.{timestamp}.{body}', id: X-Id,"
        " timestamp: X-Time, tolerance: 5m}, type: '{{ event.t }}', secrets: env:ED}"
    ).scheme
    stamp = str(int(NOW.timestamp()))
    signature = ED25519.sign(f"7.{stamp}.".encode() + b"{}").hex()
    headers = {"x-sig": signature, "x-id": "7", "x-time": stamp}
    key = [SECRETS["ED"].encode()]

    made.verify(headers, b"{}", key, NOW)
    assert (made.signs_id, made.proves.clock) == (True, True)
    for changed, body, now in (
        (headers | {"x-id": "8"}, b"{}", NOW),
        (headers, b"{} ", NOW),
        (headers, b"{}", NOW + timedelta(minutes=6)),
    ):
        with pytest.raises(Refused):
            made.verify(changed, body, key, now)


@pytest.mark.parametrize("form", ["pem", "spki"])
def test_d1_a_declared_ecdsa_scheme_proves_the_body(form):
    made = source(
        f"{{scheme: {{ecdsa: {form}, header: X-Sig}}, type: a, secrets: env:{form.upper()}}}"
    ).scheme
    headers = {"x-sig": base64.b64encode(P256.sign(b"{}", ECDSA(SHA256()))).decode()}
    key = [SECRETS[form.upper()].encode()]

    made.verify(headers, b"{}", key, NOW)
    for changed, body in ((headers, b"[]"), ({"x-sig": "AAAA"}, b"{}"), ({"x-sig": "é"}, b"{}")):
        with pytest.raises(Refused):
            made.verify(changed, body, key, NOW)


def test_d1_a_declared_token_is_compared_and_hidden():
    header = source("{scheme: {token: header, header: X-Key}, type: a, secrets: env:S}").scheme
    query = source("{scheme: {token: query, parameter: key}, type: a, secrets: env:S}").scheme

    header.verify({"x-key": "a secret"}, b"", [b"a secret"], NOW)
    query.verify({":query": "key=a%20secret"}, b"", [b"a secret"], NOW)
    assert header.private == {"x-key"}
    assert query.private == {":query"}
    with pytest.raises(Refused):
        header.verify({"x-key": "another"}, b"", [b"a secret"], NOW)


def test_d1_a_service_with_an_unsigned_source_starts_on_loopback_only():
    sources = found("x: {scheme: unsigned, type: a}").things

    check_listening(sources, "127.0.0.1")
    check_listening(sources, "::1")
    check_listening({}, "0.0.0.0")
    for host in ("0.0.0.0", "::", "10.0.0.1", "bell.example.com"):
        with pytest.raises(OperatorError, match="loopback"):
            check_listening(sources, host)


def test_the_recorded_vectors_say_who_vouches_for_them():
    vectors = Path(__file__).parents[1] / "oracles" / "vectors.json"

    for one in json.loads(vectors.read_text(encoding="utf-8")):
        assert PRESETS[one["scheme"]].by
        assert one["by"]
