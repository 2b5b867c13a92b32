"""The tool table: post, and ask with buttons; it reads no environment.

Slack has no idempotency keys. A question carries the task's token in its metadata and is looked for before it is
asked again.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from mcp_servers.slack.told import ACTION, message_key, value_of
from mcp_servers.tasks.desk import Asked, Desk, Opening, Unsure
from mcp_servers.tasks.mounting import Later, server_of
from mcp_servers.tasks.states import Task
from mcp_servers.tasks.vendor import Vendor, connect

VERSION: Final = "0.1.0"
DEFAULT_URL: Final = "https://slack.com/api"
INSTRUCTIONS: Final = (
    "Messages in Slack. ask answers when a person presses a button, which may take days."
)
TOKEN: Final = "doorbell_task"  # noqa: S105 - the name of a field, not a secret
RECENT: Final = 100
"""Messages among which an earlier attempt's is looked for."""

UNKNOWN: Final = frozenset({"fatal_error", "internal_error", "request_timeout"})
"""Slack's words for: it may have happened."""

Ask = Context[Later[Vendor], Any]
Channel = Annotated[
    str, Field(description="Id of the channel, such as C0123456", pattern="^[A-Z0-9]{3,40}$")
]
Thread = Annotated[
    str | None, Field(description="ts of the message to answer below", pattern=r"^[0-9]+\.[0-9]+$")
]
Text = Annotated[str, Field(description="Slack's mrkdwn", min_length=1, max_length=3000)]
Button = Annotated[str, Field(min_length=1, max_length=75)]


async def post_message(*, ctx: Ask, channel: Channel, text: Text, thread_ts: Thread = None) -> str:
    """Post a message."""
    wanted = _given(channel=channel, text=text, thread_ts=thread_ts)
    made = await _call(ctx.request_context.lifespan_context.api, "chat.postMessage", wanted)
    return f"posted {made['ts']} in {made['channel']}"


async def ask(
    *,
    ctx: Ask,
    channel: Channel,
    question: Text,
    answers: Annotated[list[Button], Field(description="The buttons", min_length=1, max_length=10)],
    people: Annotated[
        list[str] | None,
        Field(description="Ids of the users who may answer; anyone in the channel unless given"),
    ] = None,
    thread_ts: Thread = None,
) -> str:
    """Ask people with buttons; the answer comes when one of them presses one."""
    later = ctx.request_context.lifespan_context

    async def put(opening: Opening) -> Asked:
        blocks = _blocks(question, answers, people or (), opening.token)
        carried = {"event_type": TOKEN, "event_payload": {TOKEN: opening.token}}
        wanted = _given(channel=channel, text=question, thread_ts=thread_ts)
        wanted |= {"blocks": blocks, "metadata": carried}
        made = await _earlier(later.api, channel, thread_ts, opening)
        made = made or await _call(later.api, "chat.postMessage", wanted)
        return Asked(
            keys=[message_key(channel, made["ts"])],
            answer=f"asked in {channel} as message {made['ts']}; who answers presses a button there",
            message=f"asked in {channel}; nobody has answered yet",
        )

    return await later.desk.call(put)


async def call_off(task: Task, later: Later[Vendor]) -> None:
    """Take the buttons away."""
    for key in await later.desk.store.keys(task.id):
        if key.startswith("message:"):
            _, channel, ts = key.split(":", 2)
            withdrawn = {"channel": channel, "ts": ts, "text": "_withdrawn_", "blocks": []}
            await _call(later.api, "chat.update", withdrawn)


def build(base_url: str, token: str | None, desk: Desk) -> MCPServer[Later[Vendor]]:
    """The server for one API address and token; nothing is connected before it runs."""
    server = server_of(
        "slack",
        version=VERSION,
        instructions=INSTRUCTIONS,
        desk=desk,
        connect=partial(connect, base_url, token, name="Slack", setting="SLACK_BOT_TOKEN"),
        call_off=call_off,
    )
    for tool, title in ((post_message, "Post a message"), (ask, "Ask with buttons")):
        writes = ToolAnnotations(title=title, destructive_hint=False, open_world_hint=True)
        server.add_tool(tool, annotations=writes, structured_output=False)
    return server


def _blocks(
    question: str, answers: Sequence[str], people: Sequence[str], token: str
) -> list[dict[str, Any]]:
    buttons = [
        {
            "type": "button",
            "action_id": f"{ACTION}_{number}",
            "text": {"type": "plain_text", "text": answer},
            "value": value_of(answer, people),
        }
        for number, answer in enumerate(answers)
    ]
    section = {"type": "section", "text": {"type": "mrkdwn", "text": question}}
    return [section, {"type": "actions", "block_id": token, "elements": buttons}]


async def _earlier(
    slack: Vendor, channel: str, thread_ts: str | None, opening: Opening
) -> Mapping[str, Any] | None:
    if not (opening.kept and opening.again):
        return None
    method = "conversations.history" if thread_ts is None else "conversations.replies"
    asked = _given(channel=channel, ts=thread_ts, limit=RECENT, include_all_metadata="true")
    try:
        found = await _read(slack, method, asked)
    except ToolError as error:
        raise Unsure(f"{error}; an earlier attempt may have asked already: look first") from None
    for message in found.get("messages", ()):
        payload = (message.get("metadata") or {}).get("event_payload") or {}
        if payload.get(TOKEN) == opening.token:
            return dict(message)
    return None


async def _call(slack: Vendor, method: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    return _good(method, await slack.send("POST", f"/{method}", json=wanted))


async def _read(slack: Vendor, method: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    return _good(method, await slack.get(f"/{method}", **asked))


def _good(method: str, answer: Any) -> dict[str, Any]:
    # Slack answers 200 to everything; only `ok` says whether it was done.
    if isinstance(answer, dict) and answer.get("ok"):
        return answer
    said = answer.get("error") if isinstance(answer, dict) else answer
    if said in UNKNOWN:
        raise Unsure(
            f"Slack failed at {method} ({said}): whether it happened is unknown; look first"
        )
    raise ToolError(
        f"Slack refused {method} ({said}): nothing was changed; mend it or ask the operator"
    )


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
