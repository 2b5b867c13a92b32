"""All that crosses between a run and the world: small values and references, never a conversation.

Texts, arguments and results live in the ledger; what stands here is written into Temporal's history and read by
people in its UI. One parameter, one dataclass, for every signal and activity.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from workflows.asks import Question
from workflows.flow import Flow
from workflows.playbook import Budget, Effect, OverBudget, Stage


class Kind(StrEnum):
    """What stands in a mailbox: an event of the run's key, the event a wait asked for, a person's word."""

    EVENT = "event"
    WOKEN = "woken"
    RESUME = "resume"
    APPLY = "apply"
    CANCEL = "cancel"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One delivered decision. `token` is drawn once by the run and makes its claim its own.

    `flow` are the words of its rule when it was decided, `place` its number in the lane (0: none), `at` when it came
    into the mailbox, in seconds.
    """

    decision_id: str
    kind: Kind
    event_id: str
    wait_id: str | None = None
    run_id: str | None = None
    token: str = ""
    flow: Flow = field(default_factory=Flow)
    place: int = 0
    at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """What people read of a run before it says anything itself."""

    rule: str
    playbook: str
    source: str
    key: str
    stage: str


class Claim(StrEnum):
    """How a mailbox entry ended; every entry ends in one of these, exactly once."""

    CONSUMED = "consumed"
    LATE = "late"
    COALESCED = "coalesced"
    IGNORED = "ignored"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """Take a decision, with the entry's own token."""

    workflow_id: str
    entry: Entry
    how: Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """Whether it is ours: a repeat with another token is a duplicate and is dropped."""

    mine: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """Open a conversation for the decision of this entry."""

    workflow_id: str
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCard:
    """What the loop must know of a tool to decide about a call; its schema stays in the ledger.

    `callback` says that an event brings the real answer of a call, later than its result.
    """

    alias: str
    server: str
    name: str
    effect: Effect
    max: int | None = None
    callback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A conversation is open: its number, its means, its tools."""

    run_id: str
    playbook: str
    model: str
    stage: Stage
    budget: Budget
    tools: tuple[ToolCard, ...]
    notice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a conversation has spent, the ledger's figures.

    `usd` leaves out the `unpriced` attempts; `assumed` counts the lost ones that are charged at their estimate.
    """

    usd: Decimal = Decimal(0)
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    unpriced: int = 0
    assumed: int = 0

    @property
    def tokens(self) -> int:
        """All tokens, cached ones included."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One model turn. `budget` is what the turn is checked against, just before it is sent.

    `last` says why no other turn follows: then the model may use no tool, and takes its leave. `parks` says that the
    run stands still after that, and goes on when a person wants it to.
    """

    run_id: str
    turn: int
    budget: Budget
    last: str = ""
    parks: bool = False


class Stop(StrEnum):
    """Why the model stopped; the first seven are the vendor's words."""

    END_TURN = "end_turn"
    TOOL_USE = "tool_use"
    MAX_TOKENS = "max_tokens"
    STOP_SEQUENCE = "stop_sequence"
    PAUSE_TURN = "pause_turn"
    REFUSAL = "refusal"
    CONTEXT_EXCEEDED = "model_context_window_exceeded"
    OVER_BUDGET = "over_budget"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One tool call the model asked for; unless `usable`, its answer says already what is wrong with it.

    `ends` is the outcome that the model claims, where the call ends its conversation. With `approve` a person must
    consent to it first.
    """

    call_id: str
    alias: str
    usable: bool = True
    ends: "Outcome | None" = None
    approve: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a turn came to; its texts stay in the ledger.

    `refusal` says which cap ends the conversation here, or lets no turn begin (OVER_BUDGET); `over` is what the rule
    wants then. With `stays` the model has taken its leave, and the run parks. `seconds`: what its last attempt took.
    """

    turn: int
    stop: Stop
    calls: tuple[ToolCall, ...] = ()
    spent: Spent = field(default_factory=Spent)
    refusal: str = ""
    over: OverBudget = OverBudget.PARK
    stays: bool = False
    seconds: float | None = None


