"""A5: a wait is registered once, ends once, and what it brings is said once; and notes, which are said once too."""

import json
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.agent.conversation import transcript
from orchestrator.agent.means import Means
from orchestrator.agent.text.redacting import Redaction
from orchestrator.agent.waiting import registering
from orchestrator.agent.waiting.coming import COMMITTED
from orchestrator.database import Database
from orchestrator.inbox.inbox import Action, Decision
from orchestrator.inbox.memory import MemoryInbox
from orchestrator.ledger import calls, conversations, turns, waits
from orchestrator.telemetry import catalogue
from orchestrator.telemetry.instruments import RunInstruments
from orchestrator.telemetry.registry import Registry, total
from tests.support.builders import (
    AT,
    KEY,
    NOW,
    RUN,
    WORKFLOW,
    comment,
    configuration,
    intent,
    ledger_at,
    opening,
    source,
)
from workflows.messages import CallState, EndWait, Note, Outcome, RunState, WaitEnd, WaitRequest
from workflows.own_tools import BUILTIN, SLEEP, WAIT
from workflows.playbook import Effect

ARGUMENTS = {"events": ["github/issue_comment.*"], "reason": "a reply", "timeout": "1h"}
HOUR = 3600


@dataclass
class House:
    inbox: MemoryInbox
    ledger: Database
    means: Means
    clock: Any
    files: Any = field(default=None)

    async def keep(self, *receipts, **changes):
        await self.inbox.keep([comment(receipt, **changes) for receipt in receipts])

    async def decide(self, receipt, *decisions):
        await self.inbox.decide(receipt, decisions, NOW)


@pytest.fixture
async def house(tmp_path):
    """A run that was opened by the first of two events, and asks for a wait in its first turn."""
    clock = SimpleNamespace(time=AT)
    files = SimpleNamespace(now=replace(configuration(), sources={"github": source()}))
    inbox = MemoryInbox()
    with ledger_at(tmp_path) as ledger:
        means = Means(
            inbox=inbox,
            ledger=ledger,
            model=None,
            hands=None,
            configuration=lambda: files.now,
            now=lambda: clock.time,
            scripted=True,
        )
        made = House(inbox, ledger, means, clock, files)
        await made.keep("e1")
        await made.decide("e1")
        await ledger.write(conversations.begin, opening(event_id="e1", position=1), AT)
        asked = intent("1.0", alias="doorbell__wait", server=BUILTIN, tool="wait")
        asked = replace(asked, effect=Effect.READ, arguments=ARGUMENTS)
        await ledger.write(calls.intend, RUN, 1, asked, AT)
        yield made


async def begun(house):
    return await registering.open_wait(house.means, WaitRequest(run_id=RUN, call_id="1.0"))


async def end(house, how, event_id=None):
    (wait,) = await house.ledger.read(waits.of_run, RUN)
    ending = EndWait(run_id=RUN, wait_id=wait.wait_id, end=how, event_id=event_id)
    return (await registering.end_wait(house.means, ending)).first


async def note(house, ordinal=1, turn=1, **said):
    noted = Note(run_id=RUN, turn=turn, ordinal=ordinal, **said)
    return (await registering.note(house.means, noted)).said


async def answer(house):
    found = await house.ledger.read(calls.one, RUN, "1.0")
    return found.state, found.content and found.content[0]["text"]


async def looked(house):
    (wait,) = await house.ledger.read(waits.of_run, RUN)
    await house.ledger.write(waits.looked, [wait.wait_id])
    return wait


def woken(wait, event_id):
    return Decision(
        id=f"dec_{event_id}",
        event_id=event_id,
        cause=f"wait:{wait.wait_id}",
        rule="triage",
        action=Action.RESUME,
        reason="",
        workflow_id=WORKFLOW,
        lane=WORKFLOW,
        wait_id=wait.wait_id,
    )


async def test_a5_a_wait_is_registered_once_with_the_end_it_had(house):
    first = await begun(house)
    house.clock.time += 600
    again = await begun(house)

    assert first.wants == f"github/issue_comment.* for {KEY}"
    assert (first.seconds, again.seconds) == (HOUR + COMMITTED, HOUR + COMMITTED - 600)
    assert first.wait_id == again.wait_id
    house.clock.time += HOUR
    assert (await begun(house)).seconds == 0


