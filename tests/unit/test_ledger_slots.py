"""Slots on both databases: whatever starts, waits, ends or dies, no more starts are let in than there may be."""

import asyncio
from contextlib import contextmanager

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete

from orchestrator.database import Database, sqlite_url
from orchestrator.ledger import claims, conversations, migrations, schema, slots
from orchestrator.ledger.slots import Wish
from tests.support.builders import AT, opening
from workflows.messages import Claim, Outcome, RunState

MOST = 2
WORKFLOWS = st.sampled_from("abcd")


def wish(decision_id, workflow_id="a", **changes):
    values = {"rule": "triage", "most": MOST, "workflow_id": workflow_id}
    return Wish(decision_id=decision_id, event_id=f"of-{decision_id}", **values | changes)


class Slots(RuleBasedStateMachine):
    """A dispatcher, workers and a reconciler over one ledger; `connection` is set by the test."""

    connection = None

    def __init__(self):
        super().__init__()
        self.number = 0
        self.mail = {name: [] for name in "abcd"}
        self.open = {}
        self.held = {}
        self.resumed = set()
        for table in (schema.slots, schema.admitted, schema.claims):
            self.connection.execute(delete(table))
        for table in (schema.conversations, schema.conversation_events):
            self.connection.execute(delete(table))

    @rule(workflow=WORKFLOWS, last=st.booleans())
    def start(self, workflow, last):
        self.number += 1
        name = f"d{self.number}"
        if slots.admit(self.connection, [wish(name, workflow, last=last)], AT):
            self.mail[workflow].append(name)

    @rule(workflow=WORKFLOWS)
    def lost_on_the_way(self, workflow):
        """It was let in, and is buried before it arrives."""
        if self.mail[workflow][workflow in self.held :]:
            slots.withdraw(self.connection, self.mail[workflow].pop(), AT)

    @rule(workflow=WORKFLOWS, opens=st.booleans())
    def take(self, workflow, opens):
        """A run takes what is first in its mailbox: into its conversation, or a new one, or it ignores it."""
        if not self.mail[workflow]:
            return
        name = self.mail[workflow].pop(0)
        how = Claim.CONSUMED if opens else Claim.LATE
        claims.claim(self.connection, name, "token", how, workflow, AT)
        slots.settle(self.connection, workflow, AT)
        if opens and workflow not in self.open:
            begun = opening(name, workflow_id=workflow, event_id=f"of-{name}")
            if not slots.enter(self.connection, wish(name, workflow), AT):
                # It asks again, and nothing else of its mailbox is read before.
                self.held[workflow] = name
                conversations.begin(self.connection, begun, AT, "no slot is free")
                self.mail[workflow].insert(0, name)
                return
            self.held.pop(workflow, None)
            self.open[workflow] = conversations.begin(self.connection, begun, AT).run_id
        elif opens:
            conversations.hear(
                self.connection, self.open[workflow], f"of-{name}", 1, "handed in", AT
            )

    @rule(workflow=WORKFLOWS, state=st.sampled_from([RunState.WAITING, RunState.PARKED]))
    def rest(self, workflow, state):
        self.record(workflow, state)

    @rule(workflow=WORKFLOWS)
    def go_on(self, workflow):
        if workflow in self.open and not self.holds(workflow):
            self.resumed.add(workflow)
        self.record(workflow, RunState.RUNNING)

    @rule(workflow=WORKFLOWS)
    def call_off(self, workflow):
        """A person cancels a run that waits for its slot."""
        name = self.held.pop(workflow, None)
        if name is not None:
            self.mail[workflow].remove(name)
            found = conversations.by_decision(self.connection, name)
            conversations.record(
                self.connection, found.run_id, RunState.ENDED, "", Outcome.CANCELLED, AT
            )

    @rule(workflow=WORKFLOWS)
    def end(self, workflow):
        self.record(workflow, RunState.ENDED, Outcome.COMPLETED)
        self.open.pop(workflow, None)

    @rule(workflow=WORKFLOWS)
    @precondition(lambda self: self.number)
    def reconcile(self, workflow):
        slots.settle(self.connection, workflow, AT)

    def record(self, workflow, state, outcome=None):
        if workflow in self.open:
            conversations.record(self.connection, self.open[workflow], state, "so", outcome, AT)

    def holders(self):
        return {holder.workflow_id for holder in slots.holders(self.connection)}

    def holds(self, workflow):
        return workflow in self.holders()

    @invariant()
    def no_more_are_in_than_may_be_but_for_those_that_went_on(self):
        self.resumed &= self.holders()
        assert len(self.holders() - self.resumed) <= MOST

    @invariant()
    def whoever_runs_holds_a_slot_and_nobody_who_neither_runs_nor_is_about_to(self):
        for workflow, mail in self.mail.items():
            run_id = self.open.get(workflow)
            state = None if run_id is None else conversations.one(self.connection, run_id).state
            busy = state is RunState.RUNNING or (run_id is None and bool(mail))
            assert self.holds(workflow) or state is not RunState.RUNNING
            assert busy or not self.holds(workflow)


