"""What a turn costs, as declared or by the list that ships with genai-prices; an unknown price is None, never 0.

The same list says how long a conversation a model takes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from genai_prices import Usage, calc_price, extract_usage

from orchestrator.ledger.turns import Charge
from orchestrator.rules.caps import Price

PROVIDER = "anthropic"

MOST: Final = 10**9
"""Tokens that no reply uses: a count beyond them is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a reply used, in tokens: all that were read, those of them that were cached, and those it said."""

    read: int
    cached: int
    said: int


def charged(model: str, usage: Mapping[str, Any], declared: Price | None = None) -> Decimal | None:
    """The price in USD of a reply's usage, in the Messages API's own shape."""
    used = counted(usage)
    if used is None:
        return None
    if declared is not None:
        return declared.of(used.read, used.said)
    try:
        extracted = extract_usage({"model": model, "usage": dict(usage)}, provider_id=PROVIDER)
        return extracted.calc_price().total_price
    except (LookupError, ValueError):
        # ValueError: a usage that can't be read. The reply was paid all the same, and must be kept.
        return None


def charge(model: str, usage: Mapping[str, Any], declared: Price | None) -> Charge | None:
    """What a ledger writes down of a reply's usage; None where that doesn't say it in numbers."""
    used = counted(usage)
    if used is None:
        return None
    return Charge(
        usd=charged(model, usage, declared),
        input_tokens=used.read,
        output_tokens=used.said,
        cached_tokens=used.cached,
    )


def is_known(model: str) -> bool:
    """Whether the list has its price."""
    return estimated(model, 1, 1) is not None


def counted(usage: Mapping[str, Any]) -> Used | None:
    """What a usage says in numbers; None where it doesn't, for then nobody knows what its reply cost."""
    read, said = _tokens(usage.get("input_tokens")), _tokens(usage.get("output_tokens"))
    # Both may be missing: nothing was cached then.
    kept = _tokens(usage.get("cache_creation_input_tokens") or 0)
    cached = _tokens(usage.get("cache_read_input_tokens") or 0)
    if read is None or said is None or kept is None or cached is None:
        return None
    return Used(read=read + kept + cached, cached=cached, said=said)


def _tokens(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST
    return value if is_count else None


def window(model: str) -> int | None:
    """Tokens that a conversation with the model may have, by the same list; None where that doesn't say."""
    try:
        return calc_price(Usage(), model_ref=model, provider_id=PROVIDER).model.context_window
    except LookupError:
        return None


def estimated(
    model: str,
    input_tokens: int,
    output_tokens: int,
    *,
    kept_long: int = 0,
    declared: Price | None = None,
) -> Decimal | None:
    """The most a turn may cost: nothing read from the cache, all of it written there, every allowed token said.

    `kept_long` of the input tokens are written for an hour, at twice the price of reading them.
    """
    if declared is not None:
        return declared.of(input_tokens, output_tokens)
    counted_twice = input_tokens + kept_long
    usage = Usage(
        input_tokens=counted_twice, cache_write_tokens=counted_twice, output_tokens=output_tokens
    )
    try:
        return calc_price(usage, model_ref=model, provider_id=PROVIDER).total_price
    except LookupError:
        return None
