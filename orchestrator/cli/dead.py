"""`doorbell events dead`: what could not be delivered, and a person's word on it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import click

from orchestrator.cli import words
from orchestrator.cli.consoles import anywhere, console_of
from orchestrator.cli.options import console, local, print_json, settings_from, stores_of
from orchestrator.console.questions import DeadLetters
from orchestrator.inbox.inbox import Decision
from orchestrator.tell import table, when

MOST = 100_000


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
    @local
    @click.argument("letters", metavar="ID...", nargs=-1)
    @click.option("--all", "all_", is_flag=True, help="Every dead letter, instead of IDs.")
    @click.option("--yes", is_flag=True, help="Don't ask.")
    def command(
        *, as_json: bool, letters: tuple[str, ...], all_: bool, yes: bool, **flags: Any
    ) -> None:
        if bool(letters) is all_:
            raise click.UsageError("name dead letters by ID, or say --all")
        state, stores = stores_of(settings_from(**flags))
        try:
            known = asyncio.run(stores.inbox.dead(MOST))
            chosen = [one.id for one in known] if all_ else [_named(known, one) for one in letters]
            if not chosen or (all_ and not yes and not _agreed(verb, len(chosen))):
                click.echo(f"there is nothing to {verb}", err=True)
                return
            answers = asyncio.run(words.said(state, stores, kind, chosen))
        finally:
            stores.close()
        words.tell(answers, as_json=as_json)

    return command


dead.command("retry", help="Deliver dead letters after all, as if they had never been tried.")(
    _word("decision.retry", "retry")
)
dead.command("discard", help="Leave dead letters undelivered for good.")(
    _word("decision.discard", "discard")
)


def _named(known: Sequence[Decision], text: str) -> str:
    found = [one.id for one in known if text and one.id.startswith(text)]
    if text in found:
        return text
    if len(found) != 1:
        raise click.ClickException(
            f"expected one dead letter whose id is or begins with {text!r}, found {len(found)}"
        )
    return found[0]


def _agreed(verb: str, many: int) -> bool:
    return click.confirm(f"{verb} {many} dead letters?", err=True)
