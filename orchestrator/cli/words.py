"""A person's words about the inbox: say them to an installation, then wait and tell what came of each."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from orchestrator.cli.options import print_json
from orchestrator.console.questions import Console, Shown, Word
from orchestrator.tell import plain

PATIENCE = 5.0
"""Seconds until a word that nobody has decided about is told as only recorded."""


async def said(console: Console, kind: str, names: Sequence[str]) -> list[Shown]:
    """Say one word about each, in this order, and wait for what comes of them. Raises AskerError, or OperatorError."""
    # Of many, all are recorded before one is waited for: asked again under the same name, a word is the same one.
    patience = PATIENCE if len(names) == 1 else 0
    words = [
        Word(kind=kind, named=name, once=secrets.token_hex(8), patience=patience) for name in names
    ]
    receipts = [await console.say(word) for word in words]
    until = asyncio.get_running_loop().time() + PATIENCE
    pairs = zip(words, receipts, strict=True)
    return [await _waited(console, word, receipt, until) for word, receipt in pairs]


async def _waited(console: Console, word: Word, receipt: Shown, until: float) -> Shown:
    left = until - asyncio.get_running_loop().time()
    if receipt["accepted"] is not None or word.patience or left <= 0:
        return receipt
    return await console.say(replace(word, patience=left))


def tell(receipts: Sequence[Shown], *, as_json: bool) -> None:
    """Print the receipts; exits 1 when one was refused."""
    if as_json:
        print_json([_shown(one) for one in receipts])
    else:
        for one in receipts:
            click.echo(plain(_line(one)), err=refused(one))
    if any(map(refused, receipts)):
        raise SystemExit(1)


def refused(receipt: Shown) -> bool:
    """Whether the service would not do it."""
    return receipt["accepted"] is False


def _line(one: Shown) -> str:
    if one["accepted"] is None:
        return f"{one['named']}: recorded as {one['event']}, not carried out yet"
    if refused(one):
        return f"{one['named']}: refused: {one['reason']}"
    return f"{one['named']}: done, recorded as {one['event']}: {one['reason']}"


def _shown(one: Shown) -> dict[str, Any]:
    return {
        "named": one["named"],
        "recorded": one["event"],
        "done": one["accepted"],
        "reason": one["reason"],
    }
