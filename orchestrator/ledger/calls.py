"""Tool calls: the life of each, `intended -> sent -> done | failed`, moved by compare-and-set. It sends nothing.

`sent` is committed just before the bytes leave. So after a lost worker the row says what may be done: an
`intended` call never left and may be made; a `sent` one may have happened.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, case, func, select, update

from orchestrator.ledger import audit
from orchestrator.ledger.schema import calls
from orchestrator.ledger.upsert import leave
from workflows.messages import CallState
from workflows.own_tools import ASK
from workflows.playbook import Effect

APPLIED: Final = ":applied"
"""How the id of a call ends that somebody applied, after the one of its proposal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One tool call; `arguments` are the full ones, bound ones included."""

    run_id: str
    call_id: str
    turn: int
    position: int
    alias: str
    server: str
    tool: str
    effect: Effect
    arguments: Mapping[str, Any]
    state: CallState
    attempt: int
    sent_at: float | None
    deadline_at: float | None
    content: Sequence[Mapping[str, Any]] | None
    is_error: bool
    artifact: str | None
    size: int
    done_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a call came to: content blocks for the model, the whole of it as an artifact."""

    state: CallState
    content: Sequence[Mapping[str, Any]]
    is_error: bool
    artifact: str | None = None
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A call the model asked for, before anything was done about it."""

    call_id: str
    position: int
    alias: str
    server: str
    tool: str
    effect: Effect
    arguments: Mapping[str, Any]


def intend(connection: Connection, run_id: str, turn: int, intent: Intent, at: float) -> None:
    """Write down that a call was asked for."""
    leave(
        connection,
        calls,
        run_id=run_id,
        turn=turn,
        call_id=intent.call_id,
        position=intent.position,
        alias=intent.alias,
        server=intent.server,
        tool=intent.tool,
        effect=intent.effect,
        arguments=json.dumps(intent.arguments, ensure_ascii=False),
        state=CallState.INTENDED,
        attempt=0,
        is_error=False,
        size=0,
        at=at,
    )


def take(connection: Connection, run_id: str, call_id: str, attempt: int, *, again: bool) -> bool:
    """Make this attempt the one that may send; a slower, older one no longer can.

    `again` allows it for a call that was sent before (one that may be repeated).
    """
    states = [CallState.INTENDED, *([CallState.SENT] if again else [])]
    taken = connection.execute(
        update(calls)
        .where(_is(run_id, call_id), calls.c.state.in_(states), calls.c.attempt < attempt)
        .values(attempt=attempt, state=CallState.INTENDED)
    )
    return taken.rowcount == 1


def send(
    connection: Connection, run_id: str, call_id: str, attempt: int, at: float, deadline_at: float
) -> bool:
    """Move `intended` to `sent`, just before the bytes leave; False means: do not send."""
    moved = connection.execute(
        update(calls)
        .where(
            _is(run_id, call_id), calls.c.state == CallState.INTENDED, calls.c.attempt == attempt
        )
        .values(state=CallState.SENT, sent_at=at, deadline_at=deadline_at)
    )
    return moved.rowcount == 1


def finish(connection: Connection, run_id: str, call_id: str, result: Result, at: float) -> bool:
    """Record how a call ended; the first end stays."""
    open_states = [CallState.INTENDED, CallState.SENT, CallState.PENDING]
    ended = connection.execute(
        update(calls)
        .where(_is(run_id, call_id), calls.c.state.in_(open_states))
        .values(
            state=result.state,
            content=json.dumps(result.content, ensure_ascii=False),
            is_error=result.is_error,
            artifact=result.artifact,
            size=result.size,
            done_at=at,
        )
    )
    if ended.rowcount != 1:
        return False
    row = connection.execute(select(calls).where(_is(run_id, call_id))).one()
    audit.append(connection, audit.of_call(connection, dict(row._mapping), result.state, at))  # noqa: SLF001
    return True


def add(connection: Connection, run_id: str, call_id: str, texts: Sequence[str]) -> None:
    """Add words to the answer of a call that has ended; whoever adds makes sure that it happens once."""
    content = list(one(connection, run_id, call_id).content or ())
    content += [{"type": "text", "text": text} for text in texts]
    words = json.dumps(content, ensure_ascii=False)
    connection.execute(update(calls).where(_is(run_id, call_id)).values(content=words))


def withhold(
    connection: Connection, run_id: str, turn: int, withheld: Callable[[Call], Call]
) -> None:
    """Show less of what the calls of a turn came to; their artifacts stay whole."""
    for call in of_run(connection, run_id):
        if call.turn == turn and call.content is not None:
            shown = json.dumps(withheld(call).content, ensure_ascii=False)
            connection.execute(update(calls).where(_is(run_id, call.call_id)).values(content=shown))


def apply(connection: Connection, run_id: str, at: float) -> list[Call]:
    """Turn each proposal into a call beside it, once, and return those that still have to be made.

    They stand at turn 0: no turn of the conversation asked for them, a person did.
    """
    for number, call in enumerate(of_run(connection, run_id)):
        if call.state is CallState.PROPOSED:
            names = ("alias", "server", "tool", "effect", "arguments")
            copied = {name: getattr(call, name) for name in names}
            intent = Intent(call_id=f"{call.call_id}{APPLIED}", position=number, **copied)
            intend(connection, run_id, 0, intent, at)
    return [
        call
        for call in of_run(connection, run_id)
        if call.call_id.endswith(APPLIED) and call.done_at is None
    ]


def one(connection: Connection, run_id: str, call_id: str) -> Call:
    """The call of that id. Raises sqlalchemy's NoResultFound."""
    return _call(connection.execute(select(calls).where(_is(run_id, call_id))).one())


