"""Conversations: what was opened for which event, where it is, how it ended. It knows no turn and no tool."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select, update

from orchestrator.ledger import approvals, reservations, slots, waits
from orchestrator.ledger.schema import attempts, conversation_events, conversations
from orchestrator.ledger.upsert import leave
from workflows.messages import Outcome, RunState

CHOOSING: Final = "choosing tools"
OVERTAKEN: Final = "superseded by a newer event before it began"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One conversation of one run. `position` is its opening event's place in the inbox.

    Since `pruned_at` what was said in it is gone; that it was, how it ended and what it cost stays.
    """

    run_id: str
    workflow_id: str
    number: int
    decision_id: str
    event_id: str
    position: int
    rule: str
    playbook: str
    key: str
    source: str
    stage: str
    state: RunState
    reason: str
    outcome: Outcome | None
    frozen: str | None
    model: str | None
    scripted: bool
    configuration: str
    opened_at: float
    ended_at: float | None
    pruned_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What is known when a conversation is opened."""

    workflow_id: str
    decision_id: str
    event_id: str
    position: int
    rule: str
    playbook: str
    key: str
    source: str
    stage: str
    scripted: bool
    configuration: str


def run_id_of(workflow_id: str, number: int) -> str:
    """The short id people use: the hash at the end of the workflow id, and the conversation's number."""
    return f"{workflow_id.rsplit('~', 1)[-1]}.{number}"


def begin(connection: Connection, opening: Opening, at: float, held: str = "") -> Conversation:
    """Open the conversation of this decision, or return the one that is open for it already.

    While it is `held`, for that reason, it waits; asked for without, it begins.
    """
    found = by_decision(connection, opening.decision_id)
    if found is None:
        return _opened(connection, opening, at, held)
    if is_held(found) and not held:
        # It counts from now on: others that waited less may have begun before.
        mine = update(conversations).where(conversations.c.run_id == found.run_id)
        connection.execute(mine.values(opened_at=at))
        record(connection, found.run_id, RunState.RUNNING, CHOOSING, None, at)
        return one(connection, found.run_id)
    return found


def is_held(conversation: Conversation) -> bool:
    """Whether it waits until it may begin."""
    return conversation.state is RunState.WAITING and conversation.frozen is None


def _opened(connection: Connection, opening: Opening, at: float, held: str) -> Conversation:
    counted = select(func.count()).where(conversations.c.workflow_id == opening.workflow_id)
    number = connection.execute(counted).scalar_one() + 1
    run_id = run_id_of(opening.workflow_id, number)
    values = {name: getattr(opening, name) for name in Opening.__slots__}
    leave(
        connection,
        conversations,
        **values,
        run_id=run_id,
        number=number,
        state=RunState.WAITING if held else RunState.RUNNING,
        reason=held or CHOOSING,
        opened_at=at,
    )
    hear(connection, run_id, opening.event_id, opening.position, "opened", at)
    slots.follow(connection, run_id, at)
    return one(connection, run_id)


def freeze(connection: Connection, run_id: str, frozen: str, model: str) -> None:
    """Pin what this conversation is made of; the first pin stays."""
    connection.execute(
        update(conversations)
        .where(conversations.c.run_id == run_id, conversations.c.frozen.is_(None))
        .values(frozen=frozen, model=model)
    )


def record(
    connection: Connection,
    run_id: str,
    state: RunState,
    reason: str,
    outcome: Outcome | None,
    at: float,
) -> bool:
    """Write down where a conversation is; an ended one stays ended. Whether anything is other than it was."""
    before = connection.execute(
        select(conversations.c.state, conversations.c.reason).where(
            conversations.c.run_id == run_id
        )
    ).one_or_none()
    connection.execute(
        update(conversations)
        .where(conversations.c.run_id == run_id, conversations.c.state != RunState.ENDED)
        .values(
            state=state,
            reason=reason,
            outcome=outcome,
            ended_at=at if state is RunState.ENDED else None,
        )
    )
    if state is RunState.ENDED:
        # In the same transaction: an open wait of an ended run would swallow the events it matches.
        waits.close(connection, run_id, at)
        approvals.close_run(connection, run_id, at)
        # Nobody will ask that turn again, and what its attempt cost nobody can know.
        reservations.assume_run(connection, run_id)
        connection.execute(
            update(attempts)
            .where(attempts.c.run_id == run_id, attempts.c.state == "reserved")
            .values(state="assumed")
        )
    slots.follow(connection, run_id, at)
    ended = before is None or before.state == RunState.ENDED
    return not ended and tuple(before or ()) != (state, reason)


