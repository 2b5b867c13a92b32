"""One model turn: check the money, reserve it, ask, record the reply with its calls. It makes no tool call.

A recorded reply is returned and never paid twice; an attempt that was lost is charged as assumed.
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from orchestrator.agent import calling, paying, prices, prompt
from orchestrator.agent import frozen as pins
from orchestrator.agent.frozen import Frozen, Planned
from orchestrator.agent.means import Means
from orchestrator.agent.opening import frozen_of
from orchestrator.agent.paying import Begun, Over
from orchestrator.agent.preparing import Question
from orchestrator.agent.purse import in_force
from orchestrator.agent.reply import Rejected, Said, Unavailable
from orchestrator.database import Transaction
from orchestrator.ledger import calls, causes, reservations, shortfalls, turns
from orchestrator.ledger.conversations import Conversation
from orchestrator.ledger.turns import Charge, Turn
from orchestrator.telemetry import words
from workflows.messages import Ask, CallState, Reply, Stop
from workflows.playbook import OverBudget

NOTHING = Charge(usd=Decimal(0), input_tokens=0, output_tokens=0, cached_tokens=0)
LAST_WORD = 1_000_000
"""Where the note stands that ends a conversation: behind every event's."""

_VENDORS_WORDS = frozenset(Stop) - {Stop.OVER_BUDGET, Stop.OTHER}


async def ask(means: Means, asked: Ask, attempt: int) -> Reply:
    """One turn. Raises Unavailable, Blocked or Rejected."""
    conversation, frozen = await frozen_of(means, asked.run_id)
    recorded = await means.ledger.read(turns.replied, asked.run_id)
    turn = _recorded(recorded, asked)
    if turn is None:
        question = Question(
            frozen=frozen,
            messages=await means.ledger.read(_messages, asked.run_id, recorded),
            budget=asked.budget,
            spent=await means.ledger.read(turns.spent, asked.run_id),
        )
        begun = await paying.begin(means, conversation, question, asked, attempt)
        if isinstance(begun, Over):
            means.counts.model_turn(frozen.model, words.Turn.OVER_BUDGET, 0.0)
            return _over(asked, question, begun)
        turn = await _answered(means, asked, frozen, begun)
    return await _reply(means, conversation, frozen, asked, turn)


def _over(asked: Ask, question: Question, over: Over) -> Reply:
    return Reply(
        turn=asked.turn,
        stop=Stop.OVER_BUDGET,
        spent=question.spent,
        refusal=over.words,
        over=over.over,
    )


async def _answered(means: Means, asked: Ask, frozen: Frozen, begun: Begun) -> Turn:
    said = await _paid(means, asked, begun)
    return await means.ledger.write(_record, asked, begun, frozen, said, means.now())


async def _paid(means: Means, asked: Ask, begun: Begun) -> Said:
    of_attempt = (asked.run_id, asked.turn, begun.number)
    try:
        return await means.model.say(begun.prepared.request)
    except Rejected:
        await means.ledger.write(reservations.settle, *of_attempt, NOTHING, "rejected")
        raise
    except Unavailable as error:
        charge = begun.prepared.estimate if error.begun else NOTHING
        ended = "assumed" if error.begun else "failed"
        await means.ledger.write(reservations.settle, *of_attempt, charge, ended)
        raise


def _record(
    connection: Transaction, asked: Ask, begun: Begun, frozen: Frozen, said: Said, at: float
) -> Turn:
    """Pay and record; of two attempts that overtook each other, the reply recorded first is the turn's."""
    charge = _charge(frozen.model, said, begun)
    reservations.settle(connection, asked.run_id, asked.turn, begun.number, charge, "settled")
    turn = Turn(turn=asked.turn, content=_json(said.content), stop=said.stop)
    first = turns.reply(
        connection, asked.run_id, turn.turn, turn.content, turn.stop, said.request_id, at
    )
    if not first:
        return _recorded(turns.replied(connection, asked.run_id), asked) or turn
    if begun.last:
        _recorded_last(connection, asked, begun, at)
    hops = causes.of_run(connection, asked.run_id).hops
    for plan in pins.planned(frozen, asked.run_id, asked.turn, said.content, hops):
        calls.intend(connection, asked.run_id, asked.turn, plan.intent, at)
        complaint = begun.last or plan.complaint
        if complaint is not None:
            refused = calling.answer_words(CallState.REFUSED, complaint)
            calls.finish(connection, asked.run_id, plan.call.call_id, refused, at)
    return turn


def _recorded_last(connection: Transaction, asked: Ask, begun: Begun, at: float) -> None:
    told = paying.farewell(begun.last)
    turns.note(connection, asked.run_id, asked.turn, LAST_WORD, told)
    shortfalls.finish(connection, asked.run_id, asked.turn, begun.last, begun.day, begun.need, at)


def _recorded(recorded: Sequence[Turn], asked: Ask) -> Turn | None:
    return next((turn for turn in recorded if turn.turn == asked.turn), None)


def _charge(model: str, said: Said, begun: Begun) -> Charge:
    usage = said.usage
    read, written = prices.counted(usage)
    return Charge(
        usd=prices.charged(model, usage, begun.declared),
        input_tokens=read,
        output_tokens=written,
        cached_tokens=int(usage.get("cache_read_input_tokens") or 0),
    )


async def _reply(
    means: Means, conversation: Conversation, frozen: Frozen, asked: Ask, turn: Turn
) -> Reply:
    plans = pins.planned(frozen, asked.run_id, asked.turn, json.loads(turn.content))
    spent = await means.ledger.read(turns.spent, asked.run_id)
    last = await means.ledger.read(shortfalls.finished, asked.run_id, asked.turn)
    return Reply(
        turn=turn.turn,
        stop=_stop(turn.stop, () if last else plans),
        calls=() if last else tuple(plan.call for plan in plans),
        spent=spent,
        refusal=last,
        over=await _over_now(means, conversation),
    )


async def _over_now(means: Means, conversation: Conversation) -> OverBudget:
    payer = await paying.payer_of(means, conversation)
    return in_force(means.configuration(), payer, means.now()).caps.over


def _stop(stop: str, plans: tuple[Planned, ...]) -> Stop:
    # Our own words about a turn are not a provider's to say: `over_budget` would park the run for nothing.
    known = Stop(stop) if stop in _VENDORS_WORDS else Stop.OTHER
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
