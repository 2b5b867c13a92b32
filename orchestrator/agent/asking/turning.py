"""One model turn: check the money, reserve it, ask, record the reply with its calls. It makes no tool call.

A recorded reply is returned and never paid twice; an attempt that was lost is charged as assumed.
"""

import json
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from orchestrator.agent import prices
from orchestrator.agent.asking import pacing, paying
from orchestrator.agent.asking.paying import Begun, Over
from orchestrator.agent.asking.preparing import Question
from orchestrator.agent.asking.purse import in_force
from orchestrator.agent.calling import once
from orchestrator.agent.calling.paused import turn_may_begin
from orchestrator.agent.conversation import clearing, stepping, transcript, withholding
from orchestrator.agent.conversation import frozen as pins
from orchestrator.agent.conversation.frozen import Frozen, Planned
from orchestrator.agent.conversation.opening import frozen_of
from orchestrator.agent.conversation.transcript import Transcript
from orchestrator.agent.means import Means
from orchestrator.agent.reply import Rejected, Said, TooLong, Unavailable
from orchestrator.database import Transaction
from orchestrator.ledger import calls, causes, reservations, shortfalls, turns
from orchestrator.ledger.conversations import Conversation
from orchestrator.ledger.turns import Charge, Turn
from orchestrator.telemetry import words
from workflows.messages import Ask, CallState, Reply, Spent, Stop
from workflows.playbook import OverBudget

NOTHING = Charge(usd=Decimal(0), input_tokens=0, output_tokens=0, cached_tokens=0)
LAST_WORD = 1_000_000
"""Where the note stands that ends a conversation: behind every event's."""

_KIND = re.compile(r"[a-z_]{1,40}")
_VENDORS_WORDS = frozenset(Stop) - {Stop.OVER_BUDGET, Stop.OTHER}


async def ask(means: Means, asked: Ask, attempt: int) -> Reply:
    """One turn. Raises Unavailable, Blocked, Paused, Rejected or Held."""
    conversation, frozen = await frozen_of(means, asked.run_id)
    if frozen.steps:
        return await stepping.ask(means, frozen, asked)
    turn = await means.ledger.read(turns.said, asked.run_id, asked.turn)
    if turn is not None:
        return await _reply(means, conversation, frozen, asked, turn)
    await turn_may_begin(means, asked.run_id, asked.turn)
    asking = await _begun(means, conversation, frozen, asked, attempt)
    async with pacing.paced(means, asked.run_id):
        became = await asking.answer()
    await pacing.answered(means, asked.run_id)
    if isinstance(became, Reply):
        return became
    return await _reply(means, conversation, frozen, asked, became, fresh=True)


async def _begun(
    means: Means, conversation: Conversation, frozen: Frozen, asked: Ask, attempt: int
) -> "_Asking":
    return _Asking(
        means=means,
        conversation=conversation,
        frozen=frozen,
        asked=asked,
        attempt=attempt,
        spent=await means.ledger.read(turns.spent, asked.run_id),
        transcript=await transcript.of_run(means, asked.run_id),
        cut=await means.ledger.read(turns.cut, asked.run_id, asked.turn),
        left=bool(await means.ledger.read(shortfalls.finished, asked.run_id, asked.turn - 1)),
    )


