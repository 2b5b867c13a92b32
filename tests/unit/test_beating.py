"""A heartbeat carries what a server said last of its progress, and no more of it than a line."""

import asyncio

from temporalio.testing import ActivityEnvironment

from orchestrator.agent import beating
from orchestrator.agent.beating import Telling
from orchestrator.agent.hands.definitions import Discovered
from orchestrator.agent.hands.heard import MAX_PROGRESS, heard
from orchestrator.agent.means import Hands


class Working(Hands):
    """Hands whose calls tell their progress, and wait."""

    def __init__(self, *said: str) -> None:
        self.said, self.learned, self.closed = said, None, False

    def learn(self, servers):
        self.learned = servers

    async def discover(self, server):
        return Discovered(server=server, protocol="", identity="", tools=())

    async def call(self, server, tool, _arguments, *, progress=None, **_rest):
        for words in self.said:
            progress(words)
            await asyncio.sleep(0.05)
        return f"{server}.{tool}"

    async def close(self):
        self.closed = True


async def told(monkeypatch, *said: str) -> list[tuple]:
    monkeypatch.setattr(beating, "INTERVAL", 0.02)
    details = []

    async def work():
        async with beating.beating() as tell:
            hands = Telling(Working(*said), tell)
            assert await hands.call("lab", "slow", {}, deadline=1, key="k") == "lab.slow"

    env = ActivityEnvironment()
    env.on_heartbeat = lambda *said: details.append(said)
    await env.run(work)
    return details


async def test_o1_a_heartbeat_tells_what_the_server_said_last(monkeypatch):
    details = await told(monkeypatch, "copying (1/3)", "copying (2/3)", "copying (3/3)")

    assert details[0] in {(), ("copying (1/3)",)}
    assert ("copying (2/3)",) in details
    assert details[-1] == ("copying (3/3)",)


async def test_o1_what_hides_in_a_text_does_not_reach_the_people_who_look_on(monkeypatch):
    details = await told(monkeypatch, "copying\u202e\u200b")

    assert "\u202e" not in details[-1][0]


async def test_o1_without_progress_the_heart_beats_all_the_same(monkeypatch):
    monkeypatch.setattr(beating, "INTERVAL", 0.01)
    beats = []

    async def work():
        async with beating.beating():
            await asyncio.sleep(0.05)

    env = ActivityEnvironment()
    env.on_heartbeat = lambda *said: beats.append(said)
    await env.run(work)
    assert set(beats) == {()}
    assert len(beats) > 1


async def test_hands_that_tell_are_the_same_hands_otherwise():
    working = Working()
    hands = Telling(working, print)
    hands.learn({"a": 1})
    found = await hands.discover("lab")
    await hands.close()

    assert (working.learned, found.server, working.closed) == ({"a": 1}, "lab", True)


async def test_a7_progress_is_one_short_line_without_our_secrets():
    said = []
    hear = heard(said.append, lambda text: text.replace("hunter22", "[secret]"))
    await hear(1, 10, "with hunter22 " + "x" * 100_000)
    await hear(2, None, None)

    assert said[0].startswith("with [secret] x")
    assert len(said[0]) < MAX_PROGRESS + 10
    assert said[1] == "2"
