"""A secret is known again however it is dressed, and ordinary words are no secret."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agent.text.disguised import disguised_in
from orchestrator.agent.text.redacting import Redaction
from tests.support.inject_attack import SECRET
from tests.support.inject_carrying import disguises

KNOWN = Redaction.of({SECRET: "env:SECRET"})
PROSE = (
    "It fails since the update of 2026-11-21: see https://example.com/acme/api/issues/7 and"
    " commit 3f786850e387550fdab836ed7e6dc881de23001b. Thank you, @ada!"
)
SIGNS = st.text(string.ascii_letters + string.digits + "-_+/", min_size=12, max_size=60)


@pytest.mark.parametrize(("name", "text"), list(disguises()))
def test_a7_a_secret_is_found_in_each_of_itsdisguises(name: str, text: str) -> None:
    assert disguised_in([f"{PROSE} {text} {PROSE}"], KNOWN) == "env:SECRET", name


def test_a7_a_secret_that_is_spread_over_several_texts_is_found() -> None:
    assert disguised_in([PROSE, SECRET[:7], SECRET[7:15], SECRET[15:]], KNOWN) == "env:SECRET"


def test_ordinary_words_are_no_secret() -> None:
    assert disguised_in([PROSE * 50], KNOWN) is None
    assert disguised_in([PROSE], Redaction()) is None


def test_a_secret_of_few_signs_is_not_looked_for_across_words() -> None:
    assert disguised_in(["a test, or drive"], Redaction.of({"testor": "env:SECRET"})) is None
    assert disguised_in(["hu nt er 22"], Redaction.of({"hunter22": "env:SECRET"})) == "env:SECRET"


@given(st.text(max_size=300))
def test_reading_any_text_ends(text: str) -> None:
    disguised_in([text], KNOWN)


@given(SIGNS, st.sampled_from([" ", "\n", "\u200b", ".", "**"]))
def test_a7_whatever_stands_between_its_signs_hides_no_secret(secret: str, between: str) -> None:
    known = Redaction.of({secret: "env:SECRET"})
    letters = [sign for sign in secret if sign.isalnum()]
    found = disguised_in([between.join(secret)], known)
    assert found == "env:SECRET" or len(letters) < 12