@contextmanager
def connected(url):
    database = Database.open(url, migrations.MIGRATIONS)
    try:
        with database.engine.begin() as connection:
            yield connection
    finally:
        database.close()


def machine_on(connection, examples):
    class Connected(Slots):
        pass

    Connected.connection = connection
    run_state_machine_as_test(
        Connected, settings=settings(max_examples=examples, stateful_step_count=30, deadline=None)
    )


def test_whatever_happens_no_more_runs_are_let_in_than_may_be(tmp_path):
    with connected(sqlite_url(tmp_path / "ledger.db")) as connection:
        machine_on(connection, 60)


def test_whatever_happens_no_more_runs_are_let_in_on_postgres(postgres):
    with postgres.database() as url, connected(url) as connection:
        machine_on(connection, 20)


@pytest.fixture
def ledger(tmp_path):
    with connected(sqlite_url(tmp_path / "ledger.db")) as connection:
        yield connection


def test_starts_are_let_in_in_the_order_they_are_asked_for(ledger):
    wishes = [wish(f"d{n}", f"w{n}") for n in range(4)]

    assert slots.admit(ledger, wishes, AT) == {"d0", "d1"}
    assert slots.free(ledger, {"triage": MOST, "other": 3}) == {"other": 3}


def test_what_is_queued_behind_a_run_that_ended_asks_for_a_slot_as_everybody_does(ledger):
    begun = let_in_and_begun(ledger, "d1", "a")
    slots.admit(ledger, [wish("d2", "a")], AT)
    conversations.record(ledger, begun.run_id, RunState.ENDED, "", Outcome.COMPLETED, AT)
    assert slots.holders(ledger) == []
    assert slots.admit(ledger, [wish("d3", "b"), wish("d4", "c")], AT) == {"d3", "d4"}

    assert not slots.enter(ledger, wish("d2", "a"), AT)
    slots.withdraw(ledger, "d4", AT)
    assert slots.enter(ledger, wish("d2", "a"), AT)
    assert slots.enter(ledger, wish("d2", "a"), AT)


def test_whoever_asks_for_a_slot_is_not_overtaken_by_starts_that_were_decided_later(ledger):
    begun = let_in_and_begun(ledger, "d1", "a")
    slots.admit(ledger, [wish("d2", "a"), wish("d3", "b")], AT)
    conversations.record(ledger, begun.run_id, RunState.ENDED, "", Outcome.COMPLETED, AT)
    claims.claim(ledger, "d2", "token", Claim.CONSUMED, "a", AT)

    assert slots.admit(ledger, [wish("d4", "c", since=AT + 1)], AT + 2) == set()
    assert slots.admit(ledger, [wish("d4", "c", since=AT + 1)], AT + 7_200) == {"d4"}
    slots.withdraw(ledger, "d4", AT)
    assert slots.admit(ledger, [wish("d5", "d", since=AT - 1)], AT + 2) == {"d5"}


