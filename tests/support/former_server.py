"""A server of 2025-11-25 whose tool is called as a task and in no other way; by hand, as our SDK runs no such tasks.

`former_server.py coded|told`: it refuses a plain call by a code, as the specification says, or in words to the model,
as the TypeScript SDK does.
"""

import json
import sys

TTL, POLL = 60_000, 500
AT = "2026-11-21T12:00:00Z"
TASKS = {"cancel": {}, "requests": {"tools": {"call": {}}}}
HERE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}, "tasks": TASKS},
    "serverInfo": {"name": "former", "version": "1"},
}
OTHER = {"name": "plain", "inputSchema": {"type": "object"}}
RESEARCH = {
    "name": "research",
    "inputSchema": {"type": "object", "properties": {"how": {"type": "string"}}},
    "execution": {"taskSupport": "required"},
}
WORDS = "MCP error -32601: Tool research requires task augmentation"
UNKNOWN = {"code": -32602, "message": "Task not found"}
made = {}
"""Each task's way to end, and how often it was looked at."""


def text(said, *, is_error=False):
    return {"content": [{"type": "text", "text": said}], "isError": is_error}


def call(params):
    if params["name"] == "plain":
        return text("MCP error -32601: that is only what it says", is_error=True)
    if "task" not in params:
        if sys.argv[1] == "told":
            return text(WORDS, is_error=True)
        return {"code": -32601, "message": WORDS}
    id_ = f"task-{len(made) + 1}"
    made[id_] = [params["arguments"]["how"], 0]
    return {"task": state(id_)}


def state(id_):
    how, looks = made[id_]
    status = how if looks > 1 or how in {"cancelled", "input_required"} else "working"
    return {
        "taskId": id_,
        "status": status,
        "statusMessage": f"looked at {looks} times",
        "createdAt": AT,
        "lastUpdatedAt": AT,
        "ttl": TTL,
        "pollInterval": POLL,
    }


def get(params):
    made[params["taskId"]][1] += 1
    return state(params["taskId"])


def result(params):
    how, _ = made[params["taskId"]]
    if how == "failed":
        return text("there is no ink", is_error=True)
    return text("found it")


def cancel(params):
    made[params["taskId"]][0] = "cancelled"
    return state(params["taskId"])


ANSWERS = {
    "initialize": lambda _: HERE,
    "ping": lambda _: {},
    "tools/list": lambda _: {"tools": [OTHER, RESEARCH]},
    "tools/call": call,
    "tasks/get": get,
    "tasks/result": result,
    "tasks/cancel": cancel,
}


def answer(message):
    known = ANSWERS.get(message["method"])
    if known is None:
        return {"code": -32601, "message": "Method not found"}
    params = message.get("params") or {}
    if "taskId" in params and params["taskId"] not in made:
        return UNKNOWN
    return known(params)


for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked and "method" in asked:
        came = answer(asked)
        kind = "error" if "code" in came else "result"
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], kind: came}), flush=True)  # noqa: T201
