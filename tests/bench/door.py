"""How many deliveries a second the door keeps: `python -m tests.bench.door [SECONDS]`.

The door is a process of its own on granian and SQLite or Postgres with fsync; 64 connections and 1, a real payload,
every delivery with an id and bytes of its own. The sender shares the machine, so the figures are a lower bound.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from orchestrator.database import sqlite_url
from tests.support.door_server import SECRET
from tests.support.knocking import Tally, free_port, knock, reachable, request
from tests.support.postgres import installed

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "tests" / "deliveries" / "github" / "push.json"
# GitHub sends no white space between its words; the recording has some for people.
PAYLOAD = json.dumps(json.loads(RECORDED.read_bytes()), separators=(",", ":")).encode()


def body(delivery: str) -> bytes:
    """The payload with bytes of its own."""
    return PAYLOAD[:-1] + f',"delivery":"{delivery}"}}'.encode()


def cpu(pid: int) -> float:
    """Seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def apart(server: int) -> None:
    """One core for the server, another for the load, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(server, {cores[0]})
        os.sched_setaffinity(0, {cores[1]})


def show(label: str, tally: Tally, seconds: float, used: float) -> None:
    """One line of figures."""
    took = sorted(tally.took)
    sys.stdout.write(
        f"{label}: {len(tally.acknowledged) / seconds:,.0f} accepts/s, "
        f"p50 {statistics.median(took) * 1000:.2f} ms, p99 {took[int(len(took) * 0.99)] * 1000:.2f} ms, "
        f"{used / len(took) * 1e6:.0f} us of processor each, {len(tally.refused)} refused, {tally.cut} cut\n"
    )


async def measure(pid: int, port: int, label: str, connections: int, count: int) -> None:
    """Send so many over so many connections."""
    requests = {
        delivery: request(body(delivery), SECRET, delivery, "push")
        for delivery in (f"{label}-{n}" for n in range(count))
    }
    start, before = time.perf_counter(), cpu(pid)
    tally = await knock(port, list(requests), requests.__getitem__, connections)
    show(f"{connections:>3} connections", tally, time.perf_counter() - start, cpu(pid) - before)


async def bench(url: str, seconds: int) -> None:
    """Serve on one database, warm up, measure."""
    port = free_port()
    command = [sys.executable, "-m", "tests.support.door_server", url, str(port)]
    server = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    apart(server.pid)
    try:
        await reachable(port)
        await measure(server.pid, port, "warm", 16, 1000)
        await measure(server.pid, port, "many", 64, 4000 * seconds)
        await measure(server.pid, port, "burst", 128, 5000)
        await measure(server.pid, port, "one", 1, 800 * seconds)
    finally:
        server.terminate()
        await server.wait()


async def main(seconds: int) -> None:
    """SQLite first, then Postgres."""
    with tempfile.TemporaryDirectory() as directory:
        sys.stdout.write("SQLite\n")
        await bench(sqlite_url(Path(directory) / "inbox.db"), seconds)
    with installed(fsync=True) as server:
        sys.stdout.write("Postgres (its own processor time is not counted)\n")
        await bench(server.url("postgres"), seconds)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
