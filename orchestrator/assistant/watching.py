"""Which events an assistant hasn't heard of yet, each told once, when it has been decided about; it sends nothing."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.console.questions import Console, Events
from orchestrator.rules.operators import like

PAGE: Final = 100
PATIENCE: Final = 4
"""Looks after which an event is told that nobody has decided about."""

LONGEST: Final = 200
"""Characters of a stranger's word in one line."""


@dataclass(kw_only=True, slots=True)
class Watching:
    """What comes from the first look on."""

    console: Console
    seen: dict[str, int] = field(default_factory=dict)
    begun: bool = False

    async def look(self) -> list[Mapping[str, Any]]:
        """What is to be told now, oldest first; at the first look nothing, for all of it was there before."""
        page = (await self.console.ask(Events(limit=PAGE)))["events"]
        if not self.begun:
            self.begun = True
            self.seen = {one["id"]: PATIENCE for one in page}
            return []
        ripe = [one for one in reversed(page) if self._ripe(one)]
        # Only what may stand on a page again need be remembered.
        self.seen = {one["id"]: self.seen[one["id"]] for one in page}
        return ripe

    def _ripe(self, event: Mapping[str, Any]) -> bool:
        """Whether it is told now, and never again."""
        looks = self.seen.get(event["id"], 0)
        self.seen[event["id"]] = looks + 1
        if looks >= PATIENCE:
            return False
        if event["state"] == "received" and looks + 1 < PATIENCE:
            return False
        self.seen[event["id"]] = PATIENCE
        return True


def wants(globs: Collection[str], event: Mapping[str, Any]) -> bool:
    """Whether one of these globs over source/type fits."""
    return any(like(f"{event['source']}/{event['type']}", glob) for glob in globs)


def told(event: Mapping[str, Any]) -> str:
    """An event in one line; what strangers chose is quoted, and cut."""
    acted = [one for one in event["decisions"] if one["action"] != "ignore"]
    did = "; ".join(f"{one['action']} {one['run_id'] or one['rule']}" for one in acted)
    about = f" about {_quoted(event['subject'])}" if event["subject"] else ""
    by = f" by {_quoted(event['actor'])}" if event["actor"] else ""
    return (
        f"{event['source']}/{_plain(event['type'])}{about}{by}, kept as {event['id']}: "
        f"{did or 'nothing acted on it'}. show_event and why tell more."
    )


def meta(event: Mapping[str, Any]) -> dict[str, str]:
    """The attributes of a channel message: letters, digits and underscores name them."""
    runs = [one["run_id"] for one in event["decisions"] if one["run_id"]]
    found = {"event": event["id"], "source": event["source"], "type": _plain(event["type"])}
    return {**found, "run": runs[0]} if runs else found


def _quoted(text: str) -> str:
    return repr(_plain(text))


def _plain(text: str) -> str:
    shown = "".join(c if c.isprintable() and c not in "<>" else "?" for c in text)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
