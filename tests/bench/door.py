"""How many deliveries a second the door keeps: `python -m tests.bench.door [SECONDS]`.

A real payload of GitHub, 7.7 KB, signed, every delivery with an id and bytes of its own; each is on disk (fsync) before
it is answered. The server has one core, the load the other. First the door alone, on SQLite and on Postgres, as a
process of its own; then the whole service (`doorbell serve`) while its dispatcher starts runs on a real Temporal
server, which shares the load's core.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import uvloop

from orchestrator.database import sqlite_url
from orchestrator.settings import environment
from tests.support.door_server import SECRET
from tests.support.knocking import Tally, knock, reachable, request
from tests.support.ports import free_port
from tests.support.postgres import installed
from tests.support.town import temporal_server

ROOT: Final = Path(__file__).parents[2]
RECORDED: Final = ROOT / "tests" / "deliveries" / "github" / "push.json"
# GitHub sends no white space between its words; the recording has some for people.
PAYLOAD: Final = json.dumps(json.loads(RECORDED.read_bytes()), separators=(",", ":")).encode()

SOURCES: Final = "github: {scheme: github, secrets: [env:SECRET], backlog: 1000000}\n"
RULES: Final = """\
pushed:
  on: github/push
  run: quiet
  key: "{{ event.delivery }}"
"""
PLAYBOOK: Final = (
    "---\nmodel: claude-sonnet-5-5\ntools: {}\nbudget: {usd: 0.1}\n---\nSay nothing.\n"
)


def body(delivery: str) -> bytes:
    """The payload with bytes of its own."""
    return PAYLOAD[:-1] + f',"delivery":"{delivery}"}}'.encode()


def cpu(pid: int) -> float:
    """Seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """The most megabytes that a process has held."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


def apart(server: int) -> None:
    """One core for the server, another for the load, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(server, {cores[0]})
        os.sched_setaffinity(0, {cores[1]})


def together() -> None:
    """Every core for whoever comes next."""
    os.sched_setaffinity(0, range(os.cpu_count() or 1))


async def measure(pid: int, port: int, label: str, connections: int, count: int) -> None:
    """Send so many over so many connections; one line of figures."""
    requests = {
        delivery: request(body(delivery), SECRET, delivery, "push")
        for delivery in (f"{label}-{n}" for n in range(count))
    }
    start, before = time.perf_counter(), cpu(pid)
    tally = await knock(port, list(requests), requests.__getitem__, connections)
    show(f"{label:>6} {connections:>3}", tally, time.perf_counter() - start, cpu(pid) - before, pid)


def show(label: str, tally: Tally, seconds: float, used: float, pid: int) -> None:
    """One line of figures."""
    took = sorted(tally.took)
    sys.stdout.write(
        f"  {label}: {len(tally.acknowledged):>6} kept in {seconds:5.2f} s, "
        f"{len(tally.acknowledged) / seconds:7,.0f}/s, "
        f"p50 {statistics.median(took) * 1000:6.2f} ms, p99 {took[int(len(took) * 0.99)] * 1000:7.2f} ms, "
        f"{used / len(took) * 1e6:4.0f} us of processor each, {len(tally.refused)} refused, {tally.cut} cut, "
        f"{memory(pid):4.0f} MB\n"
    )
    sys.stdout.flush()


@asynccontextmanager
async def started(*command: str, told: Mapping[str, str] | None = None) -> AsyncIterator[Process]:
    """A server on a core of its own."""
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *command,
        cwd=ROOT,
        env={**environment(), **(told or {})},
        stderr=asyncio.subprocess.DEVNULL,
    )
    apart(server.pid)
    try:
        yield server
    finally:
        server.terminate()
        await server.wait()
        together()


async def door(url: str, seconds: int) -> None:
    """The door alone."""
    port = free_port()
    async with started("tests.support.door_server", url, str(port)) as server:
        await reachable(port)
        await measure(server.pid, port, "warm", 16, 1000)
        await measure(server.pid, port, "many", 64, 3000 * seconds)
        await measure(server.pid, port, "burst", 128, 5000)
        await measure(server.pid, port, "flood", 128, 10000)
        await measure(server.pid, port, "one", 1, 500 * seconds)


async def service(directory: Path, temporal: str, seconds: int) -> None:
    """The whole service; what it starts finds no worker and waits in Temporal."""
    (directory / "rules").mkdir()
    (directory / "playbooks").mkdir()
    (directory / "sources.yaml").write_text(SOURCES)
    (directory / "rules" / "pushed.yaml").write_text(RULES)
    (directory / "playbooks" / "quiet.md").write_text(PLAYBOOK)
    port = free_port()
    places = ("--config", str(directory), "--state", str(directory / "state"))
    command = ("orchestrator", "serve", *places, "--port", str(port), "--temporal", temporal)
    async with started(*command, told={"SECRET": SECRET.decode()}) as server:
        await reachable(port, 30.0)
        await measure(server.pid, port, "warm", 16, 500)
        await measure(server.pid, port, "many", 64, 3000 * seconds)


async def main(seconds: int) -> None:
    """SQLite first, then Postgres, then everything at once."""
    with tempfile.TemporaryDirectory() as directory:
        sys.stdout.write("The door alone, on SQLite\n")
        await door(sqlite_url(Path(directory) / "inbox.db"), seconds)
    with installed(fsync=True) as server:
        sys.stdout.write("The door alone, on Postgres (whose own processor time is not counted)\n")
        await door(server.url("postgres"), seconds)
    with tempfile.TemporaryDirectory() as directory, temporal_server() as temporal:
        await temporal.start()
        sys.stdout.write("The whole service on SQLite, starting runs\n")
        await service(Path(directory), temporal.address, seconds)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
