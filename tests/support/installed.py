"""An installation as the CLI finds it on disk: real stores in a state directory, filled by hand; no process runs.

there = Installed(tmp_path / "state")
there.kept(comment("evt_1"), rule())
there.doorbell("why", "evt_1", "--json")
"""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import structlog
from click.testing import CliRunner, Result

from orchestrator.cli.main import main
from orchestrator.dispatch.decide import decide
from orchestrator.doorbell.receive import door
from orchestrator.errors import Reason
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.inbox.inbox import Arrival, Inbox, Refusal, event_of
from orchestrator.ledger import artifacts, calls, conversations, turns
from orchestrator.rules.rule import Rule
from orchestrator.rules.rulebook import PAGES, Rulebook
from orchestrator.sources.source import Source
from orchestrator.state import Addresses, StateDirectory
from orchestrator.stores import Stores
from tests.support.asgi import serving
from tests.support.blanks import furnished
from tests.support.builders import AT, NOW, RUN, charge, intent, known, opening
from tests.support.told import told
from workflows.messages import CallState, Outcome, RunState

T = TypeVar("T")
UI = "http://127.0.0.1:8233"


@dataclass(frozen=True)
class Installed:
    """A state directory and what a test puts into it."""

    path: Path

    def doorbell(self, *words: str) -> Result:
        """`doorbell WORDS --state HERE`, as a person types it."""
        return CliRunner().invoke(main, [*words, "--state", str(self.path)])

    def told(self, *words: str) -> Any:
        """What `--json` says; the command must have succeeded."""
        result = self.doorbell(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def announced(self, url: str) -> None:
        """A service that is running, as far as the state directory tells."""
        found = Addresses(url=url, pid=os.getpid(), temporal="127.0.0.1:9", temporal_ui=UI)
        StateDirectory(self.path).announce(found)

    def use(self, act: Callable[[Stores], Awaitable[T]]) -> T:
        """Do something with the stores, as another process would: opened and closed around it."""
        stores = Stores.open(furnished(StateDirectory(self.path)), None)

        async def done() -> T:
            return await act(stores)

        try:
            return asyncio.run(done())
        finally:
            stores.close()

    def kept(self, arrival: Arrival, *rules: Rule, **changes: Any) -> None:
        """A delivery that was kept and decided about."""

        async def act(stores: Stores) -> None:
            await stores.inbox.keep([arrival])
            entry = await stores.inbox.entry(arrival.id)
            assert entry is not None
            happened = event_of(entry, json.loads(entry.body))
            decisions = decide(happened, entry.position, known(*rules, **changes))
            pages = Rulebook(rules).pages
            await stores.ledger.write(artifacts.put, pages, PAGES, AT)
            await stores.inbox.decide(arrival.id, decisions, NOW)

        self.use(act)

    def only_kept(self, *arrivals: Arrival) -> None:
        """Deliveries that nobody has decided about."""
        self.use(lambda stores: stores.inbox.keep(arrivals))

    def refused(self, source: str, reason: Reason = Reason.BAD_SIGNATURE, detail: str = "") -> None:
        """A delivery that wasn't kept."""
        refusal = Refusal(
            at=NOW, source=source, reason=reason, detail=detail, headers=("host", "x-signature")
        )
        self.use(lambda stores: stores.inbox.refuse(refusal))

    def write(self, act: Callable[..., Any], *given: Any) -> None:
        """Write something to the ledger."""
        self.use(lambda stores: stores.ledger.write(act, *given))

    def began(self, event_id: str = "evt_1", **changes: Any) -> None:
        """A run that an event opened."""
        begun = opening(f"dec_{event_id}", event_id=event_id, **changes)
        self.write(conversations.begin, begun, AT)

    def stood(self, state: RunState, reason: str = "", outcome: Outcome | None = None) -> None:
        """Where the run is."""
        self.write(conversations.record, RUN, state, reason, outcome, AT + 60)

    def frozen(self, model: str) -> None:
        """What the run is made of was chosen: this model."""
        self.write(conversations.freeze, RUN, "sha", model)

    def said(self, turn: int, *content: dict[str, Any]) -> None:
        """A turn of the run, paid for."""
        self.write(turns.reserve, RUN, turn, 1, charge(), AT)
        self.write(turns.settle, RUN, turn, 1, charge(), "settled")
        self.write(turns.reply, RUN, turn, json.dumps(content), "end_turn", None, AT)

    def called(self, call_id: str, state: CallState, turn: int = 1, **changes: Any) -> None:
        """A tool call of the run, and how it ended."""
        self.write(calls.intend, RUN, turn, intent(call_id, **changes), AT)
        end = calls.Result(state=state, content=[], is_error=False)
        self.write(calls.finish, RUN, call_id, end, AT)


@asynccontextmanager
async def door_at(inbox: Inbox, sources: Mapping[str, Source]) -> AsyncIterator[str]:
    """The real door before this inbox, over real HTTP; yields its base URL."""
    log = structlog.wrap_logger(structlog.PrintLogger(), processors=[_dropped])
    async with GroupCommit(inbox) as commit, RefusalLog(inbox) as refusals:
        knock = door(lambda: sources, commit, refusals.refuse, _now, _new_id, told(log))

        async def mounted(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await knock({**scope, "path": scope["path"].removeprefix("/hooks")}, receive, send)

        async with serving(mounted) as url:
            yield url


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return f"evt_{secrets.token_hex(8)}"


def _dropped(_logger: Any, _method: str, _event: Any) -> Any:
    raise structlog.DropEvent
