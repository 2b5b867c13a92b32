"""The tool table: look at an order, fulfil, refund; it reads no environment.

A refund carries the task's token as Shopify's idempotency key. A fulfilment has none, so that an earlier attempt's is
looked for before another one is made; a fulfilment order can't be fulfilled twice.
"""

import json
import uuid
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from mcp_servers.shopify import queries
from mcp_servers.shopify.told import (
    delivered_key,
    marked,
    refund_key,
    shipped_key,
    transaction_key,
)
from mcp_servers.tasks.desk import Asked, Desk, Opening, Unsure
from mcp_servers.tasks.mounting import Later, server_of
from mcp_servers.tasks.states import Task
from mcp_servers.tasks.vendor import Vendor, connect

VERSION: Final = "0.1.0"
INSTRUCTIONS: Final = "Orders of a Shopify shop. fulfill_order and refund_order answer when the shop says how it ended."
PATH: Final = f"/admin/api/{queries.VERSION}/graphql.json"
_KEYS: Final = uuid.UUID("6f1d7e58-0c3e-4b52-9a0e-5a1d0c0b7e11")
"""Makes one idempotency key of each token: Shopify wants a UUID."""

Ask = Context[Later[Vendor], Any]
Order = Annotated[int, Field(description="Number of the order in its admin address", ge=1)]


async def read_order(*, ctx: Ask, order: Order) -> str:
    """Say how an order stands, with what is still to be fulfilled."""
    api = ctx.request_context.lifespan_context.api
    found = await _asked(api, queries.ORDER, id=_gid("Order", order))
    if found["order"] is None:
        raise ToolError(f"there is no order {order}, or the token may not see it")
    return json.dumps(found["order"], ensure_ascii=False, separators=(",", ":"))


async def fulfill_order(
    *,
    ctx: Ask,
    fulfillment_order: Annotated[
        int, Field(description="From read_order: the number in its id", ge=1)
    ],
    tracking_number: str | None = None,
    company: Annotated[str | None, Field(description="Who carries it")] = None,
    notify_customer: bool = False,
    until: Annotated[
        Literal["shipped", "delivered"], Field(description="What the answer waits for")
    ] = "shipped",
) -> str:
    """Fulfil what is open of a fulfilment order; the answer comes when it is shipped, or delivered."""
    later = ctx.request_context.lifespan_context
    id_ = _gid("FulfillmentOrder", fulfillment_order)
    tracking = {"number": tracking_number, "company": company}
    wanted = {
        "notifyCustomer": notify_customer,
        "lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": id_}],
        "trackingInfo": {name: value for name, value in tracking.items() if value},
    }

    async def ask(opening: Opening) -> Asked:
        made = await _fulfilled(later.api, id_) if opening.kept and opening.again else None
        if made is None:
            answer = await _written(
                later.api, queries.FULFILL, "fulfillmentCreate", fulfillment=wanted
            )
            made = answer["fulfillment"]
        number = made["legacyResourceId"]
        key = shipped_key(number) if until == "shipped" else delivered_key(number)
        made_so = f"fulfilment {number} is asked for ({made['status'].lower()})"
        return Asked(keys=[key, f"made:{until}:{made['id']}"], answer=made_so, message=made_so)

    return await later.desk.call(ask)


async def refund_order(
    *,
    ctx: Ask,
    order: Order,
    note: Annotated[str | None, Field(description="Why, for the shop's own eyes")] = None,
    notify_customer: bool = False,
) -> str:
    """Refund all that is left of an order; the answer comes when the money has moved."""
    later = ctx.request_context.lifespan_context
    id_ = _gid("Order", order)

    async def ask(opening: Opening) -> Asked:
        wanted = await _suggested(later.api, id_, again=opening.kept and opening.again)
        said = f"{note or 'Refunded by an agent'} {marked(opening.token)}"
        about = {"orderId": id_, "notify": notify_customer, "note": said}
        # The same key with another input is refused, so that a refund made meanwhile is never made twice.
        key = str(uuid.uuid5(_KEYS, opening.token))
        answer = await _written(
            later.api, queries.REFUND, "refundCreate", input={**about, **wanted}, key=key
        )
        made = answer["refund"]
        moved = [one["id"].rpartition("/")[2] for one in made["transactions"]["nodes"]]
        keys = [refund_key(made["legacyResourceId"]), *map(transaction_key, moved)]
        asked = f"refund {made['legacyResourceId']} of order {order} is asked for"
        return Asked(keys=keys, answer=asked, message=asked)

    return await later.desk.call(ask)