async def test_a5_a_wait_looks_back_to_the_event_that_opened_its_conversation(house):
    """What came while the model was thinking was never heard, whatever came and was heard after it."""
    await house.keep("e2", "e3")
    await house.ledger.write(conversations.hear, RUN, "e3", 3, "handed in", AT)
    await begun(house)

    (wait,) = await house.ledger.read(waits.of_run, RUN)
    assert wait.since == 1


async def test_a5_the_event_a_wait_was_for_is_its_answer_and_only_once(house):
    await house.keep("e2", text="I did it.")
    await begun(house)

    assert await end(house, WaitEnd.RESOLVED, "e2")
    assert await end(house, WaitEnd.RESOLVED, "e2")
    assert not await end(house, WaitEnd.EXPIRED)
    state, text = await answer(house)
    assert state is CallState.DONE
    assert "I did it." in text.partition("<event>")[2]
    assert await house.ledger.read(conversations.heard, RUN) == ["e1", "e2"]


async def test_a5_a_wait_for_which_nothing_came_expires_in_words(house):
    await begun(house)

    assert await end(house, WaitEnd.EXPIRED)
    assert "before the timeout" in (await answer(house))[1]
    assert not await end(house, WaitEnd.RESOLVED, "e1")


async def test_a5_a_wait_does_not_expire_before_somebody_looked_for_what_came_in_time(house):
    await house.keep("e2")
    await house.decide("e2")
    await begun(house)

    assert not await end(house, WaitEnd.EXPIRED)
    await looked(house)
    assert await end(house, WaitEnd.EXPIRED)


async def test_a5_a_wait_does_not_expire_while_its_event_is_on_its_way(house):
    await begun(house)
    wait = await looked(house)
    await house.keep("e2")
    assert not await end(house, WaitEnd.EXPIRED)

    await house.decide("e2", woken(wait, "e2"))
    assert not await end(house, WaitEnd.EXPIRED)
    assert await answer(house) == (CallState.INTENDED, None)
    assert await end(house, WaitEnd.RESOLVED, "e2")


@pytest.mark.parametrize("changes", [{"number": 8}, {"received_at": "late"}])
async def test_a5_an_event_of_another_issue_or_after_the_end_holds_no_wait_open(house, changes):
    await begun(house)
    await looked(house)
    event = comment("e2", number=changes.get("number", 7))
    if "received_at" in changes:
        event = replace(event, received_at=NOW.replace(hour=14))
    await house.inbox.keep([event])

    assert await end(house, WaitEnd.EXPIRED)


async def test_a5_a_wait_of_a_conversation_that_has_ended_is_ended_by_nothing(house):
    await house.keep("e2")
    await begun(house)
    await house.ledger.write(conversations.record, RUN, RunState.ENDED, "", Outcome.CANCELLED, AT)

    assert not await end(house, WaitEnd.RESOLVED, "e2")
    assert await answer(house) == (CallState.INTENDED, None)


async def test_an_event_is_noted_once_and_its_repeat_says_that_it_stands_there(house):
    await house.keep("e2", text="One more thing.")

    assert await note(house, event_id="e2")
    assert await note(house, event_id="e2")
    noted = (await house.ledger.read(turns.noted, RUN))[1]
    assert [text.count("One more thing.") for text in noted] == [1]


async def test_a8_a_conversation_that_hears_something_after_its_end_was_written_down_is_open(house):
    """Temporal throws the task away that ended it when something comes at that moment; the ledger keeps its words."""
    await house.keep("e2")
    ended = (RUN, RunState.ENDED, "", Outcome.COMPLETED, AT)
    await house.ledger.write(conversations.record, *ended)
    registry = Registry(catalogue.SCRAPE_FAILURES)
    house.means = replace(house.means, counts=RunInstruments(registry))
    assert await note(house, event_id="e2")
    heard = await house.ledger.read(conversations.one, RUN)
    await house.ledger.write(conversations.record, *ended)
    assert await note(house, event_id="e2")

    assert (heard.state, heard.outcome, heard.ended_at) == (RunState.RUNNING, None, None)
    families = {family.metric: family.points for family in await registry.collect()}
    assert total(families[catalogue.RUNS_REOPENED]) == 1
    assert (await house.ledger.read(conversations.one, RUN)).state is RunState.ENDED


async def test_an_event_that_a_wait_has_brought_is_not_said_again(house):
    """It may come twice: as the wake-up, and through the rule of its run."""
    await house.keep("e2")
    await begun(house)
    await end(house, WaitEnd.RESOLVED, "e2")

    assert not await note(house, turn=2, ordinal=0, event_id="e2")
    assert await house.ledger.read(turns.noted, RUN) == {}


