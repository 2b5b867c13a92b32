"""Every call that was made, in the order in which they ended, each line with the digest of all before it.

So an edited, inserted or missing line shows, to whoever has kept a later digest: who can write the whole table can
also count it anew. Lines that are old enough are forgotten; the last of them leaves its number and digest, from which
the rest is proved. It judges no call and sends none.
"""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    delete,
    func,
    select,
    text,
    true,
    update,
)
from sqlalchemy.sql import Select

from orchestrator.ledger.schema import LEDGER, approvals, conversations, payers
from workflows.approvals import Standing

table = Table(
    "audit",
    LEDGER,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("server", String, nullable=False),
    Column("line", Text, nullable=False),
    Column("digest", String, nullable=False),
    Index("audit_by_time", "at"),
)

NOTHING: Final = "0" * 64
"""The digest before the first line."""

FORGOTTEN: Final = ""
"""The text of the last line that was forgotten; all before it are gone."""

_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('doorbell audit', 5))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One call. `who` is the actor of the event that opened its run, or the person who made it.

    `arguments` is a digest of them, `outcome` how the call ended, `sent` whether it left, `seconds` how long it took
    from there. `approval` names the consent and `person` who gave it. Times are seconds since 1970.
    """

    at: float
    call_id: str
    run_id: str | None
    rule: str | None
    playbook: str | None
    event_id: str | None
    who: str
    server: str
    tool: str
    effect: str
    arguments: str
    outcome: str
    is_error: bool
    sent: bool
    seconds: float | None = None
    approval: str | None = None
    person: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chained:
    """A line as it was written: its number, its own text, and the digest of it and all before it."""

    number: int
    text: str
    digest: str

    @property
    def line(self) -> Mapping[str, Any]:
        """What the text says."""
        said: dict[str, Any] = json.loads(self.text)
        return said


def append(connection: Connection, line: Line) -> None:
    """Add a line at the end of the chain."""
    if connection.dialect.name == "postgresql":
        # On SQLite, who writes is alone anyway.
        connection.execute(_LOCK)
    last = connection.execute(
        select(table.c.number, table.c.digest).order_by(table.c.number.desc()).limit(1)
    ).one_or_none()
    number, before = (0, NOTHING) if last is None else (last.number, last.digest)
    words = text_of(asdict(line))
    connection.execute(
        table.insert().values(
            number=number + 1,
            at=line.at,
            server=line.server,
            line=words,
            digest=chained(before, number + 1, words),
        )
    )


def of_call(connection: Connection, call: Mapping[str, Any], outcome: str, at: float) -> Line:
    """The line of a call that a conversation made; `call` is its row, and this is how it ends now."""
    run_id, call_id = call["run_id"], call["call_id"]
    run = connection.execute(
        select(
            conversations.c.rule,
            conversations.c.playbook,
            conversations.c.event_id,
            payers.c.named,
        )
        .select_from(conversations.outerjoin(payers, payers.c.run_id == conversations.c.run_id))
        .where(conversations.c.run_id == run_id)
    ).one_or_none()
    consent = connection.execute(_consent(run_id, call_id)).one_or_none()
    sent_at = call["sent_at"]
    return Line(
        at=at,
        call_id=call_id,
        run_id=run_id,
        rule=None if run is None else run.rule,
        playbook=None if run is None else run.playbook,
        event_id=None if run is None else run.event_id,
        who="" if run is None else run.named or "",
        server=call["server"],
        tool=call["tool"],
        effect=call["effect"],
        arguments=digest_of(call["arguments"]),
        outcome=outcome,
        is_error=call["is_error"],
        sent=sent_at is not None,
        seconds=None if sent_at is None else round(at - sent_at, 3),
        approval=None if consent is None else consent.approval_id,
        person=None if consent is None else consent.person,
    )


def digest_of(arguments: str) -> str:
    """The name of exactly these arguments, given as JSON in any order."""
    ordered = json.dumps(json.loads(arguments), ensure_ascii=False, sort_keys=True)
    return sha256(ordered.encode()).hexdigest()


def text_of(line: Mapping[str, Any]) -> str:
    """A line as it is chained: the same line is the same text."""
    return json.dumps(line, ensure_ascii=False, sort_keys=True)


def chained(before: str, number: int, words: str) -> str:
    """The digest of a line after the one with the digest `before`."""
    return sha256(f"{before}\n{number}\n{words}".encode()).hexdigest()


def lines(
    connection: Connection, since: float | None = None, server: str | None = None
) -> list[Chained]:
    """The lines since then, of that server, in their order."""
    wanted = select(table.c.number, table.c.line, table.c.digest).order_by(table.c.number)
    wanted = wanted.where(table.c.line != FORGOTTEN)
    if since is not None:
        wanted = wanted.where(table.c.at >= since)
    if server is not None:
        wanted = wanted.where(table.c.server == server)
    rows = connection.execute(wanted)
    return [Chained(number=row.number, text=row.line, digest=row.digest) for row in rows]


def forget(connection: Connection, before: float, limit: int) -> int:
    """Forget lines of before then, the oldest first, up to the first that is younger; returns how many."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK)
    young = select(func.min(table.c.number)).where(table.c.at >= before, table.c.line != FORGOTTEN)
    end = connection.scalar(young)
    old = select(table.c.number).where(table.c.line != FORGOTTEN).order_by(table.c.number)
    numbers = list(
        connection.scalars(old.where(table.c.number < end if end else true()).limit(limit))
    )
    if numbers:
        connection.execute(delete(table).where(table.c.number < numbers[-1]))
        last = update(table).where(table.c.number == numbers[-1])
        connection.execute(last.values(line=FORGOTTEN, server=""))
    return len(numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What stands before the first line of a chain: the number and the digest of the last one that was forgotten."""

    number: int
    digest: str


BEGINNING: Final = Head(number=0, digest=NOTHING)
"""Before the first line of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a chain shows: how many lines, which is the last one (None where there is none), and what is wrong.

    `head` is what stands before the first; None where the chain is a part that begins anywhere.
    """

    lines: int
    last: Chained | None
    broken: tuple[str, ...]
    head: Head | None


def proof(connection: Connection) -> Proof:
    """The whole chain of the ledger, proved from its beginning, or from the last line that was forgotten."""
    wanted = select(table.c.number, table.c.line, table.c.digest).order_by(table.c.number)
    rows = connection.execution_options(yield_per=1_000).execute(wanted)
    chain = (Chained(number=row.number, text=row.line, digest=row.digest) for row in rows)
    first = next(chain, None)
    if first is None or first.text != FORGOTTEN:
        return proved(chain if first is None else itertools.chain((first,), chain))
    return proved(chain, Head(number=first.number, digest=first.digest))


def proved(chain: Iterable[Chained], head: Head | None = BEGINNING) -> Proof:
    """A chain, proved; `head` is None where it begins in the middle."""
    count, last = 0, None

    def counted() -> Iterator[Chained]:
        nonlocal count, last
        for last in chain:
            count += 1
            yield last

    wrong = tuple(broken(counted(), head))
    return Proof(lines=count, last=last, broken=wrong, head=head)


def broken(chain: Iterable[Chained], head: Head | None = BEGINNING) -> Iterator[str]:
    """Where a chain isn't what it was, in words; `head` is None where it begins in the middle."""
    expected: int | None = None if head is None else head.number + 1
    before = None if head is None else head.digest
    for one in chain:
        if expected is not None and one.number != expected:
            yield f"line {one.number} follows line {expected - 1}: lines are missing"
            before = None
        if before is not None and chained(before, one.number, one.text) != one.digest:
            yield f"line {one.number} isn't what was written, or the line before it isn't"
        expected, before = one.number + 1, one.digest


def _consent(run_id: str, call_id: str) -> Select[Any]:
    given = approvals.c.standing == Standing.APPROVED
    mine = (approvals.c.run_id == run_id) & (approvals.c.call_id == call_id)
    newest = approvals.c.number.desc()
    wanted = select(approvals.c.approval_id, approvals.c.person)
    return wanted.where(mine, given).order_by(newest).limit(1)
