"""Who answers is told: once what the word came to, once how its call ended; of strangers and of old things nothing."""

import json
from dataclasses import replace

import pytest

from orchestrator.ledger import calls, causes, conversations, notices, pruning
from orchestrator.ledger.calls import APPLIED, Result
from orchestrator.ledger.causes import Cause
from orchestrator.ledger.notices import UNTAKEN
from orchestrator.sources.notices import ANSWERED, ASKED, EXECUTED
from orchestrator.sources.source import DOORBELL
from tests.support.builders import RUN
from tests.support.consent import CALL, HOUR
from tests.support.desk import TELL, desk_at
from workflows.messages import CallState, Outcome, RunState

ANSWERS = replace(TELL, on=(f"{DOORBELL}/{ANSWERED}", f"{DOORBELL}/{EXECUTED}"))


@pytest.fixture
async def desk(tmp_path):
    """One whose rule was there before anything happened."""
    with desk_at(tmp_path, ANSWERS) as made:
        assert await made.notifying.step() == 0
        made.office.pass_by(1)
        yield made


async def ends(desk, state, text="", call_id=CALL):
    """The call comes to its end."""
    content = [{"type": "text", "text": text}] if text else []
    result = Result(state=state, content=content, is_error=state is not CallState.DONE)
    at = desk.office.clock.now().timestamp()
    await desk.office.ledger.write(calls.finish, RUN, call_id, result, at)


async def over(desk, outcome):
    at = desk.office.clock.now().timestamp()
    given = (RUN, RunState.ENDED, "called off by a person", outcome, at)
    await desk.office.ledger.write(conversations.record, *given)


async def test_a6_a_word_by_comment_is_told_once_and_the_end_of_its_call_once(desk):
    asked = await desk.office.ask()
    await desk.office.heard(await desk.office.comment(f"/approve {asked.code}"))

    assert [await desk.notifying.step(), await desk.notifying.step()] == [1, 0]
    (said,) = await desk.of(ANSWERED)
    (row,) = await desk.rows()
    assert row.keys == (f"run:{RUN}", f"approval:{asked.code}")
    assert (said["word"], said["person"], said["counts"]) == ("approve", "ann", True)
    assert (said["became"], said["code"]) == ("approved", asked.code)
    assert (said["said_by"]["source"], said["said_by"]["subject"]) == ("github", "acme/api#7")
    assert said["text"].startswith(f"Recorded: approve {asked.code} by `ann`: run {RUN} ")

    await ends(desk, CallState.DONE, "written")
    assert [await desk.notifying.step(), await desk.notifying.step()] == [1, 0]
    (told,) = await desk.of(EXECUTED)
    assert (told["state"], told["executed"], told["tool"]) == ("done", True, "github.comment")
    assert told["text"].startswith("Executed: `github.comment`, to which `ann` consented by ")
    assert await desk.of(ASKED) == []


async def test_a6_what_an_approver_changes_is_told_and_a_secret_in_it_is_not(desk):
    asked = await desk.office.ask()
    word = await desk.office.hand("approve", asked.code, args={"body": "Hello, all."})
    await desk.office.heard(word)
    await desk.notifying.step()

    (said,) = await desk.of(ANSWERED)
    assert list(said["changes"]) == ["body"]
    assert said["changes"]["body"].startswith("[secret env:GREETING], all.")
    assert (said["person"], said["said_by"]["source"]) == ("operator root", "operator")
    assert "Hello" not in json.dumps(said)


async def test_a6_a_no_is_told_with_its_reason_and_nothing_is_executed(desk):
    asked = await desk.office.ask()
    await desk.office.heard(await desk.office.comment(f"/deny {asked.code} not @here"))
    await desk.notifying.step()
    await desk.notifying.step()

    (said,) = await desk.of(ANSWERED)
    assert (said["became"], said["why"]) == ("denied", "not @here")
    assert "does not call `github.comment`" in said["text"]
    assert "\n```text\nnot @here\n```" in said["text"]
    assert await desk.of(EXECUTED) == []


async def test_a6_a_known_person_who_may_not_or_comes_too_late_is_told_so_once(desk):
    asked = await desk.office.ask()
    await desk.office.decided(await desk.office.comment(f"/approve {asked.code}", login="zoe-q"))
    await desk.notifying.step()
    await desk.office.heard(await desk.office.comment(f"/deny {asked.code}"))
    desk.office.pass_by(1)
    late = await desk.office.comment(f"/approve {asked.code}")
    await desk.office.decided(late)
    await desk.notifying.step()
    await desk.office.redeliver(late)

    assert await desk.notifying.step() == 0
    may_not, _, too_late = await desk.of(ANSWERED)
    assert (may_not["person"], may_not["counts"]) == ("zoe-q", False)
    assert may_not["became"] == "refused: zoe-q may not: expected role:maintainer or operator"
    assert may_not["text"].startswith(f"Not counted: approve {asked.code} by `zoe-q`, for run")
    assert (too_late["became"], too_late["why"]) == ("refused: too late, it is denied", None)


