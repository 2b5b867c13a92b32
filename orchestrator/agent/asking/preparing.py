"""The request of one turn and the most it may cost, under the run's own budget and what is left of the day; pure.

`max_tokens` is clamped to what is left. Where not even a short reply has room, there is no request.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from orchestrator.agent import prices
from orchestrator.agent.asking.purse import Room
from orchestrator.agent.conversation import frozen as pins
from orchestrator.agent.conversation import prompt
from orchestrator.agent.conversation.frozen import Frozen
from orchestrator.agent.conversation.weighing import Weight, weight
from orchestrator.agent.reply import Request
from orchestrator.ledger.shortfalls import Need
from orchestrator.ledger.turns import Charge
from orchestrator.rules.caps import Price
from workflows.messages import Spent
from workflows.playbook import Budget

SMALLEST_REPLY = 256
"""Tokens: with less than this left of the run's budget, a turn isn't begun."""

USEFUL_REPLY = 1024
"""Tokens: with less than this left of a day, a turn isn't begun: tomorrow it would not be cut."""

ROOMY = Room()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A turn that may be asked, with what it may cost at most."""

    request: Request
    estimate: Charge


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A turn that is to be asked: the pin, the conversation so far, what the run may spend and has spent.

    `cut` are the tokens at which its first reply was cut; then twice as much is asked for. `turn` is its number, `used`
    how many tool calls were made before it; `last` says why none follows, `parks` that one may follow all the same when
    a person wants it. `left` says that the model took its leave in the turn before, and was let go on.
    """

    frozen: Frozen
    messages: Sequence[prompt.Message]
    budget: Budget
    spent: Spent
    declared: Price | None = None
    cut: int = 0
    turn: int = 1
    used: int = 0
    last: str = ""
    parks: bool = False
    left: bool = False
    static: Weight = field(init=False)
    said: Weight = field(init=False)

    def __post_init__(self) -> None:
        # Weighed once: a long conversation takes milliseconds, and everybody below asks.
        static = weight(pins.system(self.frozen), pins.definitions(self.frozen))
        object.__setattr__(self, "static", static)
        object.__setattr__(self, "said", weight(list(self.messages)))

    @property
    def weight(self) -> Weight:
        """What the whole request weighs."""
        return self.static + self.said

    @property
    def kept_long(self) -> int:
        """Tokens of what is the same in every turn."""
        return self.static.tokens

    @property
    def needed(self) -> int:
        """Tokens of all that would be read."""
        return self.weight.tokens

    @property
    def most(self) -> int:
        """Tokens of the longest reply that is asked for."""
        return self.frozen.max_tokens * (2 if self.cut else 1)

    @property
    def useful(self) -> int:
        """Tokens of the shortest reply that is asked for while a cap nears its end."""
        return max(min(USEFUL_REPLY, self.most), min(self.cut + 1, self.most))

    def charge(self, output_tokens: int) -> Charge:
        """What it costs at most when so many tokens may be said."""
        return Charge(
            usd=self.price(output_tokens),
            input_tokens=self.needed,
            output_tokens=output_tokens,
            cached_tokens=0,
        )

    def need(self) -> Need:
        """What it needs at least."""
        return Need(
            model=self.frozen.model,
            input_tokens=self.needed,
            kept_long=self.kept_long,
            output_tokens=self.useful,
        )

    def price(self, output_tokens: int) -> Decimal | None:
        """The most that it may cost; None where nobody knows the price."""
        return prices.estimated(
            self.frozen.model,
            self.needed,
            output_tokens,
            kept_long=self.kept_long,
            declared=self.declared,
        )

    def leaves(self, *, parks: bool = False) -> str:
        """Which of the run's own limits makes this its last turn, where it takes its leave; empty when none does.

        All its `turns` may use tools: the loop asks for one more, if any. A run that `parks` then goes on without tool
        calls when those are used up: it may have all it needs.
        """
        if self.last:
            return self.last
        if self.turn == 1 or (parks and self.left):
            return ""
        if self.used >= self.budget.tool_calls and not parks:
            return f"tool_calls budget: {self.used} of {self.budget.tool_calls} used"
        if prepare(self, less(_own(self), self.charge(USEFUL_REPLY))) is not None:
            return ""
        limits = f"{self.budget.usd} usd and {self.budget.tokens} tokens"
        return f"budget: of {limits} too little is left for more than this turn"

    def told(self, words: str) -> "Question":
        """The same, with words of our own at its end."""
        block = {"type": "text", "text": words}
        messages = list(self.messages)
        if messages and messages[-1]["role"] == "user":
            last = messages.pop()
            messages.append({**last, "content": [*last["content"], block]})
        else:
            messages.append({"role": "user", "content": [block]})
        return replace(self, messages=messages)


def prepare(question: Question, room: Room = ROOMY, *, last_words: bool = False) -> Prepared | None:
    """The request with `max_tokens` clamped to what is left; None when even a short reply could pass a limit.

    With `last_words` the model may use no tool, and what it says may be short.
    """
    by_run = _clamped(question, question.most, _own(question))
    if by_run < min(SMALLEST_REPLY, question.most):
        return None
    most = min(by_run, USEFUL_REPLY) if last_words else by_run
    least = min(SMALLEST_REPLY if last_words else USEFUL_REPLY, most)
    if question.cut and not last_words:
        # Shorter than that it would be cut at the same place, and paid for again.
        least = max(least, question.useful)
    allowed = _clamped(question, most, room)
    return None if allowed < least else _prepared(question, allowed, last_words=last_words)


def less(room: Room, charge: Charge) -> Room:
    """What is left beside a charge."""
    tokens = charge.input_tokens + charge.output_tokens
    return Room(
        usd=None if room.usd is None else room.usd - (charge.usd or 0),
        tokens=None if room.tokens is None else room.tokens - tokens,
    )


def _prepared(question: Question, allowed: int, *, last_words: bool) -> Prepared:
    frozen = question.frozen
    request = Request(
        model=frozen.model,
        max_tokens=allowed,
        system=pins.system(frozen),
        tools=pins.definitions(frozen),
        messages=prompt.with_breakpoints(question.messages),
        tools_forbidden=last_words,
    )
    return Prepared(request=request, estimate=question.charge(allowed))


def _own(question: Question) -> Room:
    budget, spent = question.budget, question.spent
    return Room(usd=budget.usd - spent.usd, tokens=budget.tokens - spent.tokens)


def _clamped(question: Question, most: int, room: Room) -> int:
    allowed = most if room.tokens is None else min(most, room.tokens - question.needed)
    return allowed if room.usd is None else _affordable(question.price, allowed, room.usd)


def _affordable(price: Callable[[int], Decimal | None], allowed: int, usd_left: Decimal) -> int:
    reading, writing = price(0), price(1_000_000)
    if reading is None or writing is None or writing <= reading:
        # Without a known price only tokens hold; the run's record says that it is unpriced.
        return allowed
    if reading >= usd_left:
        return 0
    return min(allowed, int((usd_left - reading) / (writing - reading) * 1_000_000))
