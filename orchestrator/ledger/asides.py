"""What happened beside a conversation's own words: people asked and told, results cleared, tools in quarantine."""

from collections.abc import Iterator

from sqlalchemy import Connection, select

from orchestrator.ledger import approvals, calls, notices, quarantines
from orchestrator.ledger.approvals import Approval, Said
from orchestrator.ledger.inputs import asker_of
from orchestrator.ledger.lines import Line, Voice
from orchestrator.ledger.notices import Notice
from orchestrator.ledger.schema import clearings
from workflows.approvals import Standing


def of_run(connection: Connection, run_id: str) -> Iterator[Line]:
    """Every such line of a run; each has its time."""
    for approval in approvals.of_run(connection, run_id):
        yield from _people(connection, approval)
    yield from map(_notified, notices.of_run(connection, run_id))
    yield from _cleared(connection, run_id)
    for one in quarantines.of_run(connection, run_id):
        yield Line(
            name=f"quarantined {one.server}.{one.tool} {one.seen}",
            voice=Voice.QUARANTINED,
            turn=0,
            at=one.at,
            body={"server": one.server, "tool": one.tool, "text": one.words},
        )


def _people(connection: Connection, approval: Approval) -> Iterator[Line]:
    call = calls.one(connection, approval.run_id, approval.call_id)
    # What a server asks stands at no turn of its own.
    asker = asker_of(call.call_id)
    turn = calls.one(connection, approval.run_id, asker).turn if asker else call.turn
    given = dict(approval.before or call.arguments)
    asks = {"code": approval.code, "call": approval.call_id, "tool": approval.tool or None}
    yield Line(
        name=f"asked {approval.approval_id}",
        voice=Voice.ASKED,
        turn=turn,
        at=approval.asked_at,
        body={**asks, "by": list(approval.by), "arguments": given, "until": approval.expires_at},
    )
    for said in approvals.words_of(connection, approval.approval_id):
        if said.became is not None and said.event_id != approval.event_id:
            yield _heard(said, approval, turn)
    if approval.standing is Standing.OPEN:
        return
    edited = {} if approval.before is None else _edited(given, dict(call.arguments))
    yield Line(
        name=f"settled {approval.approval_id}",
        voice=Voice.SETTLED,
        turn=turn,
        at=approval.settled_at,
        body={
            **asks,
            "standing": str(approval.standing),
            "person": approval.person,
            "why": approval.why,
            "edited": edited,
        },
    )


def _edited(before: dict[str, object], after: dict[str, object]) -> dict[str, object]:
    names = sorted(before.keys() | after.keys())
    return {
        name: {"asked": before.get(name), "made": after.get(name)}
        for name in names
        if before.get(name) != after.get(name)
    }


def _heard(said: Said, approval: Approval, turn: int) -> Line:
    """A word that changed nothing, and why it didn't."""
    return Line(
        name=f"heard {said.decision_id}",
        voice=Voice.HEARD,
        turn=turn,
        at=said.at,
        body={
            "code": approval.code,
            "word": said.word,
            "person": said.person,
            "event": said.event_id,
            "became": said.became,
        },
    )


def _notified(notice: Notice) -> Line:
    # Another name once it is known what became of it, so that whoever follows hears that too.
    known = "" if notice.became is None else " ended"
    return Line(
        name=f"notified {notice.identity}{known}",
        voice=Voice.NOTIFIED,
        turn=0,
        at=notice.settled_at or notice.at,
        body={
            "type": notice.type,
            "event": notice.event_id,
            "became": notice.became,
            "failed": notice.failed,
        },
    )


def _cleared(connection: Connection, run_id: str) -> Iterator[Line]:
    rows = connection.execute(select(clearings).where(clearings.c.run_id == run_id))
    for row in rows:
        yield Line(
            name=f"cleared {row.turn} {row.through}",
            voice=Voice.CLEARED,
            turn=row.turn,
            at=row.at,
            body={"through": row.through},
        )
