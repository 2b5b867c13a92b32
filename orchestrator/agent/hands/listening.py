"""Hearing that a server's tools changed, where it tells; a lost subscription is opened again. It lists nothing."""

import asyncio
from collections.abc import Callable
from typing import Final

from mcp import Client, MCPError
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp_types import METHOD_NOT_FOUND

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0


async def listen(client: Client, changed: Callable[[], None]) -> None:
    """Tell of every change until cancelled; return where the server has no word for it."""
    tools = client.server_capabilities.tools
    if tools is None or not tools.list_changed:
        return
    pause = FIRST_PAUSE
    while True:
        try:
            async with client.listen(tools_list_changed=True) as changes:
                pause = FIRST_PAUSE
                async for _ in changes:
                    changed()
        except ListenNotSupportedError:
            return
        except MCPError as error:
            if error.code == METHOD_NOT_FOUND:
                return
        except (SubscriptionLost, TimeoutError):
            pass
        # Nothing is replayed: what changed while nobody listened must be asked for.
        changed()
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
