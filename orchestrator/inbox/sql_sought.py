"""The statement that finds entries as people look for them; it knows globs in the words of each database."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select

from orchestrator.inbox.inbox import DecisionState
from orchestrator.inbox.orders import Pausable
from orchestrator.inbox.schema import DECISIONS, ENTRIES, PAUSES
from orchestrator.inbox.sought import HELD, Sought, Stand

_GLOB: Final = str.maketrans({"[": "[[]"})
_LIKE: Final = str.maketrans({"%": r"\%", "_": r"\_", "\\": r"\\", "*": "%", "?": "_"})
_READY: Final = DECISIONS.c.state == DecisionState.READY


def narrowed(statement: Select[Any], sought: Sought, dialect: str) -> Select[Any]:
    """The statement about entries, with what is asked of them."""
    asked: list[ColumnElement[bool]] = [ENTRIES.c.position > sought.after] if sought.after else []
    if sought.before is not None:
        asked.append(ENTRIES.c.position < sought.before)
    if sought.source is not None:
        asked.append(ENTRIES.c.source == sought.source)
    if sought.type is not None:
        asked.append(_like(ENTRIES.c.type, sought.type, dialect))
    if sought.since is not None:
        asked.append(ENTRIES.c.received_at >= sought.since)
    if sought.until is not None:
        asked.append(ENTRIES.c.received_at < sought.until)
    if sought.state is not None:
        asked.append(_stands(sought.state))
    return statement.where(*asked)


def _stands(stand: Stand) -> ColumnElement[bool]:
    match stand:
        case Stand.WAITING:
            return _decided(_READY)
        case Stand.HELD:
            return _decided(and_(_READY, or_(DECISIONS.c.note.startswith(HELD), _paused())))
        case Stand.DEAD:
            return _decided(DECISIONS.c.state == DecisionState.DEAD)
        case Stand.RECEIVED | Stand.DECIDED | Stand.QUARANTINED | Stand.PRUNED:
            return ENTRIES.c.state == stand.value


def _decided(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    # As a list, so that the few that are open or dead are looked at instead of every entry there is.
    return ENTRIES.c.id.in_(select(DECISIONS.c.event_id).where(condition))


def _paused() -> ColumnElement[bool]:
    rung = ENTRIES.alias("rung")
    rule = exists().where(
        PAUSES.c.paused, PAUSES.c.what == Pausable.RULE, PAUSES.c.name == DECISIONS.c.rule
    )
    source = exists().where(
        PAUSES.c.paused,
        PAUSES.c.what == Pausable.SOURCE,
        PAUSES.c.name == rung.c.source,
        rung.c.id == DECISIONS.c.event_id,
    )
    return or_(rule, source)


def _like(column: ColumnElement[Any], pattern: str, dialect: str) -> ColumnElement[bool]:
    # SQLite's LIKE folds case, Postgres has no GLOB.
    if dialect == "sqlite":
        return column.op("GLOB", is_comparison=True)(pattern.translate(_GLOB))
    return column.like(pattern.translate(_LIKE), escape="\\")
