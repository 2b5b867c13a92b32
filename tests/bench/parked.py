"""What parked runs cost, and that they all come back: `python -m tests.bench.parked [RUNS]`; 10,000 is the proof.

`doorbell up` as it is, over a scripted model. Every run reads its issue, asks, and waits for the reporter. Then the
processes are measured; some replies come one by one, some hundred at once; then everything is killed with SIGKILL and
started again, and the rest of the replies come. It ends with 1 if a run was lost, or did not end well.
"""

import asyncio
import hashlib
import hmac
import json
import os
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx2
from sqlalchemy import func, select

from orchestrator.database import Transaction
from orchestrator.demo.messages import messages_app
from orchestrator.ledger.schema import claims, conversations
from orchestrator.settings import environment
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores
from tests.support.asgi import serving
from tests.support.house import PLAYBOOK, RULE, SOURCES, commented, opened
from tests.support.scripts import Turns, says, uses, wait

ROOT: Final = Path(__file__).parents[2]
SECRET: Final = b"a secret of the bench"
ABREAST: Final = 16
PACED: Final = 100
APART: Final = 0.3
BURST: Final = 500
LOOK: Final = 0.25
AGAIN: Final = frozenset({408, 429, 503})
"""What a sender is told that should send the same once more: this machine is loaded on purpose."""
PATIENCE: Final = 3600.0

PROGRAMS: Final = ("service", "worker", "temporal")
SCRIPT: Final = Turns([uses(wait("github/issue_comment.created", timeout="30d")), says()])


@dataclass(kw_only=True)
class Told:
    """What was measured."""

    parked_in: float = 0.0
    grown: dict[str, float] = field(default_factory=dict)
    resident: dict[str, float] = field(default_factory=dict)
    kilobytes_a_run: float = 0.0
    paced: list[float] = field(default_factory=list)
    burst: list[float] = field(default_factory=list)
    back_in: float = 0.0
    outcomes: dict[str, int] = field(default_factory=dict)

    def lines(self) -> Iterable[tuple[str, str]]:
        """For people."""
        yield "all parked after", f"{self.parked_in:.0f} s"
        for name, grown in self.grown.items():
            yield f"{name} grew by", f"{grown:.0f} MiB, to {self.resident[name]:.0f} MiB"
        yield "Temporal's file", f"{self.kilobytes_a_run:.0f} KB a parked run"
        yield "a reply, one by one", _quantiles(self.paced)
        yield f"a burst of {len(self.burst)}", _quantiles(self.burst)
        yield "killed and all back after", f"{self.back_in:.0f} s"
        yield "outcomes", str(self.outcomes)


@dataclass(kw_only=True)
class Installation:
    """A running one; rung as GitHub does."""

    process: asyncio.subprocess.Process
    url: str
    state: StateDirectory
    client: httpx2.AsyncClient

    async def ring(self, payload: dict[str, Any], name: str, delivery: str) -> str:
        """The id of the event."""
        body = json.dumps(payload).encode()
        signed = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        headers = {
            "content-type": "application/json",
            "x-github-event": name,
            "x-github-delivery": delivery,
            "x-hub-signature-256": f"sha256={signed}",
        }
        url = f"{self.url}/hooks/github"
        answer = await self.client.post(url, content=body, headers=headers)
        while answer.status_code in AGAIN:
            await asyncio.sleep(APART)
            answer = await self.client.post(url, content=body, headers=headers)
        told: dict[str, str] = answer.json()
        if answer.status_code != httpx2.codes.ACCEPTED:
            raise RuntimeError(f"expected 202, {answer.status_code} came: {told}")
        return told["event"]

    async def open(self, number: int) -> str:
        """An issue is opened."""
        return await self.ring(opened(number), "issues", f"opened-{number}")

    async def reply(self, number: int) -> str:
        """Its reporter answers."""
        return await self.ring(commented("It is.", number), "issue_comment", f"reply-{number}")

    async def several(self, ring: Any, numbers: Iterable[int]) -> list[str]:
        """Many at once, but not too many."""
        free = asyncio.Semaphore(ABREAST)

        async def one(number: int) -> str:
            async with free:
                ident: str = await ring(number)
                return ident

        return list(await asyncio.gather(*(one(number) for number in numbers)))

    async def until(self, state: str, count: int) -> None:
        """So many conversations are in that state; each tenth of them is a line for who looks on."""
        began, said = time.monotonic(), 0
        async with asyncio.timeout(PATIENCE):
            while (there := _counted(self.state.ledger, state)) < count:
                if there * 10 // count > said:
                    said = there * 10 // count
                    _progress(there, state, time.monotonic() - began, self.resident())
                await asyncio.sleep(LOOK)

    async def woken(self, event_ids: Sequence[str]) -> list[float]:
        """Seconds from each event's arrival to its run's word that it has it."""
        stores = Stores.open(self.state, None)
        try:
            async with asyncio.timeout(PATIENCE):
                while len(at := await _taken_at(stores, event_ids)) < len(event_ids):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(LOOK)
            return [at[one] - await _received(stores, one) for one in event_ids]
        finally:
            stores.close()

    async def outcomes(self) -> dict[str, int]:
        """How many runs ended how."""
        stores = Stores.open(self.state, None)
        try:
            return await stores.ledger.read(_outcomes)
        finally:
            stores.close()

    def resident(self) -> dict[str, float]:
        """MiB of each process."""
        pids = self.state.pids()
        return {name: _resident(pids[name]) for name in PROGRAMS}

    def kill(self) -> None:
        """All of it, at once, as when a machine loses its power."""
        for pid in {*self.state.pids().values(), self.process.pid}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _counted(ledger: Path, state: str) -> int:
    # By plain SQL: opening it our way would migrate what an older program still works on.
    with closing(sqlite3.connect(ledger)) as plain:
        counted = plain.execute("SELECT count(*) FROM conversations WHERE state = ?", (state,))
        return int(counted.fetchone()[0])


