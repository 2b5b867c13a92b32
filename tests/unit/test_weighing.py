"""R5: what a turn may cost is guessed on the high side, but a picture isn't taken for a book."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agent.conversation.weighing import (
    MOST_OF_AN_IMAGE,
    OF_A_PAGE,
    Weight,
    tokens,
    weight,
)
from tests.support.drawn import ALL, PNG, attached, png

SIXTEEN = b"%PDF-1.4\n" + b"<< /Type /Pages >> " + b"<< /Type /Page /Parent 1 >>\n" * 16
HIDDEN = zlib.compress(b"<</Type/Page/Parent 1>> <</Type/Pages>>" * 3)
PACKED = b"%PDF-1.7\n1 0 obj <</Type/ObjStm/N 3>>\nstream\n" + HIDDEN + b"\nendstream"


@pytest.mark.parametrize("raw", ALL)
def test_an_image_is_weighed_by_its_pixels(raw):
    found = tokens(attached(raw))

    assert 46 * 29 < found < 46 * 29 + 60


def test_r5_a_megabyte_of_screenshot_is_not_taken_for_a_book():
    block = attached(PNG + b"\0" * 1_000_000)

    assert tokens(block) == tokens(attached(PNG))
    assert weight(block).size > 1_300_000
    assert weight([block, block]).attached == 2


@pytest.mark.parametrize(
    "raw", [b"", b"\x89PNG", b"\xff\xd8\xff", b"\xff\xd8\0", b"RIFF0000WEBPVP9 ", b"what"]
)
def test_r5_an_image_that_can_not_be_read_weighs_as_much_as_any(raw):
    assert tokens(attached(raw)) >= MOST_OF_AN_IMAGE


def test_r5_a_huge_image_weighs_no_more_than_the_largest_that_is_looked_at():
    assert tokens(attached(png(9**9, 9**9))) < MOST_OF_AN_IMAGE + 60


@pytest.mark.parametrize(
    ("raw", "pages"), [(SIXTEEN, 16), (PACKED, 3), (b"%PDF-1.7" + b"x" * 39_000, 2), (b"", 1)]
)
def test_a_pdf_is_weighed_by_its_pages(raw, pages):
    found = tokens(attached(raw, "application/pdf"))

    assert pages * OF_A_PAGE < found < pages * OF_A_PAGE + 60


def test_r5_a_pdf_that_unpacks_without_end_is_looked_at_for_a_moment_only():
    bomb = b"<</Type/ObjStm>>\nstream\n" + zlib.compress(b"/Type/Page " * 1_000_000)

    assert tokens(attached(bomb, "application/pdf")) < 200_000 * OF_A_PAGE


@given(st.binary(max_size=200), st.sampled_from(["image/png", "image/jpeg", "application/pdf"]))
def test_whatever_is_attached_has_a_weight(raw, media_type):
    for head in (b"", b"\x89PNG", b"\xff\xd8\xff\xe1", b"GIF89a", b"RIFF0000WEBPVP8X", b"%PDF-"):
        assert tokens(attached(head + raw, media_type)) > 0


@given(st.text(), st.text())
def test_weights_add_up_on_the_high_side(one, other):
    both = weight(one) + weight(other)

    assert both.tokens >= weight(one + other).tokens - 1
    assert Weight() + both == both


def test_r5_text_of_many_bytes_is_not_thought_cheap():
    """A model takes about one token for a Chinese sign, and two for many an emoji."""
    assert tokens("漢字" * 1000) > 1800
    assert tokens("🔔" * 1000) > 1200
    assert tokens("\ud800") > 0


def test_more_text_is_more_tokens():
    assert tokens("a" * 3200) in range(1000, 1010)
    assert tokens() == 0
