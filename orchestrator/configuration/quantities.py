"""The words for amounts in our files (`5m`, `1MiB`, `300k`); it knows nothing of what they limit."""

import re
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from orchestrator.rules.limits import Cooldown, Rate

DURATION = re.compile(r"(\d{1,9})([smhd])")
SIZE = re.compile(r"(\d{1,9})(KiB|MiB|GiB|B)?")
COUNT = re.compile(r"(\d{1,9})([kM])?")
RATE = re.compile(r"(\d{1,9})/(\d{0,9})([smhd])")
MOST_COUNTED = 10_000
"""More than that in a window is no limit that anybody would want counted exactly."""

LONGEST_WINDOW = timedelta(days=400)

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
SIZES = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
COUNTS = {None: 1, "k": 1_000, "M": 1_000_000}


def duration(value: Any) -> timedelta:
    """`30s`, `5m`, `2h` or `14d`. Raises `ValueError`."""
    found = DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"expected a duration such as 30s, 5m, 2h or 14d, got {value!r}")
    try:
        return timedelta(**{UNITS[found[2]]: int(found[1])})
    except OverflowError:
        raise ValueError(f"expected a duration of at most a few years, got {value!r}") from None


def size(value: Any) -> int:
    """Bytes: `1MiB`, `512KiB` or a plain number. Raises `ValueError`."""
    found = SIZE.fullmatch(_text(value))
    if found is None or int(found[1]) == 0:
        raise ValueError(f"expected a size such as 512KiB or 1MiB, got {value!r}")
    return int(found[1]) * SIZES[found[2]]


def count(value: Any) -> int:
    """`25`, `300k` or `2M`. Raises `ValueError`."""
    found = COUNT.fullmatch(_text(value))
    if found is None:
        raise ValueError(f"expected a count such as 25 or 300k, got {value!r}")
    return int(found[1]) * COUNTS[found[2]]


def rate(value: Any) -> Rate:
    """`5/h`, `10/d` or `3/30m`: so many in any such span. Raises `ValueError`."""
    found = RATE.fullmatch(value) if isinstance(value, str) else None
    most = int(found[1]) if found else 0
    if found is None or not 1 <= most <= MOST_COUNTED:
        raise ValueError(
            f"expected a rate such as 5/h, 10/d or 3/30m, at most 10000, got {value!r}"
        )
    return Rate(most=most, window=window(f"{found[2] or 1}{found[3]}"), said=found[0])


def window(value: Any) -> timedelta:
    """A duration between a second and 400 days. Raises `ValueError`."""
    span = duration(value)
    if not timedelta(seconds=1) <= span <= LONGEST_WINDOW:
        raise ValueError(f"expected a duration between 1s and 400d, got {value!r}")
    return span


def cooldown(value: Any) -> Cooldown:
    """A window, with the words for it. Raises `ValueError`."""
    return Cooldown(window=window(value), said=value)


def positive(value: Any) -> int:
    """A count that isn't zero. Raises `ValueError`."""
    counted = count(value)
    if counted == 0:
        raise ValueError("expected at least 1, got 0")
    return counted


def dollars(value: Any) -> Decimal:
    """US dollars. Raises `ValueError`."""
    text = value if isinstance(value, str) else repr(value)
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if isinstance(value, bool) or not amount.is_finite() or amount < 0:
        raise ValueError(f"expected an amount in US dollars such as 0.50, got {value!r}")
    return amount


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def like(pattern: re.Pattern[str]) -> Any:
    """A text of this pattern, as the schemas for editors say it."""
    return Annotated[str, Field(pattern=f"^(?:{pattern.pattern})$")]


Amount = Annotated[int, Field(ge=0)]
Duration = Annotated[timedelta, BeforeValidator(duration, like(DURATION))]
Size = Annotated[int, BeforeValidator(size, Amount | like(SIZE))]
Count = Annotated[int, BeforeValidator(count, Amount | like(COUNT))]
Per = Annotated[Rate, BeforeValidator(rate, like(RATE))]
Cooling = Annotated[Cooldown, BeforeValidator(cooldown, like(DURATION))]
Positive = Annotated[int, BeforeValidator(positive, Annotated[int, Field(ge=1)] | like(COUNT))]
Dollars = Annotated[Decimal, BeforeValidator(dollars, Annotated[float, Field(ge=0)] | str)]
