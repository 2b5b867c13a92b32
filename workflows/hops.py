"""The two hops of a long wait, into the prologue and out of it: what is heard in between, and what is carried over.

It says what wakes whom, in values; when a run falls asleep, the run knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from temporalio import workflow
from temporalio.common import SearchAttributeKey, TypedSearchAttributes

from workflows import upgrades
from workflows.asleep import Asleep
from workflows.carried import Carried, RunInput
from workflows.flow import Mode
from workflows.messages import Entry, Kind, RunState, Title
from workflows.plain import plain

RUN_STATE = SearchAttributeKey.for_keyword("RunState")
SYSTEM = ("Temporal", "Build")
"""How the search attributes begin that the server writes for itself."""
SUMMARY = 200
"""Bytes that a summary may have of others' text; the server takes twice as many of all."""
LOOK_AGAIN = 600.0
"""Seconds after which a run whose state a newer program wrote looks again whether that program is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hears:
    """What somebody hears who sleeps: words and wake-ups of these kinds, events of these modes."""

    kinds: frozenset[Kind]
    modes: frozenset[Mode] = frozenset({Mode.SUPERSEDE, Mode.SINGLE})


EVERYTHING = Hears(kinds=frozenset(Kind), modes=frozenset(Mode))
WAITING = Hears(kinds=frozenset(Kind), modes=frozenset(Mode) - {Mode.QUEUE})
PARKED = Hears(kinds=frozenset({Kind.RESUME, Kind.CANCEL}))
GATHERING = Hears(kinds=frozenset(Kind) - {Kind.EVENT}, modes=frozenset())


def hop(given: RunInput) -> NoReturn:
    """Continue as new, so that people find only the newest part by the state of its conversation."""
    found = workflow.info().typed_search_attributes
    ours = [pair for pair in found if not pair.key.name.startswith(SYSTEM)]
    workflow.upsert_search_attributes([RUN_STATE.value_unset()])
    workflow.continue_as_new(given, search_attributes=TypedSearchAttributes(ours))


def named(title: Title) -> str:
    """What a run is called in the Temporal UI, whose own summary doesn't outlive a continue-as-new."""
    return f"{title.rule}: {plain(title.key, SUMMARY)}"


def later(words: str, now: float) -> Asleep:
    """A sleep from which a run looks again, soon and at everything, whether its program can read it."""
    return Asleep(
        until=now + LOOK_AGAIN,
        kinds=tuple(sorted(EVERYTHING.kinds)),
        modes=tuple(sorted(EVERYTHING.modes)),
        most=1,
        details=f"**{RunState.PARKED}**: {words}",
        summary="until a newer doorbell is there",
    )


def woken(given: RunInput, mail: tuple[Entry, ...]) -> RunInput:
    """What the code of the day begins with: all that fell asleep, and the mail that came since."""
    return replace(given, asleep=None, mail=(*given.mail, *mail))


def carried_in(given: RunInput) -> Carried:
    """What a run begins with, as this version reads it. Raises NewerProgram."""
    if given.carried is None:
        return Carried()
    converter = workflow.payload_converter()
    payload = converter.to_payload(upgrades.upgraded(given.carried))
    carried: Carried = converter.from_payload(payload, Carried)
    return replace(carried, mailbox=(*carried.mailbox, *given.mail))


def packed(carried: Carried) -> Mapping[str, Any]:
    """The same as JSON, which a later version may read in its own way."""
    converter = workflow.payload_converter()
    document: dict[str, Any] = converter.from_payload(converter.to_payload(carried), dict[str, Any])
    return document
