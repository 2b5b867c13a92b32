"""Whatever is done to it, an inbox on a database says what the one in memory says."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from orchestrator.inbox.inbox import Action, DecisionState
from orchestrator.inbox.memory import MemoryInbox
from orchestrator.inbox.orders import Discard, Drain, Hold, Pausable, Retry
from orchestrator.inbox.sought import Sought, Stand
from orchestrator.inbox.tallies import Tallied, Tally
from tests.conformance.inboxes import IMPLEMENTATIONS, LEASE, NOW, arrival, decision

SMALL = st.integers(0, 4)
IDS = st.sampled_from([None, "d0", "d1", "d2", "d\0"])
NAMES = [f"e{n}" for n in range(12)]
CAUSES = [f"{name}/{n}" for name in NAMES for n in range(2)]
KNOWN = st.sampled_from(CAUSES)
PAUSABLE = st.sampled_from(
    [(Pausable.RULE, "triage"), (Pausable.SOURCE, "a"), (Pausable.SOURCE, "b")]
)
ORDERS = (
    st.none()
    | KNOWN.map(Retry)
    | KNOWN.map(lambda known: Discard(known, "no"))
    | PAUSABLE.map(lambda it: Hold(what=it[0], name=it[1], by="ann"))
    | PAUSABLE.map(lambda it: Drain(what=it[0], name=it[1]))
)


class Twins(RuleBasedStateMachine):
    """The same is asked of both; `other` is set by the test."""

    other = None

    def __init__(self):
        super().__init__()
        self.twin, self.now, self.rung, self.leases = MemoryInbox(), NOW, 0, []
        self.runner = asyncio.Runner()

    def teardown(self):
        self.runner.close()

    def both(self, name, *args, **kwargs):
        """The one answer of both, but for positions: databases may leave gaps."""
        said = [
            self.runner.run(getattr(inbox, name)(*args, **kwargs))
            for inbox in (self.twin, self.other)
        ]
        assert placeless(said[0]) == placeless(said[1])
        return said

    @rule(delivery_id=IDS, body=SMALL, source=st.sampled_from("ab"), dedupe=st.booleans())
    def keep(self, delivery_id, body, source, dedupe):
        name = f"e{self.rung}"
        self.rung += 1
        came = arrival(name, delivery_id, b"%d" % body, source=source, dedupe_body=dedupe)
        self.both("keep", [replace(came, received_at=self.now, keys=(f"k:{body}", f"k:{body}"))])

    @rule(seconds=st.integers(0, 40))
    def time_passes(self, seconds):
        self.now += timedelta(seconds=seconds)

    @rule(
        name=st.sampled_from(NAMES), lanes=st.lists(st.sampled_from(["x", "y", None]), max_size=2)
    )
    def decide(self, name, lanes):
        taken = [decision(f"{name}/{n}", name, lane=lane) for n, lane in enumerate(lanes)]
        self.both(
            "decide",
            name,
            taken or [decision(f"{name}/0", name, None, action=Action.IGNORE)],
            self.now,
        )

    @rule(name=st.sampled_from(NAMES), most=st.integers(1, 2), ago=st.integers(0, 40))
    def decide_under_a_limit(self, name, most, ago):
        tally = Tally(
            what=Tallied.ACTOR,
            bucket="ann",
            who="ann",
            said="so many",
            at=self.now - timedelta(seconds=ago),
            most=most,
            window=timedelta(seconds=30),
        )
        self.both("decide", name, [decision(f"{name}/0", name, "x", tallies=(tally,))], self.now)

    @rule(limit=SMALL)
    def hasten(self, limit):
        self.both("hasten", "triage", limit, self.now)

    @rule(name=st.sampled_from(NAMES), lane=st.sampled_from(["x", "y"]))
    def add(self, name, lane):
        if self.runner.run(self.twin.entry(name)) is not None:
            self.both("add", [decision(f"{name}/1", name, lane)], self.now)

    @rule(limit=SMALL, actions=st.sampled_from([None, *Action]))
    def claim(self, limit, actions):
        wanted = None if actions is None else {actions}
        self.leases += self.both("claim", self.now, LEASE, limit, wanted)[0]

    @rule(order=ORDERS)
    def word(self, order):
        name = f"w{self.rung}"
        self.rung += 1
        came = arrival(name, name, name.encode(), source="operator")
        self.both("keep", [replace(came, received_at=self.now)])
        word = decision(name, name, None, action=Action.CONTROL, state=DecisionState.SETTLED)
        self.both("decide", name, [word], self.now, order)

    @rule(name=st.sampled_from(NAMES), lane=st.sampled_from("xy"))
    def redeliver(self, name, lane):
        if self.runner.run(self.twin.entry(name)) is not None:
            word, self.rung = f"w{self.rung}", self.rung + 1
            self.both("keep", [arrival(word, word, word.encode(), source="operator")])
            anew = decision(f"{name}/{word}", name, lane, again=self.rung)
            self.both("decide", word, [anew], self.now)

    @rule(name=st.sampled_from(NAMES), lane=st.sampled_from("xy"), again=st.none() | st.just(7))
    def fold(self, name, lane, again):
        """A resume that outranks the start of the same run."""
        mine = {"workflow_id": lane, "again": again}
        wake = decision(f"{name}/0", name, lane, action=Action.RESUME, **mine)
        start = decision(f"{name}/1", name, lane, state=DecisionState.FOLDED, **mine)
        self.both("decide", name, [wake, start], self.now)

    @rule(name=st.sampled_from(NAMES), lane=st.sampled_from("xy"), again=st.none() | st.just(7))
    def unfold(self, name, lane, again):
        self.both("unfold", name, lane, again)

    @rule(known=st.data(), how=st.sampled_from(["settle", "release", "hold", "bury"]))
    def end(self, known, how):
        if self.leases:
            lease = known.draw(st.sampled_from(self.leases))
            self.end_one(how, lease.decision.id, lease.fence)

    def end_one(self, how, known, fence):
        match how:
            case "settle":
                self.both("settle", known, fence, self.now)
            case "release":
                self.both("release", known, fence, self.now + LEASE / 2, "later", count=True)
            case "hold":
                note = "held: 5 runs of triage are open"
                self.both("release", known, fence, self.now + LEASE, note, count=False)
            case "bury":
                self.both("bury", known, fence, "no")

    @rule(known=st.lists(KNOWN, max_size=3))
    def close(self, known):
        self.both("close", known)

    @rule(known=KNOWN)
    def reopen(self, known):
        self.both("reopen", known)

    @rule(source=st.sampled_from("ab"), names=st.lists(st.sampled_from(NAMES), max_size=3))
    def prune(self, source, names):
        self.both("prunable", source, self.now, 5)
        self.both("prune", names)
        self.both("forget", self.now - timedelta(seconds=60), 1)

    @rule(text=st.sampled_from(["e", "e1", "d", "d\0", ""]), key=SMALL, lane=st.sampled_from("xy"))
    def look(self, text, key, lane):
        for name in ("waiting", "sources", "pauses", "undelivered"):
            self.both(name)
        self.both("dead", 3)
        for stand in Stand:
            self.both("entries", 5, Sought(state=stand))
        self.both("find", text)
        self.both("entries", 5)
        self.both("undecided", 5)
        self.both("decisions", NAMES)
        self.both("ahead", CAUSES)
        self.both("look_back", "*/issues.*", f"k:{key}", 0, 5)
        self.both("delivered", self.now, 5)
        self.both("unread", lane)
        self.both("backlog", "a")


def placeless(said):
    if isinstance(said, list):
        return [placeless(one) for one in said]
    return replace(said, position=0) if hasattr(said, "position") else said


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_database_and_the_twin_in_memory_say_the_same(kind, tmp_path_factory, postgres):
    class Pair(Twins):
        def __init__(self):
            super().__init__()
            self.opened = IMPLEMENTATIONS[kind](tmp_path_factory.mktemp("twin"), postgres)
            self.other = self.opened.__enter__()

        def teardown(self):
            super().teardown()
            self.opened.__exit__(None, None, None)

    asked = settings(
        max_examples=12,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Pair, settings=asked)
