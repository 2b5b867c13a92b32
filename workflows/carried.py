"""What a run begins with, what survives its continue-as-new, and what it answers; values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.asleep import Asleep
from workflows.loop import State
from workflows.messages import CallOutcome, Entry, Outcome, Title

SCHEMA = 2
"""The form of `Carried`; `upgrades` reads every older one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A mailbox between two runs: its entries, the newest place that was taken, what was folded and not yet told.

    `reserved` is the token of the event that was claimed before the conversation could take it.
    """

    mailbox: tuple[Entry, ...] = ()
    place: int = 0
    folded: tuple[str, ...] = ()
    reserved: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried(Kept):
    """All state that survives continue-as-new; `parked` is the reason of a conversation that waits for a person.

    `run_id` names the open conversation, also before it is quite open. `made` are the calls of the turn under way that
    have their outcome.
    """

    schema: int = SCHEMA
    conversation: State | None = None
    story: tuple[str, ...] = ()
    parked: str = ""
    run_id: str = ""
    made: tuple[CallOutcome, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInput:
    """What a run starts with: its title for people, and what an earlier part of it carried over.

    `carried` is a `Carried` as the version that wrote it did; who sleeps doesn't look into it. `mail` came in sleep.
    `retell` says that the ledger was told something else meanwhile.
    """

    title: Title
    carried: Mapping[str, Any] | None = None
    asleep: Asleep | None = None
    mail: tuple[Entry, ...] = ()
    retell: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How many conversations this run ended since its last continue-as-new, and how the last one ended."""

    conversations: int
    outcome: Outcome | None