def reopen(connection: Connection, run_id: str, at: float) -> Conversation | None:
    """It goes on after all: something came in the moment of its end, so Temporal threw away the task that ended it.

    Returns it as it had ended; None where it hadn't.
    """
    before = find(connection, run_id)
    reopened = connection.execute(
        update(conversations)
        .where(conversations.c.run_id == run_id, conversations.c.state == RunState.ENDED)
        .values(state=RunState.RUNNING, reason="", outcome=None, ended_at=None)
    )
    if not reopened.rowcount:
        return None
    slots.follow(connection, run_id, at)
    return before


def withdraw(connection: Connection, decision_id: str, at: float) -> None:
    """Something newer came before this decision's conversation had begun: it has ended, if it was opened at all."""
    found = by_decision(connection, decision_id)
    if found is not None and found.frozen is None:
        record(connection, found.run_id, RunState.ENDED, OVERTAKEN, Outcome.SUPERSEDED, at)


def hear(
    connection: Connection, run_id: str, event_id: str, position: int, how: str, at: float
) -> bool:
    """Note that an event reached a conversation; False when it had reached it before."""
    return leave(
        connection,
        conversation_events,
        run_id=run_id,
        event_id=event_id,
        position=position,
        how=how,
        at=at,
    )


def heard(connection: Connection, run_id: str) -> list[str]:
    """The ids of the events that reached a conversation, in the order of the inbox."""
    rows = connection.execute(
        select(conversation_events.c.event_id)
        .where(conversation_events.c.run_id == run_id)
        .order_by(conversation_events.c.position)
    )
    return list(rows.scalars())


def one(connection: Connection, run_id: str) -> Conversation:
    """The conversation of that id. Raises LookupError."""
    found = find(connection, run_id)
    if found is None:
        message = f"there is no run {run_id!r}"
        raise LookupError(message)
    return found


def find(connection: Connection, run_id: str) -> Conversation | None:
    """The conversation of exactly that id."""
    row = connection.execute(
        select(conversations).where(conversations.c.run_id == run_id)
    ).one_or_none()
    return None if row is None else conversation(row)


def beginning_with(connection: Connection, text: str, limit: int = 10) -> list[Conversation]:
    """Conversations whose id begins with the text."""
    rows = connection.execute(
        select(conversations)
        .where(conversations.c.run_id.startswith(text, autoescape=True))
        .order_by(conversations.c.number.desc())
        .limit(limit)
    )
    return [conversation(row) for row in rows]


def by_decision(connection: Connection, decision_id: str) -> Conversation | None:
    """The conversation that this decision opened."""
    row = connection.execute(
        select(conversations).where(conversations.c.decision_id == decision_id)
    ).one_or_none()
    return None if row is None else conversation(row)


def by_events(connection: Connection, event_ids: Sequence[str]) -> dict[tuple[str, str], str]:
    """(event id, workflow id) -> run id, for every conversation these events reached, the newest where several are.

    Which one a decision opened stands there too, under (decision id, workflow id): a redelivered event opens another.
    """
    found = conversations.c
    rows = connection.execute(
        select(conversation_events.c.event_id, found.workflow_id, found.run_id, found.decision_id)
        .join(conversations, found.run_id == conversation_events.c.run_id)
        .where(conversation_events.c.event_id.in_(event_ids))
        .order_by(found.opened_at, found.number)
    ).all()
    reached = {(row.event_id, row.workflow_id): row.run_id for row in rows}
    return reached | {(row.decision_id, row.workflow_id): row.run_id for row in rows}


def open_in(connection: Connection, workflow_id: str) -> str | None:
    """The id of the conversation that a workflow has open, if there is one."""
    mine = select(conversations.c.run_id).where(
        conversations.c.workflow_id == workflow_id, conversations.c.state != RunState.ENDED
    )
    return connection.execute(mine.limit(1)).scalar_one_or_none()


def newest(connection: Connection, limit: int) -> list[Conversation]:
    """The newest conversations first."""
    rows = connection.execute(
        select(conversations).order_by(conversations.c.opened_at.desc()).limit(limit)
    )
    return [conversation(row) for row in rows]


def conversation(row: Row[Any]) -> Conversation:
    """The conversation of a whole row."""
    values = dict(row._mapping)  # noqa: SLF001 - the documented way to a row's names
    values["state"] = RunState(values["state"])
    values["outcome"] = Outcome(values["outcome"]) if values["outcome"] else None
    return Conversation(**values)
