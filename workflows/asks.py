"""What a run must know of a question that a server asks people in the middle of a call: no text of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An open one: whose answer it wants, in words, and for how many more seconds it stands open."""

    approval_id: str
    wants: str
    seconds: float
