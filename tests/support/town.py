"""What all houses of a test session share, because it is slow to start: Temporal, the counting lab, a nursery.

The nursery is a process that has imported a worker and forks one when it's asked to: a worker that may be killed
costs nothing then.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator import embedded, tether
from orchestrator.state import alive
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
SUPPORT = ROOT / "tests" / "support"
LOOPBACK = "127.0.0.1"
LOOK = 0.02


@dataclass(frozen=True, kw_only=True)
class Temporal:
    """A Temporal server on a file; `start` it again on the same file and port after a `kill`."""

    directory: Path
    port: int
    processes: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    async def start(self) -> None:
        metrics = free_port()
        line = embedded.command(
            embedded.binary(),
            ip=LOOPBACK,
            port=self.port,
            ui_port=free_port(),
            metrics_port=metrics,
            database=self.directory / "temporal.db",
        )
        self.processes.append(_started(line, self.directory / "temporal.log"))
        await embedded.ready(self.address, metrics=f"{LOOPBACK}:{metrics}")
        await embedded.prepare(self.address, "default")

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()


@dataclass(kw_only=True)
class Nursery:
    """Forks workers. Every line to it is the environment of one; it answers with the process id."""

    directory: Path
    process: "subprocess.Popen[bytes] | None" = None
    asking: threading.Lock = field(default_factory=threading.Lock)

    @asynccontextmanager
    async def worker(self, environment: Mapping[str, str]) -> AsyncIterator[int]:
        """A worker process, by its id; killed at the end of the block, if it isn't dead by then."""
        pid = await asyncio.to_thread(self._born, environment)
        try:
            yield pid
        finally:
            await kill(pid)

    def _born(self, environment: Mapping[str, str]) -> int:
        # One at a time: of two that ask at once, one could wait for ever for the other's answer.
        with self.asking:
            return self._forked(environment)

    def _forked(self, environment: Mapping[str, str]) -> int:
        if self.process is None:
            line = [sys.executable, "-m", "tests.support.impatient_worker"]
            self.process = _started(line, self.directory / "workers.log", speaking=True)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(dict(environment)).encode() + b"\n")
            self.process.stdin.flush()
        born = self.process.stdout.readline()
        assert born, (self.directory / "workers.log").read_text()
        return int(born)

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            with suppress(BrokenPipeError):
                self.process.communicate()


@dataclass(frozen=True, kw_only=True)
class Town:
    """All of it."""

    temporal: Temporal
    nursery: Nursery
    lab: str


@contextmanager
def town() -> Iterator[Town]:
    """Start it; nothing of it outlives the block, or us."""
    with tempfile.TemporaryDirectory() as path:
        directory, port = Path(path), free_port()
        counting = [sys.executable, str(SUPPORT / "counting_server.py"), str(port)]
        lab = _started(counting, directory / "lab.log")
        nursery = Nursery(directory=directory)
        try:
            with temporal_server() as temporal:
                asyncio.run(temporal.start())
                asyncio.run(_listening(port))
                url = f"http://{LOOPBACK}:{port}/mcp"
                yield Town(temporal=temporal, nursery=nursery, lab=url)
        finally:
            nursery.close()
            lab.kill()
            lab.wait()


@contextmanager
def temporal_server() -> Iterator[Temporal]:
    """A server that is not started yet."""
    with tempfile.TemporaryDirectory() as directory:
        server = Temporal(directory=Path(directory), port=free_port())
        try:
            yield server
        finally:
            server.kill()


async def kill(pid: int) -> None:
    """SIGKILL: nothing is finished, nothing is said."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    while alive(pid):  # noqa: ASYNC110 - it is not our child
        await asyncio.sleep(LOOK)


async def _listening(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection(LOOPBACK, port)
                writer.close()
                return
            await asyncio.sleep(LOOK)


def _started(line: list[str], log: Path, *, speaking: bool = False) -> "subprocess.Popen[bytes]":
    # The tether gives its process an empty stdin; the nursery ends with its stdin by itself.
    tethered = [sys.executable, "-I", tether.__file__, str(os.getpid()), "--"]
    with log.open("ab") as to:
        return subprocess.Popen(
            line if speaking else [*tethered, *line],
            cwd=ROOT,
            stdin=subprocess.PIPE if speaking else None,
            stdout=subprocess.PIPE if speaking else to,
            stderr=to,
        )
