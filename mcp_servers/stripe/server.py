"""The tool table: four ways to move money and one to look; it reads no environment.

Each write carries the task's token to Stripe as its idempotency key and in its metadata, so that asking again moves
nothing twice and a webhook finds its task even where our own answer was lost.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Final, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from mcp_servers.stripe.objects import (
    TASK,
    Thing,
    intent_told,
    keys_of,
    money,
    refund_told,
    session_told,
    subscription_told,
)
from mcp_servers.tasks.desk import Asked, Desk, Opening
from mcp_servers.tasks.mounting import Later, server_of
from mcp_servers.tasks.states import Task
from mcp_servers.tasks.store import Told
from mcp_servers.tasks.vendor import Vendor, connect
from mcp_servers.tasks.wire import spoken

VERSION: Final = "0.1.0"
DEFAULT_URL: Final = "https://api.stripe.com"
INSTRUCTIONS: Final = (
    "Money at Stripe. Amounts are in the currency's smallest unit (1250 is 12.50 EUR, but 1250 JPY). Payments, refunds "
    "and subscriptions answer when Stripe says how they ended, which may take days; don't repeat them meanwhile."
)
PATHS: Final[Mapping[str, str]] = {
    "payment_link": "payment_links",
    "payment_intent": "payment_intents",
    "refund": "refunds",
    "subscription": "subscriptions",
    "checkout_session": "checkout/sessions",
}

Ask = Context[Later[Vendor], Any]
Amount = Annotated[int, Field(description="In the currency's smallest unit", ge=1, le=99_999_999)]
Currency = Annotated[str, Field(description="Three letters, such as eur", pattern="^[A-Za-z]{3}$")]
Id = Annotated[str, Field(description="Stripe's id", pattern=r"^[A-Za-z0-9_]{3,255}$")]


async def create_payment_link(
    *,
    ctx: Ask,
    amount: Amount,
    currency: Currency,
    product: Annotated[str, Field(description="What is paid for", min_length=1, max_length=250)],
) -> str:
    """Make a link at which one customer pays once; the answer comes when somebody has paid."""
    later = ctx.request_context.lifespan_context

    async def ask(opening: Opening) -> Asked:
        post = partial(_post, later.api, opening)
        price = await post(
            "/v1/prices",
            {"unit_amount": amount, "currency": currency.lower(), "product_data[name]": product},
            part="price",
        )
        wanted = {
            "line_items[0][price]": price["id"],
            "line_items[0][quantity]": 1,
            "restrictions[completed_sessions][limit]": 1,
        }
        link = await post("/v1/payment_links", wanted, part="link")
        due = f"{money(amount, currency)} can be paid at {link['url']}"
        return Asked(keys=keys_of(link), answer=f"{due} ({link['id']})", message=due)

    return await later.desk.call(ask)


async def charge(
    *, ctx: Ask, amount: Amount, currency: Currency, customer: Id, payment_method: Id
) -> str:
    """Charge a payment method that a customer has saved; the answer comes when the payment has ended."""
    wanted: dict[str, str | int] = {
        "amount": amount,
        "currency": currency.lower(),
        "customer": customer,
        "payment_method": payment_method,
        "confirm": "true",
        "off_session": "true",
    }
    return await _made(ctx, "/v1/payment_intents", wanted, intent_told)


async def refund(
    *,
    ctx: Ask,
    payment_intent: Id,
    amount: Annotated[Amount | None, Field(description="All that is left unless given")] = None,
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None = None,
) -> str:
    """Refund a payment, in whole or in part; the answer comes when the refund has ended."""
    given = {"payment_intent": payment_intent, "amount": amount, "reason": reason}
    wanted = {name: value for name, value in given.items() if value is not None}
    return await _made(ctx, "/v1/refunds", wanted, refund_told)


async def create_subscription(*, ctx: Ask, customer: Id, price: Id) -> str:
    """Subscribe a customer to a price; the answer comes when its first payment has ended."""
    wanted = {"customer": customer, "items[0][price]": price}
    return await _made(ctx, "/v1/subscriptions", wanted, subscription_told)


async def read(
    *,
    ctx: Ask,
    kind: Literal["payment_link", "payment_intent", "refund", "subscription", "checkout_session"],
    id: Id,  # noqa: A002 - Stripe's name for it
) -> str:
    """Say how something stands at Stripe."""
    found = await ctx.request_context.lifespan_context.api.get(f"/v1/{PATHS[kind]}/{id}")
    kept = ("id", "status", "payment_status", "amount", "currency", "active", "url", "customer")
    return "; ".join(f"{name}: {found[name]}" for name in kept if found.get(name) is not None)


async def call_off(task: Task, later: Later[Vendor]) -> None:
    """Take back what can be taken back. Raises `ToolError` for what can't."""
    for key in await later.desk.store.keys(task.id):
        kind, _, id_ = key.partition(":")
        match kind:
            case "payment_link":
                path = f"/v1/payment_links/{id_}"
                await later.api.send("POST", path, form={"active": "false"})
            case "payment_intent":
                await later.api.send("POST", f"/v1/payment_intents/{id_}/cancel", form={})
            case "refund" | "subscription":
                raise ToolError(f"a {kind} that Stripe has taken on isn't called off by its task")
            case _:
                pass


