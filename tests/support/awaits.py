"""A write whose process dies at a chosen await: before the n-th step that any of its tasks takes, it is gone.

`python -m tests.support.awaits` is the place where such processes come from. It has imported everything and opened
nothing; for each line of JSON it forks a child that makes one write with real hands on a real ledger, and answers with
how the child ended and at which await. Death is `os._exit`: no handler runs, no connection is closed.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from types import FrameType
from typing import Any

from typing_extensions import override

from orchestrator.agent.calling import once
from orchestrator.agent.calling.once import TryAgain
from orchestrator.agent.hands.pool import Hands
from orchestrator.agent.means import Means
from orchestrator.database import Database, sqlite_url
from orchestrator.ledger.migrations import MIGRATIONS
from orchestrator.servers import HttpServer
from tests.support.builders import configuration
from workflows.messages import CallRequest

ROOT = Path(__file__).parents[2]
KILLED = 137
DEADLINE = 20.0
"""Seconds a request may take; nobody waits for that here, the clock of a later attempt is set forward."""

LATER = 3_600.0


class Steps:
    """Counts the steps of all tasks, and ends the process before one of them."""

    def __init__(self, die: int | None, told: Path) -> None:
        self._die = die
        self._told = told
        self.seen: list[str] = []

    def step(self, coroutine: Any) -> None:
        self.seen.append(awaiting(coroutine))
        if len(self.seen) == self._die:
            self.tell()
            os._exit(KILLED)

    def tell(self) -> None:
        self._told.write_text(json.dumps(self.seen), encoding="utf-8")


class Counted(Coroutine[Any, Any, Any]):
    """A coroutine whose every step is counted before it is taken."""

    def __init__(self, coroutine: Any, steps: Steps) -> None:
        self._coroutine = coroutine
        self._steps = steps

    @override
    def send(self, value: Any) -> Any:
        self._steps.step(self._coroutine)
        return self._coroutine.send(value)

    @override
    def throw(self, *error: Any) -> Any:
        self._steps.step(self._coroutine)
        return self._coroutine.throw(*error)

    @override
    def close(self) -> None:
        self._coroutine.close()

    @override
    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()  # type: ignore[no-any-return]  # as any coroutine's


def awaiting(coroutine: Any) -> str:
    """The await that a coroutine stands at: the two innermost of ours, else the innermost of all."""
    frames = list(_frames(coroutine))
    ours = [frame for frame in frames if "/orchestrator/" in frame.f_code.co_filename]
    return " > ".join(_place(frame) for frame in ours[-2:] or frames[-1:])


def _place(frame: FrameType) -> str:
    file = Path(frame.f_code.co_filename)
    return f"{file.parent.name}/{file.name}:{frame.f_lineno}"


def _frames(awaited: Any) -> Iterator[FrameType]:
    while awaited is not None:
        for kind in ("cr", "gi", "ag"):
            frame = getattr(awaited, f"{kind}_frame", None)
            if frame is not None:
                yield frame
                awaited = getattr(awaited, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
                break
        else:
            return


# The process that dies -------------------------------------------------------------------------


def means(ledger: Database, hands: Hands, ahead: float = 0.0) -> Means:
    """A worker's means, with a clock that may be ahead."""
    nothing: dict[str, Any] = {"inbox": None, "model": None}
    return Means(
        ledger=ledger,
        hands=hands,
        configuration=configuration,
        now=lambda: time.time() + ahead,
        scripted=True,
        **nothing,
    )


async def attempt(at: Means, run_id: str, call_id: str, number: int) -> str:
    """One attempt, as an activity makes it; how the call ended, or that it is to be tried again."""
    request = CallRequest(run_id=run_id, call_id=call_id, deadline=DEADLINE)
    try:
        return str((await once.call(at, request, number)).state)
    except TryAgain:
        return "again"


def lab(url: str, count: Path) -> HttpServer:
    """The counting server."""
    return HttpServer(name="lab", url=url, headers={"x-count": str(count)})


async def _write(asked: dict[str, Any], steps: Steps) -> None:
    loop = asyncio.get_running_loop()
    ledger = Database.open(sqlite_url(Path(asked["ledger"])), MIGRATIONS)
    hands = Hands({"lab": lab(asked["url"], Path(asked["count"]))}, environment={})
    loop.set_task_factory(
        lambda loop, coroutine, **how: asyncio.Task(Counted(coroutine, steps), loop=loop, **how)
    )
    at = means(ledger, hands, asked["ahead"])
    await loop.create_task(attempt(at, asked["run"], asked["call"], asked["attempt"]))
    steps.tell()
    os._exit(0)


def _child(asked: dict[str, Any]) -> None:
    asyncio.run(_write(asked, Steps(asked["die"], Path(asked["told"]))))


def main() -> None:
    """Fork a child for each line, and answer with a line."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                _child(json.loads(line))
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


# Who asks for such a process -------------------------------------------------------------------


class Graveyard:
    """Asks for processes that die."""

    def __init__(self, process: "Popen[str]", directory: Path, fixed: dict[str, Any]) -> None:
        self._process = process
        self._told = directory / "steps.json"
        self._fixed = {**fixed, "told": str(self._told)}

    async def write(
        self, run_id: str, call_id: str, die: int | None, attempt: int = 1
    ) -> tuple[int, list[str]]:
        """Let one make the write and die before its n-th step: its status and the awaits it stood at, in order."""
        self._told.unlink(missing_ok=True)
        ahead = LATER * (attempt - 1)
        asked = {"run": run_id, "call": call_id, "die": die, "attempt": attempt, "ahead": ahead}
        status = await asyncio.to_thread(self._ask, json.dumps({**self._fixed, **asked}))
        seen = json.loads(self._told.read_text("utf-8")) if self._told.exists() else []
        return status, seen

    def _ask(self, line: str) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def graveyard(directory: Path, ledger: Path, url: str, count: Path) -> Iterator[Graveyard]:
    """Where processes that die come from."""
    command = [sys.executable, "-m", "tests.support.awaits"]
    process = Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True)
    try:
        fixed = {"ledger": str(ledger), "url": url, "count": str(count)}
        yield Graveyard(process, directory, fixed)
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    main()
