"""A line for every delivery, quickly and never in anybody's way; a line that is lost is counted."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime

import msgspec
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Reason
from orchestrator.logs import Journal, Lines
from orchestrator.telemetry.lines import LONGEST, DeliveryLine
from orchestrator.telemetry.words import Outcome

AT = datetime(2026, 11, 21, 12, 0, 0, 5, tzinfo=UTC)


class Stream:
    """Takes what is written; it can be made to stand still, to take little at a time, or to break."""

    def __init__(self) -> None:
        self.written = b""
        self.at_most = 1 << 20
        self.open = threading.Event()
        self.reached = threading.Event()
        self.open.set()
        self.broken = False

    def write(self, data: bytes) -> int:
        self.reached.set()
        assert self.open.wait(10)
        if self.broken:
            raise BrokenPipeError
        self.written += data[: self.at_most]
        return len(data[: self.at_most])

    def lines(self):
        return [json.loads(line) for line in self.written.splitlines()]


@pytest.fixture
def stream():
    return Stream()


def told(line):
    """What the journal writes of it."""
    stream = Stream()
    journal = Journal("service", Lines(stream.write, late=0), None)
    journal.delivery(line, AT)
    journal.close()
    (written,) = stream.lines()
    return written


def test_o3_the_line_of_a_delivery_has_the_fields_that_are_promised_in_their_order() -> None:
    line = DeliveryLine(
        source="github",
        outcome=Outcome.DUPLICATE,
        reason=Reason.OVERLOADED,
        status=202,
        ms=3.1,
        bytes=812,
        event_id="evt_1",
        duplicate_of="evt_1",
        delivery_id="d-1",
        type="issues.opened",
        events=3,
        kept=2,
        from_="203.0.113.7",
        detail="why",
        trace_id="0af7651916cd43dd8448eb211c80319c",
        unrecorded=True,
    )

    assert list(told(line).items()) == [
        ("event", "delivery"),
        ("level", "info"),
        ("process", "service"),
        ("timestamp", "2026-11-21T12:00:00.000005Z"),
        ("source", "github"),
        ("outcome", "duplicate"),
        ("reason", "overloaded"),
        ("status", 202),
        ("ms", 3.1),
        ("bytes", 812),
        ("event_id", "evt_1"),
        ("duplicate_of", "evt_1"),
        ("delivery_id", "d-1"),
        ("type", "issues.opened"),
        ("events", 3),
        ("kept", 2),
        ("from", "203.0.113.7"),
        ("detail", "why"),
        ("trace_id", "0af7651916cd43dd8448eb211c80319c"),
        ("unrecorded", True),
    ]


def test_what_is_not_known_of_a_delivery_is_left_out() -> None:
    assert set(told(DeliveryLine(source="github", outcome=Outcome.GONE))) == {
        *("event", "level", "process", "timestamp", "source", "outcome"),
    }


@given(st.text(st.characters(), max_size=400), st.text(st.characters(), max_size=3_000))
def test_a_strangers_words_make_one_line_of_bounded_length(source, detail) -> None:
    """Lone surrogates, newlines and control characters included."""
    stream = Stream()
    journal = Journal("service", Lines(stream.write, late=0), None)
    journal.delivery(DeliveryLine(source=source, outcome=Outcome.REFUSED, detail=detail), AT)
    journal.close()

    assert stream.written.count(b"\n") == 1
    assert len(stream.written) < 10_000
    (line,) = stream.lines()
    assert line["source"][:LONGEST] == source.encode("utf-8", "replace").decode()[:LONGEST]


def test_on_a_terminal_people_read_the_same_words(stream) -> None:
    with structlog.testing.capture_logs() as captured:
        journal = Journal("service", Lines(stream.write), structlog.get_logger())
        journal.delivery(DeliveryLine(source="github", outcome=Outcome.ACCEPTED, from_="::1"), AT)

    assert captured == [
        {
            "event": "delivery",
            "log_level": "info",
            "source": "github",
            "outcome": "accepted",
            "from": "::1",
        }
    ]


def test_lines_leave_together_in_their_order(stream) -> None:
    stream.at_most = 7
    lines = Lines(stream.write)
    for number in range(1_000):
        lines.write(b"%d\n" % number)
    lines.close()

    assert stream.lines() == list(range(1_000))
    assert lines.dropped == 0


async def test_o3_a_reader_that_stands_still_holds_nobody_and_every_lost_line_is_counted(
    stream,
) -> None:
    stream.open.clear()
    lines = Lines(stream.write, room=1_000, late=0)
    lines.write(b"1" * 99 + b"\n")
    assert await asyncio.to_thread(stream.reached.wait, 10)
    for _ in range(50):
        lines.write(b"1" * 99 + b"\n")

    assert lines.dropped == 41
    stream.open.set()
    lines.close()
    written = stream.lines()
    assert len(written) == 11
    assert {"event": "log.dropped", "level": "error", "lines": 41} in written


def test_o3_a_stream_that_breaks_loses_lines_and_they_are_counted(stream) -> None:
    stream.broken = True
    lines = Lines(stream.write, late=0)
    lines.write(b"{}\n")
    lines.close()

    assert lines.dropped == 1


def test_after_the_end_a_line_is_dropped_and_counted(stream) -> None:
    lines = Lines(stream.write)
    lines.close()
    lines.write(b"late\n")

    assert (stream.written, lines.dropped) == (b"", 1)


def test_a_reader_that_sleeps_does_not_keep_the_process(stream) -> None:
    stream.open.clear()
    lines = Lines(stream.write, late=0)
    lines.write(b"{}\n")
    assert stream.reached.wait(10)

    lines.close(patience=0.01)

    stream.open.set()


PROGRAM = """
import os, signal, sys, structlog
from datetime import datetime, UTC
from orchestrator import logs
from orchestrator.telemetry.lines import DeliveryLine
journal = logs.configure("service")
log = structlog.get_logger("x")
log.info("begun", odd=object, key={1: "\\ud800"})
journal.delivery(DeliveryLine(source="github", outcome="accepted", status=202), datetime.now(UTC))
try:
    raise ValueError("no")
