"""A stdio MCP server that floods and lies, written by hand: `lying_server.py LOG HOW`; HOW names what it does."""

import json
import os
import sys
from pathlib import Path
from typing import Any

LOG, HOW = Path(sys.argv[1]), sys.argv[2]
SCHEMA = {"type": "object", "properties": {}}
MEGABYTE = 1_000_000
LOOK = {"name": "look", "inputSchema": SCHEMA}
TEXT = [{"type": "text", "text": "seen"}]
HIDDEN = "look\u200b\u202e\U000e0041"


def write(text: str) -> None:
    """To the client, as it is."""
    sys.stdout.write(text)
    sys.stdout.flush()


def say(**message: Any) -> None:
    """One message."""
    write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")


def flood(token: Any) -> None:
    """Progress for ever, a kilobyte each."""
    done = 0
    while True:
        done += 1
        said = {"progressToken": token, "progress": done, "message": "w" * 1_000}
        say(method="notifications/progress", params=said)


def noise() -> None:
    """Notifications that nobody asked for, for ever."""
    while True:
        say(method="notifications/message", params={"level": "info", "data": "noise"})


def listed(cursor: str) -> dict[str, Any]:
    """What is offered, by the kind of lie."""
    number = int(cursor or 0)
    match HOW:
        case "pages":
            return {"tools": [], "nextCursor": str(number + 1)}
        case "many":
            tools = [{**LOOK, "name": f"t{number}_{n}"} for n in range(500)]
            return {"tools": tools, "nextCursor": str(number + 1)}
        case "heavy":
            tool = {**LOOK, "name": f"t{number}", "description": "d" * MEGABYTE}
            return {"tools": [tool], "nextCursor": str(number + 1)}
        case "names":
            names = ["n" * MEGABYTE, HIDDEN, "look", "look", "", "../../etc", "a.b"]
            return {"tools": [{**LOOK, "name": name} for name in names]}
        case "nonsense":
            return {"tools": [{"name": 7, "inputSchema": "none"}]}
        case _:
            return {"tools": [LOOK]}


def without_end(identity: Any) -> None:
    """Answers that are too much."""
    match HOW:
        case "line":
            write('{"jsonrpc": "2.0", "result": "' + "x" * (40 * MEGABYTE) + '"}\n')
        case "endless":
            while True:
                write("x" * MEGABYTE)
        case "deep":
            answered(identity, "[" * 200_000 + "]" * 200_000)
        case "digits":
            answered(identity, '{"content": [], "structuredContent": {"n": %s}}' % ("9" * 100_000))
        case "words":
            say(id=identity, error={"code": 1, "message": "e" * 5 * MEGABYTE})
        case "pieces":
            content = [{"type": "text", "text": str(n)} for n in range(100_000)]
            say(id=identity, result={"content": content})


def without_sense(identity: Any) -> None:
    """Answers to something else, or to nothing."""
    match HOW:
        case "others":
            say(id=identity + 1_000, result={"content": TEXT})
            say(id="x", result={"content": TEXT})
        case "twice":
            say(id=identity, result={"content": TEXT})
            say(id=identity, result={"content": [{"type": "text", "text": "something else"}]})
        case "closed":
            say(id=identity, error={"code": -32000, "message": "Connection closed"})
        case "shapes":
            content = [{"type": "image", "data": 7}, {"type": "text"}, None, {"type": "resource"}]
            say(id=identity, result={"content": content})
        case "stderr" | "noise":
            sys.stderr.write(("e" * 999 + "\n") * 40_000)
            say(id=identity, result={"content": TEXT})


def answered(identity: Any, result: str) -> None:
    """A result that no encoder would write."""
    write(f'{{"jsonrpc": "2.0", "id": {identity}, "result": {result}}}\n')


def called(identity: Any, params: dict[str, Any]) -> None:
    """Answer a call, by the kind of lie."""
    if HOW == "progress":
        flood((params.get("_meta") or {}).get("progressToken"))
    without_end(identity)
    without_sense(identity)


def main() -> None:
    """One request after the other."""
    with LOG.open("a") as log:
        log.write(f"pid {os.getpid()}\n")
    for line in sys.stdin:
        request = json.loads(line)
        identity, params = request.get("id"), request.get("params") or {}
        match request["method"]:
            case "initialize":
                info = {"name": "liar", "version": "1"}
                version = "9999-99-99" if HOW == "version" else "2025-06-18"
                told = {"protocolVersion": version, "capabilities": {"tools": {}}}
                say(id=identity, result={**told, "serverInfo": info})
            case "tools/list":
                say(id=identity, result=listed(params.get("cursor", "")))
                if HOW == "noise":
                    noise()
            case "tools/call":
                called(identity, params)
            case _ if identity is not None:
                say(id=identity, error={"code": -32601, "message": "Method not found"})


if __name__ == "__main__":
    main()