@dataclass(slots=True, kw_only=True)
class _Asking:
    """One turn while it is asked for: again with more room where it was cut, and shorter where it was too long.

    `withheld` is the turn whose pictures were taken out because the request was refused.
    """

    means: Means
    conversation: Conversation
    frozen: Frozen
    asked: Ask
    attempt: int
    spent: Spent
    transcript: Transcript
    cut: int
    left: bool
    withheld: int = 0
    question: Question | None = None

    async def answer(self) -> Turn | Reply:
        """What the turn came to. Raises Unavailable, Blocked or Rejected."""
        await self._clear_if_due()
        while True:
            begun = await paying.begin(
                self.means, self.conversation, self._question(), self.asked, self.attempt
            )
            if isinstance(begun, Over):
                self.means.counts.model_turn(self.frozen.model, words.Turn.OVER_BUDGET, 0.0)
                return _over(self.asked, self.spent, begun)
            became = await self._said(begun)
            if became is not None:
                return became

    def _question(self) -> Question:
        if self.question is None:
            self.question = Question(
                frozen=self.frozen,
                messages=self.transcript.messages,
                budget=self.asked.budget,
                spent=self.spent,
                cut=self.cut,
                turn=self.asked.turn,
                used=self.transcript.used,
                last=self.asked.last,
                parks=self.asked.parks,
                left=self.left,
            )
        return self.question

    async def _said(self, begun: Begun) -> Turn | Reply | None:
        """What came of one request; None when another is to be made."""
        try:
            said = await _paid(self.means, self.asked, begun)
        except TooLong:
            return None if await self._shortened() else self._ended(Stop.CONTEXT_EXCEEDED)
        except Rejected as error:
            if error.invalid and self.cut:
                # The model can't say so much at once; its first reply was cut, and that is all there is.
                return self._ended(Stop.MAX_TOKENS)
            if error.invalid and self._withholds():
                return None
            raise
        if not begun.last and await self._goes_again(begun, said):
            return None
        ledger, at = self.means.ledger, self.means.now()
        return await ledger.write(_record, self.asked, begun, self.frozen, said, at, self.withheld)

    def _withholds(self) -> bool:
        """Whether it is asked once more without the newest pictures: one bad one, and every request is refused."""
        if self.withheld or not self.transcript.attached:
            return False
        self.withheld = self.transcript.attached
        self.transcript = self.transcript.without(self.withheld)
        self.question = None
        return True

    async def _goes_again(self, begun: Begun, said: Said) -> bool:
        """Whether a reply that has no end is asked for again; it was paid all the same."""
        longer = said.stop == Stop.MAX_TOKENS and not self.cut
        if not longer and not (said.stop == Stop.CONTEXT_EXCEEDED and await self._shortened()):
            return False
        charge, state = _charge(self.frozen.model, said, begun)
        of_attempt, state = _attempt(self.asked, begun), turns.CUT if longer else state
        await self.means.ledger.write(reservations.settle, *of_attempt, charge, state)
        if longer:
            self.cut = max(begun.prepared.request.max_tokens, charge.output_tokens)
        self.spent = await self.means.ledger.read(turns.spent, self.asked.run_id)
        self.question = None
        return True

    async def _clear_if_due(self) -> None:
        most = clearing.limit(prices.window(self.frozen.model), self.frozen.max_tokens)
        total = self._question().weight
        if not most.holds(total):
            gains = self.transcript.gains(clearing.KEPT)
            await self._clear(clearing.enough(total, gains, most))

    async def _shortened(self) -> bool:
        """Half of it shown no more, at the cost of all but the newest turn; False when nothing is left to clear."""
        total = self._question().weight
        kept = (clearing.KEPT, clearing.LAST)
        through = (clearing.halved(total, self.transcript.gains(newest)) for newest in kept)
        return await self._clear(next((found for found in through if found is not None), None))

    async def _clear(self, through: int | None) -> bool:
        if through is None:
            return False
        whole = await transcript.cleared(self.means, self.asked.run_id, self.asked.turn, through)
        self.transcript = whole.without(self.withheld)
        self.question = None
        return True

    def _ended(self, stop: Stop) -> Reply:
        return Reply(turn=self.asked.turn, stop=stop, spent=self.spent)


def _over(asked: Ask, spent: Spent, over: Over) -> Reply:
    return Reply(
        turn=asked.turn,
        stop=Stop.OVER_BUDGET,
        spent=spent,
        refusal=over.words,
        over=over.over,
    )


def _attempt(asked: Ask, begun: Begun) -> tuple[str, int, int]:
    return asked.run_id, asked.turn, begun.number


async def _paid(means: Means, asked: Ask, begun: Begun) -> Said:
    of_attempt = _attempt(asked, begun)
    try:
        said = await means.model.say(begun.prepared.request)
        return replace(said, content=means.redact().reply(said.content))
    except Rejected:
        await means.ledger.write(reservations.settle, *of_attempt, NOTHING, "rejected")
        raise
    except Unavailable as error:
        charge = begun.prepared.estimate if error.begun else NOTHING
        ended = "assumed" if error.begun else "failed"
        await means.ledger.write(reservations.settle, *of_attempt, charge, ended)
        raise


