"""`schedule:` of a rule: the keys, what they mean, and how they fit `on: schedule`; it knows no clock."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator

from orchestrator.configuration.document import Place
from orchestrator.configuration.keys import Shape
from orchestrator.errors import Flaw
from orchestrator.rules import days
from orchestrator.rules.caps import UTC
from orchestrator.rules.cron import EXPECTED, Cron
from orchestrator.rules.schedule import Schedule
from orchestrator.sources.schedule import ticks_of
from orchestrator.sources.source import SCHEDULE


def _zone(value: Any) -> str:
    if not isinstance(value, str) or not days.known(value):
        raise ValueError(f"expected a time zone such as Europe/Berlin or UTC, got {value!r}")
    return value


def _cron(value: Any) -> Cron:
    if not isinstance(value, str):
        raise ValueError(f"expected five fields in quotes, {EXPECTED}, got {value!r}")  # noqa: TRY004 - pydantic's word
    return Cron.parse(value)


Zone = Annotated[str, BeforeValidator(_zone)]


class ScheduleShape(Shape):
    """When the clock rings for a rule that is `on: schedule`."""

    cron: Annotated[Cron, BeforeValidator(_cron, str)]
    zone: Zone = UTC


def schedule_of(shape: ScheduleShape | None) -> Schedule | None:
    """The schedule, if the rule has one."""
    return None if shape is None else Schedule(cron=shape.cron, zone=shape.zone)


def rung_by(on: Sequence[str], rule_id: str) -> tuple[str, ...]:
    """What a rule is `on`, where the word `schedule` means its own ticks and nobody else's."""
    return tuple(ticks_of(rule_id) if pattern == SCHEDULE else pattern for pattern in on)


def schedule_flaws(on: Sequence[str], schedule: ScheduleShape | None, at: Place) -> Iterator[Flaw]:
    """Where one of `on: schedule` and `schedule:` stands without the other, or asks for another rule's ticks."""
    if schedule is None and SCHEDULE in on:
        said = 'the rule is on: schedule: say when, such as `schedule: {cron: "0 7 * * 1-5", zone: Europe/Berlin}`'
        yield Flaw((*at, "on"), said)
    if schedule is not None and SCHEDULE not in on:
        yield Flaw(
            (*at, "schedule"), "'schedule' means nothing without `on: schedule`: add it", key=True
        )
    for index, pattern in enumerate(on):
        if pattern.startswith(f"{SCHEDULE}/"):
            said = (
                "a rule is on its own schedule only: write `on: schedule` and give it a `schedule:`"
            )
            yield Flaw((*at, "on", index), f"{said}, got {pattern!r}")
