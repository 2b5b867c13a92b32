"""When a rule's clock rings, as people read it; it knows no clock of its own."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from orchestrator.sources.schedule import TICK
from orchestrator.sources.source import SCHEDULE


def said_on(patterns: Iterable[str], clock: Mapping[str, Any] | None) -> list[str]:
    """What a rule is on, a line for each; for its own ticks, when they come."""
    ticks = f"{SCHEDULE}/{TICK}."
    return [
        _said(clock) if clock is not None and pattern.startswith(ticks) else pattern
        for pattern in patterns
    ]


def _said(clock: Mapping[str, Any]) -> str:
    said = f"schedule {clock['cron']} {clock['zone']}"
    if clock["next"] is None:
        return said
    return f"{said}, next {datetime.fromisoformat(clock['next']):%a %Y-%m-%d %H:%M}"
