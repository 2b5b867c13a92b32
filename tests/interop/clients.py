"""Clients that aren't ours, each as a program that calls one tool and prints what it said; they know nothing of us."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

PATIENCE = 90.0
INSPECTOR = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One of them; `command` is what it is started with for a target, a tool and arguments."""

    name: str
    command: Any


@dataclass(frozen=True, kw_only=True)
class Told:
    """What it printed: the tool's words, or why there are none."""

    text: str
    is_error: bool = False
    broken: str = ""


def ordinary(places):
    """Those that call a tool and have its answer at once."""
    return (
        Peer(name="TypeScript SDK 2.4", command=_program(places, "ordinary.mjs", "now")),
        Peer(name="TypeScript SDK 1.32", command=_program(places, "ordinary.mjs", "former")),
        _fastmcp(places),
        _inspector(places),
    )


def with_tasks(places):
    """Those that take a task for an answer, and wait for its end."""
    ext = Peer(name="ext-tasks 0.2.2", command=_program(places, "tasks.mjs"))
    return (ext, _inspector(places), _fastmcp(places))


async def told(peer, target, tool, arguments):
    """Have it call the tool."""
    command = [*map(str, peer.command(target, tool, arguments))]
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(PATIENCE):
            out, err = await child.communicate()
    except TimeoutError:
        child.kill()
        await child.wait()
        return Told(text="", broken=f"no end within {PATIENCE:g} s")
    return _read(out.decode(), err.decode())


def _read(out, err):
    try:
        said = json.loads(out)
    except ValueError:
        return Told(text="", broken=f"{out} {err}"[-1000:])
    said = said.get("result", said)
    text = said["text"] if "text" in said else " ".join(b["text"] for b in said["content"])
    return Told(text=text, is_error=bool(said.get("isError")))


def _program(places, name, *words):
    program = [places.node, places.programs / name, *words]
    return lambda target, tool, given: [*program, target, tool, json.dumps(given)]


def _fastmcp(places):
    program = [places.pythons["now"] / "bin" / "python", places.programs / "fastmcp_client.py"]
    return Peer(
        name="FastMCP 4.1.2",
        command=lambda target, tool, given: [*program, target, tool, json.dumps(given)],
    )


def _inspector(places):
    def command(target, tool, given):
        over_http = ["--transport", "http", "--protocol-era", "modern"]
        where = json.loads(target) if target.startswith("[") else [target, *over_http]
        asked = ["--method", "tools/call", "--tool-name", tool]
        words = ["--format", "json", "--quiet", "--tool-args-json", json.dumps(given)]
        return [*places.npm(INSPECTOR), "--cli", *where, *asked, *words]

    return Peer(name="Inspector 2.12", command=command)
