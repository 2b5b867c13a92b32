"""Watch an installation from outside: reads the inbox and the ledger, prints each new fact once, changes nothing."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.text import Text

from orchestrator import views
from orchestrator.database import Transaction
from orchestrator.dispatch.decide import OURSELVES
from orchestrator.ledger import conversations, turns
from orchestrator.stores import Stores
from orchestrator.tell import value

LOOK_EVERY = 0.1
NEWEST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look: events and runs as the CLI shows them, and the turns that are under way as (run, turn)."""

    events: list[dict[str, Any]]
    runs: list[dict[str, Any]]
    under_way: frozenset[tuple[str, int]]

    def event(self, event_id: str) -> dict[str, Any]:
        """That event."""
        return next(event for event in self.events if event["id"] == event_id)


@dataclass(kw_only=True, slots=True)
class Watch:
    """A live, readable timeline."""

    stores: Stores
    console: Console
    temporal_ui: str
    namespace: str
    began: float = field(default_factory=time.monotonic)
    told: set[str] = field(default_factory=set)

    def say(self, mark: str, text: str, style: str = "") -> None:
        """One line of the story."""
        clock = f"{time.monotonic() - self.began:5.1f} s  "
        self.console.print(
            Text.assemble((clock, "dim"), (f"{mark} ", "bold"), (text, style)), soft_wrap=True
        )

    async def look(self) -> Seen:
        """Look, and tell what is new."""
        entries = await self.stores.inbox.entries(NEWEST)
        seen = Seen(
            events=await views.events(self.stores, entries),
            runs=await self.stores.ledger.read(_runs, self.temporal_ui, self.namespace),
            under_way=await self.stores.ledger.read(turns.under_way),
        )
        self._tell(seen)
        return seen

    async def until(self, holds: Callable[[Seen], bool], patience: float) -> Seen | None:
        """Look until it holds; None when that took more than `patience` seconds."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            seen = await self.look()
            if holds(seen):
                return seen
            await asyncio.sleep(LOOK_EVERY)
        return None

    def _tell(self, seen: Seen) -> None:
        for event in reversed(seen.events):
            self._once(
                f"kept {event['id']}",
                "📥",
                f"kept {event['source']}/{event['type']} {event['subject'] or ''} as {event['id']}",
            )
            for decision in event["decisions"]:
                if decision["action"] != "ignore" or decision["rule"] == OURSELVES:
                    line = f"{decision['action']}: {decision['reason']} ({decision['rule']})"
                    self._once(f"decided {decision['id']}", "⚖ ", line)
        for run in reversed(seen.runs):
            self._run(run)

    def _run(self, run: dict[str, Any]) -> None:
        self._once(
            f"run {run['id']}",
            "▶ ",
            f"run {run['id']}: playbook {run['playbook']} for {run['key']}",
        )
        for turn in range(1, run["turns"] + 1):
            self._once(f"turn {run['id']} {turn}", "🧠", f"turn {turn}")
        for call in run["tool_calls"]:
            done = call["state"] not in {"intended", "sent"}
            if done and call["server"] != "doorbell":
                line = (
                    f"{call['server']}.{call['tool']} {value(call['arguments'])}: {call['state']}"
                )
                self._once(f"call {call['id']}", "🔧", line)
        state = f"{run['state']} {run['outcome'] or run['reason']}".strip()
        if run["state"] != "running":
            self._once(
                f"state {run['id']} {state}", "⏸ " if run["state"] != "ended" else "🏁", state
            )

    def _once(self, key: str, mark: str, text: str) -> None:
        if key not in self.told:
            self.told.add(key)
            self.say(mark, text)


def _runs(connection: Transaction, ui: str, namespace: str) -> list[dict[str, Any]]:
    return [
        views.run(connection, one.run_id, ui, namespace)
        for one in conversations.newest(connection, NEWEST)
    ]
