"""`doorbell runs start`: a run of a playbook by hand; it says a word to the service, and starts nothing itself."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from orchestrator.cli.inputs import typed
from orchestrator.cli.options import (
    DOTENV,
    config_option,
    local,
    print_json,
    settings_from,
    stores_of,
)
from orchestrator.cli.ring import say
from orchestrator.cli.words import LOOK, PATIENCE
from orchestrator.database import Transaction
from orchestrator.dispatch.decide import PERSON
from orchestrator.dispatch.starting import START
from orchestrator.errors import OperatorError
from orchestrator.inbox.inbox import Action, Decision
from orchestrator.ledger import conversations
from orchestrator.playbooks import admitted
from orchestrator.rules.load import closest
from orchestrator.settings import Settings, environment
from orchestrator.stores import Stores, configuration_reader
from orchestrator.tell import plain
from workflows.playbook import Playbook, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What came of it: the recorded event, what was decided, and the run it reached (None: not yet).

    `opened` says whether it opened that run; else the run was there, and was told.
    """

    event: str
    decision: Decision | None = None
    run_id: str | None = None
    opened: bool = False

    @property
    def refused(self) -> bool:
        """Whether the service would not do it."""
        return self.decision is not None and self.decision.action is Action.IGNORE

    @property
    def over(self) -> bool:
        """Whether nothing more has to be waited for."""
        return self.refused or self.run_id is not None


@click.command("start")
@local
@config_option
@click.argument("playbook")
@click.option("--with", "given", metavar="NAME=VALUE", multiple=True, help="An input; repeatable.")
@click.option(
    "--key",
    metavar="KIND:VALUE",
    help="What it is about, such as issue:acme/api#7: an open run of it is told instead.",
)
@click.option(
    "--stage",
    type=click.Choice([stage.value for stage in Stage]),
    default=Stage.PREVIEW.value,
    show_default=True,
    help="Whether it may write.",
)
def start(
    *,
    as_json: bool,
    playbook: str,
    given: tuple[str, ...],
    key: str | None,
    stage: str,
    **flags: Any,
) -> None:
    """Start a run of PLAYBOOK by hand, without a rule: its limits don't apply, the caps of the day do."""
    if key is not None and not all(key.partition(":")):
        raise click.UsageError(f"expected a key such as issue:7, got {key!r}")
    settings = settings_from(**flags)
    inputs = _inputs(_playbook(settings, playbook), given)
    said = {"with": inputs, "stage": stage, **({} if key is None else {"key": key})}
    begun = asyncio.run(_begun(settings, playbook, said))
    if as_json:
        print_json(_shown(begun))
    else:
        click.echo(plain(_line(playbook, begun)), err=begun.refused)
    if begun.refused:
        raise SystemExit(1)


def _playbook(settings: Settings, name: str) -> Playbook:
    if not settings.config.is_dir():
        raise OperatorError(f"no configuration in {str(settings.config)!r}: give --config DIR")
    known = configuration_reader(settings.config, environment(DOTENV))().playbooks
    if name not in known:
        raise OperatorError(f"there is no sound playbook {name!r}{closest(name, known)}")
    return known[name]


def _inputs(playbook: Playbook, given: tuple[str, ...]) -> dict[str, Any]:
    """The inputs with their types. Raises OperatorError where one doesn't fit."""
    return admitted(playbook, typed(playbook, given))


async def _begun(settings: Settings, playbook: str, said: Mapping[str, Any]) -> Begun:
    state, stores = stores_of(settings)
    try:
        receipt = await asyncio.to_thread(say, state, START, playbook, said)
        waited, begun = 0.0, Begun(event=receipt["event"])
        while not begun.over and waited < PATIENCE:
            await asyncio.sleep(LOOK)
            waited += LOOK
            begun = await _looked(stores, receipt["event"])
        return begun
    finally:
        stores.close()


async def _looked(stores: Stores, event_id: str) -> Begun:
    decided = (await stores.inbox.decisions([event_id])).get(event_id, [])
    decision = next((one for one in decided if one.cause == PERSON), None)
    if decision is None:
        return Begun(event=event_id)
    run_id, opened = await stores.ledger.read(_reached, decision)
    return Begun(event=event_id, decision=decision, run_id=run_id, opened=opened)


def _reached(connection: Transaction, decision: Decision) -> tuple[str | None, bool]:
    opened = conversations.by_decision(connection, decision.id)
    if opened is not None:
        return opened.run_id, True
    reached = conversations.by_events(connection, [decision.event_id])
    return reached.get((decision.event_id, decision.workflow_id or "")), False


def _line(playbook: str, begun: Begun) -> str:
    if begun.decision is None:
        return (
            f"{playbook}: recorded as {begun.event}, not decided yet: `doorbell why {begun.event}`"
        )
    if begun.refused:
        return f"{playbook}: refused: {begun.decision.reason}"
    if begun.run_id is None:
        return f"{playbook}: recorded as {begun.event}, not taken up yet: {begun.decision.reason}"
    if begun.opened:
        return f"started run {begun.run_id}, recorded as {begun.event}: {begun.decision.reason}"
    return f"told run {begun.run_id}, which is open (mode signal): recorded as {begun.event}"


def _shown(begun: Begun) -> dict[str, Any]:
    return {
        "event": begun.event,
        "done": None if begun.decision is None else not begun.refused,
        "reason": None if begun.decision is None else begun.decision.reason,
        "run": begun.run_id,
        "opened": begun.opened,
        "workflow": None if begun.decision is None else begun.decision.workflow_id,
    }
