"""H3: a server that fails again and again is started more and more slowly, then left alone, then tried once."""

import asyncio
import re
import sys
from dataclasses import replace

import pytest

from orchestrator.agent.hands import breaker
from orchestrator.agent.hands.definitions import Answered, HandsUnreachable, Lost, NotSent
from orchestrator.servers import CallLimits, Pace, StdioServer
from tests.support.lab import ask, lab, lines, log, mute, old, pids, reaching, text

__all__ = ["lab", "log", "mute", "old"]  # fixtures, by being here


@pytest.fixture
def hasty(monkeypatch):
    """A breaker whose times are those of a test; what it leaves alone is left alone until the test's end."""
    monkeypatch.setattr(breaker, "FIRST_REST", 0.02)
    monkeypatch.setattr(breaker, "FIRST_DELAY", 3.0)


@pytest.fixture
def hastier(hasty, monkeypatch):
    """The same, for tests that sleep until it is tried again."""
    monkeypatch.setattr(breaker, "FIRST_DELAY", 0.5)


@pytest.fixture
def stillborn(tmp_path):
    """A server that notes each start and ends at once, until there is a file `mended`."""
    script = (
        "import os, pathlib, subprocess, sys\n"
        f"here = pathlib.Path({str(tmp_path)!r})\n"
        "with (here / 'starts').open('a') as starts: starts.write('x')\n"
        "if not (here / 'mended').exists(): sys.exit(3)\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
    )
    lab_server = ["tests/support/old_lab_server.py", str(tmp_path / "lab.log")]
    return StdioServer(name="ill", command=(sys.executable, "-c", script, *lab_server))


def starts(tmp_path) -> int:
    return len((tmp_path / "starts").read_text())


async def fail(hands, times: int) -> list[str]:
    said = []
    for _ in range(times):
        with pytest.raises(HandsUnreachable) as unreachable:
            await hands.discover("ill")
        said.append(str(unreachable.value))
    return said


async def test_h3_after_five_failures_it_is_not_started_and_the_answer_names_it_and_when(
    hasty, stillborn, tmp_path
):
    async with reaching(stillborn) as hands:
        await fail(hands, 5)
        (said,) = await fail(hands, 1)
        outcome = await ask(hands, "ill", "hello")

    assert starts(tmp_path) == 5
    words = r"server 'ill' is left alone after 5 failures in a row; it is tried again in [123] s"
    assert re.search(words, said)
    assert "ended with status 3" in said
    assert isinstance(outcome, NotSent)
    assert "left alone" in outcome.reason


async def test_h3_a_trial_that_is_answered_makes_all_well_again(hastier, stillborn, tmp_path):
    heard = []
    async with reaching(stillborn, stood=heard.append) as hands:
        await fail(hands, 5)
        (tmp_path / "mended").touch()
        await asyncio.sleep(0.6)
        said = await asyncio.gather(*(ask(hands, "ill", "hello") for _ in range(3)))

    assert any(isinstance(one, Answered) for one in said)
    assert starts(tmp_path) == 6
    assert [one.state for one in heard] == ["open", "half open", "closed"]
    assert [one.failures for one in heard] == [5, 5, 0]


async def test_h3_a_trial_that_fails_leaves_it_alone_for_longer(hastier, stillborn, tmp_path):
    async with reaching(stillborn) as hands:
        await fail(hands, 5)
        await asyncio.sleep(0.6)
        await fail(hands, 1)
        assert 0.5 < hands.standing("ill").again_in <= 1.0
        await fail(hands, 3)

    assert starts(tmp_path) == 6


async def test_h3_many_callers_of_one_start_are_one_failure(hasty, stillborn, tmp_path):
    async with reaching(stillborn) as hands:
        said = await asyncio.gather(*(ask(hands, "ill", "hello") for _ in range(20)))

    assert all(isinstance(one, NotSent) for one in said)
    assert starts(tmp_path) == 1


async def test_h3_a_server_that_dies_of_every_call_is_left_alone(hasty, lab, log):
    async with reaching(lab) as hands:
        said = [await ask(hands, "lab", "dies") for _ in range(6)]

    assert all(isinstance(one, Lost) for one in said[:5])
    assert isinstance(said[5], NotSent)
    assert lines(log).count("dies began") == 5


async def test_h3_what_a_tool_says_however_bad_counts_as_well(hasty, lab, old, log):
    async with reaching(lab, old) as hands:
        for _ in range(6):
            assert (await ask(hands, "lab", "boom")).is_error
            assert (await ask(hands, "old", "refuses")).is_error
            assert (await ask(hands, "old", "unreadable")).is_error
        assert hands.standing("lab").failures == hands.standing("old").failures == 0
        assert text(await ask(hands, "lab", "echo", text="well")) == "well"
    assert len(pids(log)) == 2


async def test_h3_one_server_that_is_left_alone_harms_no_other(hasty, stillborn, lab):
    async with reaching(stillborn, lab) as hands:
        await fail(hands, 6)
        assert text(await ask(hands, "lab", "echo", text="well")) == "well"


async def test_h3_a_server_that_is_configured_anew_is_tried_at_once(hasty, stillborn, tmp_path):
    async with reaching(stillborn) as hands:
        await fail(hands, 6)
        hands.learn({"ill": replace(stillborn, env={"MENDED": "1"})})
        (tmp_path / "mended").touch()
        assert text(await ask(hands, "ill", "hello")) == "good day"


# Limits ----------------------------------------------------------------------------------------


async def test_h3_a_limited_server_never_gets_more_calls_at_once(lab):
    limited = replace(lab, limits=CallLimits(concurrent=2))
    loop = asyncio.get_running_loop()
    async with reaching(limited) as hands:
        await hands.discover("lab")
        began = loop.time()
        said = await asyncio.gather(*(ask(hands, "lab", "pause", seconds=0.2) for _ in range(6)))

    assert [text(one) for one in said] == ["rested"] * 6
    assert loop.time() - began >= 0.6


async def test_h3_a_call_beyond_the_limits_is_not_sent_and_nobody_was_asked_for_leave(lab, log):
    asked = []

    async def permit() -> bool:
        asked.append("asked")
        return True

    limited = replace(lab, limits=CallLimits(pace=Pace(most=1, window=60.0, said="1/m"), wait=0.05))
    async with reaching(limited) as hands:
        await ask(hands, "lab", "echo", text="one")
        outcome = await hands.call(
            "lab", "echo", {"text": "two"}, deadline=5, key="k", before_send=permit
        )

    assert isinstance(outcome, NotSent)
    assert "server 'lab' may get 1/m (`limits:` in servers.yaml)" in outcome.reason
    assert asked == []
    assert "echo two" not in lines(log)
