"""What a turn costs, from the price list that ships with genai-prices; an unknown price is None, never zero."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from genai_prices import Usage, calc_price, extract_usage

PROVIDER = "anthropic"


def charged(model: str, usage: Mapping[str, Any]) -> Decimal | None:
    """The price in USD of a reply's usage, in the Messages API's own shape."""
    try:
        extracted = extract_usage({"model": model, "usage": dict(usage)}, provider_id=PROVIDER)
        return extracted.calc_price().total_price
    except (LookupError, ValueError):
        # ValueError: a usage that can't be read. The reply was paid all the same, and must be kept.
        return None


def estimated(
    model: str, input_tokens: int, output_tokens: int, *, kept_long: int = 0
) -> Decimal | None:
    """The most a turn may cost: nothing read from the cache, all of it written there, every allowed token said.

    `kept_long` of the input tokens are written for an hour, at twice the price of reading them.
    """
    counted = input_tokens + kept_long
    usage = Usage(input_tokens=counted, cache_write_tokens=counted, output_tokens=output_tokens)
    try:
        return calc_price(usage, model_ref=model, provider_id=PROVIDER).total_price
    except LookupError:
        return None
