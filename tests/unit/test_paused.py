"""Design, mechanics 14: while its rule or source is paused a run begins no turn and no call, and loses nothing."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from orchestrator.agent import counting
from orchestrator.agent.calling import once
from orchestrator.agent.calling.paused import call_may_begin
from orchestrator.agent.calling.revoked import Held
from orchestrator.agent.hands.definitions import Answered
from orchestrator.inbox.orders import Pausable, Pause
from orchestrator.ledger import calls, conversations, shortfalls, standstills, turns
from orchestrator.ledger.shortfalls import Need
from orchestrator.telemetry.words import Parked
from tests.support.asking import talk
from tests.support.builders import AT, NOW, frozen, intent, tool
from tests.support.scripts import says
from workflows.messages import CallRequest, CallState, Record, RunState

RULE = Pause(what=Pausable.RULE, name="triage", by="ann", at=NOW)
SOURCE = Pause(what=Pausable.SOURCE, name="github", by="ann", at=NOW)
OTHERS = [
    Pause(what=Pausable.RULE, name="other", by="ann", at=NOW),
    Pause(what=Pausable.SOURCE, name="stripe", by="ann", at=NOW),
]
PIN = frozen(tool(), max_tokens=500)
WORDS = "rule 'triage' is paused; after `doorbell rules unpause triage` this goes on by itself"


@dataclass
class Switch:
    """What people hold now."""

    now: list[Pause] = field(default_factory=list)

    async def __call__(self):
        return self.now


@dataclass
class Hands:
    """Executes every call."""

    executed: list[Any] = field(default_factory=list)

    async def call(self, server, name, arguments, **rest):
        assert (server, name) == ("github", "comment")
        if await rest["before_send"]():
            self.executed.append(dict(arguments))
        text = {"type": "text", "text": "fine"}
        return Answered(content=(text,), is_error=False, full=b"", full_media_type="")


async def held(subject, act):
    return await subject.ledger.read(standstills.holds, subject.run_id, act)


async def intended(subject, call_id="1.0"):
    await subject.ledger.write(calls.intend, subject.run_id, 1, intent(call_id), AT)
    return CallRequest(run_id=subject.run_id, call_id=call_id)


@pytest.mark.parametrize(("pause", "words"), [(RULE, WORDS), (SOURCE, "unpause source:github`")])
async def test_no_model_is_asked_while_the_rule_or_the_source_is_paused(tmp_path, pause, words):
    switch = Switch([*OTHERS, pause])
    async with talk(tmp_path, PIN, says(), pauses=switch) as subject:
        with pytest.raises(Held) as refused:
            await subject.ask()
        assert (subject.script.asked, await held(subject, "turn 1")) == ([], True)
        switch.now = OTHERS
        await subject.ask()
        assert (len(subject.script.asked), await held(subject, "turn 1")) == (1, False)

    assert words in str(refused.value)


async def test_a_reply_that_was_paid_is_not_held(tmp_path):
    switch = Switch()
    async with talk(tmp_path, PIN, says(), pauses=switch) as subject:
        first = await subject.ask()
        switch.now = [RULE]
        assert await subject.ask() == first

    assert len(subject.script.asked) == 1


async def test_a_turn_that_is_held_reserves_no_money(tmp_path):
    async with talk(tmp_path, PIN, says(), pauses=Switch([RULE])) as subject:
        with pytest.raises(Held):
            await subject.ask()
        assert (await subject.ledger.read(turns.spent, subject.run_id)).input_tokens == 0


async def test_no_call_is_made_while_the_rule_is_paused_and_it_is_made_once_afterwards(tmp_path):
    switch, hands = Switch([RULE]), Hands()
    async with talk(tmp_path, PIN, says(), pauses=switch, hands=hands) as subject:
        request = await intended(subject)
        for _ in range(2):
            with pytest.raises(Held, match="rule 'triage' is paused"):
                await once.call(subject.means, request, 1)
        (call,) = await subject.calls()
        assert (call.state, call.attempt, hands.executed) == (CallState.INTENDED, 0, [])
        assert await held(subject, "1.0")
        switch.now = []
        outcome = await once.call(subject.means, request, 1)
        assert not await held(subject, "1.0")

    assert (outcome.state, len(hands.executed)) == (CallState.DONE, 1)


async def test_a2_an_attempt_that_has_begun_goes_on_to_its_end(tmp_path):
    switch, hands = Switch(), Hands()
    async with talk(tmp_path, PIN, says(), pauses=switch, hands=hands) as subject:
        request = await intended(subject)
        await subject.ledger.write(calls.take, subject.run_id, "1.0", 1, again=False)
        switch.now = [RULE]
        outcome = await once.call(subject.means, request, 2)

    assert outcome.state is CallState.DONE


async def test_a_call_that_is_made_again_after_people_answered_its_server_is_held(tmp_path):
    async with talk(tmp_path, PIN, says(), pauses=Switch([RULE])) as subject:
        await intended(subject)
        await subject.ledger.write(calls.take, subject.run_id, "1.0", 1, again=False)
        (call,) = await subject.calls()
        await call_may_begin(subject.means, call)
        with pytest.raises(Held):
            await call_may_begin(subject.means, _answered(call))


def _answered(call):
    values = {name: getattr(call, name) for name in calls.Call.__slots__}
    return calls.Call(**values | {"state": CallState.PENDING})


async def test_what_a_person_applied_is_held_too_and_lets_no_turn_go_on(tmp_path):
    async with talk(tmp_path, PIN, says(), pauses=Switch([RULE])) as subject:
        request = await intended(subject, f"1.0{calls.APPLIED}")
        with pytest.raises(Held):
            await once.call(subject.means, request, 1)
        assert not await subject.ledger.read(standstills.holds, subject.run_id)


@dataclass
class Counts:
    parked: list[Parked] = field(default_factory=list)

    def run_parked(self, why):
        self.parked.append(why)


async def test_o3_a_run_that_stands_still_for_a_pause_is_counted_as_paused(tmp_path):
    counts: Any = Counts()
    switch = Switch([RULE])
    async with talk(tmp_path, PIN, says(), pauses=switch, counts=counts) as subject:
        record = Record(run_id=subject.run_id, state=RunState.PARKED, reason=WORDS)
        await counting.recorded(subject.means, record)
        with pytest.raises(Held):
            await subject.ask()
        await counting.recorded(subject.means, record)

    assert counts.parked == [Parked.PERSON, Parked.PAUSED]


async def test_o3_one_that_a_cap_held_up_before_is_counted_by_what_stops_it_now(tmp_path):
    counts: Any = Counts()
    need = Need(model="m", input_tokens=1, kept_long=0, output_tokens=1)
    async with talk(tmp_path, PIN, says(), pauses=Switch([RULE]), counts=counts) as subject:
        short = (subject.run_id, 1, "spent", "2026-11-21", need, 1.0)
        await subject.ledger.write(shortfalls.record, *short)
        with pytest.raises(Held):
            await subject.ask()
        for words in ("spent", WORDS):
            stops = (subject.run_id, RunState.PARKED, words)
            await subject.ledger.write(conversations.record, *stops, None, 1.0)
            record = Record(run_id=subject.run_id, state=RunState.PARKED, reason=words)
            await counting.recorded(subject.means, record)

    assert counts.parked == [Parked.BUDGET, Parked.PAUSED]
