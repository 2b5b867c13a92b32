"""One event as rules look at it; it knows no rule. What several of them ask for is found once, whoever asks.

`Reading(event).at("issue.labels[*].name")` walks the payload the first time and remembers what it found.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from orchestrator.events import Event
from orchestrator.expressions import Values
from orchestrator.rules.paths import is_wide, values_at
from orchestrator.rules.rule import Finding
from orchestrator.templates import Plain

MISSING = "(missing)"
"""What a finding shows as the actual value where the path leads nowhere."""

SHOWN_TEXT = 200
SHOWN_ITEMS = 10


Found = tuple[Sequence[Any], Any]
"""The values at a path, and what is shown of them."""


class Reading:
    """An event with what has been `found` in it so far, by path, and the `findings` by what was asked."""

    def __init__(self, event: Event) -> None:
        self.event = event
        self.found: dict[str, Found] = {}
        self.findings: dict[object, Finding] = {}

    def at(self, path: str) -> Found:
        """Every value at the path, and what a finding shows of them.

        There is none where it is missing, and there may be several where it has `[*]`.
        """
        found = self.found.get(path)
        if found is None:
            values = values_at(self.event.data, path)
            found = self.found[path] = (values, _shown_of(values, path))
        return found

    @cached_property
    def values(self) -> Values:
        """The vocabulary of rules, as CEL takes it."""
        return Values.of(self.event.scope())

    @cached_property
    def plain(self) -> Plain:
        """The vocabulary of rules, as templates take it."""
        return Plain.of(self.event.scope())


def _shown_of(values: Sequence[Any], path: str) -> Any:
    if not values:
        return MISSING
    return shown(values if is_wide(path) else values[0])


def shown(value: Any) -> Any:
    """A trace is kept for each event: a line of it stays small whatever the payload holds."""
    match value:
        case str() if len(value) > SHOWN_TEXT:
            return f"{value[:SHOWN_TEXT]}... ({len(value)} characters)"
        case Mapping():
            return f"(a mapping of {len(value)})"
        case list() | tuple():
            more = [f"... ({len(value)} values)"] if len(value) > SHOWN_ITEMS else []
            return [
                shown(each) if not isinstance(each, list) else f"(a list of {len(each)})"
                for each in value[:SHOWN_ITEMS]
            ] + more
        case _:
            return value
