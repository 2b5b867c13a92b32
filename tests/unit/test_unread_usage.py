"""R5: a reply whose usage is no number is kept, and charged as assumed; over real HTTP, through the real SDK."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import pytest

from orchestrator.agent.counting import CountedModel
from orchestrator.agent.model import Claude
from orchestrator.agent.prices import Used, charge, charged, counted
from orchestrator.agent.reply import Request
from orchestrator.ledger import turns
from orchestrator.rules.caps import Price
from orchestrator.telemetry import catalogue
from orchestrator.telemetry.instruments import RunInstruments
from orchestrator.telemetry.registry import Registry, total
from tests.support.asking import talk
from tests.support.builders import frozen, tool
from workflows.messages import Stop

MODEL = "claude-sonnet-5-5"
PRICE = Price(input=Decimal(3), output=Decimal(15))
PLAIN = {"input_tokens": 1_000, "output_tokens": 20}
CACHED = {"cache_read_input_tokens": 50, "cache_creation_input_tokens": 7}
REQUEST = Request(
    model=MODEL,
    max_tokens=1000,
    system=[],
    tools=[],
    messages=[{"role": "user", "content": [{"type": "text", "text": "An event."}]}],
)
PIN = frozen(tool(), model=MODEL)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
ODD = [
    {**PLAIN, "input_tokens": "many"},
    {**PLAIN, "input_tokens": None},
    {**PLAIN, "output_tokens": None},
    {**PLAIN, "output_tokens": [20]},
    {**PLAIN, "output_tokens": -1},
    {**PLAIN, "output_tokens": 10**30},
    {**PLAIN, "cache_read_input_tokens": "a few"},
    {**PLAIN, "cache_creation_input_tokens": {"many": 7}},
    {"input_tokens": 1_000},
    {"total_tokens": 1_020},
]


def events(usage):
    """A whole reply, as a gateway streams it that counts in its own way."""
    text = {"type": "text_delta", "text": "Done."}
    said = [
        {"type": "message_start", "message": {"content": [], "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": text},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
    ]
    return "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in said).encode()


@asynccontextmanager
async def gateway(usage):
    """A model behind a server that says this of its usage."""

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + events(usage))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        model = Claude("key", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        try:
            yield model
        finally:
            await model.close()


@pytest.mark.parametrize("usage", ODD, ids=str)
async def test_r5_a_reply_whose_usage_is_no_number_is_kept_and_charged_as_assumed(tmp_path, usage):
    async with gateway(usage) as model, talk(tmp_path, PIN) as subject:
        subject.means = replace(subject.means, model=model)
        reply = await subject.ask()
        (kept,) = await subject.ledger.read(turns.replied, subject.run_id)

    assert (reply.stop, turns.text_of(kept)) == (Stop.END_TURN, "Done.")
    assert reply.spent.assumed == 1
    assert reply.spent.usd > 0
    assert reply.spent.output_tokens == PIN.max_tokens


async def test_r5_a_usage_in_numbers_is_settled_as_it_is(tmp_path):
    async with gateway({**PLAIN, **CACHED}) as model, talk(tmp_path, PIN) as subject:
        subject.means = replace(subject.means, model=model)
        spent = (await subject.ask()).spent

    assert (spent.assumed, spent.input_tokens, spent.cached_tokens) == (0, 1_057, 50)
    assert spent.output_tokens == 20


@pytest.mark.parametrize("usage", [*ODD, {**PLAIN, "output_tokens": True}], ids=str)
def test_r5_such_a_usage_is_no_count_and_has_no_price_whoever_declares_one(usage):
    assert counted(usage) is None
    assert charged(MODEL, usage) is None
    assert charged(MODEL, usage, PRICE) is None
    assert charge(MODEL, usage, PRICE) is None


def test_what_was_not_cached_need_not_be_said():
    assert counted(PLAIN) == Used(read=1_000, cached=0, said=20)
    assert counted({**PLAIN, **dict.fromkeys(CACHED)}) == counted(PLAIN)
    assert counted({**PLAIN, **CACHED}) == Used(read=1_057, cached=50, said=20)


async def test_o3_a_turn_whose_usage_nobody_can_read_is_counted_as_one_without_a_price():
    registry = Registry(catalogue.SCRAPE_FAILURES)
    async with gateway({**PLAIN, "output_tokens": "few"}) as model:
        await CountedModel(model, RunInstruments(registry)).say(REQUEST)
    families = {family.metric: family.points for family in await registry.collect()}

    assert total(families[catalogue.UNPRICED]) == 1
