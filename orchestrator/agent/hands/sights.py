"""How a task stands that a call became, as its server says it; values only, no protocol and no vendor."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orchestrator.agent.hands.definitions import Answered


class Status(StrEnum):
    """How a task stands, in the words of the specification."""

    WORKING = "working"
    INPUT_REQUIRED = "input_required"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How a task stands now; `answer` is what the call came to, once it has ended in a result or a failure.

    `ttl` and `poll` are in seconds. `requests` are what its server asks people, by their keys.
    """

    status: Status
    said: str = ""
    ttl: float | None = None
    poll: float | None = None
    answer: Answered | None = None
    requests: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Nobody knows how it stands; `gone` says that its server knows no such task."""

    reason: str
    gone: bool = False


Sight = Seen | Unseen
