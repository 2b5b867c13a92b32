"""A stdio server of 2024, written by hand: `old_lab_server.py LOG`. It answers one request at a time.

It knows no `server/discover`, pages its tools for ever with one cursor, and returns what no SDK would let it.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

LOG = Path(sys.argv[1])
SCHEMA = {"type": "object", "properties": {}}
NUMBER = {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}
TOOLS = [
    {"name": "hello", "inputSchema": SCHEMA},
    {"name": "breaks_schema", "inputSchema": SCHEMA, "outputSchema": NUMBER},
    {"name": "unreadable", "inputSchema": SCHEMA},
    {"name": "refuses", "inputSchema": SCHEMA},
    {"name": "environment", "inputSchema": SCHEMA},
]
ENVIRONMENT = Path("/proc/self/environ").read_text().replace("\0", "\n")
RESULTS: dict[str, Any] = {
    "hello": {"content": [{"type": "text", "text": "good day"}]},
    "breaks_schema": {
        "content": [{"type": "text", "text": "it acted"}],
        "structuredContent": {"n": "one"},
    },
    "unreadable": {"content": "just words"},
    "environment": {"content": [{"type": "text", "text": ENVIRONMENT}]},
}


def reply(request: dict[str, Any]) -> dict[str, Any]:
    """The result or the error of one request."""
    match request["method"], request.get("params") or {}:
        case "initialize", _:
            info = {"name": "old", "version": "0.1"}
            capabilities = {"tools": {}}
            return {
                "result": {
                    "protocolVersion": "2024-11-05",
                    "capabilities": capabilities,
                    "serverInfo": info,
                }
            }
        case "tools/list", _:
            return {"result": {"tools": TOOLS, "nextCursor": "again"}}
        case "tools/call", {"name": name} if name in RESULTS:
            return {"result": RESULTS[name]}
        case "tools/call", {"name": "refuses"}:
            return {"error": {"code": -32000, "message": "no such issue"}}
        case _:
            return {"error": {"code": -32601, "message": "Method not found"}}


def note(line: str) -> None:
    """One line a test can wait for."""
    with LOG.open("a") as log:
        log.write(line + "\n")


if __name__ == "__main__":
    note(f"pid {os.getpid()}")
    sys.stdout.write("Starting up, as old servers say on the wrong stream\n")
    for line in sys.stdin:
        request = json.loads(line)
        note(request["method"])
        if "id" in request:
            answer = {"jsonrpc": "2.0", "id": request["id"], **reply(request)}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
