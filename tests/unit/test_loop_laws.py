"""The agent loop under a driver that answers anything: promises A3 and A8, whatever model and world do."""

from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import temporal
from tests.support.builders import spent, tool_call
from tests.support.looping import BUDGET, COMMENT, LABEL, READ, TOOLS, acted, ended, loop, says
from workflows.carried import Carried
from workflows.loop import Act, AskModel, End, Loop, Stay, TakeLeave
from workflows.messages import CallState, Entry, Kind, Outcome, Reply, Spent, Stop
from workflows.own_tools import WAIT
from workflows.playbook import Stage
from workflows.policy import Refuse, Send, WaitFor

CONVERTER = temporal.CONVERTER.payload_converter


def carried_over(value):
    """The value after a journey through Temporal's history."""
    (payload,) = CONVERTER.to_payloads([value])
    return CONVERTER.from_payloads([payload], [type(value)])[0]


CALLS = st.lists(
    st.tuples(
        st.sampled_from([READ.alias, LABEL.alias, COMMENT.alias, WAIT, "github__erase"]),
        st.sampled_from([True, True, True, False]),
    ),
    min_size=1,
    max_size=4,
)
REPLIES = st.one_of(
    st.tuples(st.just(Stop.TOOL_USE), CALLS),
    st.tuples(st.just(Stop.TOOL_USE), CALLS),
    st.tuples(st.sampled_from(Stop), st.one_of(st.just([]), CALLS)),
)


@dataclass
class World:
    """Answers every step with what Hypothesis draws, and remembers what it saw."""

    subject: Loop
    data: st.DataObject
    left: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    ended: list[tuple[object, CallState]] = field(default_factory=list)
    nudges: int = 0

    def step(self):
        """One step of the run; False when it is over."""
        self.subject = Loop(carried_over(self.subject.state))
        if self.data.draw(st.integers(0, 9)) == 0:
            self.subject.noted()
        step = self.subject.next()
        assert step == self.subject.next()
        match step:
            case AskModel(turn, None):
                self._reply(turn)
            case AskModel():
                assert self.nudges == 0
                self.nudges = 1
                self.subject.noted(nudge=True)
            case TakeLeave() as leave:
                self._take_leave(leave)
            case Act(verdicts):
                self._carry_out(verdicts)
            case Stay():
                return self._stay()
            case End():
                self._end(step)
                return False
        return True

    def _reply(self, turn):
        state = self.subject.state
        assert turn == state.turn + 1
        assert state.worked < state.budget.turns
        assert state.spent.usd < state.budget.usd
        assert state.spent.tokens < state.budget.tokens
        stop, asked = self.data.draw(REPLIES)
        if stop is Stop.TOOL_USE and not asked:
            stop = Stop.OTHER  # what `asking` makes of it
        calls = tuple(
            tool_call(alias, f"c{turn}.{at}", usable=usable)
            for at, (alias, usable) in enumerate(asked)
        )
        cost = Decimal(self.data.draw(st.integers(0, 4))) / 100
        tokens = state.spent.tokens + self.data.draw(st.integers(0, 400))
        used = Spent(usd=state.spent.usd + cost, input_tokens=tokens)
        self.subject.receive(Reply(turn=turn, stop=stop, calls=calls, spent=used))

    def _stay(self):
        if not self.data.draw(st.booleans()):
            return False
        self.nudges = 0
        self.subject.resumed(replace(BUDGET, usd=Decimal(1), tokens=9000, turns=12))
        return True

    def _take_leave(self, leave):
        state = self.subject.state
        assert leave.turn == state.turn + 1
        assert state.worked == state.budget.turns
        assert state.stop is Stop.TOOL_USE
        assert isinstance(leave.instead, Stay)
        over = self.data.draw(st.booleans())
        said = {"stop": Stop.OVER_BUDGET} if over else {"stop": Stop.END_TURN, "stays": True}
        self.subject.receive(Reply(turn=leave.turn, spent=state.spent, refusal=leave.words, **said))
        assert isinstance(self.subject.next(), Stay)
        assert self.subject.state.worked == state.worked

    def _carry_out(self, verdicts):
        asked = [call.call_id for call in self.subject.state.calls]
        assert [verdict.call.call_id for verdict in verdicts] == asked
        assert sum(isinstance(verdict, WaitFor) for verdict in verdicts) <= 1
        self.answered.update(asked)
        states = st.sampled_from(
            [
                CallState.DONE,
                CallState.DONE,
                CallState.FAILED,
                CallState.UNKNOWN,
                CallState.REFUSED,
            ]
        )
        outcomes = [ended(verdict, self.data.draw(states)) for verdict in verdicts]
        for verdict, outcome in zip(verdicts, outcomes, strict=True):
            self.ended.append((verdict, outcome.state))
            if isinstance(verdict, Send):
                assert verdict.card in TOOLS
                self.left[verdict.card.alias] += outcome.state is not CallState.REFUSED
        self.subject.answered(tuple(outcomes))
        assert self.subject.state.calls == ()

    def _end(self, end):
        unknown = any(state is CallState.UNKNOWN for _, state in self.ended)
        newest = {
            verdict.card.alias: state
            for verdict, state in self.ended
            if isinstance(verdict, Send) and verdict.card != READ
        }
        unwritten = {CallState.FAILED, CallState.REFUSED} & set(newest.values())
        denied = any(isinstance(verdict, Refuse) and verdict.denied for verdict, _ in self.ended)
        if unknown or unwritten or end.reason:
            assert end.outcome is Outcome.NEEDS_ATTENTION
        else:
            expected = Outcome.COMPLETED_WITH_DENIALS if denied else Outcome.COMPLETED
            assert end.outcome is expected


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(Stage))
def test_a3_whatever_comes_limits_hold_and_every_call_is_answered_once(data, stage):
    world = World(loop(stage=stage), data)
    for _ in range(60):
        if not world.step():
            break

    assert set(world.answered.values()) <= {1}
    assert world.subject.state.tool_calls <= BUDGET.tool_calls
    for found in (LABEL, COMMENT):
        assert world.left[found.alias] <= (found.max if stage is Stage.LIVE else 0)


def test_all_that_is_carried_over_comes_back_as_it_was():
    subject = loop()
    acted(subject, COMMENT.alias, COMMENT.alias, READ.alias, state=CallState.FAILED)
    assert subject.state.unwritten == (COMMENT.alias,)
    subject.receive(says(2, LABEL.alias, used=spent("0.0123456789", 77)))
    entry = Entry(decision_id="dec_1", kind=Kind.WOKEN, event_id="evt_1", wait_id="w", token="t")
    carried = Carried(mailbox=(entry,), conversation=subject.state)

    assert carried_over(carried) == carried
    assert carried_over(Carried()) == Carried()
