"""`doorbell runs retry`: a run that has ended, once more; it says a word to the service, and starts nothing itself."""

import asyncio
from collections.abc import Mapping
from typing import Any

import click

from orchestrator.cli.consoles import anywhere, console_of
from orchestrator.cli.options import print_json
from orchestrator.cli.words import PATIENCE, refused
from orchestrator.console.questions import Shown, Word
from orchestrator.dispatch.retrying import RETRY
from orchestrator.tell import plain


@click.command("retry")
@anywhere
@click.argument("run")
@click.option("--again", is_flag=True, help="Also when it may have written: that is done again.")
def retry(*, as_json: bool, run: str, again: bool, **flags: Any) -> None:
    """Run once more what an ended RUN was opened for: the same event, inputs, key and stage.

    The files are those of today; the rules aren't asked again, `doorbell events redeliver` does that.
    """
    word = Word(kind=RETRY, named=run, more={"again": again}, patience=PATIENCE)
    receipt = asyncio.run(_said(word, flags))
    if as_json:
        print_json(_shown(receipt))
    else:
        click.echo(plain(_line(receipt)), err=refused(receipt))
    if refused(receipt):
        raise SystemExit(1)


async def _said(word: Word, flags: Mapping[str, Any]) -> Shown:
    async with console_of(**flags) as asked:
        return await asked.say(word)


def _line(receipt: Shown) -> str:
    of, event = receipt["named"], receipt["event"]
    if receipt["accepted"] is None:
        return f"run {of}: recorded as {event}, not decided yet: `doorbell why {event}`"
    if refused(receipt):
        return f"run {of} is not retried: {receipt['reason']}"
    if receipt["run"] is None:
        return f"run {of}: recorded as {event}, waits for a worker"
    return f"started run {receipt['run']} in place of {of}, recorded as {event}"


def _shown(receipt: Shown) -> dict[str, Any]:
    return {
        "of": receipt["named"],
        "event": receipt["event"],
        "done": receipt["accepted"],
        "reason": receipt["reason"],
        "run": receipt["run"],
    }