except ValueError:
    log.exception("failed")
sys.stdout.write("said\\n")
sys.stdout.flush()
"""


def run(ending, **options):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM + ending],
        capture_output=True,
        timeout=30,
        check=False,
        **options,
    )


@pytest.mark.parametrize(
    ("ending", "code"),
    [("", 0), ("sys.exit(3)", 3), ("raise SystemExit", 0), ("1 / 0", 1)],
)
def test_what_was_logged_is_there_however_the_process_ends(ending, code) -> None:
    done = run(ending)

    lines = [line for line in done.stderr.decode().splitlines() if line.startswith("{")]
    begun, delivery, failed = map(json.loads, lines)
    assert done.returncode == code
    assert (begun["event"], begun["process"], begun["level"]) == ("begun", "service", "info")
    assert (delivery["event"], delivery["outcome"]) == ("delivery", "accepted")
    assert "ValueError: no" in failed["exception"]
    assert begun["timestamp"].endswith("Z")


def test_killed_it_loses_only_what_was_said_in_the_last_moment() -> None:
    waits = "import time; logs.structlog; sys.stdin.read(); os.kill(os.getpid(), signal.SIGKILL)"
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM + waits],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdin is not None
        child.stdout.readline()
        # It leaves by itself, without anybody asking for it.
        first = child.stderr.readline()
        child.stdin.close()
        child.wait(30)

    assert json.loads(first)["event"] == "begun"
    assert child.returncode == -signal.SIGKILL


def test_a_pipe_that_somebody_made_non_blocking_gets_every_line() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    flood = """
for number in range(3_000):
    log.info("n", number=number)
"""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM + flood], stderr=writing, stdout=subprocess.DEVNULL
    ) as child:
        os.close(writing)
        with os.fdopen(reading, "rb") as stream:
            said = [msgspec.json.decode(line) for line in stream]
        child.wait(30)

    assert [line["number"] for line in said if line["event"] == "n"] == list(range(3_000))


def test_a7_no_line_carries_a_secret_once_the_journal_knows_it(stream):
    journal = Journal("service", Lines(stream.write, late=0), None)
    journal.redact(lambda text: text.replace("hunter22", "[secret env:TOKEN]"))
    journal.delivery(DeliveryLine(source="hunter22", outcome=Outcome.GONE), AT)
    journal.close()

    (line,) = stream.lines()
    assert line["source"] == "[secret env:TOKEN]"
