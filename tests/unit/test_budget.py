"""A3: what is used up forbids the next turn; from 80 % on the agent is asked to finish."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import spent
from workflows.budget import exhausted, nearly
from workflows.playbook import Budget

BUDGET = Budget(usd=Decimal("0.50"), tokens=1000, turns=10, tool_calls=5)


@pytest.mark.parametrize(
    ("used", "turns", "said"),
    [
        (spent(), 0, None),
        (spent("0.4999", 999), 9, None),
        (spent("0.50"), 0, "usd budget: 0.50 of 0.50 used"),
        (spent("0.51"), 0, "usd budget: 0.51 of 0.50 used"),
        (spent(tokens=1000), 0, "tokens budget: 1000 of 1000 used"),
        (spent(), 10, "turns budget: 10 of 10 used"),
        (spent("9", 9000), 90, "usd budget: 9 of 0.50 used"),
    ],
)
def test_a3_a_limit_that_is_reached_is_named(used, turns, said):
    assert exhausted(BUDGET, used, turns) == said


@pytest.mark.parametrize(
    ("used", "turns", "tool_calls", "said"),
    [
        (spent(), 0, 0, None),
        (spent("0.39", 799), 7, 3, None),
        (spent("0.40"), 0, 0, "0.40 of 0.50 usd"),
        (spent(tokens=800), 0, 0, "800 of 1000 tokens"),
        (spent(), 8, 0, "8 of 10 turns"),
        (spent(), 0, 4, "4 of 5 tool_calls"),
    ],
)
def test_a3_four_fifths_of_any_limit_are_named(used, turns, tool_calls, said):
    assert nearly(BUDGET, used, turns, tool_calls) == said


AMOUNTS = st.integers(0, 2000)


@given(st.decimals(0, 1, places=4), AMOUNTS, st.integers(0, 20))
def test_a3_whatever_is_exhausted_was_nearly_exhausted_before(usd, tokens, turns):
    used = spent(str(usd), tokens)

    if exhausted(BUDGET, used, turns) is not None:
        assert nearly(BUDGET, used, turns, 0) is not None