async def look(task: Task, later: Later[Vendor]) -> Told | None:
    """How a task's object stands at Stripe now."""
    for key in await later.desk.store.keys(task.id):
        kind, _, id_ = key.partition(":")
        if kind == "payment_link":
            path = "/v1/checkout/sessions"
            found = await later.api.get(path, payment_link=id_, status="complete", limit=1)
            sessions = found["data"]
            return session_told(sessions[0]) if sessions else None
        if kind in LOOKS:
            return LOOKS[kind](await later.api.get(f"/v1/{PATHS[kind]}/{id_}"))
    return None


LOOKS: Final[Mapping[str, Callable[[Thing], Told]]] = {
    "payment_intent": intent_told,
    "refund": refund_told,
    "subscription": subscription_told,
}


async def _made(
    ctx: Ask, path: str, wanted: Mapping[str, str | int], tells: Callable[[Thing], Told]
) -> str:
    later = ctx.request_context.lifespan_context

    async def ask(opening: Opening) -> Asked:
        thing = await _post(later.api, opening, path, wanted)
        told = tells(thing)
        answer = f"{spoken(told)} ({thing['id']})"
        return Asked(keys=keys_of(thing), answer=answer, told=told)

    return await later.desk.call(ask)


async def _post(
    stripe: Vendor, opening: Opening, path: str, wanted: Mapping[str, str | int], part: str = "it"
) -> Thing:
    form = {name: str(value) for name, value in wanted.items()}
    # One key for each of a task's calls: Stripe refuses a key that comes with other parameters.
    made: Thing = await stripe.send(
        "POST",
        path,
        form=form | {f"metadata[{TASK}]": opening.token},
        headers={"Idempotency-Key": f"{opening.token}:{part}"},
    )
    return made


def build(base_url: str, token: str | None, desk: Desk) -> MCPServer[Later[Vendor]]:
    """The server for one API address and key; nothing is connected before it runs."""
    server = server_of(
        "stripe",
        version=VERSION,
        instructions=INSTRUCTIONS,
        desk=desk,
        connect=partial(connect, base_url, token, name="Stripe", setting="STRIPE_API_KEY"),
        call_off=call_off,
        look=look,
    )
    for tool, title in (
        (create_payment_link, "Make a payment link"),
        (charge, "Charge a customer"),
        (refund, "Refund a payment"),
        (create_subscription, "Subscribe a customer"),
    ):
        writes = ToolAnnotations(title=title, destructive_hint=True, open_world_hint=True)
        server.add_tool(tool, annotations=writes, structured_output=False)
    reads = ToolAnnotations(title="Look at Stripe", read_only_hint=True, open_world_hint=True)
    server.add_tool(read, annotations=reads, structured_output=False)
    return server
