"""Secret references (`env:NAME`, `file:/path`) and values that never print; it reads nothing by itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol

from typing_extensions import override

REFERENCE = re.compile(r"(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)")


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that shows its reference, never itself: `reveal()` is the only way to it."""

    reference: str
    _value: str

    def reveal(self) -> str:
        """The value, for the one line that needs it."""
        return self._value

    @override
    def __repr__(self) -> str:
        return f"Secret({self.reference})"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that can't be read, and why."""

    why: str


class ReadFile(Protocol):
    """How a `file:` reference is read; given by the composition root."""

    def __call__(self, path: PurePath) -> str | Unread | None:
        """The text, or why there is none; None where no file is read at all."""


def resolve(reference: str, environment: Mapping[str, str], read_file: ReadFile) -> Secret | None:
    """The secret behind a reference, without surrounding white space; None where it is unset or empty."""
    kind, _, name = reference.partition(":")
    found = environment.get(name) if kind == "env" else read_file(PurePath(name))
    value = found.strip() if isinstance(found, str) else ""
    return Secret(reference, value) if value else None


def missing(reference: str, read_file: ReadFile) -> str:
    """Why nothing is behind a reference, as a sentence begins."""
    kind, _, name = reference.partition(":")
    match None if kind == "env" else read_file(PurePath(name)):
        case Unread(why):
            return f"{reference} can't be read ({why})"
        case str():
            return f"{reference} is empty"
        case None:
            return f"{reference} is unset"
