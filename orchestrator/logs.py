"""The process's log: one canonical JSON line per unit of work, never a payload or a secret; it knows no metric.

Lines leave from a thread of their own, at most 50 ms late, so that a slow reader never holds the event loop. When
4 MB wait, further lines are dropped and counted, and the log itself says so once there is room. SIGKILL loses what
is waiting: the log tells what happened; what holds is the inbox.
"""

import atexit
import json
import logging
import os
import select
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger, Processor
from typing_extensions import override

from orchestrator.telemetry.lines import DeliveryLine, clipped

ROOM: Final = 4 * 1024 * 1024
"""Bytes that may wait to be written."""

LATE: Final = 0.05
"""Seconds for which lines are gathered, to be written together."""

PATIENCE: Final = 2.0
"""Seconds to write the rest at the end; a reader that sleeps must not keep the process."""

BROADEST: Final = 1_500
"""Bytes of a line up to which nobody looks for a word that is too long."""

Write = Callable[[bytes], int]
"""Writes some of it and says how much; may block, and raises `OSError`."""


class Lines:
    """A bounded queue of bytes before a stream that may be slow; the file that structlog writes to."""

    def __init__(self, write: Write, *, room: int = ROOM, late: float = LATE) -> None:
        self._write = write
        self._room = room
        self._late = late
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._closing = threading.Event()
        self._lines: list[bytes] = []
        self._size = 0
        self._untold = 0
        self.dropped = 0
        """Lines that nobody will ever read."""
        self.redact: Callable[[str], str] | None = None
        """Takes out what nobody may read; a secret never spans lines."""
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Take a line, or drop it when there is no room; never waits for the reader."""
        with self._lock:
            if self._size + len(line) > self._room or self._closing.is_set():
                self._drop(1)
                return
            self._lines.append(line)
            self._size += len(line)
            first = len(self._lines) == 1
        if first:
            self._some.set()

    def flush(self) -> None:
        """Nothing: lines leave by themselves, at most `late` seconds after they came."""

    def close(self, patience: float = PATIENCE) -> None:
        """Write what is left, for as long as `patience` lasts; later lines are dropped."""
        self._closing.set()
        self._some.set()
        self._thread.join(patience)

    def _drop(self, lines: int) -> None:
        self.dropped += lines
        self._untold += lines

    def _work(self) -> None:
        while not self._closing.is_set():
            self._some.wait()
            self._closing.wait(self._late)
            self._some.clear()
            self._leave()
        self._leave()

    def _leave(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
            untold, self._untold = self._untold, 0
            if untold:
                lines.append(_rendered({"event": "log.dropped", "level": "error", "lines": untold}))
                lines.append(b"\n")
        try:
            self._written(self._redacted(b"".join(lines)))
        except OSError:
            with self._lock:
                self.dropped += len(lines)
        finally:
            with self._lock:
                # Room is given back only now: what is being written still takes its memory.
                self._size = sum(map(len, self._lines))

    def _redacted(self, data: bytes) -> bytes:
        if self.redact is None:
            return data
        return self.redact(data.decode("utf-8", "surrogateescape")).encode(
            "utf-8", "surrogateescape"
        )

    def _written(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._write(bytes(rest)) :]


class Journal:
    """Writes the one line of every delivery: as JSON the quick way, or to a terminal in structlog's."""

    def __init__(self, process: str, lines: Lines, console: FilteringBoundLogger | None) -> None:
        self._lines = lines
        self._console = console
        head = {"event": "delivery", "level": "info", "process": process, "timestamp": ""}
        self._head = msgspec.json.encode(head).removesuffix(b'"}')
        self._encode = msgspec.json.Encoder().encode

    @property
    def dropped(self) -> int:
        """Lines that were lost because nobody read them fast enough."""
        return self._lines.dropped

    def delivery(self, line: DeliveryLine, at: datetime) -> None:
        """Write it; `at` is in UTC. Costs a few microseconds and never waits."""
        try:
            told = self._encode(line)
        except UnicodeEncodeError:
            told = self._encode(clipped(line))
        if len(told) > BROADEST:
            told = self._encode(clipped(line))
        if self._console is not None:
            self._console.info("delivery", **msgspec.json.decode(told))
            return
        stamp = at.isoformat().replace("+00:00", "Z").encode()
        self._lines.write(self._head + stamp + b'",' + told[1:] + b"\n")

    def redact(self, redact: Callable[[str], str]) -> None:
        """From now on let this take out of every line what nobody may read, of other libraries' lines as well."""
        self._lines.redact = redact
        for handler in logging.getLogger().handlers:
            handler.setFormatter(_Redacting(handler.formatter, redact))

    def close(self) -> None:
        """Write what is left."""
        self._lines.close()


class _Redacting(logging.Formatter):
    """Another formatter, and what nobody may read taken out."""

    def __init__(self, formatter: logging.Formatter | None, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._formatter = formatter or logging.Formatter()
        self._redact = redact

    @override
    def format(self, record: logging.LogRecord) -> str:
        return self._redact(self._formatter.format(record))


def configure(process: str) -> Journal:
    """Set structlog up for this process: JSON on stderr, or for people when stderr is a terminal."""
    people = sys.stderr.isatty()
    lines = Lines(_to(sys.stderr.fileno()))
    atexit.register(lines.close)
    structlog.configure(
        processors=_processors(people=people),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(file=lines),  # type: ignore[arg-type]  # writes bytes, no more
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    return Journal(process, lines, structlog.get_logger() if people else None)


def _to(descriptor: int) -> Write:
    def write(data: bytes) -> int:
        try:
            return os.write(descriptor, data)
        except BlockingIOError:
            # Whoever shares it with us made it non-blocking.
            select.select([], [descriptor], [])
            return 0

    return write


def _processors(*, people: bool) -> list[Processor]:
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if people:
        return [*shared, structlog.dev.ConsoleRenderer(), _as_bytes]
    return [*shared, structlog.processors.format_exc_info, _as_json]


def _as_json(_logger: Any, _name: str, line: Mapping[str, Any]) -> bytes:
    return _rendered(line)


def _as_bytes(_logger: Any, _name: str, line: Any) -> bytes:
    return str(line).encode("utf-8", "backslashreplace")


def _rendered(line: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(line, enc_hook=repr)
    except (UnicodeEncodeError, TypeError, ValueError):
        # What msgspec refuses (a lone surrogate, a key that is no text) is still a line somebody needs.
        told = json.dumps(line, default=repr, skipkeys=True, ensure_ascii=False)
        return told.encode("utf-8", "replace")
