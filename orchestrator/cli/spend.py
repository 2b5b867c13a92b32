"""`doorbell spend`: what a day cost against its caps, and who is parked for money; it changes nothing."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from orchestrator.cli.options import (
    DOTENV,
    config_option,
    console,
    local,
    print_json,
    settings_from,
    stores_of,
)
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.load import load
from orchestrator.database import Transaction
from orchestrator.ledger import spending
from orchestrator.ledger.caps import dollars
from orchestrator.ledger.spending import Group, Held, Spending
from orchestrator.rules import days
from orchestrator.rules.caps import Cap
from orchestrator.settings import environment
from orchestrator.stores import read_secret_file
from orchestrator.tell import plain, table, when

Shown = dict[str, Any]
COLUMNS = ("for", "settled", "reserved", "assumed", "USD cap", "tokens", "token cap", "unpriced")


@dataclass(frozen=True, kw_only=True)
class Day:
    """Everything about one day."""

    whole: Spending
    rules: list[Group]
    playbooks: list[Group]
    actors: list[Group]
    pairs: list[Group]
    held: list[Held]


def _day(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else date.fromisoformat(value).isoformat()
    except ValueError:
        raise click.BadParameter(f"expected a day such as 2026-11-21, got {value!r}") from None


@click.command("spend")
@local
@config_option
@click.option("--day", metavar="YYYY-MM-DD", callback=_day, help="Which day [today].")
def spend(*, as_json: bool, config: Path | None, day: str | None, **flags: Any) -> None:
    """Say what a day cost: by rule, playbook and actor, against its caps."""
    settings = settings_from(config=config, **flags)
    configuration = load(settings.config, environment(DOTENV), read_secret_file)
    zone = configuration.allowance.zone
    day = day or days.day_of(datetime.now(UTC).timestamp(), zone)
    _, stores = stores_of(settings)
    try:
        found = asyncio.run(stores.ledger.read(_read, day, zone))
    finally:
        stores.close()
    told = report(found, configuration, day)
    if as_json:
        print_json(told)
    else:
        _print(console(), told)


def report(found: Day, configuration: Configuration, day: str) -> Shown:
    """What `--json` prints."""
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


def _read(connection: Transaction, day: str, zone: str) -> Day:
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


def _print(out: Console, told: Shown) -> None:
    out.print(f"{told['day']} ({told['zone']}), USD", style="bold")
    if told["limits_broken"]:
        out.print("limits.yaml has a mistake: nothing is spent. `doorbell check` says where.")
    rows = [_row("the whole installation", told["installation"])]
    rows += [_row(f"rule {one['rule']}", one) for one in told["rules"]]
    rows += [_row(f"playbook {one['playbook']}", one) for one in told["playbooks"]]
    rows += [_row(f"actor {one['name']}", one) for one in told["actors"]]
    pairs = told["rules_by_actor"]
    rows += [_row(f"rule {one['rule']}, actor {one['name']}", one) for one in pairs]
    out.print(table(COLUMNS, rows))
    if told["installation"]["unpriced"]:
        out.print("Unpriced attempts are in no dollar: declare `prices:` in limits.yaml.")
    for one in told["parked"]:
        going = ", goes on" if one["goes_on"] else ""
        line = f"parked since {when(one['since'])}: run {one['run']}: {one['reason']}{going}"
        out.print(Text(plain(line), style="yellow"), soft_wrap=True)


def _row(whose: str, one: Shown) -> tuple[str, ...]:
    usd, tokens = one["usd"], one["tokens"]
    used = sum(tokens[state] for state in ("settled", "reserved", "assumed"))
    return (
        whose,
        *(f"{usd[state]:.4f}" for state in ("settled", "reserved", "assumed")),
        "-" if usd["cap"] is None else f"{usd['cap']:.2f}",
        str(used),
        "-" if tokens["cap"] is None else str(tokens["cap"]),
        str(one["unpriced"]),
    )
