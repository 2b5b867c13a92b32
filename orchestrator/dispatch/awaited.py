"""What an event is to the waits of runs: the one they want, one that passes them by, or one that comes too late.

Pure. Of several waits of one run an event ends the oldest only: it reaches a run once.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from orchestrator.events import Event
from orchestrator.expressions import Expression, ExpressionError
from orchestrator.rules.operators import like
from orchestrator.rules.reading import Reading
from orchestrator.rules.rule import Finding, Trust
from orchestrator.rules.trust import too_far, uninvited

LATE_TOLD: Final = 3
"""Runs that are named to an event which comes too late for them; the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A wait, as far as deciding needs it: an open one, or one that has `ended` not long ago, said in a word.

    `cel` is what must hold of an event that ends it; empty, every one does. `trust` is what its run's rule asks now of
    whoever ends it; None where nobody is asked, as where a call's own callback is waited for.
    """

    wait_id: str
    run_id: str
    workflow_id: str
    rule: str
    playbook: str
    patterns: tuple[str, ...]
    key: str
    since: int
    deadline_at: float
    cel: str = ""
    ended: str = ""
    trust: Trust | None = None


@dataclass(frozen=True, slots=True)
class Weighed:
    """A wait that an event is for, and why it doesn't end it; empty where it does. `trace` is what trust says to it."""

    wait: Wanted
    but: str = ""
    trace: tuple[Finding, ...] = ()


def weighed(
    waits: Sequence[Wanted], reading: Reading, position: int, hops: int = 0, chain: str = ""
) -> list[Weighed]:
    """The open waits this event is for; so many runs led to it, by that chain."""
    found: list[Weighed] = []
    woken: set[str] = set()
    for wait in waits:
        if wait.ended or not wants(wait, reading.event, position):
            continue
        one = weigh(wait, reading, hops, chain)
        if not one.but and wait.workflow_id in woken:
            one = Weighed(wait, "it wakes this run by an older wait")
        elif not one.but:
            woken.add(wait.workflow_id)
        found.append(one)
    return found


def weigh(wait: Wanted, reading: Reading, hops: int, chain: str) -> Weighed:
    """What an event is to a wait that it is for: whom its rule doesn't trust ends none."""
    if wait.trust is None:
        return Weighed(wait, lacking(wait, reading))
    far, refused = too_far(wait.trust, hops), uninvited(wait.trust, reading.event)
    if refused is not None:
        return Weighed(wait, f"{refused.path} refuses {refused.actual}", (refused,))
    if far is not None:
        return Weighed(wait, loop(far, chain), (far,))
    return Weighed(wait, lacking(wait, reading))


def loop(far: Finding, chain: str) -> str:
    """How a chain is told that goes no further."""
    return f"loop: {far.actual} hops, at most {far.expected}: {chain}"


def wants(wait: Wanted, event: Event, position: int) -> bool:
    """Whether this event is for a wait: source, type, key, order and time."""
    return fits(wait, event, position) and event.received_at.timestamp() <= wait.deadline_at


def fits(wait: Wanted, event: Event, position: int) -> bool:
    """Whether it would be for the wait if it came in time."""
    return (
        position > wait.since
        and wait.key in event.keys
        and any(like(f"{event.source}/{event.type}", pattern) for pattern in wait.patterns)
    )


def lacking(wait: Wanted, reading: Reading) -> str:
    """Why an event that is for a wait doesn't end it, by its condition; empty where it does."""
    if not wait.cel:
        return ""
    try:
        holds, because = Expression.compile(wait.cel).holds(reading.values)
    except ExpressionError as error:
        return f"its condition can't be read: {error}"
    if holds:
        return ""
    return f"{wait.cel!r} doesn't hold" + (f": {because}" if because else "")


def missed(
    waits: Sequence[Wanted], event: Event, position: int, reached: Collection[str | None]
) -> Iterator[Weighed]:
    """The runs that waited for such an event until not long ago, and no longer do; none that hears of it otherwise."""
    fitting = [wait for wait in waits if fits(wait, event, position)]
    told = {
        *reached,
        *(wait.workflow_id for wait in fitting if wants(wait, event, position) and not wait.ended),
    }
    for wait in [wait for wait in reversed(fitting) if wait.workflow_id not in told][:LATE_TOLD]:
        until = datetime.fromtimestamp(wait.deadline_at, UTC)
        how = f" ({wait.ended})" if wait.ended else ""
        yield Weighed(
            wait,
            f"late: run {wait.run_id} waited for it until {until:%Y-%m-%d %H:%M:%S} UTC{how}",
        )
