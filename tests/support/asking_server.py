"""A stdio server of 2025, written by hand, that asks a person in the middle of a call: `asking_server.py LOG`."""

import json
import sys
from pathlib import Path
from typing import Any

LOG = Path(sys.argv[1])
PAPER = {
    "type": "object",
    "properties": {"paper": {"type": "string", "enum": ["matt", "glossy"]}},
    "required": ["paper"],
}
READS = {"readOnlyHint": True}
TOOLS = [{"name": "which", "inputSchema": {"type": "object"}, "annotations": READS}]


def send(message: dict[str, Any]) -> None:
    """One line to whoever started it."""
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def asked() -> str:
    """What a person says, or what became of the question."""
    params = {"message": "Which paper?", "requestedSchema": PAPER}
    send({"id": "q-1", "method": "elicitation/create", "params": params})
    for line in sys.stdin:
        answer = json.loads(line)
        if answer.get("id") == "q-1":
            result = answer.get("result", {})
            return str(result.get("content", {}).get("paper", result.get("action")))
    return "nobody"


def reply(request: dict[str, Any]) -> dict[str, Any]:
    """The result or the error of one request."""
    match request["method"]:
        case "initialize":
            capable = request["params"]["capabilities"]
            with LOG.open("a") as log:
                log.write(f"asks: {'elicitation' in capable}\n")
            about = {"serverInfo": {"name": "asking", "version": "0.1"}}
            return {
                "result": {
                    **about,
                    "protocolVersion": "2025-06-18",
                    "capabilities": {"tools": {}},
                }
            }
        case "tools/list":
            return {"result": {"tools": TOOLS}}
        case "tools/call":
            return {"result": {"content": [{"type": "text", "text": f"on {asked()}"}]}}
        case _:
            return {"error": {"code": -32601, "message": "Method not found"}}


if __name__ == "__main__":
    for line in sys.stdin:
        request = json.loads(line)
        if "id" in request and "method" in request:
            send({"id": request["id"], **reply(request)})
