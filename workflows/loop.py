"""The agent loop as a state machine with two verbs, `next()` and `receive()`; it performs nothing.

Temporal, the tests and a rehearsal drive the same object:

    loop = Loop(State.of(opened))
    step = loop.next()          # AskModel | TakeLeave | Act | Stay | End
    loop.receive(reply)         # what became of it

Whatever the model does, every tool call of a turn gets exactly one verdict, and no turn begins beyond the
budget. `State` is all there is; it survives continue-as-new as one object.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from workflows import budget as money
from workflows.messages import (
    CallOutcome,
    CallState,
    Kind,
    Opened,
    Outcome,
    Reply,
    Spent,
    Stop,
    ToolCall,
    ToolCard,
)
from workflows.playbook import Budget, Effect, OverBudget, Stage
from workflows.policy import AskPerson, Finish, Refuse, Send, Verdict, WaitFor, judge, using


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What was done, for the honest outcome; `written` is how much of what is `done` changed something."""

    done: int = 0
    proposed: int = 0
    failed: int = 0
    unknown: int = 0
    denied: int = 0
    written: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A conversation between two steps.

    `turn` counts the turns begun; `calls` are still unanswered; `unwritten` are the write tools whose newest call
    was meant to happen and did not. `refusal` is a cap's, beside the budget's own; `over` is what the rule wants then.
    `stays` says that it parks for that once the model has taken its leave, `leaves` how often it did: those turns don't
    count. `failure` says why it can't end as anything but failed; `claimed` is the outcome with which it was ended.
    """

    run_id: str
    stage: Stage
    budget: Budget
    tools: tuple[ToolCard, ...]
    turn: int = 0
    notes: int = 0
    spent: Spent = field(default_factory=Spent)
    stop: Stop | None = None
    calls: tuple[ToolCall, ...] = ()
    tool_calls: int = 0
    writes: Mapping[str, int] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    unwritten: tuple[str, ...] = ()
    nudged: bool = False
    refusal: str = ""
    over: OverBudget = OverBudget.PARK
    stays: bool = False
    leaves: int = 0
    failure: str = ""
    clock: money.Clock = field(default_factory=money.Clock)
    claimed: Outcome | None = None

    @classmethod
    def of(cls, opened: Opened) -> "State":
        """The state of a conversation that has just been opened."""
        return cls(
            run_id=opened.run_id,
            stage=opened.stage,
            budget=opened.budget,
            tools=opened.tools,
            notes=1,
        )

    @property
    def worked(self) -> int:
        """The turns that count against its budget."""
        return self.turn - self.leaves


@dataclass(frozen=True, slots=True)
class AskModel:
    """Begin turn `turn`; `nudge`, if any, is said to the model first. `last` says why it is the last one."""

    turn: int
    nudge: str | None
    last: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """Carry out the verdicts of one turn: sends in parallel, the wait last."""

    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Stay:
    """Park, with the reason; a person's word or a new event goes on from here."""

    reason: str


@dataclass(frozen=True, slots=True)
class TakeLeave:
    """The turns are used up and the work is not done: let the model sum it up in one more turn, without tools.

    `instead` is what happens where it isn't asked.
    """

    turn: int
    words: str
    instead: "Stay | End"


@dataclass(frozen=True, slots=True)
class End:
    """Nothing left to do; the reason is empty when the model's last words say it all."""

    outcome: Outcome
    reason: str


Step = AskModel | TakeLeave | Act | Stay | End

_UNWRITTEN = frozenset({CallState.FAILED, CallState.REFUSED})
_UNFINISHED = {
    Stop.MAX_TOKENS: "the reply was cut at max_tokens; nothing of it was carried out",
    Stop.REFUSAL: "the model refused",
    Stop.CONTEXT_EXCEEDED: "the conversation no longer fits the model",
    Stop.OTHER: "the model stopped for a reason we do not know",
}


