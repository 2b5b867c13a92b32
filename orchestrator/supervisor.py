"""Keeps a few child processes running, in order, and stops them in order; it doesn't know what they are.

Children live in sessions of their own, so that Ctrl-C reaches them only through us, and are tethered, so that
they don't outlive us. What to do next is decided in `orchestrator.supervision`; here it's done.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import STDOUT, Process, create_subprocess_exec
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator import tether
from orchestrator.errors import OperatorError
from orchestrator.supervision import (
    Act,
    Kill,
    Phase,
    Standing,
    Start,
    Terminate,
    asked_to_restart,
    asked_to_stop,
    became_ready,
    exited,
    hopeless,
    killed,
    next_due,
    plan,
    started,
    unwind,
)

LAST_WORDS = 1.0
"""Seconds that the output of a dead child may still take."""
LONGEST_LINE = 2**16
"""Bytes of one line that are echoed; the log has them all."""
LARGEST_LOG = 32 * 2**20
"""Bytes; then the log is set aside as `NAME.log.1`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One process to keep running. `ready` returns when it does its work, or raises `OperatorError`.

    `listener` is a socket of ours that each process of the child inherits, as systemd would hand it over; its
    environment must say so. We hold it while they come and go, so whoever connects meanwhile waits. One that `reloads`
    reads its configuration again at SIGHUP, once it is ready.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready: Callable[[], Awaitable[None]]
    patience: float
    quiet_when_stopping: bool = False
    listener: int | None = None
    reloads: bool = False


@dataclass(frozen=True, slots=True)
class _Ready:
    name: str
    pid: int


@dataclass(frozen=True, slots=True)
class _Unready:
    name: str
    pid: int
    error: OperatorError


@dataclass(frozen=True, slots=True)
class _Exited:
    name: str
    code: int


@dataclass(frozen=True, slots=True)
class _Anew:
    name: str


_News = _Ready | _Unready | _Exited | _Anew


