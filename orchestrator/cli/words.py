"""A person's words about the inbox: say them to the running service, then wait and tell what came of each."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from orchestrator.cli.options import print_json
from orchestrator.cli.ring import say
from orchestrator.dispatch.decide import PERSON
from orchestrator.inbox.inbox import Action, Decision
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores
from orchestrator.tell import plain

LOOK = 0.05
PATIENCE = 5.0
"""Seconds until a word that nobody has decided about is told as only recorded."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """One word: about what, the entry that records it, and what was decided about it (None: nothing yet)."""

    named: str
    recorded: str
    decision: Decision | None = None

    @property
    def refused(self) -> bool:
        """Whether the service would not do it."""
        return self.decision is not None and self.decision.action is Action.IGNORE


async def said(
    state: StateDirectory, stores: Stores, kind: str, names: Sequence[str]
) -> list[Said]:
    """Say one word about each, in this order, and wait for what comes of them. Raises OperatorError."""
    recorded = [
        Said(named=name, recorded=(await asyncio.to_thread(say, state, kind, name))["event"])
        for name in names
    ]
    waited = 0.0
    while (answers := await _answers(stores, recorded)) and waited < PATIENCE:
        if all(answer.decision is not None for answer in answers):
            break
        await asyncio.sleep(LOOK)
        waited += LOOK
    return answers


def tell(answers: Sequence[Said], *, as_json: bool) -> None:
    """Print the receipts; exits 1 when one was refused."""
    if as_json:
        print_json([_shown(one) for one in answers])
    else:
        for one in answers:
            click.echo(plain(_line(one)), err=one.refused)
    if any(one.refused for one in answers):
        raise SystemExit(1)


async def _answers(stores: Stores, recorded: Sequence[Said]) -> list[Said]:
    found = await stores.inbox.decisions([one.recorded for one in recorded])
    return [
        Said(named=one.named, recorded=one.recorded, decision=_own(found[one.recorded]))
        for one in recorded
    ]


def _own(decisions: Sequence[Decision]) -> Decision | None:
    return next((one for one in decisions if one.cause == PERSON), None)


def _line(one: Said) -> str:
    if one.decision is None:
        return f"{one.named}: recorded as {one.recorded}, not carried out yet"
    if one.refused:
        return f"{one.named}: refused: {one.decision.reason}"
    return f"{one.named}: done, recorded as {one.recorded}: {one.decision.reason}"


def _shown(one: Said) -> dict[str, Any]:
    return {
        "named": one.named,
        "recorded": one.recorded,
        "done": None if one.decision is None else not one.refused,
        "reason": None if one.decision is None else one.decision.reason,
    }