class Loop:
    """Drive it: ask `next()`, do it, tell `receive()`."""

    def __init__(self, state: State) -> None:
        self.state = state

    def next(self) -> Step:
        """What to do now. Asking twice answers the same."""
        state = self.state
        if state.calls:
            return Act(self._verdicts())
        if state.stays and not state.failure:
            return Stay(state.refusal)
        ended = self._ended()
        if ended is not None:
            return ended
        refusal, late = self._refusal(), money.overtime(state.budget, state.clock)
        if refusal:
            return self._leaving(refusal)
        return self._leave(late) if late else AskModel(state.turn + 1, self._nudge())

    def receive(self, reply: Reply) -> None:
        """A turn was answered."""
        begun = self.state.turn if reply.stop is Stop.OVER_BUDGET else reply.turn
        self.state = replace(
            self.state,
            turn=begun,
            notes=self.state.notes if reply.stop is Stop.OVER_BUDGET else 0,
            stop=reply.stop,
            calls=reply.calls if reply.stop is Stop.TOOL_USE else (),
            spent=reply.spent,
            refusal=reply.refusal,
            over=reply.over,
            stays=reply.stays,
            leaves=self.state.leaves + reply.stays,
        )

    def answered(self, outcomes: tuple[CallOutcome, ...]) -> None:
        """Every call of the turn has its result in the ledger."""
        verdicts = {verdict.call.call_id: verdict for verdict in self._verdicts()}
        tally, writes, used = self.state.tally, dict(self.state.writes), self.state.tool_calls
        unwritten, claimed = list(self.state.unwritten), self.state.claimed
        for outcome in outcomes:
            verdict = verdicts[outcome.call_id]
            tally = _counted(tally, verdict, outcome)
            claimed = verdict.call.ends if isinstance(verdict, Finish) else claimed
            card = using(verdict)
            if card is None or outcome.state is CallState.DENIED:
                continue
            # What was refused on the way never left, and uses nothing up.
            left = outcome.state is not CallState.REFUSED
            used += left
            if card.effect is not Effect.READ:
                alias = card.alias
                writes[alias] = writes.get(alias, 0) + left
                unwritten = [name for name in unwritten if name != alias]
                unwritten += [alias] if outcome.state in _UNWRITTEN else []
        self.state = replace(
            self.state,
            calls=(),
            tally=tally,
            writes=writes,
            tool_calls=used,
            unwritten=tuple(unwritten),
            claimed=claimed,
        )

    def noted(self, *, nudge: bool = False) -> int:
        """A note was put before the next turn; returns the ordinal it has. The conversation goes on."""
        ordinal = self.state.notes
        stop = None if self.state.stop in {Stop.END_TURN, Stop.STOP_SEQUENCE} else self.state.stop
        self.state = replace(
            self.state,
            notes=ordinal + 1,
            stop=stop,
            nudged=self.state.nudged or nudge,
            claimed=None,
        )
        return ordinal

    def resumed(self, budget: Budget, stop: Stop | None = None) -> None:
        """A person said go on, under the limits in force now; `stop`: the model's, where it may yet have to sum up."""
        self.state = replace(
            self.state, budget=budget, stop=stop, nudged=False, refusal="", stays=False
        )

    def failed(self, reason: str) -> None:
        """Nothing more is asked of the model: the run ends as failed."""
        self.state = replace(self.state, failure=reason)

    def at(self, now: float) -> None:
        """What time it is, in seconds since 1970."""
        self.state = replace(self.state, clock=self.state.clock.at(now))

    def rests(self, now: float) -> None:
        """It stands still from now on: for an event, or for a person."""
        self.state = replace(self.state, clock=self.state.clock.resting(now))

    def works(self, now: float) -> None:
        """It goes on."""
        self.state = replace(self.state, clock=self.state.clock.working(now))

    def worked(self, since: float, now: float, seconds: float | None) -> None:
        """It was answered, and so many seconds since then were work, not an outage; None: nobody knows, so all were."""
        if seconds is not None:
            clock = self.state.clock.waited(since, now, seconds)
            self.state = replace(self.state, clock=clock)

    @property
    def left(self) -> float | None:
        """Seconds for which it may stay open yet; None for ever."""
        return money.left(self.state.budget, self.state.clock)

    def _ended(self) -> End | None:
        """How it ended with its last turn, if it did."""
        state = self.state
        if state.failure:
            return End(Outcome.FAILED, state.failure)
        if state.claimed is not None:
            return self._claimed(state.claimed)
        if state.refusal and state.stop is not Stop.OVER_BUDGET:
            return End(Outcome.NEEDS_ATTENTION, state.refusal)
        if state.stop in {Stop.END_TURN, Stop.STOP_SEQUENCE}:
            return End(self._outcome(), "")
        unfinished = _UNFINISHED.get(state.stop) if state.stop else None
        return None if unfinished is None else End(Outcome.NEEDS_ATTENTION, unfinished)

    def _refusal(self) -> str | None:
        """Why no turn may begin, if none may."""
        state = self.state
        refusal = money.exhausted(state.budget, state.spent, state.worked)
        if refusal is not None or state.stop is not Stop.OVER_BUDGET:
            return refusal
        limits = f"{state.budget.usd} usd and {state.budget.tokens} tokens"
        return (
            state.refusal or f"budget: the next turn could use more than what is left of {limits}"
        )

    def _leave(self, late: str) -> Step:
        """The time is up: say so in a last turn, if there was one before."""
        state = self.state
        if state.turn == 0:
            return End(Outcome.NEEDS_ATTENTION, late)
        return AskModel(state.turn + 1, None, late)

    def _leaving(self, refusal: str) -> Step:
        """What becomes of a run over its limits: where it may yet speak, it says first how far it came."""
        state, instead = self.state, self._over(refusal)
        # Whoever ended with its last turn is done; only who wanted a tool has something to tell.
        unsaid = state.stop is Stop.TOOL_USE and state.over is not OverBudget.FAIL
        if not unsaid or money.exhausted(state.budget, state.spent, 0) is not None:
            return instead
        return TakeLeave(state.turn + 1, refusal, instead)

    def _over(self, refusal: str) -> "Stay | End":
        match self.state.over:
            case OverBudget.PARK:
                return Stay(refusal)
            case OverBudget.FINISH:
                return End(Outcome.NEEDS_ATTENTION, refusal)
            case OverBudget.FAIL:
                return End(Outcome.FAILED, refusal)

    def _nudge(self) -> str | None:
        state = self.state
        if state.nudged or state.turn == 0:
            return None
        used = money.nearly(state.budget, state.spent, state.worked, state.tool_calls, state.clock)
        if used is None:
            return None
        return f"You have used {used}. Finish now: do only what is still necessary, then say what you did."

    def _verdicts(self) -> tuple[Verdict, ...]:
        state = self.state
        cards = {card.alias: card for card in state.tools}
        writes, used, waiting = dict(state.writes), state.tool_calls, False
        verdicts: list[Verdict] = []
        for call in state.calls:
            verdict = judge(
                call,
                cards,
                stage=state.stage,
                budget=state.budget,
                tool_calls=used,
                writes=writes,
                waiting=waiting,
                alone=len(state.calls) == 1,
            )
            waiting = waiting or isinstance(verdict, WaitFor)
            if using(verdict) is not None:
                used += 1
                writes[call.alias] = writes.get(call.alias, 0) + 1
            verdicts.append(verdict)
        return tuple(verdicts)

    def _claimed(self, claimed: Outcome) -> End:
        """What the model says of it, unless it is worse than that."""
        found = self._outcome()
        if claimed is Outcome.NEEDS_ATTENTION and found is not Outcome.NEEDS_ATTENTION:
            return End(claimed, "the agent says that somebody must look at it")
        return End(found, "")

    def _outcome(self) -> Outcome:
        tally = self.state.tally
        if tally.unknown or self.state.unwritten:
            return Outcome.NEEDS_ATTENTION
        return Outcome.COMPLETED_WITH_DENIALS if tally.denied else Outcome.COMPLETED


