"""H4: a server of the handshake era that asks in the middle of a call is told that nobody answers, and asked again."""

import sys

import pytest

from orchestrator.agent.hands.definitions import Asks, Responses
from orchestrator.agent.hands.wanting import MIDDLE
from orchestrator.servers import StdioServer
from tests.support.lab import SUPPORT, lines, reaching, text


@pytest.fixture
def server(tmp_path):
    script = str(SUPPORT / "asking_server.py")
    return StdioServer(name="old", command=(sys.executable, script, str(tmp_path / "log")))


async def ask(hands, responses=None):
    return await hands.call("old", "which", {}, deadline=20, key="run/1", responses=responses)


async def test_h4_what_is_asked_in_the_middle_is_known_and_the_next_call_has_its_answer(
    server, tmp_path
):
    async with reaching(server) as hands:
        first = await ask(hands)
        assert isinstance(first, Asks)
        ((key, request),) = first.requests.items()
        given = {key: {"action": "accept", "content": {"paper": "glossy"}}}
        second = await ask(hands, Responses(given=given))
        third = await ask(hands)
    assert (key.startswith(MIDDLE), text(first.answered)) == (True, "on cancel")
    assert request["params"]["message"] == "Which paper?"
    assert text(second) == "on glossy"
    # An answer is for the call that it was given to.
    assert isinstance(third, Asks)
    assert lines(tmp_path / "log") == ["asks: True"]