def _record(
    connection: Transaction,
    asked: Ask,
    begun: Begun,
    frozen: Frozen,
    said: Said,
    at: float,
    withheld: int,
) -> Turn:
    """Pay and record; of two attempts that overtook each other, the reply recorded first is the turn's.

    What had to be `withheld` for it stays so: with it, every later request would be refused too.
    """
    charge, state = _charge(frozen.model, said, begun)
    reservations.settle(connection, *_attempt(asked, begun), charge, state)
    details = "" if said.details is None else json.dumps(said.details, ensure_ascii=False)
    turn = Turn(turn=asked.turn, content=_json(said.content), stop=said.stop, details=details)
    first = turns.reply(
        connection, asked.run_id, turn.turn, turn.content, turn.stop, said.request_id, at, details
    )
    if not first:
        return turns.said(connection, asked.run_id, asked.turn) or turn
    if withheld:
        calls.withhold(connection, asked.run_id, withheld, withholding.withheld)
    if begun.last:
        _recorded_last(connection, asked, begun, at)
    hops = causes.of_run(connection, asked.run_id).hops
    plans = pins.planned(frozen, asked.run_id, asked.turn, said.content, hops)
    unheeded = begun.last or _unheeded(_stop(said.stop, plans))
    for plan in plans:
        calls.intend(connection, asked.run_id, asked.turn, plan.intent, at)
        complaint = unheeded or plan.complaint
        if complaint:
            refused = once.answer_words(CallState.REFUSED, complaint)
            calls.finish(connection, asked.run_id, plan.call.call_id, refused, at)
    return turn


def _unheeded(stop: Stop) -> str:
    """Why the calls of a reply are not made; empty when they are."""
    return "" if stop is Stop.TOOL_USE else f"Not called: the reply ended with {stop}."


def _recorded_last(connection: Transaction, asked: Ask, begun: Begun, at: float) -> None:
    told = paying.farewell(begun.last)
    turns.note(connection, asked.run_id, asked.turn, LAST_WORD, told)
    shortfalls.finish(connection, asked.run_id, asked.turn, begun.last, begun.day, begun.need, at)


def _charge(model: str, said: Said, begun: Begun) -> tuple[Charge, str]:
    """What a reply cost, and how that is known: what its usage doesn't say in numbers is assumed."""
    charge = prices.charge(model, said.usage, begun.declared)
    return (begun.prepared.estimate, "assumed") if charge is None else (charge, "settled")


async def _reply(
    means: Means,
    conversation: Conversation,
    frozen: Frozen,
    asked: Ask,
    turn: Turn,
    *,
    fresh: bool = False,
) -> Reply:
    live = means.configuration().playbooks.get(conversation.playbook)
    content = json.loads(turn.content)
    plans = pins.planned(frozen, asked.run_id, asked.turn, content, live=live)
    spent = await means.ledger.read(turns.spent, asked.run_id)
    last = await means.ledger.read(shortfalls.finished, asked.run_id, asked.turn)
    if fresh:
        _count_unmade(means, plans, turn, last)
    over = await _over_now(means, conversation)
    return Reply(
        turn=turn.turn,
        stop=_stop(turn.stop, () if last else plans),
        calls=() if last else tuple(plan.call for plan in plans),
        spent=spent,
        refusal=last or _refused(turn),
        over=over,
        stays=bool(last) and (asked.parks or not asked.last) and over is OverBudget.PARK,
    )


def _count_unmade(means: Means, plans: tuple[Planned, ...], turn: Turn, last: str) -> None:
    heeded = _stop(turn.stop, plans) is Stop.TOOL_USE
    for plan in plans:
        if last:
            means.counts.call_refused(words.Unmade.LEAVE)
        elif not heeded:
            means.counts.call_refused(words.Unmade.UNHEEDED)
        elif plan.complaint is not None:
            means.counts.call_refused(plan.why)


def _refused(turn: Turn) -> str:
    """That the model refused, and of which kind; what it said about it stays in the ledger."""
    details = json.loads(turn.details) if turn.details and turn.stop == Stop.REFUSAL else {}
    kind = str(details.get("category") or "")
    return f"the model refused: {kind}" if _KIND.fullmatch(kind) else ""


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


def _json(content: list[dict[str, Any]]) -> str:
    return json.dumps(content, ensure_ascii=False)
