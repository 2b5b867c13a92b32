"""What a turn costs, as declared or by the list that ships with genai-prices; an unknown price is None, never 0.

The same list says how long a conversation a model takes.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from genai_prices import Usage, calc_price, extract_usage

from orchestrator.rules.caps import Price

PROVIDER = "anthropic"


def charged(model: str, usage: Mapping[str, Any], declared: Price | None = None) -> Decimal | None:
    """The price in USD of a reply's usage, in the Messages API's own shape."""
    try:
        if declared is not None:
            return declared.of(*counted(usage))
        extracted = extract_usage({"model": model, "usage": dict(usage)}, provider_id=PROVIDER)
        return extracted.calc_price().total_price
    except (LookupError, ValueError):
        # ValueError: a usage that can't be read. The reply was paid all the same, and must be kept.
        return None


def counted(usage: Mapping[str, Any]) -> tuple[int, int]:
    """All input tokens of a usage, cached ones included, and its output tokens."""
    parts = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return sum(int(usage.get(part) or 0) for part in parts), int(usage.get("output_tokens") or 0)


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
