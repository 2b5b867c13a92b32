"""A5: the event that answers a call later: expected before the call, opened by its result, added to it once."""

from dataclasses import replace

import pytest

from orchestrator.agent.waiting import callbacks, coming, registering
from orchestrator.agent.waiting.coming import COMMITTED
from orchestrator.ledger import artifacts, calls, conversations
from tests.support.builders import AT, RUN
from tests.support.waits import CALL, CALLBACK, DEPLOYED, awaiting
from workflows.messages import CallState, Note, Outcome, RunState, WaitEnd

FINAL = "event.deployment_status.state in ['success', 'failure']"
UNTIL = replace(CALLBACK, until=FINAL)
OF_INPUTS = replace(CALLBACK, key="deployment:{{ with.name }}")
HOURS = 7200


async def test_a5_a_callback_is_expected_before_the_call_from_where_the_inbox_ended_then(tmp_path):
    async with awaiting(tmp_path) as there:
        await there.expect()
        before = await there.wait()
        await there.status("e2", "success")
        await there.expect()
        assert await there.wait() == before
    assert (before.state, before.key, before.since) == ("prepared", "", 1)


async def test_a5_its_result_opens_it_with_the_time_that_begins_then(tmp_path):
    async with awaiting(tmp_path) as there:
        await there.expect()
        await there.answered()
        there.clock.time += 60
        opened = await there.opened()
        there.clock.time += 60
        again = await there.opened()
        wait = await there.wait()
    assert (wait.state, wait.key, wait.since) == ("open", "deployment:42", 1)
    assert opened.wants == "github/deployment_status.* for deployment:42"
    assert (opened.seconds, again.seconds) == (HOURS + COMMITTED, HOURS + COMMITTED - 60)
    assert opened.ended is None


async def test_a5_a_key_that_needs_no_result_is_listened_for_before_the_call(tmp_path):
    async with awaiting(tmp_path, OF_INPUTS) as there:
        await there.expect()
        wait = await there.wait()
        assert (wait.state, wait.key) == ("open", "deployment:api")
        await there.answered(text="no JSON")
        assert (await there.opened()).ended is None


async def test_a5_a_callback_lasts_no_longer_than_its_run_may_stay_open(tmp_path):
    async with awaiting(tmp_path) as there:
        await there.expect()
        await there.answered()
        assert (await there.opened(seconds=30)).seconds == 30 + COMMITTED
        assert (await there.wait()).deadline_at == AT + 30


async def test_a5_the_model_sees_the_call_and_the_event_and_only_once(tmp_path):
    async with awaiting(tmp_path) as there:
        await there.sent()
        await there.status("e2", "success")
        assert await there.end(WaitEnd.RESOLVED, "e2")
        assert await there.end(WaitEnd.RESOLVED, "e2")
        assert not await there.end(WaitEnd.EXPIRED)
        texts = await there.texts()
        assert await there.ledger.read(conversations.heard, RUN) == ["e1", "e2"]
    assert texts[0] == DEPLOYED
    assert '"state":"success"' in texts[1].partition("<event>")[2]
    assert len(texts) == 2


async def test_a5_what_came_before_the_last_event_is_named_and_heard(tmp_path):
    async with awaiting(tmp_path, UNTIL) as there:
        await there.sent()
        for receipt in ("e2", "e3"):
            await there.status(receipt, "in_progress")
            await there.passes(receipt)
        await there.status("e4", "success")
        await there.end(WaitEnd.RESOLVED, "e4")
        texts = await there.texts()
        assert await there.ledger.read(conversations.heard, RUN) == ["e1", "e2", "e3", "e4"]
    assert "e2 (github/deployment_status.created" in texts[1]
    assert "e3 (github/deployment_status.created" in texts[1]
    assert "in_progress" not in "".join(texts)


async def test_a5_of_many_events_before_the_last_the_newest_are_named(tmp_path):
    async with awaiting(tmp_path, UNTIL) as there:
        await there.sent()
        for number in range(callbacks.TOLD + 3):
            await there.status(f"s{number:02d}", "in_progress")
            await there.passes(f"s{number:02d}")
        await there.looked()
        await there.end(WaitEnd.EXPIRED)
        told = (await there.texts())[1]
    assert "(and 3 before them) s03 " in told
    assert "s02 " not in told


async def test_a5_a_timeout_is_a_result_in_words(tmp_path):
    async with awaiting(tmp_path) as there:
        await there.sent()
        there.clock.time += HOURS + COMMITTED
        assert await there.end(WaitEnd.EXPIRED)
        texts = await there.texts()
        wait = await there.wait()
    assert "did not come within 2:00:00" in texts[1]
    assert (wait.state, wait.ended_at) == ("expired", AT + HOURS + COMMITTED)


async def test_a5_a_wait_that_is_opened_again_says_which_event_has_ended_it(tmp_path):
    async with awaiting(tmp_path) as there:
        await there.sent()
        await there.status("e2", "success")
        assert await there.end(WaitEnd.RESOLVED, "e2")
        again = await there.opened()
    assert (again.ended, again.event_id) == (CallState.DONE, "e2")