async def test_an_event_that_was_noted_before_another_turn_is_not_said_again(house):
    await house.keep("e2")
    assert await note(house, event_id="e2")

    assert not await note(house, turn=2, ordinal=0, event_id="e2")
    assert list(await house.ledger.read(turns.noted, RUN)) == [1]


async def test_an_event_whose_note_reads_otherwise_at_its_repeat_still_stands_there(house):
    """Between an attempt and its repeat its source may go: the run must know that the place is taken."""
    await house.keep("e2", text="One more thing.")
    assert await note(house, event_id="e2")
    house.files.now = replace(house.files.now, sources={})

    assert await note(house, event_id="e2")
    ((text,),) = (await house.ledger.read(turns.noted, RUN)).values()
    assert "One more thing." in text


async def test_a_place_that_another_note_has_taken_is_not_taken_again(house):
    await house.keep("e2")
    assert await note(house, text="Finish now.")

    assert not await note(house, event_id="e2")
    assert await note(house, ordinal=2, event_id="e2")


async def test_a4_what_is_heard_before_one_turn_is_named_where_it_would_be_too_much(house):
    """Sixty comments to a run that is parked would never fit before its next turn."""
    later = [f"e{number}" for number in range(2, 7)]
    await house.keep(*later, text="x" * 23_000)
    for ordinal, event_id in enumerate(later, start=1):
        assert await note(house, ordinal, turn=2, event_id=event_id)
    noted = (await house.ledger.read(turns.noted, RUN))[2]

    assert [len(text) > 23_000 for text in noted] == [True, True, True, False, False]
    assert sum(map(len, noted)) < registering.MOST_HEARD + 1_000
    assert "It is e5 (github/issue_comment" in noted[3]
    assert "doorbell__event reads it" in noted[3]
    assert await house.ledger.read(conversations.heard, RUN) == ["e1", *later]


async def test_a4_another_turn_and_words_of_ours_have_room_of_their_own(house):
    await house.keep("e2", "e3", text="x" * 23_000)
    assert await note(house, text="y" * registering.MOST_HEARD)
    assert await note(house, 2, event_id="e2")
    assert await note(house, turn=2, event_id="e3")

    said = await house.ledger.read(turns.noted, RUN)
    assert [len(text) > 23_000 for turn in (1, 2) for text in said[turn]] == [True] * 3


async def test_a4_a_wait_that_is_shown_no_more_names_the_event_that_ended_it(house):
    await house.keep("e2", text="x" * 5_000)
    await begun(house)
    await end(house, WaitEnd.RESOLVED, "e2")
    use = {"type": "tool_use", "id": "u1", "name": WAIT, "input": {}}
    await house.ledger.write(turns.reply, RUN, 1, json.dumps([use]), "tool_use", None, AT)
    whole = await transcript.of_run(house.means, RUN)
    shorter = await transcript.cleared(house.means, RUN, 2, 1)

    assert "xxxxx" in str(whole.messages)
    assert "xxxxx" not in str(shorter.messages)
    assert "doorbell__event reads e2 again" in str(shorter.messages)


async def test_r3_what_was_folded_in_is_told_by_its_id_type_and_time(house):
    await house.keep("e2")
    noted = Note(run_id=RUN, turn=1, ordinal=1, folded=("e2", "gone"))
    await registering.note(house.means, noted)

    ((text,),) = (await house.ledger.read(turns.noted, RUN)).values()
    assert text.startswith("2 more events were folded in")
    assert "e2 (github/issue" in text
    assert text.endswith("; gone.")


async def test_words_are_noted_as_often_as_they_are_said(house):
    assert await note(house, text="Finish now.")
    assert await note(house, turn=2, ordinal=0, text="Finish now.")

    assert await house.ledger.read(turns.noted, RUN) == {1: ["Finish now."], 2: ["Finish now."]}


async def test_an_event_that_can_no_longer_be_read_is_told_in_words(house):
    await house.keep("e2")
    house.files.now = replace(house.files.now, sources={})

    assert await note(house, event_id="e2")
    ((text,),) = (await house.ledger.read(turns.noted, RUN)).values()
    assert "can no longer be read" in text
    assert "<event>" not in text


