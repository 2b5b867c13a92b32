"""`doorbell work` with short patience, for tests that kill it; it can also be held at one exact instant.

    python -m tests.support.impatient_worker      for every line of stdin, an environment as JSON, forks one

While the file named by HOLD exists, the worker stops once at the instant named by HOLD_AT: `opening` (a conversation
is numbered, its tools are not chosen yet), `replied` (a turn is recorded, Temporal doesn't know yet), `waiting` (a wait
is registered, Temporal doesn't know yet), `intended` (a tool call is taken, nothing was permitted yet), `sent` (the
ledger says sent, no byte has left) or `answered` (the answer is recorded, Temporal doesn't know yet). It leaves a file
HOLD.held there, and HOLD.allowed or HOLD.refused once it has asked for permission. With MUTE, activities give only
one sign of life, so that one that takes long counts as lost. With ATTEMPTS, an opening has so many before it pauses.
With DEADLINE, a tool call has so many seconds. With COUNTED, model and hands are stand-ins that append to that file.
With PART=dispatch it is a dispatcher.
"""

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchestrator import worker
from orchestrator.agent import activities, beating, late
from orchestrator.agent.asking import turning
from orchestrator.agent.calling import once
from orchestrator.agent.conversation import opening
from orchestrator.agent.hands.definitions import BeforeSend, Outcome, Progress, Responses
from orchestrator.agent.hands.pool import Hands
from orchestrator.agent.means import Means
from orchestrator.agent.model import Claude
from orchestrator.agent.waiting import registering
from orchestrator.cli.work import work
from tests.support import impatient_dispatcher, standins
from workflows import calls
from workflows.messages import Ask, CallOutcome, CallRequest, Opened, Reply, Waiting, WaitRequest

SILENCE = timedelta(seconds=1.5)
DEADLINE = 15.0
"""The commit that lets a call leave is within it. Short ones are for tests that wait for the end of a sent write."""

STAND_INS = 2.0
"""The deadline of calls to hands that know none: so long nobody knows of one whose worker was killed."""


def hurry() -> None:
    """Notice a lost worker after 1.5 s instead of 10, and end a tool call after 15 s instead of 60."""
    for name in ("MODEL", "OPENING", "TOOL"):
        setattr(calls, name, replace(getattr(calls, name), silence=SILENCE))
    beating.INTERVAL = 0.3
    # Stock is 0.8 of the silence: a server that hears of it a moment late takes a worker that lives for lost.
    worker.HEARTBEATS = timedelta(seconds=0.3)
    once.MARGIN = 0.5
    calls.PAUSE = 0.5
    worker.STICKY = timedelta(seconds=1)
    patience(DEADLINE)


def patience(deadline: float) -> None:
    """A tool call has so many seconds."""
    CallRequest.__init__.__kwdefaults__["deadline"] = deadline


@dataclass
class Hold:
    """The instant at which to stop, once, and the file that says how long."""

    file: Path
    instant: str
    free: bool = False

    async def at(self, instant: str) -> None:
        if self.instant == instant and not self.free:
            self.free = True
            self.leave("held")
            while self.file.exists():  # noqa: ASYNC110 - another process can't set an Event
                await asyncio.sleep(0.02)

    def leave(self, word: str) -> None:
        if self.instant:
            self.file.with_suffix(f".{word}").touch()


HOLD = Hold(file=Path("/nowhere"), instant="")


class HeldHands(Hands):
    """Hands that can be held just before and just after they are allowed to send."""

    async def call(
        self,
        server: str,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        deadline: float,
        key: str,
        before_send: BeforeSend | None = None,
        progress: Progress | None = None,
        responses: Responses | None = None,
    ) -> Outcome:
        async def permitted() -> bool:
            await HOLD.at("intended")
            allowed = before_send is None or await before_send()
            HOLD.leave("allowed" if allowed else "refused")
            await HOLD.at("sent")
            return allowed

        return await super().call(
            server,
            tool,
            arguments,
            deadline=deadline,
            key=key,
            before_send=permitted,
            progress=progress,
            responses=responses,
        )


async def prepare(means: Means, run_id: str) -> Opened:
    """The opening of a conversation, that can be held before anything of it is done."""
    await HOLD.at("opening")
    return await opening.prepare(means, run_id)


async def ask(means: Means, asked: Ask, attempt: int) -> Reply:
    """One turn, that can be held at its end."""
    reply = await turning.ask(means, asked, attempt)
    await HOLD.at("replied")
    return reply


async def call(means: Means, request: CallRequest, attempt: int) -> CallOutcome:
    """A tool call, that can be held when its answer is recorded."""
    outcome = await once.call(means, request, attempt)
    await HOLD.at("answered")
    return outcome


async def open_wait(means: Means, request: WaitRequest) -> Waiting:
    """A wait, that can be held when it is registered."""
    opened = await registering.open_wait(means, request)
    await HOLD.at("waiting")
    return opened


def nurse() -> None:
    """Fork a worker for each line, until stdin ends; they die with us."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    ours = os.getpid()
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
            if os.getppid() == ours:
                grow_up(json.loads(line))
            os._exit(1)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def grow_up(environment: dict[str, str]) -> None:
    """Be the worker."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Whom HTTP clients trust stays: of the system's many authorities each client would read all.
    trusted = {name: one for name, one in os.environ.items() if name == "SSL_CERT_FILE"}  # noqa: TID251 - it is a process of its own
    os.environ.clear()  # noqa: TID251 - as above
    os.environ.update(trusted | environment)  # noqa: TID251 - as above
    if "HOLD" in environment:
        HOLD.file, HOLD.instant = Path(environment["HOLD"]), environment["HOLD_AT"]
    if "MUTE" in environment:
        beating.INTERVAL = 3600.0
    if "ATTEMPTS" in environment:
        calls.OPENING = replace(calls.OPENING, attempts=int(environment["ATTEMPTS"]))
    if "COUNTED" in environment:
        late.MODEL, late.HANDS = standins.MODEL, standins.HANDS
        patience(STAND_INS)
    if "DEADLINE" in environment:
        patience(float(environment["DEADLINE"]))
    if environment.get("PART") == "dispatch":
        impatient_dispatcher.dispatch()
    else:
        work([])


if __name__ == "__main__":
    hurry()
    late.MODEL, late.HANDS = f"{Claude.__module__}:Claude", "__main__:HeldHands"
    activities.opening = SimpleNamespace(**vars(opening) | {"prepare": prepare})
    activities.turning = SimpleNamespace(ask=ask)
    activities.once = SimpleNamespace(**vars(once) | {"call": call})
    activities.registering = SimpleNamespace(**vars(registering) | {"open_wait": open_wait})
    nurse()
