"""Spent against Budget: says what may not be begun any more; it is told the time, and knows no price list."""

from dataclasses import dataclass, replace
from decimal import Decimal

from workflows.messages import Spent
from workflows.playbook import Budget

Limit = tuple[str, Decimal, Decimal]

NEARLY = Decimal("0.8")
"""From this share of any limit on, the agent is asked to finish (promise A3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """How long a conversation is open and how much of that it worked, in seconds since 1970.

    `idle` is what it waited or stood parked before; `rests` since when it does so now, None while it works.
    """

    begun: float = 0.0
    now: float = 0.0
    idle: float = 0.0
    rests: float | None = None

    @property
    def open(self) -> float:
        """Seconds since it began."""
        return self.now - self.begun

    @property
    def active(self) -> float:
        """Seconds in which it worked."""
        resting = 0.0 if self.rests is None else self.now - self.rests
        return self.open - self.idle - resting

    def at(self, now: float) -> "Clock":
        """The same clock now; one that never ran begins."""
        return replace(self, begun=self.begun or now, now=now)

    def resting(self, now: float) -> "Clock":
        """It stands still from now on, or since it did so first."""
        then = self.at(now)
        return then if then.rests is not None else replace(then, rests=now)

    def working(self, now: float) -> "Clock":
        """It works again."""
        then = self.at(now)
        idle = then.idle if then.rests is None else then.idle + now - then.rests
        return replace(then, idle=idle, rests=None)

    def waited(self, since: float, now: float, worked: float) -> "Clock":
        """Of the time since then it only worked for so long; while it stands still, none of it counts."""
        if self.rests is not None:
            return self
        then = self.at(now)
        return replace(then, idle=then.idle + max(now - since - worked, 0.0))


def overtime(budget: Budget, clock: Clock) -> str | None:
    """The time that is up, in words; None while there is some left."""
    for name, used, limit in _times(budget, clock):
        if used >= limit:
            return f"{name} time: {_minutes(used)} of {_minutes(limit)} used"
    return None


def left(budget: Budget, clock: Clock) -> float | None:
    """Seconds for which it may stay open yet; None for ever."""
    return None if budget.open is None else max(budget.open - clock.open, 0.0)


def exhausted(budget: Budget, spent: Spent, turns: int) -> str | None:
    """The limit that forbids another turn, in words; None when one more may begin."""
    for name, used, limit in _turn_limits(budget, spent, turns):
        if used >= limit:
            return f"{name} budget: {used} of {limit} used"
    return None


def nearly(
    budget: Budget, spent: Spent, turns: int, tool_calls: int, clock: Clock | None = None
) -> str | None:
    """The limit of which 80 % is used, in words."""
    limits = (*_turn_limits(budget, spent, turns), _calls(budget, tool_calls))
    for name, used, limit in limits:
        if used >= NEARLY * limit:
            return f"{used} of {limit} {name}"
    for name, seconds, most in _times(budget, clock or Clock()):
        if seconds >= float(NEARLY) * most:
            return f"{_minutes(seconds)} of {_minutes(most)} {name} time"
    return None


def _turn_limits(budget: Budget, spent: Spent, turns: int) -> tuple[Limit, ...]:
    return (
        ("usd", spent.usd, budget.usd),
        ("tokens", Decimal(spent.tokens), Decimal(budget.tokens)),
        ("turns", Decimal(turns), Decimal(budget.turns)),
    )


def _calls(budget: Budget, tool_calls: int) -> Limit:
    return ("tool_calls", Decimal(tool_calls), Decimal(budget.tool_calls))


def _times(budget: Budget, clock: Clock) -> list[tuple[str, float, float]]:
    limits = (("active", clock.active, budget.active), ("open", clock.open, budget.open))
    return [(name, used, limit) for name, used, limit in limits if limit is not None]


def _minutes(seconds: float) -> str:
    minute, hour = 60, 3600
    if seconds < 2 * minute:
        return f"{seconds:.0f} seconds"
    return (
        f"{seconds / minute:.0f} minutes" if seconds < 2 * hour else f"{seconds / hour:.1f} hours"
    )
