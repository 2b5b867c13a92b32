"""What a turn costs: exact, cached tokens cheaper, and None where nobody knows."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agent.prices import charged, estimated
from tests.support.builders import MODEL


def usage(**changes):
    return {"input_tokens": 0, "output_tokens": 0} | changes


def test_every_token_has_its_price_and_writing_is_dearer_than_reading():
    reading, writing = estimated(MODEL, 1_000, 0), estimated(MODEL, 0, 1_000)

    assert 0 < reading < writing
    assert estimated(MODEL, 3_000, 2_000) == 3 * reading + 2 * writing


def test_r5_an_estimate_takes_all_that_is_read_to_be_written_to_the_cache():
    stored = usage(cache_creation_input_tokens=3_000, output_tokens=2_000)

    assert estimated(MODEL, 3_000, 2_000) == charged(MODEL, stored)
    assert estimated(MODEL, 3_000, 2_000) > charged(
        MODEL, usage(input_tokens=3_000, output_tokens=2_000)
    )


def test_r5_what_is_kept_for_an_hour_is_estimated_dearer():
    short, long = estimated(MODEL, 3_000, 10), estimated(MODEL, 3_000, 10, kept_long=2_000)

    assert long - short == estimated(MODEL, 2_000, 0)


TOKENS = st.integers(0, 100_000)


@given(TOKENS, TOKENS, TOKENS, TOKENS, TOKENS)
def test_r5_no_turn_costs_more_than_its_estimate(plain, read, five_minutes, hour, said):
    """Whatever the provider reads from its cache and writes there: for an hour only what we asked it to."""
    kept = {"ephemeral_5m_input_tokens": five_minutes, "ephemeral_1h_input_tokens": hour}
    used = usage(
        input_tokens=plain,
        cache_read_input_tokens=read,
        cache_creation_input_tokens=five_minutes + hour,
        cache_creation=kept,
        output_tokens=said,
    )

    most = estimated(MODEL, plain + read + five_minutes + hour, said, kept_long=hour)
    assert charged(MODEL, used) <= most


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
