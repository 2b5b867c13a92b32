"""A time zone whose day neither begins nor ends while tests run, for those that spend the caps of one day."""

from datetime import UTC, datetime
from typing import Final


def unhurried(now: datetime) -> str:
    """A zone where it is between 6 and 18 o'clock at this moment of UTC."""
    return "UTC" if 6 <= now.hour < 18 else "Etc/GMT+12"


ZONE: Final = unhurried(datetime.now(UTC))
"""Asked once: whoever writes it down and whoever looks for it mean the same."""
