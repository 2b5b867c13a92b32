"""O3: a tool call that was asked for and not made has a reason of few words, and is counted once."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from orchestrator.agent.activities import Activities
from orchestrator.agent.calling import once
from orchestrator.demo.wire import Reply, Text, ToolUse
from orchestrator.ledger import calls
from orchestrator.telemetry import catalogue
from orchestrator.telemetry.instruments import RunInstruments
from orchestrator.telemetry.registry import Registry, total
from orchestrator.telemetry.words import Unmade
from tests.support.asking import Talk, talk
from tests.support.builders import AT, card, configuration, frozen, intent, tool, tool_call
from tests.support.scripts import says, uses
from workflows.messages import Answer, CallRequest, CallState
from workflows.own_tools import FINISH, WAIT
from workflows.playbook import Allowed, Approve, Budget, Effect, Playbook, Stage, WriteLimit
from workflows.policy import Refuse, judge

HELLO = {"body": "Hello"}
PIN = frozen(tool(), tool("label", args={"body": Allowed(values=("bug",))}))


class Reached:
    """A server that must not be reached."""

    async def call(self, *_what: Any, **_how: Any) -> Any:
        raise AssertionError("this call had to stay here")


def counted() -> tuple[Registry, RunInstruments]:
    registry = Registry(catalogue.SCRAPE_FAILURES)
    return registry, RunInstruments(registry)


async def refused(registry: Registry) -> dict[str, float]:
    """How many calls were not made, by why."""
    families = {family.metric: family.points for family in await registry.collect()}
    return {
        point.labels[0]: total([point])
        for point in families[catalogue.CALLS_REFUSED]
        if total([point])
    }


async def test_o3_calls_that_fit_no_tool_are_counted_when_the_reply_is_kept_and_not_again(
    tmp_path: Path,
) -> None:
    registry, counts = counted()
    reply = uses(
        ToolUse("github__erase", HELLO),
        ToolUse("github__comment", {"text": "Hello"}),
        ToolUse("github__label", {"body": "wontfix"}),
        ToolUse("github__label", {"body": "bug"}),
    )
    async with talk(tmp_path, PIN, reply, counts=counts) as subject:
        await subject.ask()
        await subject.ask()

    assert await refused(registry) == {"unknown_tool": 1, "bad_input": 1, "args": 1}


async def test_o3_the_calls_of_a_reply_that_was_cut_are_counted(tmp_path: Path) -> None:
    registry, counts = counted()
    cut = Reply(blocks=(Text("I"), ToolUse("github__comment", HELLO)), stop_reason="max_tokens")
    async with talk(tmp_path, PIN, cut, counts=counts) as subject:
        await subject.ask()

    assert await refused(registry) == {"unheeded": 1}


def book(**changes: Any) -> Playbook:
    values = {"digest": "", "model": "m", "max_tokens": 1, "inputs": {}}
    return Playbook(name="triage", **values | {"tools": {"github": ("comment",)}} | changes)


def limited(**limit: Any) -> Playbook:
    return book(writes={"github.comment": WriteLimit(**limit)})


@pytest.mark.parametrize(
    ("live", "state", "why"),
    [
        (book(tools={}), CallState.DENIED, Unmade.TAKEN_OFF),
        (limited(max=0), CallState.DENIED, Unmade.MAX),
        (limited(args={"body": Allowed(values=("bug",))}), CallState.DENIED, Unmade.ARGS),
        (limited(approve=Approve(by=("ada",), ttl=1.0)), CallState.REFUSED, Unmade.CONSENT),
    ],
)
async def test_o3_what_may_not_leave_any_more_is_counted(
    tmp_path: Path, live: Playbook, state: CallState, why: Unmade
) -> None:
    registry, counts = counted()
    now = replace(configuration(), playbooks={"triage": live})
    given = {"counts": counts, "configuration": lambda: now, "hands": Reached()}
    async with talk(
        tmp_path, PIN, uses(ToolUse("github__comment", HELLO)), says(), **given
    ) as subject:
        await subject.ask()
        outcome = await made(subject)

    assert outcome == state
    assert await refused(registry) == {why: 1}


async def made(subject: Talk) -> CallState:
    """How the call of the first turn ended, asked twice."""
    request = CallRequest(run_id=subject.run_id, call_id="1.0")
    first = await once.call(subject.means, request, 1)
    assert await once.call(subject.means, request, 2) == first
    return first.state


@pytest.mark.parametrize(
    ("said", "counts_as"), [("max", "max"), ("of a newer version", "other"), ("", None)]
)
async def test_o3_an_answer_that_stands_for_a_call_is_counted_once_by_its_word(
    tmp_path: Path, said: str, counts_as: str | None
) -> None:
    registry, counts = counted()
    async with talk(tmp_path, PIN, says(), counts=counts) as subject:
        await subject.ledger.write(calls.intend, subject.run_id, 1, intent("1.0"), AT)
        answer = Answer(
            run_id=subject.run_id, call_id="1.0", state=CallState.DENIED, text="No.", why=said
        )
        for _ in range(2):
            await ActivityEnvironment().run(Activities(subject.means).answer, answer)

    assert await refused(registry) == ({counts_as: 1} if counts_as else {})


LABEL = card("github__label", Effect.WRITE, max=1)


@pytest.mark.parametrize(
    ("alias", "state", "why"),
    [
        ("github__erase", {}, Unmade.UNKNOWN_TOOL),
        (WAIT, {"waiting": True}, Unmade.ONE_WAIT),
        (FINISH, {"alone": False}, Unmade.NOT_LAST),
        (LABEL.alias, {"tool_calls": 3}, Unmade.TOOL_CALLS),
        (LABEL.alias, {"writes": {LABEL.alias: 1}}, Unmade.MAX),
    ],
)
def test_o3_each_refusal_of_the_policy_has_its_word(
    alias: str, state: dict[str, Any], why: Unmade
) -> None:
    given: dict[str, Any] = {"tool_calls": 0, "writes": {}, "waiting": False, **state}
    verdict = judge(
        tool_call(alias),
        {LABEL.alias: LABEL},
        stage=Stage.LIVE,
        budget=Budget(tool_calls=3),
        **given,
    )

    assert isinstance(verdict, Refuse)
    assert verdict.why == why
