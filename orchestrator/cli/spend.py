"""`doorbell spend`: what a day cost against its caps, and who is parked for money; it changes nothing."""

import asyncio
from datetime import date
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from orchestrator.cli.consoles import anywhere, console_of
from orchestrator.cli.options import config_option, console, print_json
from orchestrator.console.questions import Spend
from orchestrator.tell import plain, table, when

Shown = dict[str, Any]
COLUMNS = ("for", "settled", "reserved", "assumed", "USD cap", "tokens", "token cap", "unpriced")


def _day(_context: click.Context, _option: click.Parameter, value: str | None) -> date | None:
    try:
        return None if value is None else date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"expected a day such as 2026-11-21, got {value!r}") from None


@click.command("spend")
@anywhere
@config_option
@click.option("--day", metavar="YYYY-MM-DD", callback=_day, help="Which day [today].")
def spend(*, as_json: bool, day: date | None, **flags: Any) -> None:
    """Say what a day cost: by rule, playbook and actor, against its caps."""
    told = asyncio.run(_asked(Spend(day=day), flags))
    if as_json:
        print_json(told)
    else:
        _print(console(), told)


async def _asked(question: Spend, flags: dict[str, Any]) -> Shown:
    async with console_of(**flags) as asked:
        return dict(await asked.ask(question))


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
