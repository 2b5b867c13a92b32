"""H4 as a client: the real hands over HTTP and the stand-in of the fast tests see the same of a task."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.agent.hands.definitions import Answered, Begun
from orchestrator.agent.hands.pool import Hands
from orchestrator.agent.hands.sights import Seen, Sight, Status, Unseen
from orchestrator.agent.means import Tasks
from orchestrator.servers import Bounds, HttpServer
from tests.support.following import Followed
from tests.support.lab import OURS, ask, reaching
from tests.support.later import peer_at

SERVER, TOOL, DEADLINE = "later", "write_later", 20.0
POLL, TTL = 5.0, 86_400.0


@dataclass
class Subject:
    tasks: Tasks
    begin: Callable[[], Awaitable[Begun]]
    tells: Callable[[str, str], Awaitable[object]]
    leave: Callable[[], None]

    async def look(self, task_id: str) -> Sight:
        return await self.tasks.look(SERVER, TOOL, task_id, deadline=DEADLINE)

    async def respond(self, task_id: str, given: dict[str, Any]) -> Sight:
        return await self.tasks.respond(SERVER, TOOL, task_id, given, deadline=DEADLINE)

    async def call_off(self, task_id: str) -> Sight:
        return await self.tasks.call_off(SERVER, TOOL, task_id, deadline=DEADLINE)


@asynccontextmanager
async def real(directory: Path) -> AsyncIterator[Subject]:
    async with peer_at(directory / "later", POLL, TTL) as peer:
        url = HttpServer(name=SERVER, url=f"{peer.url}/mcp")
        hands = Hands({SERVER: url}, environment=OURS, connect_timeout=10)

        async def begin() -> Begun:
            arguments = {"body": f"number {len(peer.did)}"}
            key = f"run/{len(peer.did)}"
            outcome = await hands.call(SERVER, TOOL, arguments, deadline=20, key=key)
            assert isinstance(outcome, Begun), outcome
            return outcome

        try:
            yield Subject(hands, begin, peer.tells, peer.kill)
        finally:
            await hands.close()


@asynccontextmanager
async def fake(_: Path) -> AsyncIterator[Subject]:
    followed = Followed(poll=POLL, ttl=TTL)

    async def begin() -> Begun:
        return followed.begin()

    async def tells(how: str, text: str) -> None:
        followed.tells(how, text)

    def leave() -> None:
        followed.away = "server 'later': could not connect"

    yield Subject(followed, begin, tells, leave)


@pytest.fixture(params=[real, fake], ids=["real", "fake"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    async with request.param(tmp_path) as made:
        yield made


async def test_h4_a_handle_says_how_long_and_how_often(subject: Subject) -> None:
    begun = await subject.begin()
    assert (begun.status, begun.said, begun.poll, begun.ttl) == ("working", "queued", POLL, TTL)
    assert '"statusMessage": "queued"' in begun.document
    sight = await subject.look(begun.task_id)
    assert sight == Seen(status=Status.WORKING, said="queued", poll=POLL, ttl=TTL)


@pytest.mark.parametrize(
    ("how", "text", "status", "answer", "is_error"),
    [
        ("completed", "written", Status.COMPLETED, "written", False),
        ("wrong", "no paper", Status.COMPLETED, "no paper", True),
        ("strange", "", Status.COMPLETED, "not a tool result", True),
        ("failed", "it broke", Status.FAILED, "it broke (MCP error -32001)", True),
        ("cancelled", "by the shop", Status.CANCELLED, None, False),
        ("working", "half", Status.WORKING, None, False),
        ("asks", "", Status.INPUT_REQUIRED, None, False),
    ],
)
async def test_h4_every_state_of_a_task_is_seen(
    subject: Subject, how: str, text: str, status: Status, answer: str | None, is_error: bool
) -> None:
    begun = await subject.begin()
    await subject.tells(how, text)
    sight = await subject.look(begun.task_id)
    assert isinstance(sight, Seen), sight
    assert sight.status is status
    assert list(sight.requests) == (["paper"] if how == "asks" else [])
    if answer is None:
        assert sight.answer is None
    else:
        assert isinstance(sight.answer, Answered)
        assert answer in sight.answer.content[0]["text"]
        assert sight.answer.is_error is is_error
    # The first end stays.
    await subject.tells("completed", "later still")
    again = await subject.look(begun.task_id)
    ended = status in {Status.COMPLETED, Status.FAILED, Status.CANCELLED}
    assert (again == sight) is ended


async def test_h4_a_task_nobody_knows_is_gone_and_a_server_that_is_away_says_nothing(
    subject: Subject,
) -> None:
    begun = await subject.begin()
    gone = await subject.look("no-such-task")
    assert isinstance(gone, Unseen)
    assert (gone.gone, "not found" in gone.reason) == (True, True)
    subject.leave()
    away = await subject.look(begun.task_id)
    assert isinstance(away, Unseen)
    assert (away.gone, bool(away.reason)) == (False, True)


async def test_h4_what_is_called_off_is_cancelled_once(subject: Subject) -> None:
    begun = await subject.begin()
    sight = await subject.call_off(begun.task_id)
    assert isinstance(sight, Seen)
    assert (sight.status, sight.answer) == (Status.CANCELLED, None)
    assert await subject.call_off(begun.task_id) == sight


async def test_h4_what_a_task_wants_is_given_to_it_and_nothing_else_is_taken(
    subject: Subject,
) -> None:
    begun = await subject.begin()
    await subject.tells("asks", "")
    accepted = {"action": "accept", "content": {"paper": "glossy"}}
    other = await subject.respond(begun.task_id, {"another": accepted})
    assert isinstance(other, Seen)
    assert other.status is Status.INPUT_REQUIRED
    given = await subject.respond(begun.task_id, {"paper": accepted})
    assert isinstance(given, Seen)
    assert (given.status, dict(given.requests)) == (Status.WORKING, {})
    gone = await subject.respond("no-such-task", {"paper": accepted})
    assert isinstance(gone, Unseen)
    assert gone.gone


async def test_h4_so_much_of_a_tasks_result_is_shown_as_its_tool_says_else_its_server(
    tmp_path: Path,
) -> None:
    own = {TOOL: Bounds(result=2_000)}
    async with peer_at(tmp_path / "later", POLL, TTL) as peer:
        url, whole = f"{peer.url}/mcp", Bounds(result=120_000)
        server = HttpServer(name=SERVER, url=url, bounds=whole, tool_bounds=own)
        async with reaching(server) as hands:
            begun = await ask(hands, SERVER, TOOL, body="a long one")
            assert isinstance(begun, Begun)
            await peer.tells("completed", "x" * 300_000)
            for tool, most in ((TOOL, 2_000), ("read_later", 120_000)):
                sight = await hands.look(SERVER, tool, begun.task_id, deadline=DEADLINE)
                assert isinstance(sight, Seen)
                assert isinstance(sight.answer, Answered)
                assert most * 0.9 < len(sight.answer.content[0]["text"]) <= most * 1.1
                assert len(sight.answer.full) == 300_000
