"""A7: a known secret is found in every form it travels in, and nothing else is taken out."""

import base64
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agent.text.redacting import NOTHING, Redaction, secrets_in
from orchestrator.secrets import Secret

VALUE = "hunter22!/x~é"
SHOWN = "[secret env:TOKEN]"
KNOWN = Redaction.of({VALUE: "env:TOKEN"})

FORMS = {
    "as it is": VALUE,
    "in JSON": json.dumps(VALUE)[1:-1],
    "in JSON that escapes slashes": json.dumps(VALUE)[1:-1].replace("/", "\\/"),
    "in JSON within JSON": json.dumps(json.dumps(VALUE))[3:-3],
    "in a URL": quote(VALUE, safe=""),
    "in a URL, in lower case": quote(VALUE, safe="").lower(),
    "in a path": quote(VALUE),
    "in hexadecimal": VALUE.encode().hex(),
    "in capital hexadecimal": VALUE.encode().hex().upper(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a7_a_secret_is_found_in_every_form(form: str) -> None:
    assert KNOWN.text(f"it is {form}, they say") == f"it is {SHOWN}, they say"
    assert KNOWN.found_in(f"?q={form}&x") == "env:TOKEN"


@given(st.binary(max_size=9), st.binary(max_size=9), st.booleans())
def test_a7_a_secret_is_found_in_base64_whatever_stands_around_it(
    before: bytes, after: bytes, urlsafe: bool
) -> None:
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    encoded = encode(before + VALUE.encode() + after).decode()

    assert SHOWN in KNOWN.text(encoded)
    assert KNOWN.found_in(encoded) == "env:TOKEN"


@given(st.text(), st.text())
def test_a7_nothing_of_a_text_is_left_that_carries_a_secret(before: str, after: str) -> None:
    told = KNOWN.text(before + VALUE + after)

    assert VALUE not in told
    assert KNOWN.text(told) == told


@given(st.recursive(st.text(alphabet="abc{}[]:, "), st.lists))
def test_a_value_without_a_secret_stays_as_it_is(value: Any) -> None:
    assert KNOWN.tree(value) == value
    assert NOTHING.tree(value) == value


def test_a7_names_and_values_in_json_are_redacted_and_numbers_kept() -> None:
    value = {"a": [f"token={VALUE}"], VALUE: 7, "b": None}

    assert KNOWN.tree(value) == {"a": [f"token={SHOWN}"], SHOWN: 7, "b": None}


def test_a7_the_longest_of_two_secrets_is_replaced_whole() -> None:
    known = Redaction.of({"hunter22": "env:SHORT", "hunter22-and-more": "env:LONG"})

    assert known.text("hunter22-and-more, hunter22") == "[secret env:LONG], [secret env:SHORT]"


def test_a7_each_line_of_a_private_key_is_a_secret() -> None:
    line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"
    key = f"-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----"
    known = Redaction.of({key: "file:key.pem"})

    assert known.text(f"> {line}") == "> [secret file:key.pem]"
    assert known.text(key) == "[secret file:key.pem]"
    assert known.text("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("header", "alone"),
    [
        ("Bearer hunter22", "hunter22"),
        ("bearer  hunter22", "hunter22"),
        ("Token hunter22", "hunter22"),
        ("Basic YW5uOmh1bnRlcjIy", "YW5uOmh1bnRlcjIy"),
        ("Basic YW5uOmh1bnRlcjIy", "hunter22"),
        ("Basic c2tfbGl2ZV8xOg==", "sk_live_1"),
        ("Basic not-base64!é", "not-base64!é"),
    ],
)
def test_a7_what_a_header_says_behind_its_scheme_is_a_secret_too(header: str, alone: str) -> None:
    known = Redaction.of({header: "env:T"})

    assert known.text(f"{header}; {alone}") == "[secret env:T]; [secret env:T]"


def test_who_a_password_is_of_and_what_is_too_short_is_no_secret() -> None:
    known = Redaction.of({"Basic YW5uYWJlbGxlOm5vbmU=": "env:T", "Bearer tok": "env:U"})

    assert known.text("annabelle has none, and a tok") == "annabelle has none, and a tok"


def test_the_place_of_a_secret_counts_as_one() -> None:
    assert NOTHING.found_in("see [secret env:TOKEN] here") == "env:TOKEN"
    assert NOTHING.found_in("a [secret place] in the wood") is None


def test_what_a_model_says_is_redacted_and_its_signed_thinking_is_not_touched() -> None:
    thinking = {"type": "thinking", "thinking": VALUE, "signature": "s"}
    spoken = {"type": "text", "text": VALUE}
    used = {"type": "tool_use", "id": "1", "name": "x", "input": {"body": VALUE}}

    told = KNOWN.reply([thinking, spoken, used])

    assert told == [
        thinking,
        {"type": "text", "text": SHOWN},
        {**used, "input": {"body": SHOWN}},
    ]


@dataclass(frozen=True)
class Place:
    """Anything that holds secrets somewhere within."""

    things: Any


def test_secrets_are_found_however_deep_they_stand() -> None:
    one, other = Secret("env:ONE", "1111-one"), Secret("file:two", "2222-two")
    place = Place({"a": [Place((one,))], "b": Place(other), "c": "1", "d": Place})

    assert secrets_in(place) == {"1111-one": "env:ONE", "2222-two": "file:two"}


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("env:TOKEN", "short"),
        ("env:GITHUB_HOST", "github.example.com"),
        ("env:WHERE", "https://github.example.com/api/v3"),
        ("env:DATA", "/srv/data"),
        ("env:PORT", "80801234"),
        ("env:COLOUR", "turquoise"),
    ],
)
def test_what_is_plainly_no_secret_is_not_looked_for(reference: str, value: str) -> None:
    assert secrets_in(Place(Secret(reference, value))) == {}


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("env:DB_PASSWORD", "turquoise"),
        ("env:WHERE", "https://ann:hunter22@example.com"),
        ("file:/run/secrets/x", "turquoise"),
        ("env:THING", "hunter22"),
    ],
)
def test_a_password_is_looked_for_however_plain_it_is(reference: str, value: str) -> None:
    assert secrets_in(Place(Secret(reference, value))) == {value: reference}
