"""The closed sets that labels are taken from; it knows no number and nobody's text.

A label whose values a stranger could choose would be a series for each of his words.
"""

from enum import StrEnum
from typing import Final

UNKNOWN: Final = "unknown"
"""The source of everything that names no configured one."""

OTHER: Final = "other"
"""What a label becomes once a metric has as many series as it may have."""


class Outcome(StrEnum):
    """What became of one request at the door."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"
    SPLIT = "split"
    GREETED = "greeted"
    REFUSED = "refused"
    DEFERRED = "deferred"
    GONE = "gone"
    """The sender left before it was answered."""
    FAULT = "fault"
    """A bug of ours; the sender rings again."""


class Held(StrEnum):
    """Why something that is ready was not delivered yet; no attempt was burnt."""

    UNREACHABLE = "unreachable"
    MAILBOX_FULL = "mailbox_full"
    BREAKER_OPEN = "breaker_open"
    PAUSED = "paused"
    NO_SLOT = "no_slot"
    """As many runs of its rule are open as may be."""


class Skipped(StrEnum):
    """Why a rule left an event alone."""

    NO_MATCH = "no_match"
    TRUST = "trust"
    """Whoever acted may start nothing here, or it was ourselves."""
    LOOP = "loop"
    """Too many runs that answer each other led to it."""
    PER_ACTOR = "per_actor"
    PER_KEY = "per_key"
    COOLDOWN = "cooldown"
    DEDUPE = "dedupe"
    BACKSTOP = "backstop"
    """Another rule matched."""
    BROKEN = "broken"
    """It matched, and couldn't do what it should."""
    OTHER = "other"
    """Too late, unreadable: its own reason says."""


class Retried(StrEnum):
    """Why a delivery will be tried again, or was."""

    REFUSED = "refused"
    """Whoever should take it answered no, or failed."""
    TIMED_OUT = "timed_out"
    RUN_GONE = "run_gone"
    """It was delivered, and then its run was lost before it took it."""


class Forwarded(StrEnum):
    """What a destination made of one sending."""

    DELIVERED = "delivered"
    FAILED = "failed"
    """Tried again later."""
    FINISHED = "finished"
    """Never again: it said so."""
    HELD = "held"
    """Not sent: the breaker is open, or nobody is there."""


class Recovered(StrEnum):
    """How a delivery that its sender could not hand over came in after all, or why it did not."""

    RUNG = "rung"
    """Its bytes were fetched and rung again."""
    ASKED = "asked"
    """The sender was asked to deliver again."""
    FAILED = "failed"


class Subscription(StrEnum):
    """What became of a subscription at an MCP server."""

    SUBSCRIBED = "subscribed"
    REFRESHED = "refreshed"
    FAILED = "failed"
    """Tried again later; its reason says why."""
    TERMINATED = "terminated"
    """Its server ended it; it is asked again."""
    GAP = "gap"
    """Events were skipped, or may have been."""
    UNSUBSCRIBED = "unsubscribed"
    LEFT = "left"
    """It isn't wanted any more and could not be ended: it expires."""


class Turn(StrEnum):
    """How asking the model ended."""

    ANSWERED = "answered"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"
    OVER_BUDGET = "over_budget"


class Unmade(StrEnum):
    """Why a tool call that a model asked for was not made; what it carried has words of its own."""

    UNKNOWN_TOOL = "unknown_tool"
    BAD_INPUT = "bad_input"
    """Its arguments are not what the tool takes."""
    ARGS = "args"
    """Its playbook doesn't allow its arguments."""
    UNHEEDED = "unheeded"
    """Its reply ended in a way that none of its calls survives."""
    LEAVE = "leave"
    """Its run was taking its leave."""
    ONE_WAIT = "one_wait"
    """Its turn held another wait."""
    NOT_LAST = "not_last"
    """It was to end the run, and its turn held other calls."""
    TOOL_CALLS = "tool_calls"
    MAX = "max"
    TAKEN_OFF = "taken_off"
    """It stands on its playbook no more."""
    DRIFT = "drift"
    """Its tool, or its server, isn't what a person approved."""
    UNHEARD = "unheard"
    """Its server is away, or offers it no more: nobody knows whether it is what a person approved."""
    EFFECT = "effect"
    """Its tool counts as one that does more than it did."""
    CONSENT = "consent"
    """Nobody consented to exactly this."""
    SUBJECT = "subject"
    """Too much was written on its run's subject lately."""
    OTHER = "other"


class Parked(StrEnum):
    """What a run waits for without working."""

    WAITING = "waiting"
    BUDGET = "budget"
    PAUSED = "paused"
    """Somebody holds its rule or source."""
    PERSON = "person"
    """Something must be decided or mended; its own record says what."""


class Reloaded(StrEnum):
    """What became of files that changed."""

    TAKEN = "taken"
    REJECTED = "rejected"
    """They bring a mistake that wasn't there: what was in force stays."""


class Lost(StrEnum):
    """What was done about an open run that Temporal no longer has."""

    AGAIN = "again"
    """It had written nothing, so it begins again."""
    PERSON = "person"
    """It had sent a write: somebody must look."""
    OUTSIDE = "outside"
    """Somebody ended it in Temporal, or it failed there."""


class Approving(StrEnum):
    """What happens to requests to people."""

    ASKED = "asked"
    APPROVED = "approved"
    DENIED = "denied"
    ANSWERED = "answered"
    EXPIRED = "expired"
    REFUSED = "refused"
    """A word that doesn't count: of somebody who may not say it, too late, or unfit."""


class Notified(StrEnum):
    """What became of telling people."""

    DONE = "done"
    PROPOSED = "proposed"
    """Only proposed: its rule is a preview."""
    FAILED = "failed"
    UNWANTED = "unwanted"
    """There are such rules, and none of them wanted this one."""


class Waited(StrEnum):
    """How a wait ended."""

    WOKEN = "woken"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
