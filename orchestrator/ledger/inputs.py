"""Inputs: what a server wants of people in the middle of a call, asked once each under its key; it asks nobody.

A round is what a call was answered with instead of a result: `state` goes back to the server as it came, with the
responses, and nobody else reads it. The inputs of a task have no round; their keys name them for the task's lifetime.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    func,
    select,
    update,
)

from orchestrator.ledger import approvals
from orchestrator.ledger.approvals import Approval
from orchestrator.ledger.calls import Result, finish
from orchestrator.ledger.schema import LEDGER, calls
from orchestrator.ledger.upsert import leave
from workflows.approvals import Standing
from workflows.messages import CallState

ASKS: Final = ":asks:"
"""What stands between the id of a call and what names the question that its server asks."""
UNWANTED: Final = "The server no longer wants this answered."
SPARE: Final = 100
"""Numbers left to attempts of a round that are under way yet when it ends: none of them may send in the next one."""
OF_A_TASK: Final = 0
"""The round of what a task asks."""

inputs = Table(
    "inputs",
    LEDGER,
    Column("run_id", String, primary_key=True),
    Column("call_id", String, primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("key", String, primary_key=True),
    Column("question_id", String, nullable=False),
    Column("request", Text, nullable=False),
    Column("refused", Text),
    Column("answer", Text),
    Column("at", Float, nullable=False),
    Column("told_at", Float),
    Column("closed_at", Float),
    Index("inputs_by_question", "run_id", "question_id"),
)

rounds = Table(
    "input_rounds",
    LEDGER,
    Column("run_id", String, primary_key=True),
    Column("call_id", String, primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("state", Text),
    Column("attempt", Integer, nullable=False),
    Column("at", Float, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One thing a server wants. `refused` says why nobody was asked, `answer` is what a person said.

    `told_at` is when the server had its response, `closed_at` when the server no longer wanted it.
    """

    run_id: str
    call_id: str
    round: int
    key: str
    question_id: str
    request: Mapping[str, Any]
    refused: str | None
    answer: Any
    at: float
    told_at: float | None = None
    closed_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What a call was answered with instead of a result; `attempt` is no less than any that was made before it."""

    round: int
    state: str | None
    attempt: int
    at: float


def question_id(call_id: str, round_: int, key: str) -> str:
    """What the question is called: it follows from what asks it, so asking twice asks once."""
    drawn = hashlib.sha256("\x1f".join((call_id, str(round_), key)).encode()).hexdigest()
    return f"{call_id}{ASKS}{drawn[:12]}"


def asker_of(call_id: str) -> str | None:
    """The call whose server asks this question; None for what is no such question."""
    asker, _, named = call_id.partition(ASKS)
    return asker if named else None


def want(connection: Connection, wanted: Input) -> None:
    """Write down what a server wants; the first of a key stays."""
    leave(
        connection,
        inputs,
        run_id=wanted.run_id,
        call_id=wanted.call_id,
        round=wanted.round,
        key=wanted.key,
        question_id=wanted.question_id,
        request=json.dumps(wanted.request, ensure_ascii=False),
        refused=wanted.refused,
        at=wanted.at,
    )


def answered(connection: Connection, run_id: str, question: str, answer: Any) -> None:
    """What a person said to a question, if it is one that a server asks."""
    connection.execute(
        update(inputs)
        .where(inputs.c.run_id == run_id, inputs.c.question_id == question)
        .values(answer=json.dumps(answer, ensure_ascii=False))
    )


def told(connection: Connection, wanted: Sequence[Input], at: float) -> None:
    """The server has the responses to these."""
    for one in wanted:
        _stamp(connection, one, {"told_at": at})


def close(connection: Connection, wanted: Input, at: float) -> None:
    """The server no longer wants it: who was asked is asked no more, and who answers now is too late."""
    _stamp(connection, wanted, {"closed_at": at})
    approval = request_about(connection, wanted)
    if approval is None or approval.standing is not Standing.OPEN:
        return
    if approvals.settle(connection, approval, Standing.CLOSED, at):
        content = [{"type": "text", "text": UNWANTED}]
        result = Result(state=CallState.REFUSED, content=content, is_error=True)
        finish(connection, wanted.run_id, wanted.question_id, result, at)


def close_call(connection: Connection, run_id: str, call_id: str, at: float) -> None:
    """The call has ended: nothing that its server wanted is wanted any more."""
    for one in of_call(connection, run_id, call_id):
        if one.told_at is None and one.closed_at is None:
            close(connection, one, at)


def request_about(connection: Connection, wanted: Input) -> Approval | None:
    """The request to people about it; None where nobody was asked."""
    return approvals.of_call(connection, wanted.run_id, wanted.question_id)


def of_call(connection: Connection, run_id: str, call_id: str) -> list[Input]:
    """Everything the server of a call wanted, the oldest first."""
    found = select(inputs).where(inputs.c.run_id == run_id, inputs.c.call_id == call_id)
    rows = connection.execute(found.order_by(inputs.c.round, inputs.c.at, inputs.c.key))
    return [_input(row) for row in rows]


def last_round(connection: Connection, run_id: str, call_id: str) -> Round | None:
    """What a call was last answered with instead of a result; None where it never was."""
    found = select(rounds).where(rounds.c.run_id == run_id, rounds.c.call_id == call_id)
    row = connection.execute(found.order_by(rounds.c.round.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    return Round(round=row.round, state=row.state, attempt=row.attempt, at=row.at)


def begin_round(
    connection: Connection,
    run_id: str,
    call_id: str,
    attempt: int,
    state: str | None,
    at: float,
    *,
    untouched: bool,
) -> int | None:
    """The call of this attempt waits for people from here on; the number of the round, None where it has ended.

    It is made once more with the responses. Where its server says that it has done nothing yet, it counts as not sent.
    """
    unsent = {"sent_at": None} if untouched else {}
    mine = (calls.c.run_id == run_id) & (calls.c.call_id == call_id)
    moved = connection.execute(
        update(calls)
        .where(mine, calls.c.state == CallState.SENT, calls.c.attempt == attempt)
        .values(state=CallState.PENDING, deadline_at=None, **unsent)
    )
    if moved.rowcount != 1:
        return None
    number = (
        1
        + connection.execute(
            select(func.count()).where(rounds.c.run_id == run_id, rounds.c.call_id == call_id)
        ).scalar_one()
    )
    leave(
        connection,
        rounds,
        run_id=run_id,
        call_id=call_id,
        round=number,
        state=state,
        attempt=attempt + SPARE,
        at=at,
    )
    return number


def resume(connection: Connection, run_id: str, call_id: str) -> None:
    """The call may be made once more: everything that its server wanted has its response."""
    mine = (calls.c.run_id == run_id) & (calls.c.call_id == call_id)
    connection.execute(
        update(calls)
        .where(mine, calls.c.state == CallState.PENDING)
        .values(state=CallState.INTENDED)
    )


def _stamp(connection: Connection, wanted: Input, values: Mapping[str, Any]) -> None:
    connection.execute(
        update(inputs)
        .where(
            inputs.c.run_id == wanted.run_id,
            inputs.c.call_id == wanted.call_id,
            inputs.c.round == wanted.round,
            inputs.c.key == wanted.key,
        )
        .values(**values)
    )


def _input(row: Row[Any]) -> Input:
    values = dict(row._mapping)  # noqa: SLF001 - the documented way to a row's names
    values["request"] = json.loads(values["request"])
    values["answer"] = None if values["answer"] is None else json.loads(values["answer"])
    return Input(**values)
