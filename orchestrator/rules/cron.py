"""Five fields of cron and the moments they name in a time zone; pure: it knows no clock and no Temporal.

    Cron.parse("0 7 * * 1-5").after(moment, "Europe/Berlin")

The grammar is the part of cron that Temporal and every crontab read alike; what they read differently is refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

YEARS: Final = 9
"""Every date that is there at all comes again within so many years: the 29th of February may skip one leap year."""

MONTHS: Final = (
    *("JAN", "FEB", "MAR", "APR", "MAY", "JUN"),
    *("JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)
DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
ITEM: Final = re.compile(r"(\*|[0-9A-Za-z]+)(?:-([0-9A-Za-z]+))?(?:/([0-9]{1,4}))?")
NUMBER: Final = re.compile(r"[0-9]{1,4}")
ANY: Final = "*"
LONGEST: Final = 200
EXPECTED: Final = 'such as "0 7 * * 1-5" (minute hour day month weekday)'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """One of the five: its name, what it may say, and the words that stand for numbers from `least` on."""

    name: str
    least: int
    most: int
    words: tuple[str, ...] = ()


FIELDS: Final = (
    _Field(name="minute", least=0, most=59),
    _Field(name="hour", least=0, most=23),
    _Field(name="day", least=1, most=31),
    _Field(name="month", least=1, most=12, words=MONTHS),
    _Field(name="weekday", least=0, most=7, words=DAYS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """When something is due, each field as the sorted numbers that fit; Sunday is 0."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> "Cron":
        """The cron of a text. Raises `ValueError` in words that name the field."""
        fields = text.split()
        if len(fields) != len(FIELDS) or len(text) > LONGEST:
            raise ValueError(f"expected five fields, {EXPECTED}, got {text[:LONGEST]!r}")
        minutes, hours, days, months, weekdays = (
            _numbers(said, known) for said, known in zip(fields, FIELDS, strict=True)
        )
        _alike(fields)
        cron = cls(
            text=" ".join(fields),
            minutes=minutes,
            hours=hours,
            days=days,
            months=months,
            weekdays=tuple(sorted({day % 7 for day in weekdays})),
        )
        if not any(day <= _longest(month) for month in months for day in days):
            raise ValueError(f"{text!r} never comes: no month it names has such a day")
        return cron

    def after(self, moment: datetime, zone: str) -> Iterator[datetime]:
        """The moments it names after that one, in UTC, in order.

        A time of day that a zone skips in spring isn't there. One that it repeats in autumn is named once, the first
        time; around that hour Temporal, which rings, may choose the second time, or both.
        """
        place = ZoneInfo(zone)
        for day in _dates(moment.astimezone(place).date(), 1):
            if self._on(day):
                yield from (due for due in self._in(day, place) if due > moment)

    def before(self, moment: datetime, zone: str) -> Iterator[datetime]:
        """The moments it names before that one, in UTC, the last one first."""
        place = ZoneInfo(zone)
        for day in _dates(moment.astimezone(place).date(), -1):
            if self._on(day):
                yield from (due for due in [*self._in(day, place)][::-1] if due < moment)

    def _on(self, day: date) -> bool:
        return (
            day.month in self.months
            and day.day in self.days
            and day.isoweekday() % 7 in self.weekdays
        )

    def _in(self, day: date, place: ZoneInfo) -> Iterator[datetime]:
        for hour in self.hours:
            for minute in self.minutes:
                local = datetime.combine(day, time(hour, minute), place)
                due = local.astimezone(UTC)
                if due.astimezone(place).replace(tzinfo=None) == local.replace(tzinfo=None):
                    yield due


def _dates(first: date, step: int) -> Iterator[date]:
    return (first + timedelta(days=step * number) for number in range(366 * YEARS))


def _numbers(said: str, known: _Field) -> tuple[int, ...]:
    found = {number for item in said.split(",") for number in _item(item, said, known)}
    return tuple(sorted(found))


def _item(item: str, said: str, known: _Field) -> range:
    parts = ITEM.fullmatch(item)
    if parts is None or (parts[1] == ANY and parts[2]):
        raise _wrong(said, known, "expected numbers, a-b, */n or a list of them")
    begins = known.least if parts[1] == ANY else _value(parts[1], said, known)
    ends = begins if parts[1] != ANY and parts[3] is None else known.most
    if parts[2]:
        ends = _value(parts[2], said, known)
    step = int(parts[3] or 1)
    if ends < begins:
        raise _wrong(said, known, f"a range begins with its smaller end: write {_split(parts)}")
    if not 1 <= step <= known.most:
        raise _wrong(said, known, f"expected a step of 1 to {known.most}")
    return range(begins, ends + 1, step)


def _split(parts: re.Match[str]) -> str:
    return f"it as two, {parts[1]}-… and …-{parts[2]}"


def _value(word: str, said: str, known: _Field) -> int:
    if NUMBER.fullmatch(word):
        value = int(word)
    elif word.upper() in known.words:
        value = known.words.index(word.upper()) + (known.least if known.words is MONTHS else 0)
    else:
        value = -1
    if not known.least <= value <= known.most:
        named = f" or {known.words[0]}-{known.words[-1]}" if known.words else ""
        raise _wrong(said, known, f"expected {known.least} to {known.most}{named}")
    return value


def _wrong(said: str, known: _Field, why: str) -> ValueError:
    number = FIELDS.index(known) + 1
    return ValueError(f"field {number}, the {known.name}: {why}, got {said!r}")


def _alike(fields: list[str]) -> None:
    """Whether day and weekday can be read in one way only."""
    if ANY not in {fields[2], fields[4]}:
        raise ValueError(
            f"day {fields[2]!r} and weekday {fields[4]!r} both narrow the day: crontabs take either, Temporal both; "
            "leave one of them `*`"
        )


def _longest(month: int) -> int:
    return {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}.get(month, 31)
