"""What a decision becomes on its way to Temporal, and what Temporal's refusals mean; the server is a fake."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.dispatch.runs import (
    SEARCH_ATTRIBUTES,
    TemporalRuns,
    Undeliverable,
    Unreachable,
    entry_of,
)
from orchestrator.inbox.inbox import Action, Decision
from tests.support.builders import RUN, WORKFLOW
from workflows.chronicle import RUN_STATE
from workflows.flow import Coalesce, Flow, Mode
from workflows.messages import Entry, Kind

SERVER_TAKES = 400
"""Bytes of a summary."""
WAITS = [
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.PERMISSION_DENIED,
]


def refusal(status):
    return RPCError("because", status, b"")


@dataclass
class Server:
    """A Temporal client whose every call ends in `error`, or is remembered."""

    error: Exception | None = None
    status: WorkflowExecutionStatus = WorkflowExecutionStatus.RUNNING
    asked: list[Any] = field(default_factory=list)
    namespace: str = "default"

    @property
    def operator_service(self):
        return SimpleNamespace(add_search_attributes=self._ask)

    async def start_workflow(self, _run, _input, **options):
        await self._ask(options)

    def get_workflow_handle(self, workflow_id):
        return SimpleNamespace(describe=lambda **_: self._ask(workflow_id))

    async def _ask(self, request, **_):
        if self.error is not None:
            raise self.error
        self.asked.append(request)
        return SimpleNamespace(status=self.status)


def runs(**changes):
    server = Server(**changes)
    return TemporalRuns(server, "doorbell"), server


def decision(action=Action.START, **changes):
    values = {
        "id": "dec_1",
        "event_id": "evt_1",
        "cause": "triage",
        "rule": "triage",
        "reason": "matched",
        "workflow_id": WORKFLOW,
        "lane": WORKFLOW,
    }
    return Decision(action=action, **values | changes)


async def test_o1_the_server_is_told_once_of_every_attribute_that_runs_are_found_by():
    subject, server = runs()
    await subject.prepare()

    (wanted,) = server.asked
    assert wanted.namespace == "default"
    assert set(wanted.search_attributes) == set(SEARCH_ATTRIBUTES)
    assert RUN_STATE.name in SEARCH_ATTRIBUTES


@pytest.mark.parametrize("status", WAITS)
async def test_d6_a_server_that_is_away_is_asked_again(status):
    subject, _ = runs(error=refusal(status))

    with pytest.raises(Unreachable, match=status.name):
        await subject.prepare()
    with pytest.raises(Unreachable, match=status.name):
        await subject.deliver(decision(), "github")


async def test_d6_a_connection_that_was_never_there_is_no_bug():
    """The SDK's lazy connection says it with a RuntimeError."""
    subject, _ = runs(error=RuntimeError("Failed client connect"))

    for asking in (
        subject.prepare(),
        subject.deliver(decision(), "github"),
        subject.running(WORKFLOW),
    ):
        with pytest.raises(Unreachable, match="Failed client connect"):
            await asking


@pytest.mark.parametrize("status", [RPCStatusCode.ALREADY_EXISTS, RPCStatusCode.INVALID_ARGUMENT])
async def test_attributes_that_somebody_else_registered_stop_nothing(status):
    subject, server = runs(error=refusal(status))
    await subject.prepare()
    server.error = None
    await subject.deliver(decision(), "github")

    assert len(server.asked) == 1


async def test_what_the_server_will_never_take_is_undeliverable():
    subject, _ = runs(error=refusal(RPCStatusCode.INVALID_ARGUMENT))

    with pytest.raises(Undeliverable, match="INVALID_ARGUMENT: because"):
        await subject.deliver(decision(), "github")


@pytest.mark.parametrize("status", WorkflowExecutionStatus)
async def test_a1_only_an_open_run_is_there(status):
    subject, _ = runs(status=status)

    assert await subject.running(WORKFLOW) is (status is WorkflowExecutionStatus.RUNNING)


async def test_a1_a_run_that_the_server_does_not_know_is_gone():
    subject, _ = runs(error=refusal(RPCStatusCode.NOT_FOUND))

    assert not await subject.running(WORKFLOW)


async def test_a4_a_run_gets_a_reference_and_people_a_title():
    subject, server = runs()
    await subject.deliver(decision(key="issue:a/b#`<x>`", with_={"text": "secret"}), "github")

    (options,) = server.asked
    assert options["id"] == WORKFLOW
    assert options["start_signal_args"] == [
        Entry(decision_id="dec_1", kind=Kind.EVENT, event_id="evt_1")
    ]
    assert "secret" not in repr(options)
    assert options["static_summary"] == "triage: `issue:a/b#'<x>'`"
    assert "`issue:a/b#'<x>'`" in options["static_details"]
    names = {pair.key.name for pair in options["search_attributes"].search_attributes}
    assert names <= set(SEARCH_ATTRIBUTES)


async def test_a_key_of_many_bytes_leaves_a_summary_that_the_server_takes():
    subject, server = runs()
    await subject.deliver(decision(key="\U0001f6a8" * 500), "github")

    (options,) = server.asked
    assert len(options["static_summary"].encode()) < SERVER_TAKES


def test_a_wake_up_names_its_wait_and_a_word_its_kind_and_both_their_run():
    woken = decision(Action.RESUME, wait_id="wait_1", with_={"run": RUN})
    word = decision(Action.CONTROL, with_={"run": RUN, "kind": "cancel"})

    assert (entry_of(woken).kind, entry_of(woken).wait_id) == (Kind.WOKEN, "wait_1")
    assert (entry_of(word).kind, entry_of(word).wait_id) == (Kind.CANCEL, None)
    assert entry_of(woken).run_id == entry_of(word).run_id == RUN


def test_r3_an_entry_carries_the_flow_of_its_decision_and_its_place_in_the_lane():
    flow = Flow(mode=Mode.QUEUE, coalesce=Coalesce(quiet=30.0, within=300.0))
    entry = entry_of(decision(flow=flow, place=7))

    assert (entry.flow, entry.place) == (flow, 7)
