"""One model turn: check the money, reserve it, ask, record the reply with its calls. It makes no tool call.

A recorded reply is returned and never paid twice; an attempt that was lost is charged as assumed.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from orchestrator.agent import calling, prices, prompt
from orchestrator.agent import frozen as pins
from orchestrator.agent.frozen import Frozen, Planned
from orchestrator.agent.means import Means
from orchestrator.agent.model import Rejected, Request, Said, Unavailable
from orchestrator.agent.opening import frozen_of
from orchestrator.database import Transaction
from orchestrator.ledger import calls, turns
from orchestrator.ledger.turns import Charge, Turn
from workflows.messages import Ask, CallState, Reply, Spent, Stop
from workflows.playbook import Budget

NOTHING = Charge(usd=Decimal(0), input_tokens=0, output_tokens=0, cached_tokens=0)
SMALLEST_REPLY = 256
"""Tokens: with less than this left, a turn isn't begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A turn that may be asked, with what it may cost at most."""

    request: Request
    estimate: Charge


async def ask(means: Means, asked: Ask, attempt: int) -> Reply:
    """One turn. Raises Unavailable or Rejected."""
    _, frozen = await frozen_of(means, asked.run_id)
    recorded = await means.ledger.read(turns.replied, asked.run_id)
    turn = _recorded(recorded, asked)
    if turn is None:
        messages = await means.ledger.read(_messages, asked.run_id, recorded)
        spent = await means.ledger.read(turns.spent, asked.run_id)
        prepared = prepare(frozen, messages, asked.budget, spent)
        if prepared is None:
            return Reply(turn=asked.turn, stop=Stop.OVER_BUDGET, spent=spent)
        turn = await _answered(means, asked, attempt, frozen, prepared)
    return await _reply(means, frozen, asked, turn)


def prepare(
    frozen: Frozen, messages: Sequence[prompt.Message], budget: Budget, spent: Spent
) -> Prepared | None:
    """The request with `max_tokens` clamped to what is left; None when even a short reply could pass a limit."""
    system, tools = pins.system(frozen), pins.definitions(frozen)
    static = prompt.tokens(system, tools)
    needed = static + prompt.tokens(list(messages))
    allowed = min(frozen.max_tokens, budget.tokens - spent.tokens - needed)
    price = partial(prices.estimated, frozen.model, needed, kept_long=static)
    allowed = _affordable(price, allowed, budget.usd - spent.usd)
    if allowed < min(SMALLEST_REPLY, frozen.max_tokens):
        return None
    request = Request(
        model=frozen.model,
        max_tokens=allowed,
        system=system,
        tools=tools,
        messages=prompt.with_breakpoints(messages),
    )
    estimate = Charge(
        usd=price(allowed),
        input_tokens=needed,
        output_tokens=allowed,
        cached_tokens=0,
    )
    return Prepared(request=request, estimate=estimate)


def _affordable(price: Callable[[int], Decimal | None], allowed: int, usd_left: Decimal) -> int:
    reading, writing = price(0), price(1_000_000)
    if reading is None or writing is None or writing <= reading:
        # Without a known price only the token budget holds; the run's record says that it is unpriced.
        return allowed
    if reading >= usd_left:
        return 0
    return min(allowed, int((usd_left - reading) / (writing - reading) * 1_000_000))


async def _answered(
    means: Means, asked: Ask, attempt: int, frozen: Frozen, prepared: Prepared
) -> Turn:
    number = await means.ledger.write(
        turns.reserve, asked.run_id, asked.turn, attempt, prepared.estimate, means.now()
    )
    said = await _paid(means, asked, number, prepared)
    return await means.ledger.write(_record, asked, number, frozen, said, means.now())


async def _paid(means: Means, asked: Ask, number: int, prepared: Prepared) -> Said:
    run_id, turn = asked.run_id, asked.turn
    try:
        return await means.model.say(prepared.request)
    except Rejected:
        await means.ledger.write(turns.settle, run_id, turn, number, NOTHING, "rejected")
        raise
    except Unavailable as error:
        charge = prepared.estimate if error.begun else NOTHING
        await means.ledger.write(
            turns.settle, run_id, turn, number, charge, "assumed" if error.begun else "failed"
        )
        raise


def _record(
    connection: Transaction, asked: Ask, number: int, frozen: Frozen, said: Said, at: float
) -> Turn:
    """Pay and record; of two attempts that overtook each other, the reply recorded first is the turn's."""
    charge = _charge(frozen.model, said)
    turns.settle(connection, asked.run_id, asked.turn, number, charge, "settled")
    turn = Turn(turn=asked.turn, content=_json(said.content), stop=said.stop)
    first = turns.reply(
        connection, asked.run_id, turn.turn, turn.content, turn.stop, said.request_id, at
    )
    if not first:
        return _recorded(turns.replied(connection, asked.run_id), asked) or turn
    for plan in pins.planned(frozen, asked.run_id, asked.turn, said.content):
        calls.intend(connection, asked.run_id, asked.turn, plan.intent, at)
        if plan.complaint is not None:
            refused = calling.answer_words(CallState.REFUSED, plan.complaint)
            calls.finish(connection, asked.run_id, plan.call.call_id, refused, at)
    return turn


def _recorded(recorded: Sequence[Turn], asked: Ask) -> Turn | None:
    return next((turn for turn in recorded if turn.turn == asked.turn), None)


def _charge(model: str, said: Said) -> Charge:
    usage = said.usage
    cached = int(usage.get("cache_read_input_tokens") or 0)
    written = int(usage.get("cache_creation_input_tokens") or 0)
    return Charge(
        usd=prices.charged(model, usage),
        input_tokens=int(usage.get("input_tokens") or 0) + cached + written,
        output_tokens=int(usage.get("output_tokens") or 0),
        cached_tokens=cached,
    )


async def _reply(means: Means, frozen: Frozen, asked: Ask, turn: Turn) -> Reply:
    plans = pins.planned(frozen, asked.run_id, asked.turn, json.loads(turn.content))
    spent = await means.ledger.read(turns.spent, asked.run_id)
    return Reply(
        turn=turn.turn,
        stop=_stop(turn.stop, plans),
        calls=tuple(plan.call for plan in plans),
        spent=spent,
    )


def _stop(stop: str, plans: tuple[Planned, ...]) -> Stop:
    known = Stop(stop) if stop in set(Stop) else Stop.OTHER
    if known in {Stop.END_TURN, Stop.STOP_SEQUENCE, Stop.PAUSE_TURN} and plans:
        # Whatever it says, a call that was asked for must be answered.
        return Stop.TOOL_USE
    return Stop.OTHER if known is Stop.TOOL_USE and not plans else known


def _messages(
    connection: Transaction, run_id: str, recorded: Sequence[Turn]
) -> list[prompt.Message]:
    return prompt.conversation(
        turns.noted(connection, run_id), recorded, calls.of_run(connection, run_id)
    )


def _json(content: list[dict[str, Any]]) -> str:
    return json.dumps(content, ensure_ascii=False)