async def test_a5_a_callback_does_not_expire_while_its_event_may_be_on_its_way(tmp_path):
    async with awaiting(tmp_path, UNTIL) as there:
        await there.sent()
        await there.status("e2", "success")
        assert not await there.end(WaitEnd.EXPIRED)
        await there.passes("e2")
        assert not await there.end(WaitEnd.EXPIRED), "nobody has looked back yet"
        await there.looked()
        assert await there.end(WaitEnd.EXPIRED)


async def test_a5_an_event_behind_many_that_passed_the_wait_by_still_holds_it_open(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(coming, "LOOKED_AT", 2)
    async with awaiting(tmp_path, UNTIL) as there:
        await there.sent()
        for receipt in ("e2", "e3", "e4", "e5"):
            await there.status(receipt, "in_progress")
            await there.passes(receipt)
        await there.looked()
        await there.status("e6", "success")
        assert not await there.end(WaitEnd.EXPIRED)


async def test_a3_an_interrupted_callback_answers_its_call_and_still_listens(tmp_path):
    async with awaiting(tmp_path) as there:
        waiting_ = await there.sent()
        assert await there.end(WaitEnd.INTERRUPTED)
        await there.end(WaitEnd.INTERRUPTED)
        texts = await there.texts()
        assert "until 2026-11-21 14:00:00 UTC" in texts[1]
        assert len(texts) == 2
        assert (await there.wait()).state == "left"
        assert (await there.opened()).ended is CallState.DONE

        await there.status("e2", "success")
        note = Note(run_id=RUN, turn=2, ordinal=0, event_id="e2", wait_id=waiting_.wait_id)
        assert (await registering.note(there.means, note)).said
        assert (await there.wait()).state == "resolved"


@pytest.mark.parametrize("text", ["no JSON", "{}", '{"id": null}', '["id"]'])
async def test_a5_a_result_without_its_key_says_so_and_waits_for_nothing(tmp_path, text):
    async with awaiting(tmp_path) as there:
        opened = await there.sent(text=text)
        await there.opened()
        texts = await there.texts()
        assert (await there.wait()).state == "closed"
    assert opened.ended is CallState.DONE
    assert "can't be waited for: {{ result.id }}" in texts[1].replace("deployment:", "")
    assert len(texts) == 2


async def test_a2_a_call_of_which_nobody_knows_is_waited_for_where_its_key_is_known(tmp_path):
    async with awaiting(tmp_path, OF_INPUTS) as there:
        opened = await there.sent(text="nobody knows", state=CallState.UNKNOWN)
        assert opened.ended is None
        await there.status("e2", "success")
        await there.end(WaitEnd.RESOLVED, "e2")
        texts = await there.texts()
    assert texts[0] == "nobody knows"
    assert "<event>" in texts[1]


async def test_a2_a_call_of_which_nobody_knows_has_no_key_in_its_result(tmp_path):
    async with awaiting(tmp_path) as there:
        opened = await there.sent(text="nobody knows", state=CallState.UNKNOWN)
        assert "nobody knows what the call returned" in (await there.texts())[1]
    assert opened.ended is CallState.UNKNOWN


@pytest.mark.parametrize("callback", [CALLBACK, OF_INPUTS])
@pytest.mark.parametrize("state", [CallState.FAILED, CallState.REFUSED])
async def test_a5_a_call_that_failed_is_waited_for_by_nobody(tmp_path, callback, state):
    async with awaiting(tmp_path, callback) as there:
        opened = await there.sent(text="it failed", state=state)
        assert (await there.wait()).state == "closed"
        assert await there.texts() == ["it failed"]
    assert opened.ended is state


async def test_a5_a_call_that_was_never_sent_has_nothing_to_wait_for(tmp_path):
    async with awaiting(tmp_path) as there:
        await there.answered(state=CallState.REFUSED)
        assert (await there.opened()).ended is CallState.REFUSED


async def test_a5_a_run_that_ends_listens_for_nothing_more(tmp_path):
    async with awaiting(tmp_path) as there:
        await there.expect()
        await there.ledger.write(
            conversations.record, RUN, RunState.ENDED, "", Outcome.CANCELLED, AT + 1
        )
        wait = await there.wait()
    assert (wait.state, wait.ended_at) == ("closed", AT + 1)


@pytest.mark.parametrize(
    ("body", "media_type", "found"),
    [
        (b'{"id": 1}', "text/plain", {"id": 1}),
        (b"Deployed.", "text/plain", "Deployed."),
        (b'{"structuredContent": {"id": 2}}', "application/json", {"id": 2}),
        (
            b'{"content": [{"type": "image"}, {"type": "text", "text": "{\\"id\\": 3}"}]}',
            "application/json",
            {"id": 3},
        ),
        (b"[" * 100_000, "text/plain", "[" * 100_000),
    ],
)
async def test_a_result_is_read_whole_as_json_where_it_is_json(tmp_path, body, media_type, found):
    async with awaiting(tmp_path) as there:
        digest = await there.ledger.write(artifacts.put, body, media_type, AT)
        call = await there.ledger.read(calls.one, RUN, CALL)
        kept = replace(call, artifact=digest, content=[{"type": "text", "text": "cut"}])
        assert await there.ledger.read(callbacks.result_of, kept) == found
