"""What a turn costs: exact, cached tokens cheaper, and None where nobody knows."""

from decimal import Decimal

import pytest

from orchestrator.agent.prices import charged, estimated
from tests.support.builders import MODEL


def usage(**changes):
    return {"input_tokens": 0, "output_tokens": 0} | changes


def test_every_token_has_its_price_and_writing_is_dearer_than_reading():
    reading, writing = estimated(MODEL, 1_000, 0), estimated(MODEL, 0, 1_000)

    assert 0 < reading < writing
    assert estimated(MODEL, 3_000, 2_000) == 3 * reading + 2 * writing
    assert charged(MODEL, usage(input_tokens=3_000, output_tokens=2_000)) == estimated(
        MODEL, 3_000, 2_000
    )


def test_money_is_exact():
    assert isinstance(charged(MODEL, usage(input_tokens=1)), Decimal)
    assert charged(MODEL, usage(input_tokens=1)) * 10**6 == charged(
        MODEL, usage(input_tokens=10**6)
    )


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