async def call_off(task: Task, later: Later[Vendor]) -> None:
    """Cancel a fulfilment. Raises `ToolError` for a refund, which can't be taken back."""
    for key in await later.desk.store.keys(task.id):
        if key.startswith("made:"):
            await _written(later.api, queries.CANCEL, "fulfillmentCancel", id=key.split(":", 2)[2])
            return
    raise ToolError("a refund that Shopify has taken on isn't called off by its task")


def build(base_url: str, token: str | None, desk: Desk) -> MCPServer[Later[Vendor]]:
    """The server for one shop and token; nothing is connected before it runs."""
    server = server_of(
        "shopify",
        version=VERSION,
        instructions=INSTRUCTIONS,
        desk=desk,
        connect=partial(
            connect,
            base_url,
            token,
            name="Shopify",
            setting="SHOPIFY_ACCESS_TOKEN",
            header="X-Shopify-Access-Token",
            scheme="",
        ),
        call_off=call_off,
    )
    reads = ToolAnnotations(title="Look at an order", read_only_hint=True, open_world_hint=True)
    server.add_tool(read_order, annotations=reads, structured_output=False)
    for tool, title in ((fulfill_order, "Fulfil an order"), (refund_order, "Refund an order")):
        writes = ToolAnnotations(title=title, destructive_hint=True, open_world_hint=True)
        server.add_tool(tool, annotations=writes, structured_output=False)
    return server


async def _fulfilled(api: Vendor, id_: str) -> dict[str, Any] | None:
    found = await _asked(api, queries.FULFILLED, id=id_)
    nodes = ((found["fulfillmentOrder"] or {}).get("fulfillments") or {}).get("nodes") or []
    return dict(nodes[0]) if nodes else None


async def _suggested(api: Vendor, id_: str, *, again: bool) -> Mapping[str, Any]:
    found = (await _asked(api, queries.SUGGESTED, id=id_))["order"]
    if found is None or not found["suggestedRefund"]["suggestedTransactions"]:
        words = "there is no such order, or nothing of it is left to refund"
        raise Unsure(f"{words}: an earlier attempt may have done it") if again else ToolError(words)
    suggested = found["suggestedRefund"]
    return {
        "refundLineItems": [
            {
                "lineItemId": one["lineItem"]["id"],
                "quantity": one["quantity"],
                "restockType": "NO_RESTOCK",
            }
            for one in suggested["refundLineItems"]
        ],
        "transactions": [
            {
                "orderId": id_,
                "kind": "REFUND",
                "gateway": one["gateway"],
                "parentId": one["parentTransaction"]["id"],
                "amount": one["amountSet"]["shopMoney"]["amount"],
            }
            for one in suggested["suggestedTransactions"]
        ],
    }


async def _written(api: Vendor, query: str, name: str, **variables: Any) -> dict[str, Any]:
    answer: dict[str, Any] = (await _asked(api, query, **variables))[name]
    if answer["userErrors"]:
        said = "; ".join(str(one["message"]) for one in answer["userErrors"])
        raise ToolError(f"Shopify refused ({said}): nothing was changed; mend the arguments")
    return answer


async def _asked(api: Vendor, query: str, **variables: Any) -> dict[str, Any]:
    try:
        answer = await api.send("POST", PATH, json={"query": query, "variables": variables})
    except Unsure as error:
        raise ToolError(str(error)) if _reads(query) else error from None
    errors = answer.get("errors") if isinstance(answer, dict) else "no object"
    # Shopify answers 200 to a query that it refuses.
    if errors or not isinstance(answer.get("data"), dict):
        raise ToolError(f"Shopify refused ({str(errors)[:400]}): nothing was changed")
    data: dict[str, Any] = answer["data"]
    return data


def _reads(query: str) -> bool:
    # GraphQL asks by POST, which tells a read from a write for nobody else.
    return query.lstrip().startswith("query")


def _gid(kind: str, number: int) -> str:
    return f"gid://shopify/{kind}/{number}"
