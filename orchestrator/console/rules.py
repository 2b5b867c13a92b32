"""What rules are and what waits for them, as plain dictionaries; it knows no clock of its own."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.rules.rule import Rule
from workflows.playbook import Stage


def clock_of(rule: Rule, now: datetime) -> dict[str, Any] | None:
    """Its schedule, and when that rings next, in its own zone; None for a rule without one."""
    if rule.schedule is None:
        return None
    due = next(rule.schedule.after(now), None)
    zone = rule.schedule.zone
    return {
        "cron": rule.schedule.cron.text,
        "zone": zone,
        "next": None if due is None else due.astimezone(ZoneInfo(zone)).isoformat(),
    }


def rule_line(
    rule: Rule, waiting: Mapping[str, int], held: Collection[str], now: datetime
) -> dict[str, Any]:
    """A rule in one line of a list; `waiting` counts what is undelivered by rule, `held` are those that are paused."""
    return {
        "name": rule.name,
        "on": list(rule.on),
        "schedule": clock_of(rule, now),
        "does": rule.does,
        # A forward has no preview: it goes on from the first event.
        "stage": str(rule.stage if rule.forward is None else Stage.LIVE),
        "place": f"{rule.file}:{rule.line}",
        "paused": rule.name in held,
        "waiting": waiting.get(rule.name, 0),
    }
