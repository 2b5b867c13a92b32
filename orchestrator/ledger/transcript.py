"""One conversation as it went: what was told, said, called and answered, in that order. It changes nothing.

Every line has a name that stays the same, so whoever follows a conversation knows which lines are new.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from orchestrator.ledger import asides, calls, conversations, waits
from orchestrator.ledger.calls import Call
from orchestrator.ledger.conversations import Conversation
from orchestrator.ledger.inputs import asker_of
from orchestrator.ledger.lines import Line, Voice, among
from orchestrator.ledger.schema import attempts, notes, turns
from workflows.messages import RunState


def shown(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    """The same as plain dictionaries, with times as text."""
    return [_plain(line) for line in of_run(connection, run_id)]


def of_run(connection: Connection, run_id: str) -> list[Line]:
    """Every line of a conversation so far. Raises LookupError where there is none."""
    conversation = conversations.one(connection, run_id)
    own = list(_lines(connection, conversation))
    return [*among(own, asides.of_run(connection, run_id)), _stands(conversation)]


def _plain(line: Line) -> dict[str, Any]:
    told = {"name": line.name, "voice": str(line.voice), "turn": line.turn, "at": _iso(line.at)}
    until = {"until": _iso(line.body["until"])} if "until" in line.body else {}
    return {**told, **line.body, **until}


def _iso(at: float | None) -> str | None:
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _lines(connection: Connection, conversation: Conversation) -> Iterator[Line]:
    run_id = conversation.run_id
    told, said = _by_turn(connection, notes, run_id), _by_turn(connection, turns, run_id)
    cost = _by_turn(connection, attempts, run_id)
    made: dict[int, list[Call]] = {}
    for call in _in_place(calls.of_run(connection, run_id)):
        made.setdefault(call.turn, []).append(call)
    waiting = {wait.call_id: wait for wait in waits.of_run(connection, run_id)}
    for turn in sorted({*told, *said, *cost, *made} - {0}):
        yield from (_told(row, conversation) for row in _in_order(told.get(turn, ())))
        yield from (_said(row, cost.get(turn, ())) for row in said.get(turn, ()))
        yield from _calls(made.get(turn, ()), waiting)
    yield from _calls(made.get(0, ()), waiting)


def _in_place(found: Sequence[Call]) -> list[Call]:
    """All of them; what a server asked people stands behind the calls of the turn in which it did."""
    turns_of = {call.call_id: call.turn for call in found}
    asked = [call for call in found if asker_of(call.call_id) is not None]
    own = [call for call in found if asker_of(call.call_id) is None]
    placed = [replace(one, turn=turns_of.get(asker_of(one.call_id) or "", 0)) for one in asked]
    return [*own, *placed]


def _by_turn(connection: Connection, table: Table, run_id: str) -> dict[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = {}
    for row in connection.execute(select(table).where(table.c.run_id == run_id)):
        found.setdefault(row.turn, []).append(row)
    return found


def _in_order(rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    return sorted(rows, key=lambda row: int(row.ordinal))


def _told(row: Row[Any], conversation: Conversation) -> Line:
    # The event that opened it stands first, and its note was written before notes had an event's id.
    opening = (row.turn, row.ordinal) == (1, 0)
    return Line(
        name=f"told {row.turn}.{row.ordinal}",
        voice=Voice.TOLD,
        turn=row.turn,
        at=conversation.opened_at if opening else None,
        body={
            "event": row.event_id or (conversation.event_id if opening else None),
            "text": row.text,
        },
    )


def _said(row: Row[Any], cost: Sequence[Row[Any]]) -> Line:
    content = json.loads(row.content)
    texts = [str(block["text"]) for block in content if block.get("type") == "text"]
    return Line(
        name=f"said {row.turn}",
        voice=Voice.SAID,
        turn=row.turn,
        at=row.at,
        body={
            "text": "\n".join(texts),
            "stop": row.stop,
            "thoughts": sum("thinking" in str(block.get("type")) for block in content),
            "attempts": [_attempt(one) for one in sorted(cost, key=lambda one: int(one.attempt))],
        },
    )


def _attempt(row: Row[Any]) -> dict[str, Any]:
    return {
        "state": row.state,
        "usd": None if row.usd is None else float(row.usd),
        "input_tokens": row.input_tokens,
        "cached_tokens": row.cached_tokens,
        "output_tokens": row.output_tokens,
    }


def _calls(made: Sequence[Call], waiting: Mapping[str, waits.Wait]) -> Iterator[Line]:
    for call in made:
        yield _called(call)
        if call.call_id in waiting and waiting[call.call_id].state != waits.PREPARED:
            yield _waited(call, waiting[call.call_id])
    yield from (_answered(call) for call in made if call.done_at is not None)


def _called(call: Call) -> Line:
    return Line(
        name=f"called {call.call_id}",
        voice=Voice.CALLED,
        turn=call.turn,
        at=call.sent_at,
        body={
            "call": call.call_id,
            "server": call.server,
            "tool": call.tool,
            "effect": str(call.effect),
            "arguments": dict(call.arguments),
        },
    )


def _waited(call: Call, wait: waits.Wait) -> Line:
    return Line(
        name=f"waits {call.call_id}",
        voice=Voice.WAITED,
        turn=call.turn,
        at=wait.opened_at,
        body={
            "call": call.call_id,
            "events": list(wait.patterns),
            "key": wait.key,
            "until": wait.deadline_at,
        },
    )


def _answered(call: Call) -> Line:
    content = list(call.content or ())
    return Line(
        name=f"answered {call.call_id}",
        voice=Voice.ANSWERED,
        turn=call.turn,
        at=call.done_at,
        body={
            "call": call.call_id,
            "server": call.server,
            "tool": call.tool,
            "state": str(call.state),
            "attempts": call.attempt,
            "content": content,
            "size": call.size,
            "artifact": call.artifact,
        },
    )


def _stands(conversation: Conversation) -> Line:
    state, outcome = conversation.state, conversation.outcome
    return Line(
        name=f"stands {state} {conversation.reason}",
        voice=Voice.STANDS,
        turn=0,
        at=conversation.ended_at if state is RunState.ENDED else None,
        body={
            "state": str(state),
            "reason": conversation.reason,
            "outcome": str(outcome) if outcome else None,
        },
    )