def server_of(connection: Connection, run_id: str, call_id: str) -> str | None:
    """Whose tool a call calls; None where there is no such call."""
    found = select(calls.c.server).where(_is(run_id, call_id))
    return connection.execute(found).scalar_one_or_none()


def before(connection: Connection, call: Call) -> int:
    """How many calls of the same tool its conversation made, or is about to make, before this one."""
    earlier = (calls.c.turn < call.turn) | (
        (calls.c.turn == call.turn) & (calls.c.position < call.position)
    )
    under_way = calls.c.state.in_([CallState.INTENDED, CallState.PENDING, CallState.SENT])
    counted = select(func.count()).where(
        calls.c.run_id == call.run_id,
        calls.c.alias == call.alias,
        calls.c.call_id != call.call_id,
        calls.c.sent_at.is_not(None) | (under_way & earlier),
    )
    return connection.execute(counted).scalar_one()


def of_run(connection: Connection, run_id: str, cleared: int = 0, small: int = 0) -> list[Call]:
    """All calls of a conversation in the order they were asked for.

    What was done up to the turn `cleared` comes without its content, unless that is no longer than `small`, or a
    person's answer.
    """
    long_done = (calls.c.state == CallState.DONE) & (func.length(calls.c.content) > small)
    long_done &= calls.c.alias != ASK
    content = case((long_done & calls.c.turn.between(1, cleared), None), else_=calls.c.content)
    columns: list[Any] = [column for column in calls.c if column is not calls.c.content]
    rows: Any = connection.execute(
        select(*columns, content.label("content"))
        .where(calls.c.run_id == run_id)
        .order_by(calls.c.turn, calls.c.position)
    )
    return [_call(row) for row in rows]


def _is(run_id: str, call_id: str) -> Any:
    return (calls.c.run_id == run_id) & (calls.c.call_id == call_id)


def _call(row: Row[Any]) -> Call:
    values = dict(row._mapping)  # noqa: SLF001 - the documented way to a row's names
    del values["at"]
    values["arguments"] = json.loads(values["arguments"])
    values["content"] = None if values["content"] is None else json.loads(values["content"])
    values["state"] = CallState(values["state"])
    values["effect"] = Effect(values["effect"])
    return Call(**values)