async def _taken_at(stores: Stores, event_ids: Sequence[str]) -> dict[str, float]:
    found = await stores.inbox.decisions(event_ids)
    ids = {one.id: one.event_id for listed in found.values() for one in listed}
    taken = await stores.ledger.read(_taken, list(ids))
    return {ids[decision]: at for decision, at in taken.items()}


async def _received(stores: Stores, event_id: str) -> float:
    entry = await stores.inbox.entry(event_id)
    if entry is None:
        raise RuntimeError(f"event {event_id} was not kept")
    return entry.received_at.timestamp()


def _outcomes(connection: Transaction) -> dict[str, int]:
    counted = select(conversations.c.outcome, func.count().label("runs")).group_by(
        conversations.c.outcome
    )
    return {str(row.outcome): row.runs for row in connection.execute(counted)}


def _taken(connection: Transaction, ids: list[str]) -> dict[str, float]:
    wanted = select(claims.c.decision_id, claims.c.at).where(claims.c.decision_id.in_(ids))
    return {row.decision_id: row.at for row in connection.execute(wanted)}


def _progress(count: int, state: str, seconds: float, resident: dict[str, float]) -> None:
    sizes = ", ".join(f"{name} {size:.0f}" for name, size in resident.items())
    sys.stderr.write(f"{count} {state} after {seconds:.0f} s; MiB: {sizes}\n")


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _quantiles(seconds: Sequence[float]) -> str:
    if not seconds:
        return "none"
    ordered = sorted(seconds)
    last = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"p50 {statistics.median(ordered) * 1000:.0f} ms, p99 {last * 1000:.0f} ms"


def configure(directory: Path) -> None:
    """One rule and one playbook, which uses no server."""
    playbook = "\n".join(
        line for line in PLAYBOOK.splitlines() if not line.startswith(("tools:", "writes:"))
    )
    rule = RULE.replace("MODE", "signal").replace("STAGE", "live").replace("HOUSE", "parked")
    texts = {
        "sources.yaml": SOURCES,
        "rules/work.yaml": rule,
        "playbooks/work.md": playbook.replace("MODEL", "scripted-1") + "\n",
    }
    for name, text in texts.items():
        path = directory / "doorbell.d" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@asynccontextmanager
async def up(directory: Path, model: str, program: Path = ROOT) -> AsyncIterator[Installation]:
    """Bring it up over what is in this directory; `program` is where its packages are."""
    told = {
        "PYTHONPATH": str(program),
        "GITHUB_WEBHOOK_SECRET": SECRET.decode(),
        "ANTHROPIC_API_KEY": "scripted",
        "ANTHROPIC_BASE_URL": model,
        "DOORBELL_SCRIPTED": "true",
    }
    line = [sys.executable, "-m", "orchestrator", "up", "--port", "0", "--json"]
    with (directory / "said").open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            *line,
            cwd=directory,
            env={**environment(), **told},
            stdout=asyncio.subprocess.PIPE,
            stderr=said,
        )
    state = StateDirectory(directory / ".doorbell")
    try:
        if process.stdout is None or not (facts := await process.stdout.readline()):
            raise RuntimeError((directory / "said").read_text()[-2000:])
        async with httpx2.AsyncClient(timeout=60) as client:
            url = json.loads(facts)["url"]
            yield Installation(process=process, url=url, state=state, client=client)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def bench(directory: Path, runs: int) -> Told:
    """All of it, once."""
    told, numbers = Told(), list(range(1, runs + 1))
    paced, rest = numbers[: min(PACED, runs // 3)], numbers[min(PACED, runs // 3) :]
    burst, left = rest[: min(BURST, runs // 3)], rest[min(BURST, runs // 3) :]
    configure(directory)
    app = messages_app(SCRIPT, now=lambda: datetime.now(UTC))
    async with serving(app) as model:
        async with up(directory, model) as one:
            await _park(one, numbers, told)
            for number in paced:
                told.paced += await one.woken([await one.reply(number)])
                await asyncio.sleep(APART)
            told.burst = await one.woken(await one.several(one.reply, burst))
            await one.until("ended", len(paced) + len(burst))
            one.kill()
        began = time.monotonic()
        async with up(directory, model) as one:
            await one.several(one.reply, left)
            await one.until("ended", runs)
            told.back_in = time.monotonic() - began
            told.outcomes = await one.outcomes()
    return told


async def _park(one: Installation, numbers: Sequence[int], told: Told) -> None:
    before, size = one.resident(), _size(one.state.temporal)
    began = time.monotonic()
    await one.several(one.open, numbers)
    await one.until("waiting", len(numbers))
    told.parked_in = time.monotonic() - began
    told.resident = one.resident()
    told.grown = {name: told.resident[name] - before[name] for name in PROGRAMS}
    told.kilobytes_a_run = (_size(one.state.temporal) - size) / 1024 / len(numbers)


def _size(database: Path) -> int:
    return sum(path.stat().st_size for path in database.parent.glob(f"{database.name}*"))


def main(runs: int = 10_000) -> int:
    """Say what was measured; 1 if not all of them came back."""
    with tempfile.TemporaryDirectory() as directory:
        told = asyncio.run(bench(Path(directory), runs))
    for label, value in told.lines():
        sys.stdout.write(f"{label:<28} {value}\n")
    return 0 if told.outcomes == {"completed": runs} else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
