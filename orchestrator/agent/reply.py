"""What is asked of a model and what comes of it, as values; it knows no vendor and asks nobody.

A question is `Said`, or it is `Unavailable` (try again, perhaps later) or `Rejected` (somebody must mend something,
or the conversation is `TooLong`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import DoorbellError, PersonError


class Unavailable(DoorbellError):
    """The model gave no usable reply this time.

    `retry_after` is in seconds, if it said so. `begun` says that a reply may have been begun, and so paid; `slowed`,
    that the credential was asked for too much, whoever asks.
    """

    def __init__(
        self,
        message: str,
        retry_after: float | None = None,
        *,
        begun: bool = False,
        slowed: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.begun = begun
        self.slowed = slowed


class Rejected(PersonError):
    """The model's provider will refuse this until somebody mends it; `invalid` when the request itself is at fault."""

    def __init__(self, message: str, *, invalid: bool = False) -> None:
        super().__init__(message)
        self.invalid = invalid


class TooLong(Rejected):
    """The conversation is larger than the model or its provider takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of the Messages API, our side of it; `tools_forbidden` shows the tools and lets none be called."""

    model: str
    max_tokens: int
    system: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]]
    messages: Sequence[Mapping[str, Any]]
    tools_forbidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One reply: content blocks as they came, why it stopped, what it used, the provider's request id.

    `details` are the provider's words about a refusal.
    """

    content: list[dict[str, Any]]
    stop: str
    usage: Mapping[str, Any]
    request_id: str | None
    details: Mapping[str, Any] | None = None
