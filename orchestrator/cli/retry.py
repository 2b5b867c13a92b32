"""`doorbell runs retry`: a run that has ended, once more; it says a word to the service, and starts nothing itself."""

import asyncio
from dataclasses import dataclass
from typing import Any

import click

from orchestrator.cli.naming import run_named
from orchestrator.cli.options import local, print_json, settings_from, stores_of
from orchestrator.cli.ring import say
from orchestrator.cli.words import LOOK, PATIENCE
from orchestrator.dispatch.decide import PERSON
from orchestrator.dispatch.retrying import RETRY
from orchestrator.inbox.inbox import Action, Decision
from orchestrator.ledger import conversations
from orchestrator.settings import Settings
from orchestrator.stores import Stores
from orchestrator.tell import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What came of it: the recorded event, what was decided, and the run that it opened (None: not yet)."""

    of: str
    event: str
    decision: Decision | None = None
    run_id: str | None = None

    @property
    def refused(self) -> bool:
        """Whether the service would not do it."""
        return self.decision is not None and self.decision.action is Action.IGNORE


@click.command("retry")
@local
@click.argument("run")
@click.option("--again", is_flag=True, help="Also when it may have written: that is done again.")
def retry(*, as_json: bool, run: str, again: bool, **flags: Any) -> None:
    """Run once more what an ended RUN was opened for: the same event, inputs, key and stage.

    The files are those of today; the rules aren't asked again, `doorbell events redeliver` does that.
    """
    begun = asyncio.run(_begun(settings_from(**flags), run, again=again))
    if as_json:
        print_json(_shown(begun))
    else:
        click.echo(plain(_line(begun)), err=begun.refused)
    if begun.refused:
        raise SystemExit(1)


async def _begun(settings: Settings, run: str, *, again: bool) -> Begun:
    state, stores = stores_of(settings)
    try:
        run_id = (await run_named(stores, run)).run_id
        receipt = await asyncio.to_thread(say, state, RETRY, run_id, {"again": again})
        waited, begun = 0.0, Begun(of=run_id, event=receipt["event"])
        while not (begun.refused or begun.run_id) and waited < PATIENCE:
            await asyncio.sleep(LOOK)
            waited += LOOK
            begun = await _looked(stores, begun)
        return begun
    finally:
        stores.close()


async def _looked(stores: Stores, begun: Begun) -> Begun:
    decided = (await stores.inbox.decisions([begun.event])).get(begun.event, [])
    decision = next((one for one in decided if one.cause == PERSON), None)
    if decision is None:
        return begun
    anew = str(decision.with_.get("decision", ""))
    opened = await stores.ledger.read(conversations.by_decision, anew)
    run_id = None if opened is None else opened.run_id
    return Begun(of=begun.of, event=begun.event, decision=decision, run_id=run_id)


def _line(begun: Begun) -> str:
    if begun.decision is None:
        return f"run {begun.of}: recorded as {begun.event}, not decided yet: `doorbell why {begun.event}`"
    if begun.refused:
        return f"run {begun.of} is not retried: {begun.decision.reason}"
    if begun.run_id is None:
        return f"run {begun.of}: recorded as {begun.event}, waits for a worker"
    return f"started run {begun.run_id} in place of {begun.of}, recorded as {begun.event}"


def _shown(begun: Begun) -> dict[str, Any]:
    return {
        "of": begun.of,
        "event": begun.event,
        "done": None if begun.decision is None else not begun.refused,
        "reason": None if begun.decision is None else begun.decision.reason,
        "run": begun.run_id,
    }
