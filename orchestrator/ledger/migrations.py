"""The ledger's numbered migrations, each from the shape before it; it knows no query."""

from typing import Any

from sqlalchemy import Column, Connection, inspect, text

from orchestrator.ledger.audit import table as audit
from orchestrator.ledger.handles import table as handles
from orchestrator.ledger.inputs import inputs, rounds
from orchestrator.ledger.notices import table as notices
from orchestrator.ledger.schema import (
    LEDGER,
    accounts,
    admitted,
    approval_words,
    approvals,
    causes,
    clearings,
    configurations,
    conversations,
    garbage,
    installation,
    losses,
    model_pauses,
    notes,
    outages,
    own_actors,
    payers,
    quarantines,
    reservations,
    shortfalls,
    slots,
    subject_writes,
    turns,
    waits,
)
from orchestrator.ledger.standings import table as standings
from orchestrator.ledger.standstills import table as standstills


def m001_ledger(connection: Connection) -> None:
    """A new ledger, in the shape of today; what follows brings an older one there, and leaves this one alone."""
    LEDGER.create_all(connection)


def m002_ledger_notes(connection: Connection) -> None:
    """Say whose a note is."""
    _add(connection, notes.c.event_id)


def m003_ledger_money(connection: Connection) -> None:
    """Keep what was spent of every cap, and who waits for money."""
    LEDGER.create_all(connection, tables=[payers, accounts, reservations, shortfalls])


def m004_ledger_slots(connection: Connection) -> None:
    """Keep who may run at once, and what was let in for them."""
    LEDGER.create_all(connection, tables=[slots, admitted])


def m005_ledger_causes(connection: Connection) -> None:
    """Keep what led to what, who wrote how often on one subject, and as whom we write."""
    LEDGER.create_all(connection, tables=[causes, subject_writes, own_actors])


def m006_ledger_configurations(connection: Connection) -> None:
    """Keep which configuration came into force when."""
    LEDGER.create_all(connection, tables=[configurations])


def m007_ledger_model(connection: Connection) -> None:
    """Keep what was cleared of long conversations, and how the model's provider fares."""
    LEDGER.create_all(connection, tables=[clearings, model_pauses, outages])
    _add(connection, turns.c.details)


def m008_ledger_approvals(connection: Connection) -> None:
    """Keep what people are asked, and what they say to it."""
    LEDGER.create_all(connection, tables=[approvals, approval_words])


def m009_ledger_callbacks(connection: Connection) -> None:
    """Keep on what condition an event ends a wait, and when the wait ended."""
    _add(connection, waits.c.cel)
    _add(connection, waits.c.ended_at)


def m010_ledger_quarantines(connection: Connection) -> None:
    """Keep which tools were no longer what they had been."""
    LEDGER.create_all(connection, tables=[quarantines])


def m011_ledger_upkeep(connection: Connection) -> None:
    """Keep which Temporal the runs live on, which of them were lost, and what is pruned or will be."""
    LEDGER.create_all(connection, tables=[installation, losses, garbage])
    _add(connection, conversations.c.pruned_at)


def m012_ledger_model_pauses(connection: Connection) -> None:
    """Keep the model's pauses under a name of their own; the inbox's are called so too."""
    LEDGER.create_all(connection, tables=[model_pauses])


def m013_ledger_notices(connection: Connection) -> None:
    """Keep what people were told of runs, and what became of it."""
    LEDGER.create_all(connection, tables=[notices])


def m014_ledger_hands(connection: Connection) -> None:
    """Keep how servers fare, and every call that was made, in a chain."""
    LEDGER.create_all(connection, tables=[standings, audit])


def m015_ledger_handles(connection: Connection) -> None:
    """Keep which calls their servers answer later."""
    LEDGER.create_all(connection, tables=[handles])


def m016_ledger_inputs(connection: Connection) -> None:
    """Keep what servers want of people in the middle of a call."""
    LEDGER.create_all(connection, tables=[inputs, rounds])


def m017_ledger_standstills(connection: Connection) -> None:
    """Keep which turns and calls a pause holds up."""
    LEDGER.create_all(connection, tables=[standstills])


MIGRATIONS = (
    m001_ledger,
    m002_ledger_notes,
    m003_ledger_money,
    m004_ledger_slots,
    m005_ledger_causes,
    m006_ledger_configurations,
    m007_ledger_model,
    m008_ledger_approvals,
    m009_ledger_callbacks,
    m010_ledger_quarantines,
    m011_ledger_upkeep,
    m012_ledger_model_pauses,
    m013_ledger_notices,
    m014_ledger_hands,
    m015_ledger_handles,
    m016_ledger_inputs,
    m017_ledger_standstills,
)


def _add(connection: Connection, column: Column[Any]) -> None:
    table = column.table.name
    if column.name not in {found["name"] for found in inspect(connection).get_columns(table)}:
        kind = column.type.compile(connection.dialect)
        connection.execute(text(f"ALTER TABLE {table} ADD COLUMN {column.name} {kind}"))
