"""A stdio MCP server as a child process that dies with us; it knows pipes and lines, not what they mean.

The SDK's own stdio transport hides the process. This one can say, just before a request is written, whether
anybody is there to read it: the difference between "not sent" and "nobody knows".
"""

import asyncio
import os
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from orchestrator.secrets import Secret
from orchestrator.servers import StdioServer

MAX_LINE = 16 * 1024 * 1024
"""Bytes in one message of a server; a longer one ends the connection."""

CHUNK = 64 * 1024
"""Bytes of stderr read at once; a longer line is kept in pieces."""

MAX_PARTS = 50_000
"""Objects in one message: to read more of them would keep the event loop for seconds."""

MAX_KEPT = 8 * 1024 * 1024
"""Bytes of stderr in one file; the one before it is kept as `.1`."""

MOST_MESSAGES = 1_000
"""Messages a second that are read in the long run, and that many at once; whoever says more waits."""

GRACE = 2.0
"""Seconds between closing stdin, SIGTERM and SIGKILL."""

INHERITED = ("PATH", "HOME")

# PR_SET_PDEATHSIG is not inherited over fork and Python's own fork hook is unsafe beside threads, so a
# small launcher asks for it and becomes the server. The parent may have died before it asked. Python adds
# LC_CTYPE to an environment that has none, so what was given is restored.
_LAUNCHER = """\
import ctypes, os, sys
given = sys.argv[2].split(",")
for name in set(os.environ) - set(given):
    del os.environ[name]
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(sys.argv[1]):
    os.execvp(sys.argv[3], sys.argv[3:])
"""


