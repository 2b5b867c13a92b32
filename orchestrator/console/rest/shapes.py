"""The shapes of answers, for the published OpenAPI document; no code of ours makes them."""

from typing import Any, NotRequired, TypedDict


class Finding(TypedDict):
    """One line of a trace: a condition, what it expected, what came, and whether it held."""

    path: str
    operator: str
    expected: Any
    actual: Any
    held: bool


class Decision(TypedDict):
    """What a rule (or a person, or a wait) made of an event."""

    id: str
    rule: str
    action: str
    reason: str
    state: str
    run_id: str | None
    trace: list[Finding]
    attempts: int
    note: str | None
    due_at: str | None
    held: str | None
    behind: str | None
    redelivery: int | None
    to: NotRequired[str]
    call: NotRequired[list[dict[str, Any]]]
    pages: NotRequired[str | None]


class Event(TypedDict):
    """A delivery that was kept, with what was decided about it."""

    id: str
    source: str
    type: str
    subject: str | None
    actor: str | None
    delivery_id: str | None
    received_at: str
    state: str
    duplicates: int
    duplicate_of: str | None
    decisions: list[Decision]


class Writes(TypedDict):
    """How many writes stand how; `denied` are calls of any kind that were not allowed."""

    done: int
    proposed: int
    failed: int
    denied: int
    unknown: int
    pending: int


class Run(TypedDict):
    """A run in one line."""

    id: str
    rule: str
    playbook: str
    key: str
    stage: str
    state: str
    reason: str
    outcome: str | None
    writes: Writes
    opened_at: str
    ended_at: str | None
    pruned_at: str | None


class WholeEvent(Event):
    """An event with everything that came."""

    scheme: str | None
    runs: list[Run]
    headers: dict[str, str]
    body: str


class Who(TypedDict):
    """Who did it, in the sender's own words."""

    id: str | None
    login: str | None
    bot: bool


class Delivery(TypedDict):
    """The very bytes of an event (`body`, in base64) with their headers, and what its source read in them."""

    id: str
    source: str
    type: str
    subject: str | None
    actor: Who | None
    keys: list[str]
    delivery_id: str | None
    received_at: str
    state: str
    headers: dict[str, str]
    body: str


class RunCost(TypedDict):
    """What a run of a decision came to so far."""

    state: str
    outcome: str | None
    reason: str | None
    writes: str
    turns: int
    tokens: int
    usd: float
    unpriced_turns: int


class WhyDecision(Decision):
    """A decision with what came of it and the rule's text at that time."""

    run: RunCost | None
    claimed: NotRequired[str | None]
    became: NotRequired[str | None]
    configuration: NotRequired[str | None]
    text: NotRequired[str | None]


class Why(TypedDict):
    """What every rule said to an event; `nearest` names the rule that came nearest, where none acted."""

    id: str
    source: str
    type: str
    subject: str | None
    actor: str | None
    delivery_id: str | None
    received_at: str
    state: str
    duplicates: int
    duplicate_of: str | None
    decisions: list[WhyDecision]
    nearest: str | None


class Events(TypedDict):
    """A page; `next` goes into `before` for the next one, and is null on the last."""

    events: list[Event]
    next: str | None


class Runs(TypedDict):
    """A page; `next` goes into `before` for the next one, and is null on the last."""

    runs: list[Run]
    next: str | None


class Refusal(TypedDict):
    """A delivery that was not kept."""

    at: str
    source: str
    reason: str
    detail: str
    headers: list[str]


class Refusals(TypedDict):
    """The newest first."""

    refusals: list[Refusal]


class DeadLetter(TypedDict):
    """What could not be delivered after many attempts."""

    id: str
    event: str
    rule: str
    action: str
    attempts: int
    reason: str | None
    decided_at: str | None


class DeadLetters(TypedDict):
    """The oldest first."""

    dead_letters: list[DeadLetter]


class Task(TypedDict):
    """By which a server answers a call later: its last words, and when it is asked after next."""

    status: str
    said: str
    opened_at: str
    looks: int
    look_at: str | None
    ended_at: str | None


class ToolCall(TypedDict):
    """One tool call of a run; turn 0 is a proposal that somebody applied.

    `progress` is what its server said last of how far it is, while it is under way.
    """

    id: str
    turn: int
    server: str
    tool: str
    effect: str
    state: str
    attempts: int
    arguments: dict[str, Any]
    artifact: str | None
    task: Task | None
    progress: str | None


class Spent(TypedDict):
    """What a run cost."""

    usd: float
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    unpriced_turns: int
    assumed_attempts: int


class WholeRun(Run):
    """A run with everything it did."""

    model: str | None
    scripted: bool
    workflow_id: str
    configuration: str
    events: list[str]
    turns: int
    tool_calls: list[ToolCall]
    quarantines: list[str]
    spent: Spent
    people: dict[str, int]
    notices: list[dict[str, Any]]
    cleared_through: int | None
    account: str | None
    waiting_for: dict[str, Any] | None
    temporal_url: str | None


class Log(TypedDict):
    """A run as a conversation; each line has its voice: told, said, called, waited, answered, stands."""

    lines: list[dict[str, Any]]


class WholeCall(TypedDict):
    """One tool call with all of its result, as `text` where it is text; unless `is_whole`, as it was shown."""

    run: str
    id: str
    turn: int
    server: str
    tool: str
    effect: str
    state: str
    arguments: dict[str, Any]
    artifact: str | None
    is_whole: bool
    media_type: str
    size: int
    text: str | None


class LostRun(TypedDict):
    """A run that Temporal no longer knew, why, and whether it begins again."""

    run: str
    at: str
    again: bool
    reason: str


class LostRuns(TypedDict):
    """The newest first."""

    lost: list[LostRun]


class Approval(TypedDict):
    """What a run asks people."""

    code: str
    run: str
    call: str
    tool: str | None
    by: list[str]
    standing: str
    asked_at: str
    expires_at: str
    on_timeout: str
    settled_at: str | None
    person: str | None


class WholeApproval(Approval):
    """A request with every field of its call, and every word about it."""

    digest: str
    arguments: dict[str, Any]
    asked_with: dict[str, Any] | None
    why: str | None
    became: str
    words: list[dict[str, Any]]


class Approvals(TypedDict):
    """The newest first."""

    approvals: list[Approval]


class Rule(TypedDict):
    """What answers which events."""

    name: str
    on: list[str]
    schedule: dict[str, Any] | None
    does: str
    stage: str
    place: str
    paused: bool
    waiting: int


class WholeRule(Rule):
    """A rule with its text, as it stands in the files in force."""

    text: str | None
    configuration: str


class Rules(TypedDict):
    """The sound rules; what is paused; what is broken in the files."""

    rules: list[Rule]
    paused: list[dict[str, Any]]
    broken: list[dict[str, Any]]


class Playbook(TypedDict):
    """A playbook, with the type of each of its inputs."""

    name: str
    model: str
    inputs: dict[str, str]


class Playbooks(TypedDict):
    """The sound playbooks."""

    playbooks: list[Playbook]


class Spend(TypedDict):
    """A day against its caps."""

    day: str
    zone: str
    limits_broken: bool
    installation: dict[str, Any]
    rules: list[dict[str, Any]]
    playbooks: list[dict[str, Any]]
    actors: list[dict[str, Any]]
    rules_by_actor: list[dict[str, Any]]
    parked: list[dict[str, Any]]


class Me(TypedDict):
    """The token that asks; with `rules` it reaches only what belongs to these."""

    token: str
    person: str | None
    scopes: list[str]
    rules: list[str]
    version: str
