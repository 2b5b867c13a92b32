"""What one run did, as values that two runs can be compared by; pure: it reads no ledger and starts nothing."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from workflows.messages import CallState, RunState

MEANT: Final = frozenset(set(CallState) - {CallState.REFUSED, CallState.DENIED, CallState.INTENDED})
"""How a write stands that was to happen, whether or not it could."""

OURS: Final = "[ours]"
"""What stands in place of an idempotency key, which is another one in every run."""

_MARKER: Final = re.compile(r"\s*<!-- doorbell:[0-9a-z.]{1,60} -->")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One tool call; `tool` is `server.tool`, its arguments are the full ones without what is ours alone."""

    turn: int
    tool: str
    writes: bool
    arguments: Mapping[str, Any]
    state: CallState


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A run from its opening to where it stands; `usd` leaves out the `unpriced` attempts.

    `waited` is the turn in which it first waited for an event, a time or a person as a rehearsal would too: a write is
    only proposed there, and waits for nobody. `said` are its last words. `heard` counts its events, the one that opened
    it included.
    """

    run_id: str
    event_id: str
    playbook: str
    model: str
    stage: str
    state: RunState
    outcome: str | None
    reason: str
    turns: int
    tokens: int
    usd: Decimal
    unpriced: int = 0
    calls: tuple[Made, ...] = ()
    waited: int | None = None
    said: str = ""
    heard: int = 1

    @property
    def came(self) -> str:
        """How it ended, or how it stands, in one word."""
        return self.outcome or str(self.state)

    @property
    def writes(self) -> tuple[Made, ...]:
        """The writes that were to happen, in the order they were asked for."""
        return tuple(call for call in self.calls if call.writes and call.state in MEANT)


def until_it_waits(account: Account) -> Account:
    """The same run up to its first wait; itself where it never waited."""
    if account.waited is None:
        return account
    calls = tuple(call for call in account.calls if call.turn <= account.waited)
    return replace(account, calls=calls, state=RunState.WAITING, outcome=None)


def unmarked(arguments: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """Arguments without our marker, and with a word in place of each of these keys."""
    return {name: _unmarked(value, keys) for name, value in arguments.items()}


def _unmarked(value: Any, keys: Collection[str]) -> Any:
    if not isinstance(value, str):
        return value
    return OURS if value in keys else _MARKER.sub("", value)
