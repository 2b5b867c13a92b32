"""What whoever asks is told instead of an answer: one table, as RFC 9457 problems; pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from orchestrator.errors import Fault

CONTENT_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """The status, and what is wrong; what to do stands in the detail."""

    status: HTTPStatus
    title: str


PROBLEMS: Final[Mapping[Fault, Problem]] = {
    Fault.UNPROVED: Problem(HTTPStatus.UNAUTHORIZED, "No token that is known"),
    Fault.NOT_ALLOWED: Problem(HTTPStatus.FORBIDDEN, "The token is not for that"),
    Fault.UNREADABLE: Problem(HTTPStatus.BAD_REQUEST, "The question can't be read"),
    Fault.NO_SUCH: Problem(HTTPStatus.NOT_FOUND, "There is no such thing"),
    Fault.AMBIGUOUS: Problem(HTTPStatus.CONFLICT, "It names more than one"),
    Fault.TOO_LATE: Problem(HTTPStatus.CONFLICT, "There is nothing to do any more"),
    Fault.KEY_REUSED: Problem(HTTPStatus.CONFLICT, "The key is taken by another word"),
    Fault.BUSY: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "It can't be answered now"),
}
REFUSED: Final = Problem(HTTPStatus.CONFLICT, "The word changed nothing")
"""It was recorded, and decided against."""


def problem(fault: Fault, detail: str) -> bytes:
    """The problem as `application/problem+json`."""
    told = PROBLEMS[fault]
    return written(str(fault), told, detail)


def refused(receipt: Mapping[str, Any]) -> bytes:
    """The problem of a word that changed nothing; its receipt stands beside the words."""
    return written("refused", REFUSED, str(receipt["reason"]), receipt=dict(receipt))


def written(kind: str, told: Problem, detail: str, **more: Any) -> bytes:
    """One RFC 9457 object."""
    plain = {
        "type": f"urn:doorbell:problem:{kind}",
        "title": told.title,
        "status": int(told.status),
        "detail": detail,
    }
    return json.dumps({**plain, **more}).encode()


def fault_of(told: Mapping[str, Any]) -> Fault | None:
    """Which fault a problem tells, read back; None where it is none of ours."""
    kind = str(told.get("type", "")).removeprefix("urn:doorbell:problem:")
    return Fault(kind) if kind in set(Fault) else None
