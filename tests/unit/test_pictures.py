"""How large a picture is by its bytes, and which of them a whole request would be refused for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agent import pictures
from tests.support.drawn import ALL, PNG, png


@pytest.mark.parametrize("raw", ALL)
def test_every_kind_says_how_large_it_is(raw):
    assert pictures.sides(raw) == (1280, 800)
    assert pictures.unfit(raw) == ""


@pytest.mark.parametrize(
    "raw", [b"", b"what", PNG[:20], png(0, 9), b"\xff\xd8\xff", b"RIFF0000WEBPVP9 "]
)
def test_one_without_a_size_is_unfit(raw):
    assert pictures.sides(raw) is None
    assert "can't be read" in pictures.unfit(raw)


def test_one_side_is_enough_to_be_too_large():
    assert pictures.unfit(png(8000, 8000)) == ""
    assert pictures.unfit(png(1, 8001)) == "1x8001 pixels, more than 8000 a side"
    assert pictures.unfit(png(2001, 1), 2000) == "2001x1 pixels, more than 2000 a side"


@given(st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff", *ALL]), st.binary(max_size=60))
def test_whatever_comes_has_sides_or_none(head, raw):
    found = pictures.sides(head[:12] + raw)

    assert found is None or min(found) > 0
