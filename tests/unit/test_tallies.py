"""A8: what became of a run's writes is counted from its calls, and told wherever the run is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.database import Database
from orchestrator.ledger import calls, tallies
from orchestrator.ledger.calls import Result
from orchestrator.ledger.tallies import Writes
from tests.support.builders import AT, RUN, intent, ledger_at
from tests.support.looping import COMMENT, LABEL, READ, acted, loop
from workflows.messages import CallState, RunState
from workflows.playbook import Effect, Stage
from workflows.story import Story


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Database]:
    with ledger_at(tmp_path) as database:
        yield database


async def made(
    ledger: Database, call_id: str, state: CallState, effect: Effect = Effect.WRITE_ONCE
) -> None:
    await ledger.write(calls.intend, RUN, 1, intent(call_id, effect=effect), AT)
    result = Result(state=state, content=[], is_error=False)
    await ledger.write(calls.finish, RUN, call_id, result, AT)


async def counted(ledger: Database) -> Writes:
    return (await ledger.read(tallies.writes, [RUN, "other.1"])).get(RUN, tallies.NONE)


async def test_a8_writes_are_counted_by_what_became_of_them(ledger: Database) -> None:
    states = [CallState.DONE] * 2 + [CallState.PROPOSED, CallState.UNKNOWN, CallState.REFUSED]
    for number, state in enumerate(states):
        await made(ledger, f"1.{number}", state)

    found = await counted(ledger)
    assert found == Writes(done=2, proposed=1, unknown=1, failed=1)
    assert str(found) == "2 done, 1 proposed, 1 failed, 1 unknown"


async def test_a8_reads_are_no_writes_unless_they_were_denied(ledger: Database) -> None:
    await made(ledger, "1.0", CallState.DONE, Effect.READ)
    assert await counted(ledger) == tallies.NONE

    await made(ledger, "1.1", CallState.DENIED, Effect.READ)
    assert str(await counted(ledger)) == "1 denied"


async def test_a8_an_applied_proposal_counts_as_what_it_came_to(ledger: Database) -> None:
    await made(ledger, "1.0", CallState.PROPOSED)
    await made(ledger, "1.1", CallState.PROPOSED)
    await made(ledger, f"1.0{tallies.APPLIED}", CallState.DONE)

    assert str(await counted(ledger)) == "1 done, 1 proposed"


async def test_a_write_that_is_under_way_is_counted_when_it_is_over(ledger: Database) -> None:
    await ledger.write(calls.intend, RUN, 1, intent("1.0", effect=Effect.WRITE), AT)

    assert await counted(ledger) == tallies.NONE


def test_o1_the_story_of_a_run_tells_what_became_of_its_writes() -> None:
    subject = loop()
    acted(subject, READ.alias)
    assert "writes:" not in Story().told(RunState.RUNNING, "", subject.state)
    acted(subject, READ.alias, LABEL.alias)
    acted(subject, COMMENT.alias, state=CallState.UNKNOWN)

    assert "writes: 1 done, 1 unknown" in Story().told(RunState.RUNNING, "", subject.state)


def test_o1_the_story_of_a_preview_tells_proposals() -> None:
    subject = loop(stage=Stage.PREVIEW)
    acted(subject, COMMENT.alias, COMMENT.alias)

    assert "writes: 1 proposed, 1 denied" in Story().told(RunState.RUNNING, "", subject.state)
