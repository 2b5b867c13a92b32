"""Two tools over the print shop's API; it reads no environment. Copy this package and replace what names the shop.

`order_print` answers later: the order's id, or the reference that the shop repeats, brings the webhook to its task.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Final

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import ToolAnnotations
from pydantic import Field

from mcp_servers.tasks.desk import Asked, Desk, Opening
from mcp_servers.tasks.mounting import Later, server_of
from mcp_servers.tasks.proofs import Parcel, Unreadable
from mcp_servers.tasks.states import Working
from mcp_servers.tasks.store import Callback, Told, token_key
from mcp_servers.tasks.vendor import Vendor, connect
from mcp_servers.tasks.wire import said

VERSION: Final = "0.1.0"
INSTRUCTIONS: Final = (
    "Orders at the print shop. order_print answers when the parcel has left, which takes days."
)

Ask = Context[Later[Vendor], Any]
Text = Annotated[str, Field(description="What to print", min_length=1)]
Copies = Annotated[int, Field(description="How many", ge=1, le=1000)]


async def order_print(*, ctx: Ask, text: Text, copies: Copies = 1) -> str:
    """Order prints; the answer comes when the shop has sent them."""
    later = ctx.request_context.lifespan_context

    async def ask(opening: Opening) -> Asked:
        wanted = {"text": text, "copies": copies, "reference": opening.token}
        # The shop takes our token as its idempotency key, so that asking again orders once.
        key = {"Idempotency-Key": opening.token}
        order = await later.api.send("POST", "/orders", json=wanted, headers=key)
        return Asked(
            keys=[f"order:{order['id']}"],
            answer=f"order {order['id']} is placed; get_order says how it goes",
            message=f"order {order['id']} is placed",
        )

    return await later.desk.call(ask)


async def get_order(
    *, ctx: Ask, order: Annotated[str, Field(description="Id of the order")]
) -> str:
    """Say how an order goes."""
    found = await ctx.request_context.lifespan_context.api.get(f"/orders/{order}")
    return f"order {found['id']}: {found['state']}"


TOLD: Final[Mapping[str, Callable[[Mapping[str, Any]], Told]]] = {
    "order.printing": lambda order: Working(message=f"order {order['id']} is being printed"),
    "order.shipped": lambda order: said(f"order {order['id']} has left the shop"),
    "order.failed": lambda order: said(
        f"order {order['id']} failed: {order.get('reason')}", is_error=True
    ),
}
"""What each of the shop's events tells; the others are nobody's."""


def callback(parcel: Parcel) -> Callback | None:
    """Whose a webhook is, and what it tells. Raises `Unreadable`."""
    told = TOLD.get(parcel.type)
    if told is None:
        return None
    try:
        order = parcel.payload["order"]
        keys = [f"order:{order['id']}", token_key(str(order.get("reference")))]
        return Callback(id=parcel.id, keys=keys, told=told(order))
    except (KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"expected an order with an id in {parcel.type!r}: {error!r}") from None


def build(base_url: str, token: str | None, desk: Desk) -> MCPServer[Later[Vendor]]:
    """The server for one address and token; nothing is connected before it runs."""
    server = server_of(
        "template",
        version=VERSION,
        instructions=INSTRUCTIONS,
        desk=desk,
        connect=partial(connect, base_url, token, name="the print shop", setting="SHOP_TOKEN"),
    )
    writes = ToolAnnotations(title="Order prints", destructive_hint=True, open_world_hint=True)
    server.add_tool(order_print, annotations=writes, structured_output=False)
    reads = ToolAnnotations(title="Read an order", read_only_hint=True, open_world_hint=True)
    server.add_tool(get_order, annotations=reads, structured_output=False)
    return server
