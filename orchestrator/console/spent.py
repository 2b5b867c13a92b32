"""What a day cost against its caps, and who is parked for money, as plain dictionaries; it changes nothing."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from orchestrator.configuration.configuration import Configuration
from orchestrator.database import Transaction
from orchestrator.ledger import spending
from orchestrator.ledger.caps import dollars
from orchestrator.ledger.spending import Group, Held, Spending
from orchestrator.rules.caps import Cap

Shown = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Day:
    """Everything about one day."""

    whole: Spending
    rules: list[Group]
    playbooks: list[Group]
    actors: list[Group]
    pairs: list[Group]
    held: list[Held]


def report(found: Day, configuration: Configuration, day: str) -> Shown:
    """A day against its caps, as JSON's types."""
    allowance = configuration.allowance
    caps = {rule.id: rule.caps for rule in configuration.rules}
    quiet = [rule for rule in configuration.rules if rule.playbook and rule.caps.day != Cap()]
    seen = {group.rule for group in found.rules}
    silent = [
        Group(rule=rule.id, rule_name=rule.name, spending=Spending())
        for rule in quiet
        if rule.id not in seen
    ]
    return {
        "day": day,
        "zone": allowance.zone,
        "limits_broken": allowance.broken,
        "installation": _shown(found.whole, allowance.day),
        "rules": [
            {"rule": group.rule_name, "id": group.rule}
            | _shown(group.spending, caps[group.rule].day if group.rule in caps else Cap())
            for group in [*found.rules, *silent]
        ],
        "playbooks": [
            {"playbook": group.playbook} | _shown(group.spending, Cap())
            for group in found.playbooks
        ],
        "actors": [
            {"actor": group.actor, "name": group.actor_name}
            | _shown(group.spending, allowance.actor_day)
            for group in found.actors
        ],
        "rules_by_actor": [
            {"rule": group.rule_name, "actor": group.actor, "name": group.actor_name}
            | _shown(group.spending, caps[group.rule].actor_day)
            for group in found.pairs
            if group.rule in caps and caps[group.rule].actor_day != Cap()
        ],
        "parked": [_held(one) for one in found.held],
    }


def read(connection: Transaction, day: str, zone: str) -> Day:
    """Everything about a day in this time zone."""
    return Day(
        whole=spending.whole(connection, day, zone),
        rules=spending.by_rule(connection, day, zone),
        playbooks=spending.by_playbook(connection, day, zone),
        actors=spending.by_actor(connection, day, zone),
        pairs=spending.by_rule_and_actor(connection, day, zone),
        held=spending.held(connection),
    )


def _shown(spent: Spending, cap: Cap) -> Shown:
    return {
        "usd": {
            "settled": _exact(dollars(spent.usd_settled)),
            "reserved": _exact(dollars(spent.usd_reserved)),
            "assumed": _exact(dollars(spent.usd_assumed)),
            "cap": None if cap.usd is None else _exact(cap.usd),
        },
        "tokens": {
            "settled": spent.tokens_settled,
            "reserved": spent.tokens_reserved,
            "assumed": spent.tokens_assumed,
            "cap": cap.tokens,
        },
        "attempts": spent.attempts,
        "unpriced": spent.unpriced,
    }


def _held(one: Held) -> Shown:
    return {
        "run": one.run_id,
        "rule": one.rule,
        "reason": one.words,
        "since": datetime.fromtimestamp(one.since, UTC).isoformat(timespec="seconds"),
        "goes_on": one.released,
    }


def _exact(amount: Decimal) -> float:
    return float(amount)
