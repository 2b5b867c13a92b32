"""What to start and stop next among a few child processes: values in, values out, no process touched.

A standing says where a child is; `plan` and `unwind` say what to do; the rest says how a standing changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

FIRST_DELAY, LONGEST_DELAY = 0.2, 5.0
SETTLED_AFTER = 10.0
"""Seconds up after which earlier failures are forgotten."""
FIRST_TRIES = 5
"""How often a child that was never ready is started."""
OPERATOR_MUST_ACT = 2
"""The exit code of a process that waits for a person: starting it again changes nothing."""


class Phase(StrEnum):
    """Where one child is."""

    DOWN = "down"
    STARTING = "starting"
    UP = "up"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One child as the plan sees it. Times are monotonic seconds; `due`: no start (or kill) before it."""

    name: str
    patience: float
    """Seconds between SIGTERM and SIGKILL."""
    phase: Phase = Phase.DOWN
    since: float = 0.0
    due: float = 0.0
    failures: int = 0
    proved: bool = False
    """Whether it was ready once."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start the child."""

    name: str


@dataclass(frozen=True, slots=True)
class Terminate:
    """Ask the child to stop (SIGTERM)."""

    name: str


@dataclass(frozen=True, slots=True)
class Kill:
    """End the child (SIGKILL): it was asked and did not stop in time."""

    name: str


Act = Start | Terminate | Kill


def plan(standings: Sequence[Standing], now: float) -> list[Act]:
    """What to start now: in order, and never before the one ahead of it was ready once.

    One that is asked to stop while the others go on (a restart) is killed when its patience is over.
    """
    acts: list[Act] = []
    for standing in standings:
        if standing.phase is Phase.DOWN and standing.due <= now:
            acts.append(Start(standing.name))
        if standing.phase is Phase.STOPPING and standing.due <= now:
            acts.append(Kill(standing.name))
        if not standing.proved:
            break
    return acts


def unwind(standings: Sequence[Standing], now: float) -> list[Act]:
    """What to stop now: one at a time, in the order given; nothing when all are down."""
    standing = next((one for one in standings if one.phase is not Phase.DOWN), None)
    if standing is None:
        return []
    if standing.phase is not Phase.STOPPING:
        return [Terminate(standing.name)]
    return [Kill(standing.name)] if standing.due <= now else []


def next_due(standings: Sequence[Standing], now: float) -> float | None:
    """When a plan may come out differently though nothing happened; None: only when something happens."""
    timed = (Phase.DOWN, Phase.STOPPING)
    times = [one.due for one in standings if one.phase in timed and now < one.due < float("inf")]
    return min(times, default=None)


def backoff(failures: int) -> float:
    """Seconds to wait after that many failures in a row."""
    return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(failures - 1, 10))


def started(standing: Standing, now: float) -> Standing:
    """The child was started."""
    return replace(standing, phase=Phase.STARTING, since=now)


def became_ready(standing: Standing, now: float) -> Standing:
    """The child does its work; one that is being stopped meanwhile stays so."""
    if standing.phase is not Phase.STARTING:
        return standing
    return replace(standing, phase=Phase.UP, since=now, proved=True)


def asked_to_stop(standing: Standing, now: float) -> Standing:
    """The child got SIGTERM."""
    return replace(standing, phase=Phase.STOPPING, since=now, due=now + standing.patience)


def asked_to_restart(standing: Standing, now: float) -> Standing:
    """The child shall begin anew: one that is down at once, one that runs when it has stopped."""
    match standing.phase:
        case Phase.DOWN:
            return replace(standing, due=now)
        case Phase.STARTING | Phase.UP:
            return asked_to_stop(standing, now)
        case Phase.STOPPING:
            return standing


def killed(standing: Standing) -> Standing:
    """The child got SIGKILL; its end is certain, so nothing is due."""
    return replace(standing, due=float("inf"))


def exited(standing: Standing, now: float) -> Standing:
    """The child's process ended: by our wish, or as a failure."""
    if standing.phase is Phase.STOPPING:
        return replace(standing, phase=Phase.DOWN, since=now, due=now)
    settled = standing.phase is Phase.UP and now - standing.since >= SETTLED_AFTER
    failures = 1 if settled else standing.failures + 1
    return replace(
        standing, phase=Phase.DOWN, since=now, failures=failures, due=now + backoff(failures)
    )


def hopeless(standing: Standing, code: int) -> bool:
    """Whether a child that ended with this code before it was ever ready isn't worth another start."""
    return not standing.proved and (code == OPERATOR_MUST_ACT or standing.failures >= FIRST_TRIES)