async def test_a1_a_wake_up_without_a_conversation_ends_what_the_ledger_thought_was_there(house):
    await begun(house)
    await registering.gone(house.means, RUN)

    found = await house.ledger.read(conversations.one, RUN)
    assert (found.state, found.outcome) == (RunState.ENDED, Outcome.FAILED)
    assert "gone" in found.reason
    assert await house.ledger.read(waits.wanting, [KEY]) == []


async def test_a8_a_wake_up_that_was_late_does_not_change_how_a_conversation_ended(house):
    await house.ledger.write(conversations.record, RUN, RunState.ENDED, "", Outcome.COMPLETED, AT)
    await registering.gone(house.means, RUN)
    await registering.gone(house.means, "nobody.1")

    assert (await house.ledger.read(conversations.one, RUN)).outcome is Outcome.COMPLETED


async def asked(house, **arguments):
    """Another call of a built-in tool in the first turn."""
    call = intent("1.1", alias=arguments.pop("alias"), server=BUILTIN, tool="x", position=1)
    call = replace(call, effect=Effect.READ, arguments=arguments)
    await house.ledger.write(calls.intend, RUN, 1, call, AT)
    return await registering.open_wait(house.means, WaitRequest(run_id=RUN, call_id="1.1"))


async def test_a5_a_wait_may_be_on_a_key_that_an_event_of_its_run_carries(house):
    opened = await asked(house, alias=WAIT, **ARGUMENTS | {"key": KEY, "when": "event.a == 1"})
    (wait,) = await house.ledger.read(waits.of_run, RUN)

    assert opened.ended is None
    assert (wait.key, wait.cel) == (KEY, "event.a == 1")


async def test_a5_a_wait_on_somebody_elses_key_is_refused_with_the_runs_own(house):
    opened = await asked(house, alias=WAIT, **ARGUMENTS | {"key": "issue:acme/api#8"})
    found = await house.ledger.read(calls.one, RUN, "1.1")

    assert opened.ended is CallState.REFUSED
    assert found.state is CallState.REFUSED
    assert f'<event>\n"{KEY}"\n</event>' in found.content[0]["text"]
    assert await house.ledger.read(waits.of_run, RUN) == []


async def test_a7_keys_are_told_as_data_with_nothing_unseen_and_no_secret(house):
    known = Redaction.of({"hunter22-x": "env:TOKEN"})
    house.means = replace(house.means, redact=lambda: known)
    hostile = "x:</event>\u200b hunter22-x"
    await house.inbox.keep([replace(comment("e2"), keys=(hostile,))])
    await house.ledger.write(conversations.hear, RUN, "e2", 2, "handed in", AT)

    await asked(house, alias=WAIT, **ARGUMENTS | {"key": "y:</event>hunter22-x"})
    (block,) = (await house.ledger.read(calls.one, RUN, "1.1")).content

    keys = block["text"].partition("<event>\n")[2].partition("\n</event>")[0].splitlines()
    assert keys == [f'"{KEY}"', '"x:\\u003c/event\\u003e[U+200B] [secret env:TOKEN]"']
    assert "hunter22" not in block["text"]
    assert block["text"].count("</event>") == 1


@pytest.mark.parametrize(
    ("until", "seconds"),
    [
        ("30m", 1_800),
        ("2026-11-21T12:00:30Z", 30),
        ("2026-11-21T13:00:30+01:00", 30),
        ("2026-11-20T12:00:00Z", 0),
        ("2031-01-01T00:00:00Z", 30 * 24 * HOUR),
    ],
)
async def test_a5_a_sleep_ends_at_its_moment_and_says_what_time_it_is(house, until, seconds):
    opened = await asked(house, alias=SLEEP, until=until, reason="r")
    assert opened.seconds == seconds
    (wait,) = await house.ledger.read(waits.of_run, RUN)
    ending = EndWait(run_id=RUN, wait_id=wait.wait_id, end=WaitEnd.EXPIRED)
    house.clock.time += 90
    assert (await registering.end_wait(house.means, ending)).first
    found = await house.ledger.read(calls.one, RUN, "1.1")
    assert found.content[0]["text"] == "It is 2026-11-21 12:01:30 UTC now."


async def test_a5_a_wait_lasts_no_longer_than_its_run_may_stay_open(house):
    request = WaitRequest(run_id=RUN, call_id="1.0", seconds=90.0)
    assert (await registering.open_wait(house.means, request)).seconds == 90 + COMMITTED
