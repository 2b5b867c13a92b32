"""Small children that tell what they do in one shared file, and a supervisor over them."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.settings import environment
from orchestrator.supervisor import Child, Supervisor


@dataclass
class Stage:
    """Children that tell what they do in one shared file, and the supervisor over them."""

    path: Path
    echoed: list[tuple[str, str]] = field(default_factory=list)
    pids: Mapping[str, int] = field(default_factory=dict)
    seen: dict[str, list[int]] = field(default_factory=dict)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def child(
        self,
        name: str,
        then: str = "signal.pause()",
        ready: Callable[[], Awaitable[None]] | None = None,
        patience: float = 20.0,
    ) -> Child:
        return Child(
            name=name,
            command=[sys.executable, "-c", PREAMBLE.format(name=name, log=str(self.log)) + then],
            environment=environment(),
            ready=ready or self.until(f"{name} started"),
            patience=patience,
        )

    @property
    def log(self) -> Path:
        return self.path / "story"

    def story(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def until(self, line: str, count: int = 1) -> Callable[[], Awaitable[None]]:
        async def wait() -> None:
            await until_true(lambda: self.story().count(line) >= count)

        return wait

    def supervisor(self, *children: Child) -> Supervisor:
        return Supervisor(
            children=children,
            stop_order=[child.name for child in reversed(children)],
            logs=self.path / "logs",
            echo=lambda name, line: self.echoed.append((name, line.decode())),
            on_ready=self.ready.set,
            on_pids=self.note,
        )

    def note(self, pids: Mapping[str, int]) -> None:
        self.pids = dict(pids)
        for name, pid in pids.items():
            if pid not in self.seen.setdefault(name, []):
                self.seen[name].append(pid)
        self.changed.set()

    async def pid_after(self, name: str, old: int) -> int:
        """The id of the process that follows the old one."""
        while self.pids.get(name, old) == old:
            self.changed.clear()
            await self.changed.wait()
        return self.pids[name]


PREAMBLE = """
import os, signal, sys
def tell(word):
    with open({log!r}, "a") as story:
        story.write("{name} " + word + "\\n")
def stop(number, frame):
    tell("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("hello from {name}", flush=True)
tell("started")
"""


async def until_true(holds: Callable[[], bool]) -> None:
    """Return as soon as it holds."""
    while not holds():  # noqa: ASYNC110 - another process has no event for us
        await asyncio.sleep(0.01)


async def remains(pid: int) -> bool:
    """Whether a process is still there after ten seconds; a zombie that nobody reaps is dead too."""
    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            await until_true(lambda: not _runs(pid))
    return _runs(pid)


def _runs(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
