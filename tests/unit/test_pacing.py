"""R5: a provider that slows one run down is not hammered by the others of the same credential. Over real HTTP."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from orchestrator.agent.asking import pacing
from orchestrator.agent.asking.pacing import LEASE, SPREAD, UNSAID, Paused, credential_of
from orchestrator.agent.reply import Rejected, Unavailable
from orchestrator.demo.wire import Fault
from orchestrator.ledger import outages, pauses
from tests.support.asking import begin, talk
from tests.support.builders import AT, frozen, tool
from tests.support.scripts import says
from workflows.messages import Stop

PIN = frozen(tool())
BUSY = Fault(status=429, type="rate_limit_error", message="slow down", retry_after=60)
RUNS = 20


@dataclass
class Clock:
    at: float = AT
    jitters: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.at

    def jitter(self) -> float:
        self.jitters.append(0.5)
        return 0.5


@asynccontextmanager
async def twenty(directory, *answers):
    """Twenty runs with one credential, and a clock."""
    clock = Clock()
    async with talk(
        directory, PIN, *answers, now=clock.now, credential="one", jitter=clock.jitter
    ) as first:
        others = [await begin(first.ledger, PIN, number) for number in range(2, RUNS + 1)]
        yield clock, first, [first, *(replace(first, run_id=run_id) for run_id in others)]


async def tried(subjects):
    """What became of asking each of them now."""
    found = await asyncio.gather(*(one.ask() for one in subjects), return_exceptions=True)
    return [type(one) if isinstance(one, Exception) else one.stop for one in found]


async def test_twenty_runs_under_one_429_ask_twice_in_its_window(tmp_path):
    async with twenty(tmp_path, BUSY) as (clock, first, subjects):
        with pytest.raises(Unavailable, match="429"):
            await first.ask()
        for clock.at in (AT + 1, AT + 30, AT + 59):
            assert await tried(subjects) == [Paused] * RUNS
        asked = len(first.script.asked)
        clock.at = AT + 61
        became = await tried(subjects)

    assert asked == 1
    # One of them tries, and is told to wait once more; the others wait for that one.
    assert len(first.script.asked) == 2
    assert sorted(kind.__name__ for kind in became) == ["Paused"] * 19 + ["Unavailable"]


async def test_the_others_come_when_the_first_was_answered(tmp_path):
    async with twenty(tmp_path, BUSY) as (clock, first, subjects):
        with pytest.raises(Unavailable):
            await first.ask()
        first.script.replies = [says()]
        clock.at = AT + 61
        assert (await subjects[3].ask()).stop is Stop.END_TURN
        assert await tried(subjects) == [Stop.END_TURN] * RUNS


async def test_when_to_come_again_is_told_a_little_later_for_each(tmp_path):
    async with twenty(tmp_path, BUSY) as (clock, first, subjects):
        with pytest.raises(Unavailable):
            await first.ask()
        clock.at = AT + 20
        with pytest.raises(Paused) as held:
            await subjects[1].ask()

    assert held.value.retry_after == 40 + SPREAD / 2
    assert not held.value.begun


async def test_a_probe_that_is_lost_is_followed_by_another(tmp_path):
    async with twenty(tmp_path, BUSY) as (clock, first, subjects):
        with pytest.raises(Unavailable):
            await first.ask()
        clock.at = AT + 61
        assert await first.ledger.write(pauses.probe, "one", clock.at, LEASE)
        assert await tried(subjects[:2]) == [Paused, Paused]
        first.script.replies = [says()]
        clock.at += LEASE
        assert (await subjects[1].ask()).stop is Stop.END_TURN


async def test_another_credential_is_not_held_back(tmp_path):
    async with twenty(tmp_path, BUSY) as (_, first, subjects):
        with pytest.raises(Unavailable):
            await first.ask()
        other = replace(subjects[1], means=replace(first.means, credential="two"))
        first.script.replies = [says()]
        assert (await other.ask()).stop is Stop.END_TURN
        with pytest.raises(Paused):
            await subjects[2].ask()


@pytest.mark.parametrize(
    ("fault", "until"),
    [
        (BUSY, 60.0),
        (replace(BUSY, retry_after=None), UNSAID),
        (replace(BUSY, retry_after=99_999), pacing.LONGEST),
        (Fault(status=529, retry_after=7), 7.0),
        (Fault(status=529), None),
        (Fault(status=503, type="api_error"), None),
    ],
)
async def test_who_is_told_to_wait_tells_the_others(tmp_path, fault, until):
    """An overload that names no time is the business of the run that met it."""
    async with twenty(tmp_path, fault) as (_, first, _subjects):
        with pytest.raises(Unavailable):
            await first.ask()
        found = await first.ledger.read(pauses.of, "one")

    assert (found and found.until) == (until and AT + until)


async def test_a_wait_is_only_ever_made_longer_and_an_older_answer_does_not_end_it(tmp_path):
    async with talk(tmp_path, PIN, says()) as subject:
        write, read = subject.ledger.write, subject.ledger.read
        for until in (AT + 50, AT + 20):
            await write(pauses.slow, "one", until)
        assert (await read(pauses.of, "one")).until == AT + 50
        await write(pauses.answered, "one", AT + 40, 5)
        assert (await read(pauses.of, "one")).until == AT + 50
        await write(pauses.answered, "one", AT + 51, 5)
        assert await read(pauses.every) == {"one": pauses.Pause(until=0, answered_at=AT + 51)}
        await write(pauses.answered, "one", AT + 52, 5)
        assert (await read(pauses.of, "one")).answered_at == AT + 51


async def test_a_run_that_got_no_answer_is_remembered_until_it_gets_one(tmp_path):
    async with twenty(tmp_path, Fault(status=529)) as (clock, first, _):
        for clock.at in (AT, AT + 5):
            with pytest.raises(Unavailable):
                await first.ask()
        (found,) = await first.ledger.read(outages.unanswered, 9)
        first.script.replies = [says()]
        await first.ask()
        left = await first.ledger.read(outages.unanswered, 9)

    assert (found.run_id, found.credential, found.number) == (first.run_id, "one", 1)
    assert (found.since, found.at, found.parked) == (AT, AT + 5, False)
    assert left == []


async def test_a_provider_that_refuses_is_there(tmp_path):
    async with twenty(tmp_path, Fault(status=529)) as (_, first, _subjects):
        with pytest.raises(Unavailable):
            await first.ask()
        first.script.replies = [Fault(status=401, type="authentication_error")]
        with pytest.raises(Rejected):
            await first.ask()
        assert await first.ledger.read(outages.unanswered, 9) == []


def test_a7_a_credentials_name_does_not_tell_it():
    names = {
        credential_of("sk-ant-secret", None),
        credential_of("sk-ant-secret", "https://gateway"),
        credential_of("sk-ant-other", None),
        credential_of(None, None),
    }

    assert len(names) == 4
    assert all(len(name) == 16 and "secret" not in name for name in names)