def test_a_run_that_waits_for_its_slot_holds_none_is_not_overtaken_and_may_be_called_off(ledger):
    begun = let_in_and_begun(ledger, "d1", "a")
    slots.admit(ledger, [wish("d2", "a"), wish("d3", "b")], AT)
    conversations.record(ledger, begun.run_id, RunState.ENDED, "", Outcome.COMPLETED, AT)
    claims.claim(ledger, "d2", "token", Claim.CONSUMED, "a", AT)
    held = conversations.begin(ledger, opening("d2", workflow_id="a"), AT, "no slot is free")

    assert conversations.is_held(held)
    assert [one.workflow_id for one in slots.holders(ledger)] == ["b"]
    assert slots.admit(ledger, [wish("d4", "c", since=AT + 1)], AT + 2) == set()
    assert slots.admit(ledger, [wish("d5", "d", since=AT - 1)], AT + 2) == {"d5"}
    slots.withdraw(ledger, "d5", AT + 2)

    conversations.record(ledger, held.run_id, RunState.ENDED, "", Outcome.CANCELLED, AT + 2)
    assert slots.admit(ledger, [wish("d4", "c", since=AT + 1)], AT + 2) == {"d4"}


def test_a_run_that_waited_for_its_slot_begins_as_the_same_run(ledger):
    let_in_and_begun(ledger, "d1", "a")
    asked = opening("d2", workflow_id="b")
    held = conversations.begin(ledger, asked, AT, "no slot is free")
    again = conversations.begin(ledger, asked, AT + 1, "no slot is free")
    assert slots.enter(ledger, wish("d2", "b"), AT + 2)
    begun = conversations.begin(ledger, asked, AT + 2)

    assert again == held
    assert (begun.run_id, begun.state) == (held.run_id, RunState.RUNNING)
    assert (held.opened_at, begun.opened_at) == (AT, AT + 2)
    assert {one.workflow_id for one in slots.holders(ledger)} == {"a", "b"}


def test_a_run_that_just_gave_its_slot_back_leaves_it_to_those_that_are_held(ledger):
    begun = let_in_and_begun(ledger, "d1", "a")
    slots.admit(ledger, [wish("d2", "a")], AT)
    conversations.record(ledger, begun.run_id, RunState.ENDED, "", Outcome.COMPLETED, AT)

    assert not slots.enter(ledger, wish("d2", "a", last=True), AT + 1)
    assert slots.enter(ledger, wish("d2", "a", last=True), AT + 2)


def let_in_and_begun(ledger, name, workflow):
    slots.admit(ledger, [wish(name, workflow)], AT)
    claims.claim(ledger, name, "token", Claim.CONSUMED, workflow, AT)
    return conversations.begin(ledger, opening(name, workflow_id=workflow), AT)


def test_asked_again_a_start_that_was_let_in_still_is(ledger):
    for _ in range(3):
        assert slots.admit(ledger, [wish("d1")], AT) == {"d1"}

    assert len(slots.holders(ledger)) == 1


def test_a_gone_run_leaves_its_slot_unless_something_is_on_its_way(ledger):
    slots.admit(ledger, [wish("d1"), wish("d2", "b")], AT)
    claims.claim(ledger, "d1", "token", Claim.CONSUMED, "a", AT)
    conversations.begin(ledger, opening("d1", workflow_id="a"), AT)

    assert slots.vacate(ledger, "a")
    assert not slots.vacate(ledger, "b")
    assert [holder.workflow_id for holder in slots.holders(ledger)] == ["b"]
    assert not slots.vacate(ledger, "nobody")


def test_slots_that_are_taken_are_counted_for_each_rule(ledger):
    assert slots.taken(ledger) == {}
    slots.admit(ledger, [wish(f"d{n}", f"w{n}") for n in range(4)], AT)

    assert slots.taken(ledger) == {"triage": MOST}


def test_a_run_of_a_rule_without_a_limit_takes_no_slot(ledger):
    begun = conversations.begin(ledger, opening("d1", workflow_id="a"), AT)
    conversations.record(ledger, begun.run_id, RunState.RUNNING, "", None, AT)

    assert slots.holders(ledger) == []


async def test_dispatchers_that_ask_at_the_same_instant_get_no_more(postgres):
    with postgres.database() as url:
        ledgers = [Database.open(url, migrations.MIGRATIONS) for _ in range(3)]
        inside = await asyncio.gather(
            *(
                ledger.write(slots.admit, [wish(f"{n}.{place}", f"w{n}.{place}")], AT)
                for n in range(8)
                for place, ledger in enumerate(ledgers)
            )
        )
        held = await ledgers[0].read(slots.holders)
        for ledger in ledgers:
            ledger.close()

    assert len(held) == MOST
    assert sum(map(len, inside)) == MOST
