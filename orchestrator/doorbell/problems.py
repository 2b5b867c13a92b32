"""What a sender is told when it must ring differently: one table, constant texts; pure.

The bodies are RFC 9457 problems. Nothing that came with the request stands in them: no secret, no payload,
no name that a stranger chose.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.errors import Reason

CONTENT_TYPE: Final = "application/problem+json"
RETRY_AFTER: Final = 5
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Problem:
    """The status, what went wrong, and what to do about it."""

    status: int
    title: str
    detail: str


PROBLEMS: Final[Mapping[Reason, Problem]] = {
    Reason.NO_SIGNATURE: Problem(
        401,
        "The delivery is not signed",
        "A signature header of this source's scheme is missing or empty. Set the webhook's secret at the sender.",
    ),
    Reason.BAD_SIGNATURE: Problem(
        401,
        "The signature does not fit",
        "Check that both sides hold the same secret and that nothing rewrites the body on its way.",
    ),
    Reason.STALE: Problem(
        401,
        "The signature is too old",
        "Sign again with the current time, and check both clocks.",
    ),
    Reason.FUTURE: Problem(
        401, "The signature is from the future", "Check both clocks, then sign again."
    ),
    Reason.AMBIGUOUS_HEADER: Problem(
        400, "A header came more than once", "Send each header that carries meaning exactly once."
    ),
    Reason.MALFORMED: Problem(
        400,
        "The delivery can't be read",
        "The signature fits, but this is not what the source's scheme speaks. Do not send it again unchanged.",
    ),
    Reason.TYPE_MISMATCH: Problem(
        400,
        "The event's name does not fit its body",
        "The header that names the event is not signed, and the signed body is of another event.",
    ),
    Reason.UNKNOWN_SOURCE: Problem(
        404,
        "No such source",
        "Deliveries go to /hooks/NAME, where NAME stands in the doorbell's sources.yaml.",
    ),
    Reason.UNKNOWN_SUBSCRIPTION: Problem(
        503,
        "The subscription is not known here yet",
        f"No subscription of ours signs like this. Send it again after {RETRY_AFTER} seconds, or end the subscription.",
    ),
    Reason.METHOD_NOT_ALLOWED: Problem(
        405, "Only POST rings here", "Send the delivery with the method POST."
    ),
    Reason.TOO_SLOW: Problem(
        408, "The body came too slowly", "Send the whole body at once; the time for it is short."
    ),
    Reason.BROKEN_OFF: Problem(
        400, "The body broke off", "Send the whole body, in one piece or in chunks of HTTP/1.1."
    ),
    Reason.TOO_LARGE: Problem(
        413, "The body is too large", "Send less: the source's limit stands in the documentation."
    ),
    Reason.UNSUPPORTED_ENCODING: Problem(
        415, "The body is encoded", "Send the body as it was signed, without a Content-Encoding."
    ),
    Reason.OVERLOADED: Problem(
        503,
        "The delivery can't be kept now",
        f"Nothing was kept. Send it again after {RETRY_AFTER} seconds.",
    ),
}


def body_of(reason: Reason) -> bytes:
    """The problem as `application/problem+json`."""
    problem = PROBLEMS[reason]
    return problem_json(
        f"urn:doorbell:problem:{reason}", problem.status, problem.title, problem.detail
    )


def problem_json(kind: str, status: int, title: str, detail: str) -> bytes:
    """One RFC 9457 object; `kind` is a URI that names the sort of problem."""
    return json.dumps({"type": kind, "title": title, "status": status, "detail": detail}).encode()
