"""What a turn costs: exact, cached tokens cheaper, and None where nobody knows."""

from decimal import Decimal

import pytest

from orchestrator.agent.prices import charged, estimated
from tests.support.builders import MODEL


def usage(**changes):
    return {"input_tokens": 0, "output_tokens": 0} | changes


def test_reading_and_writing_have_their_price():
    assert charged(MODEL, usage(input_tokens=1_000_000)) == Decimal(3)
    assert charged(MODEL, usage(output_tokens=1_000_000)) == Decimal(15)
    assert estimated(MODEL, 100_000, 10_000) == Decimal("0.45")


def test_what_comes_from_the_cache_is_cheaper_and_what_goes_there_is_dearer():
    plain = charged(MODEL, usage(input_tokens=100_000))

    assert charged(MODEL, usage(cache_read_input_tokens=100_000)) < plain / 5
    assert charged(MODEL, usage(cache_creation_input_tokens=100_000)) > plain


def test_the_estimate_is_never_under_the_price_of_what_was_estimated():
    used = usage(input_tokens=4_000, cache_read_input_tokens=6_000, output_tokens=500)

    assert charged(MODEL, used) < estimated(MODEL, 10_000, 1_000)


def test_nothing_costs_nothing():
    assert charged(MODEL, usage()) == 0


def test_null_counts_are_none():
    assert charged(MODEL, usage(cache_read_input_tokens=None)) == 0


def test_an_unknown_model_has_no_price():
    assert charged("nobody-knows", usage(input_tokens=5)) is None
    assert estimated("nobody-knows", 5, 5) is None


@pytest.mark.parametrize("odd", [{}, {"input_tokens": "many"}, {"tokens": 5}])
def test_a_usage_that_can_not_be_read_has_no_price(odd):
    assert charged(MODEL, odd) is None
