"""The bytes that GitHub signed are found again from what its API shows, and nothing but its signature decides."""

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.recovery.rebuild import candidates, compact, rebuilt
from orchestrator.signatures import github
from orchestrator.signatures.github import GithubScheme
from orchestrator.sources.payload import FORM
from tests.support.builders import NOW
from tests.support.github import DELIVERIES

SECRET = b"It's a Secret to Everybody"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
PAYLOADS = st.dictionaries(st.text(), JSON, max_size=6)
MARKUP = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})
WAYS = {
    "raw": lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False),
    "ascii": lambda value: json.dumps(value, separators=(",", ":")),
    "markup": lambda value: WAYS["raw"](value).translate(MARKUP),
    "both": lambda value: WAYS["ascii"](value).translate(MARKUP),
}
SHOWN = (None, 1, "\t")
"""How the API may lay its answer out."""


def found(signed, shown, *, form=False, secrets=(b"new", SECRET)):
    headers = {"content-type": FORM if form else "application/json", **github.sign(SECRET, signed)}
    return rebuilt(headers, shown, GithubScheme(), list(secrets), NOW)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("indent", SHOWN)
@given(payload=PAYLOADS, escaped=st.booleans())
def test_d1_whichever_way_it_was_written_and_is_shown_the_signed_bytes_come_back(
    way, indent, payload, escaped
):
    signed = WAYS[way](payload).encode()
    shown = json.dumps(payload, indent=indent, ensure_ascii=escaped).encode()

    assert found(signed, shown) == signed


@pytest.mark.parametrize(
    "quoted", [quote_plus, quote, lambda text: quote_plus(text, safe="*").replace("~", "%7E")]
)
@given(payload=PAYLOADS)
def test_d1_a_form_is_written_as_a_form(quoted, payload):
    text = WAYS["raw"](payload)
    signed = (
        b"payload=" + quoted(text, safe="").encode()
        if quoted is quote
        else f"payload={quoted(text)}".encode()
    )

    assert found(signed, json.dumps(payload).encode(), form=True) == signed


def test_numbers_and_the_order_and_repetition_of_names_stay_as_they_stand():
    signed = b'{"b":1.0,"a":1e400,"c":12345678901234567890123,"a":-0.0,"z":[ ]}'.replace(
        b"[ ]", b"[]"
    )
    shown = signed.replace(b",", b" ,\n ").replace(b":", b" : ")

    assert found(signed, shown) == signed


@pytest.mark.parametrize("path", sorted(DELIVERIES.glob("*.json")), ids=lambda path: path.stem)
def test_every_recorded_payload_survives_the_journey(path):
    payload = json.loads(path.read_text(encoding="utf-8"))
    signed = WAYS["raw"](payload).encode()

    assert found(signed, json.dumps(payload, indent=2).encode()) == signed


def test_d1_bytes_that_no_secret_of_ours_signed_are_not_found():
    assert found(b'{"a":1}', b'{"a":1}', secrets=(b"other",)) is None
    assert found(b'{"a":1}', b'{"a":2}') is None
    assert rebuilt({}, b'{"a":1}', GithubScheme(), [SECRET], NOW) is None


@given(st.binary(max_size=200))
def test_d7_whatever_is_shown_it_is_only_tried(shown):
    assert found(b"something else entirely", shown) is None


def test_no_way_is_tried_twice():
    tried = list(candidates(b'{"a": "plain"}', form=False))

    assert tried == [b'{"a":"plain"}', b'{"a": "plain"}']


def test_half_a_character_is_written_as_it_is_shown_where_it_cannot_be_written_as_itself():
    shown = b'{"a": "\\ud83d"}'

    assert found(b'{"a":"\\ud83d"}', shown) == b'{"a":"\\ud83d"}'
    with pytest.raises(ValueError, match="surrogate"):
        compact(shown)


@given(PAYLOADS)
def test_compact_says_the_same_in_fewer_bytes(payload):
    assert compact(json.dumps(payload, indent=2).encode()) == WAYS["raw"](payload).encode()
