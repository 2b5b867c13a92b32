"""`doorbell approvals`, and a person's yes, no or answer to a run; it says words to the service, and makes no call."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import click
from rich.table import Table
from rich.text import Text

from orchestrator import asked
from orchestrator.cli.options import console, local, print_json, settings_from, stores_of
from orchestrator.cli.ring import say
from orchestrator.cli.words import LOOK
from orchestrator.database import Transaction
from orchestrator.dispatch.decide import PERSON
from orchestrator.inbox.inbox import Action, Decision
from orchestrator.ledger import approvals as requests
from orchestrator.settings import Settings
from orchestrator.stores import Stores
from orchestrator.tell import plain, table, value, when
from workflows.approvals import Standing

FIELD: Final = 4_000
"""Characters of one field of a call that are shown."""

PATIENCE: Final = 8.0
"""Seconds until a word of which nothing has come is told as only recorded."""

COLOURS: Final = {"open": "yellow", "approved": "green", "answered": "green", "denied": "red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A word, the event that records it, what was decided about it, and the request as it stands after it."""

    word: str
    event: str
    decision: Decision | None
    request: dict[str, Any]

    @property
    def became(self) -> str | None:
        """What came of it, as its run wrote it down."""
        mine = (one for one in self.request["words"] if one["event"] == self.event)
        return next((one["became"] for one in mine), None)

    @property
    def refused(self) -> bool:
        """Whether it changed nothing."""
        unheard = self.decision is not None and self.decision.action is Action.IGNORE
        return unheard or (self.became or "").startswith(("refused", "too late"))

    @property
    def over(self) -> bool:
        """Whether nothing more is to be waited for."""
        if self.refused or self.became in {"denied", "answered"}:
            return True
        return self.became is not None and self.request["became"] != Standing.APPROVED

    def told(self) -> str:
        """What came of it, in words."""
        if self.decision is not None and self.decision.action is Action.IGNORE:
            return self.decision.reason
        if self.became is None:
            return "recorded; its run has not taken it yet"
        if self.became != Standing.APPROVED:
            return self.became
        made = self.request["became"]
        return "approved; not executed yet" if made == Standing.APPROVED else f"approved, {made}"


@click.group("approvals")
def approvals() -> None:
    """What runs ask people: for consent to a call, or for an answer."""


@approvals.command("list")
@local
@click.option("--all", "every", is_flag=True, help="Also those that are settled.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at most."
)
def list_(*, as_json: bool, every: bool, limit: int, **flags: Any) -> None:
    """List what is asked, the newest first."""
    standings = asked.EVERY if every else (Standing.OPEN,)
    found = asyncio.run(_listed(settings_from(**flags), limit, standings))
    if as_json:
        print_json(found)
    else:
        console().print(_table(found))


@approvals.command("show")
@local
@click.argument("code")
def show(*, as_json: bool, code: str, **flags: Any) -> None:
    """One request: every field of its call, who may answer, and what people said."""
    found = asyncio.run(_shown(settings_from(**flags), code))
    if as_json:
        print_json(found)
    else:
        for text in _lines(found):
            console().print(Text(plain(text)), soft_wrap=True)


@click.command("approve")
@local
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
    _say(settings_from(**flags), "approve", code, {"args": _changed(changes)}, as_json=as_json)


@click.command("deny")
@local
@click.argument("code")
@click.argument("why", required=False, default="")
def deny(*, as_json: bool, code: str, why: str, **flags: Any) -> None:
    """Refuse what CODE asks for; the agent is told WHY."""
    _say(settings_from(**flags), "deny", code, {"why": why}, as_json=as_json)


@click.command("answer")
@local
@click.argument("code")
@click.argument("answer")
def answer(*, as_json: bool, code: str, answer: str, **flags: Any) -> None:
    """Answer the question that CODE asks; ANSWER is JSON, or a text."""
    _say(settings_from(**flags), "answer", code, {"answer": answer}, as_json=as_json)


def _say(
    settings: Settings, word: str, code: str, more: Mapping[str, Any], *, as_json: bool
) -> None:
    given = {name: one for name, one in more.items() if one}
    said = asyncio.run(_said(settings, word, code, given))
    if as_json:
        shown = {"event": said.event, "done": None if not said.over else not said.refused}
        print_json({**shown, "became": said.told(), "request": said.request})
    else:
        line = f"{word} {said.request['code']}: recorded as {said.event}: {said.told()}"
        click.echo(plain(line), err=said.refused)
    if said.refused:
        raise SystemExit(1)


async def _said(settings: Settings, word: str, code: str, more: Mapping[str, Any]) -> Said:
    state, stores = stores_of(settings)
    try:
        request = await stores.ledger.read(_whole, code)
        receipt = await asyncio.to_thread(say, state, f"run.{word}", request["code"], more)
        waited = 0.0
        while True:
            said = await _became(stores, word, receipt["event"], request["code"])
            if said.over or waited >= PATIENCE:
                return said
            await asyncio.sleep(LOOK)
            waited += LOOK
    finally:
        stores.close()


async def _became(stores: Stores, word: str, event_id: str, code: str) -> Said:
    decided = (await stores.inbox.decisions([event_id]))[event_id]
    own = next((one for one in decided if one.cause == PERSON), None)
    request = await stores.ledger.read(_whole, code)
    return Said(word=word, event=event_id, decision=own, request=request)


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


async def _listed(
    settings: Settings, limit: int, standings: tuple[Standing, ...]
) -> list[dict[str, Any]]:
    _, stores = stores_of(settings)
    try:
        return await stores.ledger.read(asked.listed, limit, standings)
    finally:
        stores.close()


async def _shown(settings: Settings, code: str) -> dict[str, Any]:
    _, stores = stores_of(settings)
    try:
        return await stores.ledger.read(_whole, code)
    finally:
        stores.close()


def _whole(connection: Transaction, code: str) -> dict[str, Any]:
    found = requests.by_code(connection, code)
    if found is None:
        raise click.ClickException(
            f"nobody was asked anything under the code {code!r}: see `doorbell approvals list`"
        )
    return asked.whole(connection, found)


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
