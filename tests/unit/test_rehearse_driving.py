"""A rehearsal drives the run's own loop: to its end, to where a run would wait or park, or until it can't go on."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from orchestrator.agent.calling import once
from orchestrator.agent.calling.revoked import Held
from orchestrator.agent.hands.definitions import Lost
from orchestrator.agent.rehearsing import LONGEST_PAUSE, TRIES, Ending
from orchestrator.agent.reply import Rejected, Unavailable
from orchestrator.errors import PersonError
from orchestrator.ledger import conversations, turns
from orchestrator.playbooks import InputError
from tests.support.builders import NOW
from tests.support.rehearsed import DECISION, RUN_ID, ended, stage, used
from workflows.messages import CallState, Outcome, RunState
from workflows.own_tools import ASK, EVENT, FINISH, SLEEP, WAIT
from workflows.playbook import Approve, Budget, Callback, InputType, Stage, WriteLimit

LOOK = ("lab__look", {})
WRITE = ("lab__write", {"body": "x"})
WAITS = (WAIT, {"events": ["github/*"], "reason": "r", "timeout": "1h"})


async def stands(there):
    found = await there.means.ledger.read(conversations.one, RUN_ID)
    return found.state, found.outcome


async def test_it_goes_to_its_end_and_what_would_be_written_is_proposed(tmp_path):
    async with stage(tmp_path, [used(LOOK, WRITE), ended()]) as there:
        rehearsed = await there.rehearse()
        assert (rehearsed.ending, rehearsed.outcome) == (Ending.ENDED, Outcome.COMPLETED)
        assert there.hands.made == ["lab.look {}"]
        assert [one.state for one in await there.calls()] == [CallState.DONE, CallState.PROPOSED]
        assert await stands(there) == (RunState.ENDED, Outcome.COMPLETED)


async def test_what_the_policy_forbids_is_refused_as_in_a_run(tmp_path):
    replies = [used(WRITE, WRITE, ("lab__no", {}), ("lab__look", {"body": 1})), ended()]
    async with stage(tmp_path, replies) as there:
        rehearsed = await there.rehearse()
        assert rehearsed.outcome is Outcome.COMPLETED_WITH_DENIALS
        assert [one.state for one in await there.calls()] == [
            CallState.PROPOSED,
            CallState.DENIED,
            CallState.REFUSED,
            CallState.REFUSED,
        ]
        assert there.hands.made == []


async def test_the_model_may_read_more_of_the_event(tmp_path):
    reads = (EVENT, {"event": "evt_1", "pointer": "/comment/body"})
    async with stage(tmp_path, [used(reads), ended()]) as there:
        await there.rehearse()
        (call,) = await there.calls()
        assert call.state is CallState.DONE
        assert "It fails." in call.content[0]["text"]


async def test_the_model_may_end_it_itself(tmp_path):
    ends = (FINISH, {"outcome": "needs_attention", "summary": "Look at it."})
    async with stage(tmp_path, [used(ends)]) as there:
        assert (await there.rehearse()).outcome is Outcome.NEEDS_ATTENTION


async def test_a_wait_ends_it_after_the_other_calls_of_its_turn(tmp_path):
    async with stage(tmp_path, [used(WAITS, LOOK)]) as there:
        rehearsed = await there.rehearse()
        assert (rehearsed.ending, rehearsed.outcome) == (Ending.WAITS, None)
        assert rehearsed.reason == "would wait for github/* for issue:acme/api#7"
        assert there.hands.made == ["lab.look {}"]
        assert await stands(there) == (RunState.WAITING, None)


async def test_a_wait_that_could_never_end_is_refused_and_it_goes_on(tmp_path):
    strange = (WAIT, {**WAITS[1], "key": "issue:other#1"})
    async with stage(tmp_path, [used(strange), ended()]) as there:
        assert (await there.rehearse()).ending is Ending.ENDED
        assert [one.state for one in await there.calls()] == [CallState.REFUSED]


async def test_sleeping_and_asking_end_it_too(tmp_path):
    asks = (ASK, {"question": "May I?"})
    sleeps = (SLEEP, {"until": "2h", "reason": "r"})
    async with stage(tmp_path, [used(asks, sleeps)]) as there:
        rehearsed = await there.rehearse()
        assert rehearsed.ending is Ending.WAITS
        assert rehearsed.reason == (
            "would ask a person: May I?; would sleep until 2026-11-21 14:00:00 UTC"
        )


async def test_a_question_to_nobody_is_refused_and_it_goes_on(tmp_path):
    asks = (ASK, {"question": "May I?", "to": ["role:nobody"]})
    async with stage(tmp_path, [used(asks), ended()]) as there:
        assert (await there.rehearse()).ending is Ending.ENDED
        assert [one.state for one in await there.calls()] == [CallState.REFUSED]


async def test_a_read_that_needs_a_persons_consent_ends_it_and_is_not_made(tmp_path):
    approve = Approve(by=("role:maintainer",), ttl=60.0)
    writes = {"lab.look": WriteLimit(max=1, approve=approve), "lab.write": WriteLimit(max=1)}
    async with stage(tmp_path, [used(LOOK)], writes=writes) as there:
        rehearsed = await there.rehearse()
        assert rehearsed.reason == "would ask a person: consent to lab.look"
        assert there.hands.made == []


async def test_a_write_that_needs_consent_is_proposed_as_in_every_preview(tmp_path):
    approve = Approve(by=("role:maintainer",), ttl=60.0)
    writes = {"lab.write": WriteLimit(max=1, approve=approve)}
    async with stage(tmp_path, [used(WRITE), ended()], writes=writes) as there:
        assert (await there.rehearse()).ending is Ending.ENDED


async def test_a_read_that_an_event_answers_is_made_and_then_waited_for(tmp_path):
    waits = {"lab.look": Callback(events=("github/*",), key="job:7", timeout=3600.0)}
    async with stage(tmp_path, [used(LOOK)], waits=waits) as there:
        rehearsed = await there.rehearse()
        assert rehearsed.ending is Ending.WAITS
        assert rehearsed.reason.startswith("would wait for github/*")
        assert there.hands.made == ["lab.look {}"]


async def test_r5_the_budget_holds_and_says_where_a_run_would_park(tmp_path):
    budget = Budget(usd=Decimal("0.000001"))
    async with stage(tmp_path, [ended()], budget=budget) as there:
        rehearsed = await there.rehearse()
        assert rehearsed.ending is Ending.PARKS
        assert rehearsed.reason.startswith("budget: ")
        assert there.model.asked == []
        assert await stands(there) == (RunState.PARKED, None)


async def test_near_the_end_of_its_budget_the_model_is_told_so(tmp_path):
    replies = [*([used(LOOK)] * 8), ended()]
    async with stage(tmp_path, replies, budget=Budget(turns=10)) as there:
        await there.rehearse()
        noted = await there.means.ledger.read(turns.noted, RUN_ID)
        assert [turn for turn, texts in noted.items() if "Finish now" in texts[-1]] == [9]


async def test_a_model_that_is_busy_is_asked_again_when_it_says(tmp_path):
    busy = [Unavailable("busy", 3.0), Unavailable("busy", 9_999.0), Unavailable("busy")]
    async with stage(tmp_path, [*busy, ended()]) as there:
        assert (await there.rehearse()).ending is Ending.ENDED
        assert there.pauses == [3.0, LONGEST_PAUSE, 8.0]


async def test_a_model_that_never_answers_breaks_it_off(tmp_path):
    async with stage(tmp_path, [Unavailable("busy", 1.0)] * TRIES) as there:
        rehearsed = await there.rehearse()
        assert (rehearsed.ending, rehearsed.reason) == (Ending.BROKEN, "busy")
        assert len(there.pauses) == TRIES - 1


@pytest.mark.parametrize(
    ("error", "ending"),
    [(Rejected("no key"), Ending.BROKEN), (PersonError("a cap is spent"), Ending.PARKS)],
)
async def test_what_somebody_must_mend_ends_it_with_the_words(tmp_path, error, ending):
    async with stage(tmp_path, [used(LOOK), error]) as there:
        rehearsed = await there.rehearse()
        assert (rehearsed.ending, rehearsed.reason) == (ending, str(error))
        assert there.hands.made == ["lab.look {}"]


async def test_h2_a_tool_that_drifted_parks_it_as_it_would_park_a_run(tmp_path, monkeypatch):
    async def held(*_):
        raise Held("the definition of lab.look isn't the one that was locked")

    monkeypatch.setattr(once, "call", held)
    async with stage(tmp_path, [used(LOOK, LOOK), ended()]) as there:
        rehearsed = await there.rehearse()
    assert (rehearsed.ending, "isn't the one that was locked" in rehearsed.reason) == (
        Ending.PARKS,
        True,
    )


async def test_a_read_without_an_answer_is_tried_again_and_then_told(tmp_path):
    async with stage(tmp_path, [used(LOOK), ended()]) as there:
        there.hands.answers = [Lost(reason="gone")] * TRIES
        assert (await there.rehearse()).ending is Ending.ENDED
        (call,) = await there.calls()
        assert (call.state, call.attempt) == (CallState.FAILED, 3)


async def test_where_no_run_would_open_nothing_is_asked(tmp_path):
    async with stage(tmp_path, [], inputs={"name": InputType.SLUG}) as there:
        with pytest.raises(InputError):
            await there.rehearse()
        assert there.model.asked == []


async def test_no_write_leaves_even_if_the_loop_lets_it_through(tmp_path):
    async with stage(tmp_path, [used(WRITE), ended()]) as there:
        live = replace(DECISION, id="dec_live", stage=Stage.LIVE)
        await there.means.inbox.add([live], NOW)
        rehearsed = await there.rehearse(live)
        (call,) = await there.calls()
        assert (call.state, call.sent_at) == (CallState.REFUSED, None)
        assert "is not sent" in call.content[0]["text"]
        assert (there.hands.made, rehearsed.outcome) == ([], Outcome.NEEDS_ATTENTION)
