"""Whatever is encoded, once or several times, is among what a text is decoded to; and it ends."""

import base64
import gzip
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agent.text.decoding import DEEPEST, MOST, decoded

Way = Callable[[str], str]
WAYS: dict[str, Way] = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "hex": lambda text: text.encode().hex(),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "gzip": lambda text: base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode(),
}
WORDS = "the blue door, number 7, opens at nine"


@given(st.lists(st.sampled_from([*WAYS]), min_size=1, max_size=DEEPEST))
def test_a7_what_was_encoded_again_and_again_is_found(ways: list[str]) -> None:
    text = WORDS
    for way in ways:
        text = WAYS[way](text)

    assert any(WORDS in one for one in decoded(f"see: {text} !")), ways


@pytest.mark.parametrize("again", [1, 2, 3])
def test_a7_percent_signs_of_percent_signs_are_found(again: int) -> None:
    text = "".join(f"%{sign:02X}" for sign in WORDS.encode())
    for _ in range(again - 1):
        text = quote(text)

    assert any(WORDS in one for one in decoded(text))


def test_ordinary_words_are_all_there_is_of_ordinary_words() -> None:
    text = "It fails since the update, please have a look."

    assert [*decoded(text)] == [text]


@given(st.text(max_size=400) | st.binary(max_size=400).map(lambda raw: raw.hex()))
def test_decoding_anything_ends_and_is_bounded(text: str) -> None:
    made = [*decoded(text)]

    assert made[0] == text
    assert sum(map(len, made)) <= 8 * len(text) + MOST


def test_a_bomb_is_not_let_grow() -> None:
    bomb = base64.b64encode(gzip.compress(b"A" * 10_000_000)).decode()

    assert sum(map(len, decoded(bomb))) <= len(bomb) * 8 + MOST
