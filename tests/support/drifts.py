"""A house whose only tool is described by a file, and the command that locks what the file says."""

import asyncio
from pathlib import Path

from click.testing import CliRunner

from orchestrator.cli.lock import lock
from tests.support.house import Files, House
from tests.support.town import SUPPORT

SERVERS = """\
lab:
  command: [python, DRIFTING]
  env: {COUNT: COUNTED, SAID: DESCRIBED}
"""
PLAYBOOK = """\
---
model: MODEL
max_tokens: 1000
inputs: {number: integer}
tools: {lab: [write_thing]}
writes: {lab.write_thing: {max: 5}}
on_drift: PARK
budget: {usd: 5, tokens: 3000k, turns: 60, tool_calls: 90}
---
You look after issue {{ with.number }}.
"""


def drifting(directory: Path, on_drift: str = "park") -> Files:
    described(directory, "It writes.")
    servers = SERVERS.replace("DRIFTING", str(SUPPORT / "drifting_server.py"))
    servers = servers.replace("DESCRIBED", str(directory / "described"))
    return Files(servers=servers, playbook=PLAYBOOK.replace("PARK", on_drift))


def described(directory: Path, text: str) -> None:
    (directory / "described").write_text(text, encoding="utf-8")


async def locking(home: House, *words: str) -> tuple[int, str]:
    """`doorbell lock`, as a person runs it: its exit code and what it says."""
    told = ["--config", str(home.directory / "doorbell.d"), *words]
    runner = CliRunner(env=dict(home.environment))
    result = await asyncio.to_thread(runner.invoke, lock, told)
    return result.exit_code, result.output