async def test_a6_what_its_run_refuses_is_told_in_the_words_of_its_run(desk):
    asked = await desk.office.ask()
    await desk.office.heard(await desk.office.hand("approve", asked.code, args={"owner": "me"}))
    await desk.notifying.step()

    (said,) = await desk.of(ANSWERED)
    assert (said["counts"], said["changes"]) == (False, None)
    assert "these arguments are fixed by the playbook: ['owner']" in said["text"]


@pytest.mark.parametrize("login", ["stranger", "our-bot"])
async def test_a6_a_strangers_guess_makes_us_write_nothing(desk, login):
    asked = await desk.office.ask()
    await desk.office.decided(await desk.office.comment(f"/approve {asked.code}", login=login))
    await desk.office.decided(await desk.office.comment("/approve ABCDEFG234"))
    await desk.office.decided(await desk.office.hand("answer", "ABCDEFG234", by="zoe"))
    desk.office.pass_by(UNTAKEN + 1)

    assert await desk.notifying.step() == 0


async def test_a_word_that_its_run_does_not_take_is_told_as_recorded_and_its_end_only_if_it_is_none(
    desk,
):
    asked = await desk.office.ask()
    first = await desk.office.comment(f"/approve {asked.code}")
    (taken,) = await desk.office.decided(first)
    (second,) = await desk.office.decided(await desk.office.comment(f"/deny {asked.code}"))
    assert await desk.notifying.step() == 0
    desk.office.pass_by(UNTAKEN + 1)
    assert await desk.notifying.step() == 2
    assert [one["became"] for one in await desk.of(ANSWERED)] == ["recorded", "recorded"]
    assert "which hasn't taken it yet" in (await desk.of(ANSWERED))[0]["text"]

    await desk.office.take(taken)
    await desk.office.take(second)
    assert [await desk.notifying.step(), await desk.notifying.step()] == [1, 0]
    last = (await desk.of(ANSWERED))[-1]
    assert (last["word"], last["became"]) == ("deny", "too late: it is approved")


async def test_a_word_that_the_end_of_its_run_overtook_is_told_as_too_late(desk):
    asked = await desk.office.ask()
    await desk.office.decided(await desk.office.comment(f"/approve {asked.code}"))
    await over(desk, Outcome.CANCELLED)

    assert [await desk.notifying.step(), await desk.notifying.step()] == [1, 0]
    (said,) = await desk.of(ANSWERED)
    assert (said["became"], said["counts"]) == ("too late: it is closed", False)


@pytest.mark.parametrize(
    ("state", "executed", "how"),
    [
        (CallState.FAILED, True, "Executed, and failed: "),
        (CallState.UNKNOWN, None, "Sent, and its outcome is unknown: "),
        (CallState.REFUSED, False, "Not executed: "),
        (CallState.DENIED, False, "Not executed: "),
    ],
)
async def test_a6_a_call_that_did_not_go_well_says_how_and_why(desk, state, executed, how):
    asked = await desk.office.ask()
    await desk.office.heard(await desk.office.comment(f"/approve {asked.code}"))
    await ends(desk, state, "The tool is in quarantine.")
    await desk.notifying.step()

    (told,) = await desk.of(EXECUTED)
    assert (told["state"], told["executed"]) == (state, executed)
    assert told["text"].startswith(f"{how}`github.comment`, ")
    assert told["text"].endswith("\n```text\nThe tool is in quarantine.\n```")


async def test_a6_a_call_whose_run_was_called_off_is_told_as_not_executed(desk):
    asked = await desk.office.ask()
    await desk.office.heard(await desk.office.comment(f"/approve {asked.code}"))
    await desk.notifying.step()
    await over(desk, Outcome.CANCELLED)

    assert [await desk.notifying.step(), await desk.notifying.step()] == [1, 0]
    (told,) = await desk.of(EXECUTED)
    assert (told["state"], told["executed"]) == ("cancelled", False)
    assert told["text"].startswith("Not executed: cancelled: `github.comment`, ")


