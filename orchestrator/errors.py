"""The exceptions of Doorbell, named by who must act next; it knows no vendor and no transport.

* DoorbellError
    * SenderError - the sender must ring differently (`orchestrator.doorbell.problems` has the status)
        * Refused - the bytes do not verify; carries a `Reason`
        * Malformed - verified, but not what the source's dialect speaks
    * AskerError - whoever asks the console must ask differently; carries a `Fault` (`orchestrator.console.problems`
      has the status)
    * ModelError - the model must ask differently; becomes the text of a tool result
    * PersonError - somebody must decide or mend something; the run parks with this as its reason
    * OperatorError - the installation must be mended: configuration, port, database, server
        * ConfigurationError - carries every `Mistake` of the configuration at once
    * Bug - us
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from typing_extensions import override


class Reason(StrEnum):
    """Why a delivery was refused: the closed set that logs, counters and `events list --refused` use."""

    NO_SIGNATURE = "no_signature"
    BAD_SIGNATURE = "bad_signature"
    AMBIGUOUS_HEADER = "ambiguous_header"
    STALE = "stale"
    FUTURE = "future"
    UNKNOWN_SOURCE = "unknown_source"
    UNKNOWN_SUBSCRIPTION = "unknown_subscription"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    BROKEN_OFF = "broken_off"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    MALFORMED = "malformed"
    TYPE_MISMATCH = "type_mismatch"
    OVERLOADED = "overloaded"


class Fault(StrEnum):
    """Why the console doesn't answer a question or take a word: the closed set of its problems."""

    UNPROVED = "unproved"
    NOT_ALLOWED = "not_allowed"
    UNREADABLE = "unreadable"
    NO_SUCH = "no_such"
    AMBIGUOUS = "ambiguous"
    TOO_LATE = "too_late"
    KEY_REUSED = "key_reused"
    BUSY = "busy"


class DoorbellError(Exception):
    """The root: catch it only where a process ends."""


class SenderError(DoorbellError):
    """The sender must ring differently."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Refused(SenderError):
    """The bytes do not prove who sent them."""


class Malformed(SenderError):
    """The bytes are proved, but they are not what this source speaks."""


class AskerError(DoorbellError):
    """Whoever asks the console must ask differently: the text says what was expected, and what came."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail


class ModelError(DoorbellError):
    """The model must ask differently: the text is what it is told."""


class PersonError(DoorbellError):
    """Somebody must decide or mend something; the run parks with this text as its reason."""


class OperatorError(DoorbellError):
    """The installation must be mended: the text says what, and how."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Mistake:
    """One thing wrong in one file; line and column count from 1."""

    file: str
    line: int
    column: int
    message: str

    @override
    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong at a place in a document, named by the keys that lead there; a `Mistake` before its line."""

    at: tuple[str | int, ...]
    message: str
    key: bool = False
    """Whether the key is wrong rather than its value."""
    within: tuple[int, int] | None = None
    """The line and column inside the value's own text, where that is what is wrong; both count from 1."""


class ConfigurationError(OperatorError):
    """The configuration is broken: every mistake, in file order."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in sorted(mistakes)))
        self.mistakes = tuple(sorted(mistakes))


class Bug(DoorbellError):
    """Something we promised ourselves does not hold; report it."""
