"""What runs ask people and what became of it, as plain dictionaries, the same for every command; it changes nothing."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from orchestrator.database import Transaction
from orchestrator.ledger import approvals, calls, clearings, notices
from orchestrator.ledger.approvals import Approval, Said
from orchestrator.ledger.calls import Call
from orchestrator.ledger.notices import Notice
from workflows.approvals import Standing
from workflows.messages import CallState

Shown = dict[str, Any]
MOST: Final = 500
EVERY: Final = tuple(Standing)


def listed(
    connection: Transaction, limit: int, standings: tuple[Standing, ...] = (Standing.OPEN,)
) -> list[Shown]:
    """The newest requests that stand so, first."""
    return [line(one) for one in approvals.newest(connection, limit, standings)]


def of_run(connection: Transaction, run_id: str) -> tuple[list[Shown], list[Shown]]:
    """What a run asks people at this moment: what it waits for, and what somebody applied of its proposals."""
    found = [one for one in approvals.of_run(connection, run_id) if one.standing is Standing.OPEN]
    own = [line(one) for one in found if not one.call_id.endswith(calls.APPLIED)]
    return own, [line(one) for one in found if one.call_id.endswith(calls.APPLIED)]


def waiting(connection: Transaction, now: float) -> list[Shown]:
    """Every open request whose time isn't up, the oldest first, with its age and what is left of it, in seconds."""
    found = approvals.newest(connection, MOST, (Standing.OPEN,))
    return [
        {**line(one), "age": now - one.asked_at, "left": one.expires_at - now}
        for one in reversed(found)
        if one.expires_at > now
    ]


def beside(connection: Transaction, run_id: str) -> Shown:
    """What happened beside a run's calls: how many requests stand how, who was told, and what is shown no more."""
    standings = Counter(str(one.standing) for one in approvals.of_run(connection, run_id))
    return {
        "people": dict(standings),
        "notices": [notice(one) for one in notices.of_run(connection, run_id)],
        "cleared_through": clearings.cleared(connection, run_id),
    }


def notice(one: Notice) -> Shown:
    """A notice to people, with the event that carries it; `failed` is None while nobody knows."""
    return {
        "type": one.type,
        "run": one.run_id,
        "event": one.event_id,
        "at": _iso(one.at),
        "became": one.became,
        "failed": one.failed,
    }


def line(approval: Approval) -> Shown:
    """A request in one line of a list."""
    return {
        "code": approval.code,
        "run": approval.run_id,
        "call": approval.call_id,
        "tool": approval.tool or None,
        "by": list(approval.by),
        "standing": str(approval.standing),
        "asked_at": _iso(approval.asked_at),
        "expires_at": _iso(approval.expires_at),
        "on_timeout": str(approval.on_timeout),
        "settled_at": None if approval.settled_at is None else _iso(approval.settled_at),
        "person": approval.person,
    }


def whole(connection: Transaction, approval: Approval) -> Shown:
    """A request with every field of its call, and every word about it."""
    call = calls.one(connection, approval.run_id, approval.call_id)
    before = approval.before
    return {
        **line(approval),
        "digest": approval.digest,
        "arguments": dict(call.arguments),
        "asked_with": None if before is None else dict(before),
        "why": approval.why,
        "became": became(approval, call),
        "words": [_word(one) for one in approvals.words_of(connection, approval.approval_id)],
    }


def became(approval: Approval, call: Call) -> str:
    """How it stands with a request, in a word: `executed` only when its call was answered by its server."""
    if approval.standing is not Standing.APPROVED:
        return str(approval.standing)
    match call.state:
        case CallState.DONE | CallState.FAILED:
            return "executed"
        case CallState.UNKNOWN:
            return "sent, outcome unknown"
        case CallState.REFUSED | CallState.DENIED:
            return "not executed"
        case _:
            return str(approval.standing)


def came_of(connection: Transaction, decision_ids: Sequence[str]) -> dict[str, str]:
    """What came of each of these words, as far as it is known; a consent says what became of its call."""
    found = {}
    for decision_id in decision_ids:
        said = approvals.said(connection, decision_id)
        if said is None or said.became is None:
            continue
        found[decision_id] = said.became
        if said.became == Standing.APPROVED:
            approval = approvals.one(connection, said.approval_id)
            call = calls.one(connection, approval.run_id, approval.call_id)
            found[decision_id] = became(approval, call)
    return found


def _word(said: Said) -> Shown:
    return {
        "word": said.word,
        "person": said.person,
        "at": _iso(said.at),
        "event": said.event_id,
        "became": said.became,
    }


def _iso(seconds: float) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
