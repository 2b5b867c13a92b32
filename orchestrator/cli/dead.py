"""`doorbell events dead`: what could not be delivered, and a person's word on it."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click

from orchestrator.cli import words
from orchestrator.cli.consoles import anywhere, console_of
from orchestrator.cli.options import console, print_json
from orchestrator.console.questions import MOST, Console, DeadLetters, Shown
from orchestrator.tell import table, when


@click.group("dead")
def dead() -> None:
    """Dead letters: decisions that were tried too often, or that nobody can ever take."""


@dead.command("list")
@anywhere
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
def list_(*, as_json: bool, limit: int, **flags: Any) -> None:
    """List dead letters, the oldest first, with the reason."""
    found = asyncio.run(_listed(limit, flags))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one["id"],
            when(one["decided_at"]),
            one["event"],
            f"{one['action']} {one['rule']}",
            f"{one['reason']} (after {one['attempts']} failed attempts)",
        )
        for one in found
    ]
    columns = ("dead letter", "decided", "event", "what", "why")
    console().print(table(columns, rows, whole={"dead letter", "decided", "event"}))


async def _listed(limit: int, flags: dict[str, Any]) -> list[Any]:
    async with console_of(**flags) as asked:
        found: list[Any] = (await asked.ask(DeadLetters(limit=limit)))["dead_letters"]
        return found


def _word(kind: str, verb: str) -> Callable[..., None]:
    @anywhere
    @click.argument("letters", metavar="ID...", nargs=-1)
    @click.option("--all", "all_", is_flag=True, help="Every dead letter, instead of IDs.")
    @click.option("--yes", is_flag=True, help="Don't ask.")
    def command(
        *, as_json: bool, letters: tuple[str, ...], all_: bool, yes: bool, **flags: Any
    ) -> None:
        if bool(letters) is all_:
            raise click.UsageError("name dead letters by ID, or say --all")
        agreed = None if yes else partial(_agreed, verb)
        receipts = asyncio.run(_said(kind, letters, agreed, flags))
        if receipts is None:
            click.echo(f"there is nothing to {verb}", err=True)
        else:
            words.tell(receipts, as_json=as_json)

    return command


dead.command("retry", help="Deliver dead letters after all, as if they had never been tried.")(
    _word("decision.retry", "retry")
)
dead.command("discard", help="Leave dead letters undelivered for good.")(
    _word("decision.discard", "discard")
)


async def _said(
    kind: str, letters: Sequence[str], agreed: Callable[[int], bool] | None, flags: dict[str, Any]
) -> list[Shown] | None:
    async with console_of(**flags) as asked:
        chosen = letters or await _every(asked)
        if not chosen or (not letters and agreed is not None and not agreed(len(chosen))):
            return None
        receipts = await words.said(asked, kind, chosen)
    if not letters and len(chosen) == MOST:
        click.echo(f"these were {MOST}: say it again for what is left", err=True)
    return receipts


async def _every(asked: Console) -> list[str]:
    return [one["id"] for one in (await asked.ask(DeadLetters(limit=MOST)))["dead_letters"]]


def _agreed(verb: str, many: int) -> bool:
    return click.confirm(f"{verb} {many} dead letters?", err=True)
