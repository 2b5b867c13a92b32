"""What we write at the end of our texts, and how we know our own words and their echoes again; it looks nothing up.

A marker says which run wrote, in which turn, and how many runs stand before it in the chain that led there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.events import Event
from orchestrator.rules.trust import ours, own_write
from orchestrator.sources.authors import is_news, new_words, newest

_MARKER: Final = (
    r"<!-- doorbell:(?P<run>[0-9a-f]{12}\.[0-9]{1,9})(?:\.[0-9]{1,9}\.(?P<hops>[0-9]{1,3}))? -->"
)
MARKER: Final = re.compile(rf"(?:\A|\n){_MARKER}\s*\Z")
"""Alone in the last line: quoted, it stands behind a `>`, and the words are somebody else's."""

ANYWHERE: Final = re.compile(_MARKER)
MOST_ECHOES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """A marker in a text: the run that wrote it, and the hops it says stood before that run."""

    run_id: str
    hops: int


def ours_because(
    event: Event, own_actors: frozenset[str], foreign: frozenset[str] = frozenset()
) -> str | None:
    """Why an event is our own doing, in words; None when somebody else did it.

    `foreign` are runs that are known to be none of ours: another installation signs in the same way.
    """
    actor = event.actor
    if actor is not None and ours(own_actors, actor):
        return own_write(actor)
    marked = MARKER.search(new_words(event.data))
    if marked is None or marked["run"] in foreign:
        return None
    return f"our own write: it ends in the marker of run {marked['run']}"


def echoes(data: Any) -> tuple[Echo, ...]:
    """The markers in the text that has just been written, wherever they stand in it, the first few of many."""
    return tuple(_echoes(new_words(data)))


def newest_text(data: Any) -> str:
    """The comment or the like by which a payload is news, in GitHub's words; empty where it is none."""
    found = newest(data)
    text = found[1].get("body") if found is not None and is_news(data) else None
    return text if isinstance(text, str) else ""


def _echoes(text: str) -> Iterator[Echo]:
    for number, found in enumerate(ANYWHERE.finditer(text)):
        if number == MOST_ECHOES:
            return
        yield Echo(run_id=found["run"], hops=int(found["hops"] or 0))
