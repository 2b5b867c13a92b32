"""The histories of a run's parts as text that can lie in the repository: it names no machine."""

import base64
import json
import re
import socket

from tests.support.house import House
from tests.support.sleepers import parts


async def histories(home: House) -> list[str]:
    """Of all parts of the oldest workflow there is, once it is over."""
    workflow_id = (await home.runs())[0]["workflow_id"]
    await home.client.get_workflow_handle(workflow_id).result()
    return await recorded(home, workflow_id)


async def recorded(home: House, workflow_id: str) -> list[str]:
    """Of all its parts as they are now, the oldest first."""
    handles = await parts(home, workflow_id)
    return [nameless((await handle.fetch_history()).to_json()) for handle in handles]


def nameless(history: str) -> str:
    """The history without the name of the machine it was recorded on, and where programs stand there."""
    told = re.sub(r'"identity": "[^"]*"', '"identity": "worker"', history)
    told = told.replace(socket.gethostname(), "host")
    told = re.sub(r'"stackTrace": "(?:[^"\\]|\\.)*"', '"stackTrace": ""', told)
    return json.dumps(json.loads(told), separators=(",", ":")) + "\n"


def reworded(history: str, words: str, others: str) -> str:
    """The history of a run that began with other words in its input."""
    told = json.loads(history)
    (payload,) = told["events"][0]["workflowExecutionStartedEventAttributes"]["input"]["payloads"]
    said = base64.b64decode(payload["data"]).decode()
    assert words in said
    payload["data"] = base64.b64encode(said.replace(words, others).encode()).decode()
    return json.dumps(told, separators=(",", ":")) + "\n"