def given_up(step: Step) -> bool:
    """Whether the conversation can't go on, whatever it is told."""
    return isinstance(step, End) and bool(step.reason)


def awaits(step: Step, kind: Kind) -> bool:
    """Whether a wait is about to begin that an entry of this kind may be for.

    The ledger can know a wait before Temporal does: when a worker dies in between, its event comes before it.
    """
    if not isinstance(step, Act):
        return False
    if kind is Kind.WOKEN:
        return any(map(waits, step.verdicts))
    return kind is Kind.ANSWER and any(isinstance(one, AskPerson) for one in step.verdicts)


def waits(verdict: Verdict) -> bool:
    """Whether an event, or time, answers the call, or completes its answer."""
    match verdict:
        case WaitFor():
            return True
        case Send(_, card) | AskPerson(_, ToolCard() as card):
            return card.callback
        case _:
            return False


def _counted(tally: Tally, verdict: Verdict, outcome: CallOutcome) -> Tally:
    if isinstance(verdict, Refuse):
        return replace(tally, denied=tally.denied + verdict.denied)
    name = outcome.state.value
    match outcome.state:
        case CallState.DONE | CallState.PROPOSED | CallState.UNKNOWN | CallState.DENIED:
            pass
        case CallState.FAILED | CallState.REFUSED:
            name = "failed"
        case CallState.INTENDED | CallState.SENT | CallState.PENDING:
            return tally
    card = using(verdict)
    wrote = card is not None and card.effect is not Effect.READ and name == CallState.DONE
    counted = {name: getattr(tally, name) + 1, "written": tally.written + wrote}
    return replace(tally, **counted)
