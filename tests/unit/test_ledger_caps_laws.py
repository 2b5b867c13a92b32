"""R5 as a law: in whatever order things happen, settled + reserved + assumed stays within every cap; books agree."""

from decimal import Decimal

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

from orchestrator.ledger import reservations, turns
from orchestrator.ledger.caps import Account, Scope
from orchestrator.ledger.reservations import Wish
from orchestrator.rules.caps import Cap
from tests.support.builders import AT, ledger_at
from tests.support.purses import books, cost

pytestmark = pytest.mark.timeout(240)

DAYS = ("2026-11-21", "2026-11-22")
RUNS = ("a.1", "b.1", "c.1")
LIMITS = {
    Scope.RULE: Cap(usd=Decimal(1), tokens=900),
    Scope.ACTOR: Cap(tokens=700),
    Scope.INSTALLATION: Cap(usd=Decimal("1.30")),
}
CENTS = st.integers(0, 60)


class Caps(RuleBasedStateMachine):
    """Runs that reserve, settle, are lost, end and come back after all."""

    def __init__(self, connection):
        super().__init__()
        # One transaction that is rolled back: the law is about rows, and the disk has tests of its own.
        self.connection = connection
        connection.rollback()
        self.made = {}
        self.at = AT

    def write(self, fn, *args):
        return fn(self.connection, *args)

    @rule(
        run=st.sampled_from(RUNS),
        turn=st.integers(1, 2),
        attempt=st.integers(1, 3),
        cents=st.one_of(st.none(), CENTS),
        tokens=st.integers(0, 400),
        day=st.sampled_from(DAYS),
    )
    def begin(self, run, turn, attempt, cents, tokens, day):
        estimate = cost(None if cents is None else str(Decimal(cents) / 100), tokens)
        held = [
            (Account(scope=scope, rule=scope.value, day=day, zone="UTC"), cap)
            for scope, cap in LIMITS.items()
        ]
        self.at += 1
        wished = Wish(
            run_id=run, turn=turn, attempt=attempt, estimate=estimate, caps=held, since=10**10
        )
        number = self.write(reservations.begin, wished, self.at)
        if number is not None:
            assert (run, turn, number) not in self.made
            self.made[run, turn, number] = (cents, tokens)

    @precondition(lambda self: self.made)
    @rule(
        data=st.data(),
        share=st.floats(0, 1),
        state=st.sampled_from(["settled", "assumed", "failed"]),
    )
    def settle(self, data, share, state):
        which = data.draw(st.sampled_from(sorted(self.made)))
        cents, tokens = self.made[which]
        used = None if cents is None else f"{Decimal(cents) * Decimal(share) / 100:.6f}"
        charge = cost("0", 0) if state == "failed" else cost(used, int(tokens * share))
        self.write(reservations.settle, *which, charge, state)
        if state != "assumed":
            del self.made[which]

    @rule(run=st.sampled_from(RUNS))
    def end(self, run):
        self.write(reservations.assume_run, run)

    @rule(age=st.integers(0, 5))
    def expire(self, age):
        self.write(reservations.expire, self.at - age)

    @invariant()
    def no_cap_is_passed(self):
        for key, values in self.write(books).items():
            cap = LIMITS[Scope(key[0])]
            usd = sum(value for name, value in values.items() if name.startswith("usd"))
            tokens = sum(value for name, value in values.items() if name.startswith("tokens"))
            assert min(values.values()) >= 0
            assert cap.usd is None or usd <= cap.usd * 10**9
            assert cap.tokens is None or tokens <= cap.tokens

    @invariant()
    def nothing_that_was_paid_is_forgotten(self):
        spent = sum(self.write(turns.spent, run).tokens for run in RUNS)
        found = self.write(books)
        counted = sum(
            value
            for key, values in found.items()
            if key[0] == Scope.INSTALLATION
            for name, value in values.items()
            if name.startswith("tokens")
        )
        assert counted == spent


def test_r5_no_cap_is_ever_passed_and_the_books_agree(tmp_path):
    with ledger_at(tmp_path) as ledger, ledger.engine.connect() as connection:
        run_state_machine_as_test(
            lambda: Caps(connection), settings=settings(max_examples=40, stateful_step_count=20)
        )