class CallState(StrEnum):
    """A call's life: `intended -> sent -> done | failed`; the other words are how it ended unsent or unseen.

    One that waits for a person is `pending`; then it is `intended` again, or `denied`.
    """

    INTENDED = "intended"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    PROPOSED = "proposed"
    REFUSED = "refused"
    PENDING = "pending"
    DENIED = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """Make one tool call, `after` attempts of a lost run; `deadline`: seconds, where servers.yaml names no other."""

    run_id: str
    call_id: str
    deadline: float = 60.0
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """End a call that nobody waits for any more, by what the ledger saw of it; `reason` says why nobody does.

    One that its server answers later ends only if it is `given_up`.
    """

    run_id: str
    call_id: str
    reason: str = "its worker was lost"
    given_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOutcome:
    """How a call ended; `size` is of its full result, in bytes. One that is `sent` is answered later, by its server.

    One that is `pending` is made once more when people have answered what its server asks. `left`: its server still
    works on it, and nobody waits for that. `seconds` is how long its last attempt took, None where nobody measured.
    """

    call_id: str
    state: CallState
    size: int = 0
    left: bool = False
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Answer a call without sending it anywhere: in words, or with the event that woke its wait; `why` is counted."""

    run_id: str
    call_id: str
    state: CallState
    text: str
    event_id: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Words or an event for the model, standing before its next turn. Repeating one changes nothing.

    `folded` are events that are only told of: another that came after them is acted on. `wait_id` is the wait whose
    call was answered before its event came.
    """

    run_id: str
    turn: int
    ordinal: int
    text: str = ""
    event_id: str | None = None
    folded: tuple[str, ...] = ()
    wait_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Whether the note stands there now; an event the conversation has heard is not said twice.

    `taken` says that another stands at its place, put there by a task that came to nothing: it is asked for again.
    """

    said: bool
    taken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitRequest:
    """Register the wait that the model asked for with this call, or that follows on it, for at most `seconds`."""

    run_id: str
    call_id: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An open wait: what it wants, in words, and for how many more seconds.

    `ended` is how its call ended, where there is nothing to wait for any more; `event_id` is what ended the wait then.
    `asks` are open questions of its server to people.
    """

    wait_id: str
    call_id: str
    wants: str
    seconds: float
    ended: CallState | None = None
    event_id: str | None = None
    asks: tuple[Question, ...] = ()


class WaitEnd(StrEnum):
    """How a wait ended."""

    RESOLVED = "resolved"
    EXPIRED = "expired"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndWait:
    """End a wait by compare-and-set; only the first way counts."""

    run_id: str
    wait_id: str
    end: WaitEnd
    event_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitEnded:
    """Whether this way was the first. After a False for `expired`, an event is on its way."""

    first: bool


class RunState(StrEnum):
    """Where a conversation is (promise A8)."""

    RUNNING = "running"
    WAITING = "waiting"
    PARKED = "parked"
    ENDED = "ended"


class Outcome(StrEnum):
    """The honest end of a conversation (promise A8)."""

    COMPLETED = "completed"
    COMPLETED_WITH_DENIALS = "completed_with_denials"
    NEEDS_ATTENTION = "needs_attention"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Write down where a conversation is. `reason` says what it waits for, or why it parked or ended so."""

    run_id: str
    state: RunState
    reason: str = ""
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRef:
    """Just a conversation. One that is `held`, for that reason, has not begun: it is to be asked for again."""

    run_id: str
    held: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits that are in force now: those of the playbook as it stands in the files today."""

    budget: Budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """The calls that a preview recorded and nobody has applied yet; `tried` counts a lost run's attempts, by call."""

    calls: tuple[ToolCall, ...]
    tools: tuple[ToolCard, ...]
    tried: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Nothing to say but that it is on disk."""