async def test_a6_a_call_that_somebody_applied_waits_for_its_end_though_its_run_has_ended(desk):
    applied = f"{CALL}{APPLIED}"
    await desk.office.intend(applied)
    await over(desk, Outcome.COMPLETED)
    asked = await desk.office.ask(applied)
    await desk.office.heard(await desk.office.comment(f"/approve {asked.code}"))
    assert await desk.notifying.step() == 1
    assert await desk.of(EXECUTED) == []

    await ends(desk, CallState.DONE, call_id=applied)
    assert await desk.notifying.step() == 1
    assert (await desk.of(EXECUTED))[0]["state"] == "done"


async def test_what_was_said_and_done_before_a_rule_hears_of_it_is_not_told(tmp_path):
    with desk_at(tmp_path) as desk:
        asked = await desk.office.ask()
        await desk.office.heard(await desk.office.comment(f"/approve {asked.code}"))
        await ends(desk, CallState.DONE)
        desk.office.pass_by(1)
        desk.office.configure(rules=(ANSWERS,))
        assert await desk.notifying.step() == 0

        desk.office.pass_by(1)
        desk.office.configure(rules=())
        assert await desk.notifying.step() == 0
        await desk.office.decided(await desk.office.comment(f"/approve {asked.code}"))
        desk.office.pass_by(1)
        desk.office.configure(rules=(ANSWERS,))
        assert await desk.notifying.step() == 0

        desk.office.pass_by(1)
        await desk.office.decided(await desk.office.comment(f"/approve {asked.code}"))
        assert await desk.notifying.step() == 1


async def test_what_happened_while_the_service_was_away_is_told_by_the_next(desk):
    asked = await desk.office.ask()
    await desk.office.heard(await desk.office.comment(f"/approve {asked.code}"))
    desk.office.pass_by(HOUR)
    next_one = replace(desk.notifying)

    assert await next_one.step() == 1


async def test_killed_between_the_row_and_its_record_a_word_is_told_once(desk):
    asked = await desk.office.ask()
    await desk.office.heard(await desk.office.comment(f"/approve {asked.code}"))
    ledger = desk.notifying.ledger

    class Dying:
        read = ledger.read

        async def write(self, step, *given):
            if step is notices.told:
                raise RuntimeError("killed")
            return await ledger.write(step, *given)

    desk.notifying.ledger = Dying()
    with pytest.raises(RuntimeError, match="killed"):
        await desk.notifying.step()
    desk.notifying.ledger = ledger
    await ends(desk, CallState.DONE)
    assert await desk.notifying.step() == 2

    words, call = await desk.rows()
    assert (words.duplicates, call.duplicates) == (1, 0)
    assert [one.event_id for one in await desk.told()] == [words.id, call.id]


async def test_killed_before_its_decision_a_word_that_is_too_late_by_then_is_told_as_that(desk):
    asked = await desk.office.ask()
    word = await desk.office.comment(f"/approve {asked.code}")
    (said,) = await desk.office.dies_deciding(word)
    assert said.became is None
    await over(desk, Outcome.CANCELLED)
    await desk.office.decided(word)
    await desk.notifying.step()

    assert [one.became for one in await desk.office.words()] == ["refused: too late, it is closed"]
    assert len(await desk.of(ANSWERED)) == 1


async def test_r4_a_notice_carries_what_led_to_its_run(desk):
    at = desk.office.clock.now().timestamp()
    led = Cause(hops=2, chain="a, b")
    with desk.office.ledger.engine.begin() as connection:
        causes.found(connection, "evt_1", led, at)
        conversations.hear(connection, RUN, "evt_1", 1, "opened", at)
    asked = await desk.office.ask()
    await desk.office.heard(await desk.office.comment(f"/approve {asked.code}"))
    await desk.notifying.step()

    (row,) = await desk.rows()
    assert await desk.office.ledger.read(causes.of_event, row.id) == led


async def test_r4_words_to_a_run_that_a_notice_opened_are_no_notice(tmp_path):
    with desk_at(tmp_path, ANSWERS) as desk:
        await desk.notifying.step()
        desk.office.pass_by(1)
        asked = await desk.office.ask()
        await desk.office.heard(await desk.office.comment(f"/approve {asked.code}"))
        with desk.office.ledger.engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE conversations SET source = '{DOORBELL}'")
        await ends(desk, CallState.DONE)

        assert await desk.notifying.step() == 0


async def test_a_run_that_is_forgotten_is_not_told_of_again(desk):
    asked = await desk.office.ask()
    await desk.office.heard(await desk.office.comment(f"/approve {asked.code}"))
    await ends(desk, CallState.DONE)
    assert await desk.notifying.step() == 2
    await over(desk, Outcome.COMPLETED)
    at = desk.office.clock.now().timestamp()
    assert await desk.office.ledger.write(pruning.prune, [RUN], at + 1, at) == 1

    assert await desk.told() == []
    assert await desk.notifying.step() == 0