@dataclass(slots=True)
class _Running:
    process: Process
    tasks: list["asyncio.Task[None]"]


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """Starts `children` in their order, stops them in `stop_order`.

    `on_ready` is called once, when all are up; `on_pids` whenever a process came or went.
    """

    children: Sequence[Child]
    stop_order: Sequence[str]
    logs: Path
    echo: Callable[[str, bytes], None]
    on_ready: Callable[[], None]
    on_pids: Callable[[Mapping[str, int]], None]
    _standings: dict[str, Standing] = field(init=False, default_factory=dict)
    _running: dict[str, _Running] = field(init=False, default_factory=dict)
    _news: "asyncio.Queue[_News | None]" = field(init=False, default_factory=asyncio.Queue)
    _lifeline: int = field(init=False, default=-1)
    """Every child's standard input; only we hold the other end, so it ends when we do."""
    _stopping: bool = field(init=False, default=False)
    _trouble: OperatorError | None = field(init=False, default=None)
    _announced: bool = field(init=False, default=False)

    def stop(self) -> None:
        """Begin to stop; asked again, kill what is left at once."""
        if self._stopping:
            for name, running in self._running.items():
                self._standings[name] = killed(self._standings[name])
                _kill_session(running.process)
        self._stopping = True
        self._news.put_nowait(None)

    def restart(self, name: str) -> None:
        """Ask one child to stop and start it again when it has; the others go on."""
        self._news.put_nowait(_Anew(name))

    def reload(self) -> None:
        """Have every child that reloads read its configuration again; one that is starting reads it anyway."""
        for child in self.children:
            standing = self._standings.get(child.name)
            if child.reloads and standing is not None and standing.phase is Phase.UP:
                with suppress(ProcessLookupError):
                    self._running[child.name].process.send_signal(signal.SIGHUP)

    async def run(self) -> None:
        """Return when everything is stopped again.

        Raises `OperatorError` when a child could not be brought up.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        self._standings = {
            child.name: Standing(name=child.name, patience=child.patience)
            for child in self.children
        }
        self._lifeline, ours = os.pipe()
        try:
            await self._loop()
        finally:
            os.close(ours)
            os.close(self._lifeline)
            for running in self._running.values():
                _kill_session(running.process)
                for task in running.tasks:
                    task.cancel()
        if self._trouble is not None:
            raise self._trouble

    async def _loop(self) -> None:
        while not (self._stopping and not self._running):
            now = self._now()
            for act in self._plan(now):
                await self._do(act)
            due = next_due(list(self._standings.values()), now)
            with suppress(TimeoutError):
                async with asyncio.timeout(None if due is None else max(0.0, due - self._now())):
                    self._hear(await self._news.get())

    def _plan(self, now: float) -> list[Act]:
        if self._stopping:
            return unwind([self._standings[name] for name in self.stop_order], now)
        return plan(list(self._standings.values()), now)

    async def _do(self, act: Act) -> None:
        match act:
            case Start(name):
                self._standings[name] = started(self._standings[name], self._now())
                await self._start(next(child for child in self.children if child.name == name))
            case Terminate(name):
                self._terminate(name, asked_to_stop(self._standings[name], self._now()))
            case Kill(name):
                self._standings[name] = killed(self._standings[name])
                _kill_session(self._running[name].process)

    def _terminate(self, name: str, standing: Standing) -> None:
        self._standings[name] = standing
        with suppress(ProcessLookupError):
            self._running[name].process.terminate()

    async def _start(self, child: Child) -> None:
        # Not asyncio's own pipes: with those, `wait` would wait for whoever still holds them open.
        read, write = os.pipe()
        # Isolated and by its path: it needs nothing, and a child's environment may not even lead to us.
        line = [sys.executable, "-I", tether.__file__, str(os.getpid())]
        inherits = [] if child.listener is None else [child.listener]
        process = await create_subprocess_exec(
            *line,
            *map(str, inherits),
            "--",
            *child.command,
            env=dict(child.environment),
            stdin=self._lifeline,
            stdout=write,
            stderr=STDOUT,
            start_new_session=True,
            pass_fds=inherits,
        )
        os.close(write)
        tasks = [asyncio.create_task(self._wait(child, process, read))]
        tasks.append(asyncio.create_task(self._prove(child, process)))
        self._running[child.name] = _Running(process, tasks)
        self._tell_pids()

    async def _prove(self, child: Child, process: Process) -> None:
        try:
            await child.ready()
        except OperatorError as error:
            self._news.put_nowait(_Unready(child.name, process.pid, error))
        else:
            self._news.put_nowait(_Ready(child.name, process.pid))

    async def _wait(self, child: Child, process: Process, read: int) -> None:
        output = asyncio.create_task(self._copy_output(child, read))
        code = await process.wait()
        # What the child left running would hold its ports and files.
        _kill_session(process)
        # What left its session as well may hold the output open for ever.
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(LAST_WORDS):
                await output
        self._news.put_nowait(_Exited(child.name, code))

    async def _copy_output(self, child: Child, read: int) -> None:
        async with _reading(read) as output:
            rest = b""
            while chunk := await output.read(2**16):
                # A full disk must not close the pipe the child writes its next line to.
                with suppress(OSError):
                    _append(self.logs / f"{child.name}.log", chunk)
                *lines, rest = (rest + chunk).split(b"\n")
                rest = rest[-LONGEST_LINE:]
                self._say(child, lines)
            self._say(child, [rest] if rest else [])

    def _say(self, child: Child, lines: Sequence[bytes]) -> None:
        if not (child.quiet_when_stopping and self._stopping):
            for line in lines:
                self.echo(child.name, line)

    def _hear(self, news: _News | None) -> None:
        match news:
            case _Ready(name, pid) if self._is_current(name, pid):
                self._standings[name] = became_ready(self._standings[name], self._now())
                self._announce()
            case _Unready(name, pid, error) if self._is_current(name, pid) and not self._stopping:
                self._disappoint(name, error)
            case _Exited(name, code):
                self._end(name, code)
            case _Anew(name) if not self._stopping:
                self._begin_anew(name)
            case _:
                pass

    def _begin_anew(self, name: str) -> None:
        before = self._standings[name]
        after = asked_to_restart(before, self._now())
        if after.phase is Phase.STOPPING and before.phase is not Phase.STOPPING:
            self.echo("doorbell", f"{name} is restarted".encode())
            self._terminate(name, after)
        else:
            self._standings[name] = after

    def _is_current(self, name: str, pid: int) -> bool:
        return name in self._running and self._running[name].process.pid == pid

    def _end(self, name: str, code: int) -> None:
        for task in self._running.pop(name).tasks:
            task.cancel()
        asked = self._standings[name].phase is Phase.STOPPING
        self._standings[name] = exited(self._standings[name], self._now())
        self._tell_pids()
        if asked or self._stopping:
            return
        self.echo("doorbell", f"{name} ended with exit code {code}".encode())
        if hopeless(self._standings[name], code):
            log = self.logs / f"{name}.log"
            self._give_up(
                OperatorError(f"{name} did not start (exit code {code}); see {str(log)!r}")
            )

    def _disappoint(self, name: str, error: OperatorError) -> None:
        if self._standings[name].proved:
            _kill_session(self._running[name].process)
        else:
            self._give_up(error)

    def _give_up(self, error: OperatorError) -> None:
        self._trouble = error
        self._stopping = True

    def _announce(self) -> None:
        everyone_up = all(one.phase is Phase.UP for one in self._standings.values())
        if everyone_up and not self._announced and not self._stopping:
            self._announced = True
            self.on_ready()

    def _tell_pids(self) -> None:
        self.on_pids({name: running.process.pid for name, running in self._running.items()})

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _kill_session(process: Process) -> None:
    """The child leads its own session and group, so this takes its children too."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


@asynccontextmanager
async def _reading(pipe: int) -> AsyncIterator[asyncio.StreamReader]:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(pipe, "rb", 0))
    try:
        yield reader
    finally:
        transport.close()


def _append(path: Path, chunk: bytes) -> None:
    if path.exists() and path.stat().st_size > LARGEST_LOG:
        path.replace(path.with_name(f"{path.name}.1"))
    with path.open("ab") as log:
        log.write(chunk)