class Child:
    """An MCP transport: entering it starts the process, leaving it ends the process, within seconds."""

    def __init__(
        self,
        server: StdioServer,
        environment: Mapping[str, str],
        stderr: Path | None = None,
        redacted: Callable[[str], str] = str,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._server = server
        self._environment = child_environment(server, environment)
        self._stderr, self._redacted, self._ended = stderr, redacted, ended
        self._process: Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._listening: asyncio.Task[None] | None = None
        self._closing = AsyncExitStack()
        self._over = False
        self._excess: str | None = None

    @property
    def alive(self) -> bool:
        """Whether the process is there to read what is written next."""
        process = self._process
        if self._over or process is None or process.returncode is not None:
            return False
        return _running(process.pid)

    @property
    def farewell(self) -> str:
        """How the process ended, in words."""
        if self._excess is not None:
            return self._excess
        status = None if self._process is None else self._process.returncode
        return "its output ended" if status is None else f"its process ended with status {status}"

    def fate(self, data: object) -> None:
        """Nothing: what a pipe does to a request is seen by `alive`."""

    async def __aenter__(
        self,
    ) -> tuple[
        MemoryObjectReceiveStream[SessionMessage | Exception],
        MemoryObjectSendStream[SessionMessage],
    ]:
        self._process = await self._started()
        self._listening = asyncio.create_task(self._listen(self._process))
        received, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outgoing, to_send = anyio.create_memory_object_stream[SessionMessage](0)
        self._tasks = [
            asyncio.create_task(self._read(self._process, received)),
            asyncio.create_task(self._write(self._process, to_send, received)),
        ]
        for stream in (received, incoming, outgoing, to_send):
            self._closing.push_async_callback(stream.aclose)
        return incoming, outgoing

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A cancelled owner must still bury its child.
        with anyio.CancelScope(shield=True):
            self._over = True
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._closing.aclose()
            if self._process is not None:
                await _buried(self._process)
            if self._listening is not None:
                # A grandchild may hold it open for ever.
                await asyncio.wait([self._listening], timeout=GRACE)
                self._listening.cancel()

    async def _started(self) -> Process:
        command = _resolved(self._server, self._environment)
        return await asyncio.create_subprocess_exec(
            *_launched(command, self._environment),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL if self._stderr is None else PIPE,
            env=self._environment,
            cwd=self._server.directory,
            start_new_session=True,
            limit=MAX_LINE,
        )

    async def _listen(self, process: Process) -> None:
        """Keep what it says on stderr, without its secrets: it is a log of ours."""
        if process.stderr is None or self._stderr is None:
            return
        begun = b""
        while said := await process.stderr.read(CHUNK):
            whole, _, begun = (begun + said).rpartition(b"\n")
            if len(begun) > CHUNK:
                whole, begun = whole + b"\n" + begun if whole else begun, b""
            self._keep(self._stderr, whole + b"\n" if whole else b"")
        self._keep(self._stderr, begun)

    def _keep(self, file: Path, said: bytes) -> None:
        text = self._redacted(said.decode("utf-8", "replace")).encode("utf-8", "replace")
        with file.open("ab", buffering=0) as kept:
            kept.write(text)
            full = kept.tell() > MAX_KEPT
        if full:
            file.replace(file.with_name(f"{file.name}.1"))

    async def _read(
        self, process: Process, received: MemoryObjectSendStream[SessionMessage | Exception]
    ) -> None:
        assert process.stdout is not None  # noqa: S101 - it was asked for as a pipe
        # A closed stream: the session is over.
        with suppress(OSError, anyio.ClosedResourceError, anyio.BrokenResourceError):
            pace = _Pace()
            while line := await self._line(process.stdout):
                await pace.kept()
                if line.strip():
                    await received.send(_parsed(line))
        await self._lost(received)

    async def _line(self, stdout: asyncio.StreamReader) -> bytes:
        """The next message; nothing where there is none, or one that is too large to be read."""
        try:
            line = await stdout.readline()
        except ValueError:
            self._excess = f"it sent a message larger than {MAX_LINE // 1024**2} MiB"
            return b""
        if line.count(b"{") > MAX_PARTS:
            self._excess = f"it sent a message of more than {MAX_PARTS} parts"
            return b""
        return line

    async def _lost(self, received: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        self._over = True
        await received.aclose()
        self._ended()

    async def _write(
        self,
        process: Process,
        to_send: MemoryObjectReceiveStream[SessionMessage],
        received: MemoryObjectSendStream[SessionMessage | Exception],
    ) -> None:
        assert process.stdin is not None  # noqa: S101 - it was asked for as a pipe
        try:
            async for message in to_send:
                line = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                process.stdin.write(line.encode() + b"\n")
                await process.stdin.drain()
        except OSError:
            await self._lost(received)


class _Pace:
    """Reads no faster than any sound server speaks, so that one which floods can't take the whole event loop."""

    def __init__(self) -> None:
        self._at = asyncio.get_running_loop().time()
        self._left = float(MOST_MESSAGES)

    async def kept(self) -> None:
        now = asyncio.get_running_loop().time()
        self._left = min(self._left + (now - self._at) * MOST_MESSAGES, MOST_MESSAGES) - 1
        self._at = now
        if self._left < 0:
            await asyncio.sleep(0.05)


def _running(pid: int) -> bool:
    # The event loop hears of a death too late, and waitid only when the last thread is gone; a killed
    # process is a zombie at once. Elsewhere than on Linux the event loop's word has to do.
    if sys.platform != "linux":
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {b"Z", b"X"}


def child_environment(server: StdioServer, environment: Mapping[str, str]) -> dict[str, str]:
    """PATH and HOME of ours, then what the server declares; nothing else leaks into it."""
    inherited = {name: environment[name] for name in INHERITED if name in environment}
    declared = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in server.env.items()
    }
    return inherited | declared


def _resolved(server: StdioServer, environment: Mapping[str, str]) -> tuple[str, ...]:
    command, *arguments = server.command
    # A command with a slash is a path from the server's own directory, as a shell there would read it.
    here = str(server.directory / command) if "/" in command else command
    found = shutil.which(here, path=environment.get("PATH"))
    if found is None:
        raise FileNotFoundError(
            f"expected a program named {command!r} on PATH, found none; install it"
        )
    return (str(Path(found).absolute()), *arguments)


def _launched(command: tuple[str, ...], environment: Mapping[str, str]) -> tuple[str, ...]:
    if sys.platform != "linux":
        return command
    launcher = (sys.executable, "-I", "-S", "-c", _LAUNCHER)
    return (*launcher, str(os.getpid()), ",".join(environment), *command)


def _parsed(line: bytes) -> SessionMessage | Exception:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as noise:
        return noise


async def _buried(process: Process) -> None:
    assert process.stdin is not None  # noqa: S101 - it was asked for as a pipe
    process.stdin.close()
    for force in (None, signal.SIGTERM, signal.SIGKILL):
        if force is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, force)
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await process.wait()
                return
