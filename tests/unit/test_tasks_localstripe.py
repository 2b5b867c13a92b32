"""Our Stripe server against localstripe, a Stripe that is not ours: it takes our calls, and really signs and rings."""

import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from mcp_servers.tasks.sql import SqlStore
from mcp_servers.tasks.store import Reception
from tests.support.ports import free_port
from tests.support.tasks_client import Taking, call, get, over_http, words
from tests.support.tasks_stripe import SIGNS, hands
from tests.support.tasks_template import answers

CARD = {"number": "4242424242424242", "exp_month": "12", "exp_year": "2040", "cvc": "123"}
PATIENCE = 20.0


@asynccontextmanager
async def localstripe():
    """It on a port, with nothing in it."""
    port = free_port()
    program = Path(sys.executable).with_name("localstripe")
    child = await asyncio.create_subprocess_exec(
        *(program, "--port", str(port), "--from-scratch"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await answers(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        child.kill()
        await child.wait()


async def posted(api, path, **form):
    answer = await api.post(path, data=form)
    assert answer.is_success, answer.text
    return answer.json()


async def customer_of(api):
    """A customer with a card."""
    customer = await posted(api, "/v1/customers", email="ann@example.com")
    card = {f"card[{name}]": value for name, value in CARD.items()}
    method = await posted(api, "/v1/payment_methods", type="card", **card)
    await posted(api, f"/v1/payment_methods/{method['id']}/attach", customer=customer["id"])
    return {"customer": customer["id"], "payment_method": method["id"]}


async def test_h4_a_charge_at_a_stripe_that_is_not_ours_and_its_own_webhook(tmp_path):
    store = Overheard(SqlStore.open_at(f"sqlite:///{tmp_path}/overheard.db"))
    async with (
        localstripe() as url,
        hands(tmp_path, url, store=store) as served,
        over_http(served.url, Taking()) as client,
        httpx2.AsyncClient(base_url=url, auth=("sk_test_x", "")) as api,
    ):
        hook = {"url": f"{served.url}/webhooks/stripe", "secret": SIGNS}
        assert (await api.post("/_config/webhooks/ours", data=hook)).is_success
        who = await customer_of(api)
        handle = await call(client, "charge", amount=1250, currency="eur", **who)
        task = await get(client, handle.task_id)
        rung = await asyncio.wait_for(store.received.get(), PATIENCE)

    store.close()
    assert words(task) == "12.50 EUR is paid"
    # It pays at once, so that its webhook, believed by its signature, finds the task ended.
    assert rung.reception is Reception.LATE


class Overheard:
    """A store that tells what became of each callback."""

    def __init__(self, store):
        self._store, self.received = store, asyncio.Queue()

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def receive(self, callback, now):
        made = await self._store.receive(callback, now)
        self.received.put_nowait(made)
        return made
