"""What `/status` says of the last day: writes by their life, who is asked, what was lost, who could not be told."""

from dataclasses import replace

import pytest

from orchestrator.ledger import approvals, calls, conversations, losses, notices
from orchestrator.standing import LATELY, lately
from tests.support.builders import AT, RUN, intent, ledger_at, opening
from tests.unit.test_announcing import REQUEST
from workflows.approvals import Standing
from workflows.messages import CallState
from workflows.playbook import Effect

DAY = 86_400.0


@pytest.fixture
def ledger(tmp_path):
    with ledger_at(tmp_path) as ledger:
        with ledger.engine.begin() as connection:
            conversations.begin(connection, opening(), AT)
        yield ledger


def write(connection, call_id, state=None, at=AT, effect=Effect.WRITE_ONCE):
    calls.intend(connection, RUN, 1, intent(call_id, effect=effect), at)
    if state is not None:
        end = calls.Result(state=state, content=[], is_error=False)
        calls.finish(connection, RUN, call_id, end, at)


async def test_writes_are_counted_by_their_life_for_a_day_and_open_ones_for_ever(ledger):
    with ledger.engine.begin() as connection:
        write(connection, "1", CallState.DONE)
        write(connection, "2", CallState.UNKNOWN)
        write(connection, "3", CallState.PROPOSED)
        write(connection, "4", CallState.DONE, effect=Effect.READ)
        write(connection, "5", CallState.DONE, at=AT - 2 * DAY)
        write(connection, "6", at=AT - 2 * DAY)

    found = (await ledger.read(lately, AT + 60))["writes"]

    assert found == {"intended": 1, "done": 1, "unknown": 1, "proposed": 1}
    assert list(found) == ["intended", "done", "unknown", "proposed"]


async def test_whoever_is_asked_is_named_with_the_age_of_the_request_the_oldest_first(ledger):
    with ledger.engine.begin() as connection:
        for number, asked_at in (("1", AT + 20), ("2", AT)):
            write(connection, number)
            request = replace(
                REQUEST,
                approval_id=f"apr_{number}",
                code=number * 10,
                call_id=number,
                asked_at=asked_at,
            )
            approvals.open_request(connection, request)
        gone = replace(REQUEST, approval_id="apr_3", code="3" * 10, call_id="3", expires_at=AT + 1)
        write(connection, "3")
        approvals.open_request(connection, gone)
        settled = replace(REQUEST, approval_id="apr_4", code="4" * 10, call_id="4")
        write(connection, "4")
        approvals.open_request(connection, settled)
        approvals.settle(connection, settled, Standing.DENIED, AT + 2)

    found = (await ledger.read(lately, AT + 60))["approvals"]

    assert [(one["code"], one["age"], one["left"]) for one in found] == [
        ("2" * 10, 60.0, 3540.0),
        ("1" * 10, 40.0, 3540.0),
    ]


async def test_what_was_lost_and_who_was_not_told_is_there_for_a_day(ledger):
    with ledger.engine.begin() as connection:
        losses.lose(connection, RUN, "gone", AT)
        notice = notices.Notice(
            identity="n", run_id=RUN, about="a", type="approval.asked", event_id="e", at=AT
        )
        notices.told(connection, notice)
        notices.settle(connection, "n", "tell: GitHub said 403", AT, True)

    found = await ledger.read(lately, AT + 60)
    later = await ledger.read(lately, AT + LATELY + 1)

    assert [(one["run"], one["again"]) for one in found["lost"]] == [(RUN, True)]
    assert [one["became"] for one in found["notices_failed"]] == ["tell: GitHub said 403"]
    assert (later["lost"], later["notices_failed"]) == ([], [])
