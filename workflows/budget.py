"""Spent against Budget: says what may not be begun any more; it knows no clock and no price list."""

from decimal import Decimal

from workflows.messages import Spent
from workflows.playbook import Budget

Limit = tuple[str, Decimal, Decimal]

NEARLY = Decimal("0.8")
"""From this share of any limit on, the agent is asked to finish (promise A3)."""


def exhausted(budget: Budget, spent: Spent, turns: int) -> str | None:
    """The limit that forbids another turn, in words; None when one more may begin."""
    for name, used, limit in _turn_limits(budget, spent, turns):
        if used >= limit:
            return f"{name} budget: {used} of {limit} used"
    return None


def nearly(budget: Budget, spent: Spent, turns: int, tool_calls: int) -> str | None:
    """The limit of which 80 % is used, in words."""
    limits = (*_turn_limits(budget, spent, turns), _calls(budget, tool_calls))
    for name, used, limit in limits:
        if used >= NEARLY * limit:
            return f"{used} of {limit} {name}"
    return None


def _turn_limits(budget: Budget, spent: Spent, turns: int) -> tuple[Limit, ...]:
    return (
        ("usd", spent.usd, budget.usd),
        ("tokens", Decimal(spent.tokens), Decimal(budget.tokens)),
        ("turns", Decimal(turns), Decimal(budget.turns)),
    )


def _calls(budget: Budget, tool_calls: int) -> Limit:
    return ("tool_calls", Decimal(tool_calls), Decimal(budget.tool_calls))
