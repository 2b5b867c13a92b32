"""A call that its server refuses unlooked at, and wants made in another way; it judges no answer."""

from typing import Final

from mcp import Client, MCPError
from mcp.shared.dispatcher import ProgressFnT
from mcp_types import (
    HEADER_MISMATCH,
    CallToolRequest,
    CallToolResult,
    GetPromptResult,
    InputRequiredResult,
    ReadResourceResult,
)
from pydantic import TypeAdapter

from orchestrator.agent.hands import former
from orchestrator.agent.hands.listed import listed
from orchestrator.agent.hands.resources import Request
from orchestrator.agent.hands.tasks import Created

Said = CallToolResult | InputRequiredResult | Created | ReadResourceResult | GetPromptResult
_SAID: Final[TypeAdapter[Said]] = TypeAdapter(Said)


async def insisted(
    client: Client, request: Request, deadline: float, hear: ProgressFnT | None
) -> Said:
    """What a server says to a request, `deadline` in seconds. Raises `MCPError`, `ValidationError`."""
    # Not Client.call_tool: it checks the output schema after the tool has acted, and raises.
    try:
        came = await client.session.send_request(request, _SAID, deadline, None, hear)
    except MCPError as error:
        if error.code == HEADER_MISMATCH:
            # Arguments mirrored into headers: the SDK does that for the tools it has seen listed.
            await listed(client)
            return await client.session.send_request(request, _SAID, deadline, None, hear)
        if not await _wants_a_task(client, request, error):
            raise
    else:
        if not await _wants_a_task(client, request, came):
            return came
    handle = await former.begun(client, request, deadline, hear)
    return Created.model_validate(handle, by_name=False)


async def _wants_a_task(client: Client, request: Request, came: MCPError | Said) -> bool:
    if not isinstance(request, CallToolRequest) or not former.may_want_a_task(client, came):
        return False
    return any(
        tool.name == request.params.name and former.requires_a_task(tool)
        for tool in await listed(client)
    )
