"""What crosses between a run and the world about a person's consent or answer: references and standings, no text."""

from dataclasses import dataclass
from enum import StrEnum

from workflows.messages import Entry, ToolCall, ToolCard
from workflows.playbook import OnTimeout


class Standing(StrEnum):
    """Where a request to people stands; it leaves `open` once, whoever comes first."""

    OPEN = "open"
    APPROVED = "approved"
    DENIED = "denied"
    ANSWERED = "answered"
    EXPIRED = "expired"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Ask people about this call; asked again, the same request.

    It stands open at most for `seconds`, the time that is left to the conversation, where that is limited.
    """

    run_id: str
    call_id: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request to people: what it is about, in words, and for how many more seconds it stands open.

    `code` is what a person names it by. Without an `approval_id` nobody was asked, and the call has its answer.
    """

    approval_id: str
    call_id: str
    code: str
    standing: Standing
    wants: str
    seconds: float
    on_timeout: OnTimeout = OnTimeout.DENY


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A person's word from the mailbox, claimed."""

    run_id: str
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Heeded:
    """What a word came to: `standing` of the request now, OPEN where the word changed nothing.

    `late` says that the request had been settled before. `call` and `card` are there where the call is to be made now.
    """

    approval_id: str
    standing: Standing
    late: bool = False
    call: ToolCall | None = None
    card: ToolCard | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiring:
    """The time of this request is up."""

    run_id: str
    approval_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """Where the request stands then; while it is OPEN, a word that came in time is on its way."""

    standing: Standing
