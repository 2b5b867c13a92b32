"""What may be spent in a day, and what a model costs, as the files say it; it knows no file, ledger or clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from workflows.playbook import OverBudget

UTC = "UTC"
MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """At most so much in a day; None asks nothing, 0 allows nothing."""

    usd: Decimal | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The money keys of a rule's `limits:`; `actor_day` is for what one actor's events cost under this rule."""

    day: Cap = Cap()
    actor_day: Cap = Cap()
    over: OverBudget = OverBudget.PARK


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model costs where no price list knows it, in USD per million tokens; cached ones cost like others."""

    input: Decimal
    output: Decimal

    def of(self, input_tokens: int, output_tokens: int) -> Decimal:
        """The price of so many tokens, in USD."""
        return (self.input * input_tokens + self.output * output_tokens) / MILLION


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """`limits.yaml`: caps on everything together, the zone whose midnight ends a day, declared prices.

    `broken` means that the file has a mistake: what nobody can read might be a cap, so nothing may be spent.
    """

    day: Cap = Cap()
    actor_day: Cap = Cap()
    zone: str = UTC
    prices: Mapping[str, Price] = field(default_factory=dict)
    broken: bool = False
