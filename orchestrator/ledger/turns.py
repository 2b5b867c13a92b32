"""Turns: what was said to the model and what it said, what each attempt cost. It asks no model.

An attempt is `reserved` before the request leaves and `settled` when its reply is recorded. One that was begun
and never settled is charged as `assumed` by the next attempt (mechanics: reservations).
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, select, update

from orchestrator.ledger.schema import attempts, notes, turns
from orchestrator.ledger.upsert import leave
from workflows.messages import Spent
from workflows.own_tools import FINISH

CUT: Final = "cut"
"""How an attempt ends whose reply was paid and cut, and is asked for again with more room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one attempt used. `usd` None means that the price is unknown, never that it was free."""

    usd: Decimal | None
    input_tokens: int
    output_tokens: int
    cached_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A recorded reply: its content blocks as JSON, byte for byte as they came.

    `details` are the provider's words about a refusal, as JSON.
    """

    turn: int
    content: str
    stop: str
    details: str = ""


def reserve(
    connection: Connection, run_id: str, turn: int, attempt: int, estimate: Charge, at: float
) -> int:
    """Begin an attempt; earlier ones of this turn that never came back are charged as assumed.

    Returns its number: `attempt`, or a higher one when that is taken. Temporal counts from 1 again when a parked
    turn is resumed, and what the attempts before it cost must not be forgotten.
    """
    of_turn = (attempts.c.run_id == run_id, attempts.c.turn == turn)
    last = connection.execute(select(func.max(attempts.c.attempt)).where(*of_turn)).scalar_one()
    number = max(attempt, int(last or 0) + 1)
    connection.execute(
        update(attempts).where(*of_turn, attempts.c.state == "reserved").values(state="assumed")
    )
    leave(
        connection,
        attempts,
        run_id=run_id,
        turn=turn,
        attempt=number,
        state="reserved",
        at=at,
        **_columns(estimate),
    )
    return number


def settle(
    connection: Connection, run_id: str, turn: int, attempt: int, charge: Charge, state: str
) -> None:
    """End an attempt with what it really used (`settled`), or with nothing (`unsent`, `failed`)."""
    connection.execute(
        update(attempts)
        .where(attempts.c.run_id == run_id, attempts.c.turn == turn, attempts.c.attempt == attempt)
        .values(state=state, **_columns(charge))
    )


def reply(
    connection: Connection,
    run_id: str,
    turn: int,
    content: str,
    stop: str,
    request_id: str | None,
    at: float,
    details: str = "",
) -> bool:
    """Record a turn's reply; False when one was recorded before, and stays."""
    return leave(
        connection,
        turns,
        run_id=run_id,
        turn=turn,
        content=content,
        stop=stop,
        request_id=request_id,
        at=at,
        details=details or None,
    )


def said(connection: Connection, run_id: str, turn: int) -> Turn | None:
    """The recorded reply of one turn."""
    of_turn = (turns.c.run_id == run_id, turns.c.turn == turn)
    row = connection.execute(select(turns).where(*of_turn)).one_or_none()
    return None if row is None else _turn(row)


def text_of(turn: Turn) -> str:
    """What a reply says in words, a summary it ended its conversation with included."""
    blocks = json.loads(turn.content)
    said = [str(block["text"]) for block in blocks if block["type"] == "text"]
    ending = (block.get("input") for block in blocks if block.get("name") == FINISH)
    said += [str(given.get("summary", "")) for given in ending if isinstance(given, dict)]
    return "\n".join(said)


def cut(connection: Connection, run_id: str, turn: int) -> int:
    """The tokens at which an earlier reply of this turn was cut; 0 when none was."""
    found = connection.execute(
        select(func.max(attempts.c.output_tokens)).where(
            attempts.c.run_id == run_id, attempts.c.turn == turn, attempts.c.state == CUT
        )
    ).scalar_one()
    return int(found or 0)


def replied(connection: Connection, run_id: str) -> list[Turn]:
    """All recorded replies of a conversation, in order."""
    rows = connection.execute(select(turns).where(turns.c.run_id == run_id).order_by(turns.c.turn))
    return [_turn(row) for row in rows]


def note(
    connection: Connection,
    run_id: str,
    turn: int,
    ordinal: int,
    text: str,
    event_id: str | None = None,
) -> bool:
    """Put words before a turn, an event's or our own; False when the place is taken."""
    return leave(
        connection,
        notes,
        run_id=run_id,
        turn=turn,
        ordinal=ordinal,
        text=text,
        event_id=event_id,
    )


def free(connection: Connection, run_id: str, turn: int, ordinal: int) -> bool:
    """Whether nothing stands at that place before the turn."""
    return connection.execute(_place(run_id, turn, ordinal)).one_or_none() is None


def stands(
    connection: Connection, run_id: str, turn: int, ordinal: int, event_id: str | None
) -> bool:
    """Whether the note at that place is this event's (None: our own words)."""
    found = connection.execute(_place(run_id, turn, ordinal)).one_or_none()
    return found is not None and found.event_id == event_id


def noted(connection: Connection, run_id: str) -> dict[int, list[str]]:
    """The words that stand before each turn, in order."""
    rows = connection.execute(
        select(notes).where(notes.c.run_id == run_id).order_by(notes.c.turn, notes.c.ordinal)
    )
    found: dict[int, list[str]] = {}
    for row in rows:
        found.setdefault(row.turn, []).append(row.text)
    return found


def heard(connection: Connection, run_id: str, turn: int) -> int:
    """The characters of all events that stand before a turn."""
    of_turn = (notes.c.run_id == run_id, notes.c.turn == turn, notes.c.event_id.is_not(None))
    said = select(func.coalesce(func.sum(func.length(notes.c.text)), 0)).where(*of_turn)
    return int(connection.execute(said).scalar_one())


def under_way(connection: Connection) -> frozenset[tuple[str, int]]:
    """The turns that were begun and have no reply, as (run, turn)."""
    begun = select(attempts.c.run_id, attempts.c.turn).where(attempts.c.state == "reserved")
    done = select(turns.c.run_id, turns.c.turn)
    return frozenset((row.run_id, row.turn) for row in connection.execute(begun.except_(done)))


def spent(connection: Connection, run_id: str) -> Spent:
    """What a conversation has spent: settled and assumed attempts, and those still under way."""
    rows = connection.execute(select(attempts).where(attempts.c.run_id == run_id)).all()
    return Spent(
        usd=sum((Decimal(row.usd) for row in rows if row.usd is not None), Decimal(0)),
        input_tokens=sum(row.input_tokens for row in rows),
        output_tokens=sum(row.output_tokens for row in rows),
        cached_tokens=sum(row.cached_tokens for row in rows),
        unpriced=sum(1 for row in rows if row.usd is None),
        assumed=sum(1 for row in rows if row.state == "assumed"),
    )


def _turn(row: Row[Any]) -> Turn:
    return Turn(turn=row.turn, content=row.content, stop=row.stop, details=row.details or "")


def _place(run_id: str, turn: int, ordinal: int) -> Select[tuple[str | None]]:
    return select(notes.c.event_id).where(
        notes.c.run_id == run_id, notes.c.turn == turn, notes.c.ordinal == ordinal
    )


def _columns(charge: Charge) -> dict[str, object]:
    return {
        "usd": None if charge.usd is None else str(charge.usd),
        "input_tokens": charge.input_tokens,
        "output_tokens": charge.output_tokens,
        "cached_tokens": charge.cached_tokens,
    }
