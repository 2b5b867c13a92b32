"""`doorbell approvals`, and a person's yes, no or answer to a run; it says words to the service, and makes no call."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import click
from rich.table import Table
from rich.text import Text

from orchestrator.cli.consoles import anywhere, console_of
from orchestrator.cli.options import console, print_json
from orchestrator.console.questions import Approval, Approvals, Question, Shown, Word
from orchestrator.tell import plain, table, value, when

FIELD: Final = 4_000
"""Characters of one field of a call that are shown."""

PATIENCE: Final = 8.0
"""Seconds until a word of which nothing has come is told as only recorded."""

COLOURS: Final = {"open": "yellow", "approved": "green", "answered": "green", "denied": "red"}


@click.group("approvals")
def approvals() -> None:
    """What runs ask people: for consent to a call, or for an answer."""


@approvals.command("list")
@anywhere
@click.option("--all", "every", is_flag=True, help="Also those that are settled.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at most."
)
def list_(*, as_json: bool, every: bool, limit: int, **flags: Any) -> None:
    """List what is asked, the newest first."""
    found = asyncio.run(_asked(flags, Approvals(every=every, limit=limit)))["approvals"]
    if as_json:
        print_json(found)
    else:
        console().print(_table(found))


@approvals.command("show")
@anywhere
@click.argument("code")
def show(*, as_json: bool, code: str, **flags: Any) -> None:
    """One request: every field of its call, who may answer, and what people said."""
    found = asyncio.run(_asked(flags, Approval(code=code)))
    if as_json:
        print_json(found)
    else:
        for text in _lines(found):
            console().print(Text(plain(text)), soft_wrap=True)


@click.command("approve")
@anywhere
@click.argument("code")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Make the call with another argument; VALUE is JSON, or a text.",
)
def approve(*, as_json: bool, code: str, changes: tuple[str, ...], **flags: Any) -> None:
    """Consent to the call that CODE asks about: to exactly that, once."""
    _say(flags, "approve", code, {"args": _changed(changes)}, as_json=as_json)


@click.command("deny")
@anywhere
@click.argument("code")
@click.argument("why", required=False, default="")
def deny(*, as_json: bool, code: str, why: str, **flags: Any) -> None:
    """Refuse what CODE asks for; the agent is told WHY."""
    _say(flags, "deny", code, {"why": why}, as_json=as_json)


@click.command("answer")
@anywhere
@click.argument("code")
@click.argument("answer")
def answer(*, as_json: bool, code: str, answer: str, **flags: Any) -> None:
    """Answer the question that CODE asks; ANSWER is JSON, or a text."""
    _say(flags, "answer", code, {"answer": answer}, as_json=as_json)


def _say(
    flags: Mapping[str, Any], verb: str, code: str, more: Mapping[str, Any], *, as_json: bool
) -> None:
    given = {name: one for name, one in more.items() if one}
    word = Word(kind=f"run.{verb}", named=code, more=given, patience=PATIENCE)
    said = asyncio.run(_said(flags, word))
    refused, request = said["accepted"] is False or said["done"] is False, said["request"]
    became = said["reason"]
    if as_json:
        shown = {"event": said["event"], "done": said["done"]}
        print_json({**shown, "became": became, "request": request})
    else:
        line = f"{verb} {request['code']}: recorded as {said['event']}: {became}"
        click.echo(plain(line), err=refused)
    if refused:
        raise SystemExit(1)


async def _asked(flags: Mapping[str, Any], question: Question) -> Any:
    async with console_of(**flags) as asked:
        return await asked.ask(question)


async def _said(flags: Mapping[str, Any], word: Word) -> Shown:
    async with console_of(**flags) as asked:
        return await asked.say(word)


def _changed(changes: tuple[str, ...]) -> dict[str, Any]:
    found = {}
    for one in changes:
        name, sign, text = one.partition("=")
        if not sign or not name:
            raise click.BadParameter(f"expected NAME=VALUE, got {one!r}", param_hint="--set")
        found[name] = _json_or_text(text)
    return found


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _table(found: list[dict[str, Any]]) -> Table:
    rows = [
        (
            one["code"],
            one["run"],
            one["tool"] or "a question",
            " ".join(one["by"]),
            when(one["expires_at"]),
            Text(one["standing"], style=COLOURS.get(one["standing"], "")),
        )
        for one in found
    ]
    columns = ("code", "run", "what", "by", "until", "standing")
    return table(columns, rows, whole={"code", "run", "until", "standing"})


def _lines(request: dict[str, Any]) -> list[str]:
    what = f"consent to {request['tool']}" if request["tool"] else "an answer"
    head = f"{request['code']}  {what}  by {' or '.join(request['by'])}  {request['became']}"
    until = (
        f"run {request['run']}, until {when(request['expires_at'])}, then {request['on_timeout']}"
    )
    fields = [f"  {name}: {value(one, FIELD)}" for name, one in request["arguments"].items()]
    changed = request["asked_with"]
    asked_with = [] if changed is None else [f"  asked with: {value(changed, FIELD)}"]
    words = [
        f"  {when(one['at'])}  {one['person']}: {one['word']}: {one['became'] or 'recorded'}"
        for one in request["words"]
    ]
    return [head, until, *fields, *asked_with, *words]
