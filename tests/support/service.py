"""The service beside an installation, without Temporal: the real door and the real dispatcher, at work in a thread.

with working(there, rule()) as runs:
    there.doorbell("rules", "pause", "triage")
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

from orchestrator.configuration.configuration import Configuration
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.rules.rule import Rule
from orchestrator.secrets import Secret
from orchestrator.sources.operator import operator_source
from orchestrator.sources.source import OPERATOR
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores
from tests.support.blanks import furnished
from tests.support.builders import Log, configuration, source
from tests.support.installed import Installed, door_at
from tests.support.roads import RecordingRuns
from workflows.playbook import Playbook

PATIENCE = 30.0
LOOK = 0.02


@contextmanager
def working(
    there: Installed, *rules: Rule, playbooks: Mapping[str, Playbook] | None = None
) -> Iterator[RecordingRuns]:
    """It works until the block ends; yields where its decisions go."""
    files = replace(configuration(*rules), playbooks=dict(playbooks or {}))
    runs, ready, stop = RecordingRuns(), threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(there, files, runs, ready, stop)))
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        yield runs
    finally:
        stop.set()
        thread.join()


def until(holds: Callable[[], object]) -> None:
    """Look until it holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never held"
        time.sleep(LOOK)


async def _serve(
    there: Installed,
    files: Configuration,
    runs: RecordingRuns,
    ready: threading.Event,
    stop: threading.Event,
) -> None:
    state = furnished(StateDirectory(there.path))
    stores = Stores.open(state, None)
    operator = operator_source(Secret("file:s", state.operator_secret()))
    sources = {"github": source(), OPERATOR: operator}
    dispatcher = Dispatcher(
        inbox=stores.inbox,
        ledger=stores.ledger,
        runs=runs,
        configuration=lambda: files,
        sources=lambda: sources,
        now=lambda: datetime.now(UTC),
        log=Log(),
    )
    try:
        async with door_at(stores.inbox, sources) as url:
            there.announced(url)
            task = asyncio.create_task(dispatcher.work())
            ready.set()
            await asyncio.to_thread(stop.wait)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    finally:
        stores.close()
