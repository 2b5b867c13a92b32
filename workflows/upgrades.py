"""What an older version carried over, read by this one: a function for every step of its form, from JSON to JSON.

    upgraded({"mailbox": [...]})       # as the first version wrote it
    {"schema": 2, "mailbox": [...], "run_id": ""}

A new field with a default needs no step; a field that moves, or means something else, is a new schema with its step.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from workflows.carried import SCHEMA

Document = Mapping[str, Any]
FIRST: Final = 1
"""The schema of what says none."""


class NewerProgram(Exception):
    """A newer program wrote it: expected at most one schema, another came; bring the newer program back."""


def schema_of(document: Document) -> int:
    """The form in which it was written."""
    return int(document.get("schema", FIRST))


def upgraded(document: Document) -> Document:
    """The same state as this version would have written it. Raises NewerProgram."""
    schema = schema_of(document)
    if schema > SCHEMA:
        raise NewerProgram(
            f"expected a state of schema {SCHEMA} or before, schema {schema} came: a newer doorbell put this run to "
            f"sleep; start that one again, and the run goes on"
        )
    for number in range(schema, SCHEMA):
        document = {**UPGRADERS[number](document), "schema": number + 1}
    return document


def run_of(document: Document | None) -> str:
    """The conversation that is open in it; empty when there is none. Every schema since the second says it here."""
    return str((document or {}).get("run_id", ""))


def _named(document: Document) -> Document:
    """The second names the open conversation outside its state, so that every version finds it."""
    conversation = document.get("conversation") or {}
    return {**document, "run_id": conversation.get("run_id", "")}


UPGRADERS: Final[Mapping[int, Callable[[Document], Document]]] = {1: _named}
"""From this schema to the next."""
