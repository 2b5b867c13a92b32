"""What crosses between a run and the world survives Temporal's history, small and exact."""

import dataclasses
from decimal import Decimal

import pytest

from orchestrator import temporal
from tests.support.builders import RUN, card, opened, tool_call
from workflows import messages
from workflows.asleep import Asleep
from workflows.carried import Carried, RunInput, RunResult
from workflows.messages import (
    Answer,
    Ask,
    CallOutcome,
    CallRequest,
    CallState,
    Claim,
    ClaimRequest,
    EndWait,
    Entry,
    Kind,
    Limits,
    Note,
    Noted,
    Outcome,
    Proposals,
    Record,
    Reply,
    RunState,
    Spent,
    Stop,
    Title,
    WaitEnd,
    Waiting,
)
from workflows.playbook import Budget, Effect

CONVERTER = temporal.CONVERTER.payload_converter
ENTRY = Entry(
    decision_id="dec_1", kind=Kind.RESUME, event_id="evt_1", wait_id="w", run_id=RUN, token="t"
)
ASLEEP = Asleep(until=1.5, kinds=("cancel",), modes=(), most=9, details="**waiting**", summary="s")
TITLE = Title(rule="triage", playbook="triage", source="github", key="issue:7", stage="preview")
VALUES = [
    ENTRY,
    ClaimRequest(workflow_id="w", entry=ENTRY, how=Claim.LATE),
    opened(card(effect=Effect.WRITE, max=3), budget=Budget(usd=Decimal("1.10")), notice="scripted"),
    Ask(run_id=RUN, turn=3, budget=Budget(usd=Decimal("0.30"))),
    Reply(
        turn=3,
        stop=Stop.CONTEXT_EXCEEDED,
        calls=(tool_call(usable=False), tool_call(call_id="c2")),
        spent=Spent(usd=Decimal("0.000123"), input_tokens=1, output_tokens=2, cached_tokens=3),
    ),
    CallRequest(run_id=RUN, call_id="c1"),
    CallOutcome(call_id="c1", state=CallState.UNKNOWN, size=9),
    Answer(run_id=RUN, call_id="c1", state=CallState.REFUSED, text="no"),
    Note(run_id=RUN, turn=1, ordinal=2, event_id="evt_1"),
    Noted(said=False),
    Waiting(wait_id="w", call_id="c1", wants="github/*", seconds=1.5),
    EndWait(run_id=RUN, wait_id="w", end=WaitEnd.INTERRUPTED),
    Record(run_id=RUN, state=RunState.ENDED, outcome=Outcome.COMPLETED_WITH_DENIALS),
    Limits(budget=Budget(usd=Decimal("0.10"))),
    Proposals(calls=(tool_call(),), tools=(card(),)),
    Carried(mailbox=(ENTRY,)),
    RunInput(title=TITLE, carried={"schema": 1}, asleep=ASLEEP, mail=(ENTRY,)),
    RunResult(conversations=2, outcome=Outcome.CANCELLED),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_comes_back_as_it_was(value):
    (payload,) = CONVERTER.to_payloads([value])

    assert CONVERTER.from_payloads([payload], [type(value)]) == [value]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a4_a_value_is_small(value):
    (payload,) = CONVERTER.to_payloads([value])

    assert len(payload.data) < 1000


def test_everything_that_crosses_can_not_be_changed_in_place():
    found = [kind for kind in vars(messages).values() if dataclasses.is_dataclass(kind)]

    assert len(found) > 20
    assert all(kind.__dataclass_params__.frozen for kind in found)


def test_cached_tokens_are_tokens():
    assert Spent(input_tokens=10, output_tokens=5, cached_tokens=8).tokens == 15
