"""Our client before servers that aren't ours and answer later: the connector alone, then a whole run on Temporal.

One has the tasks of today's revision, one those of 2025-11-25.
"""

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.agent.hands.definitions import Answered, Begun
from orchestrator.agent.hands.pool import Hands
from orchestrator.agent.hands.sights import Seen, Status
from orchestrator.demo.wire import ToolUse
from orchestrator.servers import HttpServer, StdioServer
from tests.interop.table import Row, short
from tests.support import town as shared
from tests.support.house import Files, house, opened
from tests.support.lab import OURS
from tests.support.ports import free_port
from tests.support.scripts import Turns, results, says, uses

DEADLINE = 60.0
STEP = 0.3
UP = 120.0
"""Seconds for a large program to start on a busy machine."""
RESEARCH = "simulate-research-query"
PLAYBOOK = """\
---
model: MODEL
max_tokens: 1000
tools: {later: [TOOL]}
writes: {later.TOOL: {max: 1}}
budget: {usd: 5, tokens: 3000k, turns: 60, tool_calls: 90, open: 14d}
---
Compute something.
"""
RULE = """\
work:
  id: HOUSE
  on: github/issues.opened
  run: work
  key: "issue:{{ event.repository.full_name }}#{{ event.issue.number }}"
  stage: STAGE
"""


def tried(_house, places, _names):
    """A row for each way."""
    theirs = _theirs(places)
    rows = [row for one in theirs for row in asyncio.run(_connector(one))]
    with shared.town() as town:
        rows += [asyncio.run(_run(one, town)) for one in theirs]
    return rows


@dataclass(frozen=True, kw_only=True)
class Theirs:
    """One of them: how it is started on stdio and on a port, and what is asked of it."""

    name: str
    stdio: tuple[str, ...]
    http: Callable[[int], tuple[list[str], dict[str, str]]]
    ways: tuple[tuple[str, str, str, dict, str], ...]


def _theirs(places):
    program = (
        str(places.pythons["now"] / "bin" / "python"),
        str(places.programs / "fastmcp_server.py"),
    )
    everything = places.npm("@modelcontextprotocol/server-everything/dist/index.js")
    fastmcp = Theirs(
        name="fastmcp-tasks 4.1.2",
        stdio=program,
        http=lambda port: ([*program, str(port)], {}),
        ways=(
            ("completes", "ended", "compute", {"seconds": 2}, "completed: computed for 2 s"),
            ("fails as a tool", "ended", "failing", {}, "there is no paper"),
            ("is called off", "called_off", "compute", {"seconds": 600}, "cancelled"),
            ("nobody knows", "unknown", "", {}, "gone"),
        ),
    )
    topic = {"topic": "doorbells"}
    former = Theirs(
        name="server-everything 2026.8.31",
        stdio=everything,
        http=lambda port: ([*everything, "streamableHttp"], {"PORT": str(port)}),
        ways=(
            ("of 2025-11-25 completes", "ended", RESEARCH, topic, "Research Report: doorbells"),
            ("asks on its way", "ended", RESEARCH, {**topic, "ambiguous": True}, "User"),
            ("is called off", "called_off", RESEARCH, topic, "cancelled"),
            ("nobody knows", "unknown", "", {}, "gone"),
        ),
    )
    return fastmcp, former


async def _connector(theirs):
    rows = []
    async with _listening(theirs) as url:
        servers = {
            "HTTP": HttpServer(name="HTTP", url=url),
            "stdio": StdioServer(name="stdio", command=theirs.stdio),
        }
        hands = Hands(servers, environment={**OURS, "PATH": os.defpath}, connect_timeout=UP)
        try:
            for name in servers:
                rows += [await _row(hands, theirs, name, way) for way in theirs.ways]
        finally:
            await hands.close()
    return rows


async def _row(hands, theirs, name, way):
    what, how, tool, arguments, expected = way
    try:
        came = await HOW[how](hands, name, tool, arguments)
    except (AssertionError, TimeoutError) as error:
        came = f"{type(error).__name__}: {error}"
    wrong = "" if expected in came else f"expected {expected!r}, got {came!r}"
    who = f"{theirs.name}, {name}"
    return Row(who=who, what=f"a task that {what}", came=short(came), wrong=wrong)


async def _begun(hands, name, tool, arguments):
    outcome = await hands.call(
        name, tool, arguments, deadline=DEADLINE, key=f"{tool}/{time.monotonic()}"
    )
    assert isinstance(outcome, Begun), outcome
    return outcome


async def _ended(hands, name, tool, arguments):
    begun = await _begun(hands, name, tool, arguments)
    sight = await _once_ended(hands, name, tool, begun.task_id)
    assert isinstance(sight.answer, Answered), sight
    text = " ".join(str(block.get("text")) for block in sight.answer.content)
    return f"{sight.status}{' (error)' if sight.answer.is_error else ''}: {text}"


async def _once_ended(hands, name, tool, task_id):
    async with asyncio.timeout(DEADLINE):
        while True:
            sight = await hands.look(name, tool, task_id, deadline=DEADLINE)
            assert isinstance(sight, Seen), sight
            if sight.status not in {Status.WORKING, Status.INPUT_REQUIRED}:
                return sight
            await asyncio.sleep(STEP)


async def _called_off(hands, name, tool, arguments):
    begun = await _begun(hands, name, tool, arguments)
    await hands.call_off(name, tool, begun.task_id, deadline=DEADLINE)
    return str((await _once_ended(hands, name, tool, begun.task_id)).status)


async def _unknown(hands, name, tool, _arguments):
    sight = await hands.look(name, tool, "nobody-knows-this", deadline=DEADLINE)
    assert not isinstance(sight, Seen), sight
    return f"gone: {sight.reason}" if sight.gone else sight.reason


HOW = {"ended": _ended, "called_off": _called_off, "unknown": _unknown}


async def _run(theirs, town):
    """A run is opened by an event, parks on their task, and goes on with its result."""
    _, _, tool, arguments, expected = theirs.ways[0]
    script = Turns([uses(ToolUse(f"later__{tool}", arguments)), says()])
    with tempfile.TemporaryDirectory(prefix="doorbell-interop-") as directory:
        async with _listening(theirs) as url:
            servers = f"later:\n  url: {url}\n  own_actor: false\n"
            files = Files(servers=servers, rule=RULE, playbook=PLAYBOOK.replace("TOOL", tool))
            async with house(Path(directory), town, script, files) as home:
                await home.ring(opened())
                run = await home.ended()
        said = str(results(script.asked[-1]))
    right = run["outcome"] == "completed" and expected.removeprefix("completed: ") in said
    return Row(
        who=f"{theirs.name}, HTTP",
        what="a whole run on Temporal",
        came=f"{run['outcome']} in {run['turns']} turns: {short(said)}",
        wrong="" if right else f"expected {expected!r}, got {said} and {run}",
    )


@asynccontextmanager
async def _listening(theirs):
    port = free_port()
    with _process(*theirs.http(port)):
        await _answers(port)
        yield f"http://127.0.0.1:{port}/mcp"


async def _answers(port):
    async with asyncio.timeout(UP):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(STEP)
            else:
                writer.close()
                return await writer.wait_closed()


@contextmanager
def _process(command, more):
    quiet, environment = subprocess.DEVNULL, {**OURS, "PATH": os.defpath, **more}
    child = subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        child.kill()
        child.wait()
