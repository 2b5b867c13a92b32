"""A2: a write is never silently repeated, and what is said of it afterwards is true. Hands are a fake server."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.agent.calling import once
from orchestrator.agent.calling.once import ATTEMPTS_WITHOUT_ANSWER, MARGIN, TryAgain
from orchestrator.agent.hands.definitions import Answered, Lost, NotSent
from orchestrator.agent.means import Means
from orchestrator.ledger import artifacts, calls
from tests.support.builders import AT, RUN, configuration, intent, ledger_at
from workflows.messages import CallRequest, CallState, Settle
from workflows.playbook import Effect

FINE = Answered(
    content=({"type": "text", "text": "ok"},),
    is_error=False,
    full=b'{"ok": true}',
    full_media_type="application/json",
)
BAD = Answered(content=(), is_error=True, full=b"", full_media_type="text/plain")


class Killed(BaseException):
    """The worker died here."""


@dataclass
class Hands:
    """Plays one act for each request: a word of `ACTS`, or an outcome; `executed` is what the server really did."""

    acts: list[Any]
    meanwhile: Callable[[], Awaitable[object]] | None = None
    executed: int = 0
    keys: list[str] = field(default_factory=list)

    async def call(self, *_what, key, before_send, **_how):
        self.keys.append(key)
        act = self.acts.pop(0)
        if act == "killed before":
            raise Killed
        if act == "unreachable":
            return NotSent(reason="connection refused")
        if self.meanwhile is not None:
            await self.meanwhile()
        if not await before_send():
            return NotSent(reason="no longer wanted")
        return self._sent(act)

    def _sent(self, act):
        if act == "broken at once":
            return NotSent(reason="the pipe broke")
        if act == "killed on the way":
            raise Killed
        self.executed += act != "lost on the way"
        if act == "killed after":
            raise Killed
        return Lost(reason="the connection broke") if isinstance(act, str) else act


ACTS = (
    "killed before",
    "unreachable",
    "broken at once",
    "killed on the way",
    "lost on the way",
    "lost on the way back",
    "killed after",
    FINE,
)


@dataclass
class Time:
    """Goes on by `step` seconds with every look at it."""

    step: float = 0.0
    at: float = AT

    def now(self) -> float:
        self.at += self.step
        return self.at


@pytest.fixture(autouse=True, scope="module")
def no_pauses():
    before, once.LOOK_EVERY = once.LOOK_EVERY, 0.0
    yield
    once.LOOK_EVERY = before


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with ledger_at(tmp_path_factory.mktemp("calling")) as database:
        yield database


@pytest.fixture
def ledger(tmp_path):
    with ledger_at(tmp_path) as database:
        yield database


def means(ledger, *acts, step=0.0, meanwhile=None):
    hands = Hands(list(acts), meanwhile)
    time = Time(step)
    given: dict[str, Any] = {"inbox": None, "model": None, "configuration": configuration}
    return Means(ledger=ledger, hands=hands, now=time.now, scripted=True, **given)


async def begin(ledger, effect=Effect.WRITE_ONCE, call_id="c1"):
    await ledger.write(calls.intend, RUN, 1, intent(call_id, effect=effect), AT)


async def attempt(found, number=1, call_id="c1"):
    return await once.call(found, CallRequest(run_id=RUN, call_id=call_id), number)


async def row(ledger, call_id="c1"):
    return await ledger.read(calls.one, RUN, call_id)


async def said(ledger):
    return (await row(ledger)).content[0]["text"]


async def test_a_call_that_was_answered_is_done_with_all_of_its_answer_kept(ledger):
    await begin(ledger)
    outcome = await attempt(means(ledger, FINE))

    found = await row(ledger)
    assert (outcome.state, outcome.size) == (CallState.DONE, len(FINE.full))
    assert (found.content, found.is_error) == (list(FINE.content), False)
    kept = await ledger.read(artifacts.get, found.artifact)
    assert (kept.body, kept.media_type) == (FINE.full, "application/json")


async def test_a_call_that_was_answered_with_an_error_failed(ledger):
    await begin(ledger)

    assert (await attempt(means(ledger, BAD))).state is CallState.FAILED
    assert (await row(ledger)).is_error


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize("act", ["unreachable", "broken at once"])
async def test_a2_a_call_that_never_left_is_refused_in_words_that_nothing_was_done(
    ledger, effect, act
):
    await begin(ledger, effect)

    assert (await attempt(means(ledger, act))).state is CallState.REFUSED
    assert "nothing was done" in await said(ledger)


async def test_a2_a_write_without_an_answer_is_unknown_in_words_and_not_made_again(ledger):
    await begin(ledger)
    found = means(ledger, "lost on the way back", FINE)

    assert (await attempt(found)).state is CallState.UNKNOWN
    assert (await attempt(found, 2)).state is CallState.UNKNOWN
    assert "may have taken effect" in await said(ledger)
    assert found.hands.executed == 1


@pytest.mark.parametrize(
    ("effect", "state"), [(Effect.READ, CallState.FAILED), (Effect.WRITE, CallState.UNKNOWN)]
)
async def test_a_call_that_may_be_repeated_is_tried_three_times(ledger, effect, state):
    await begin(ledger, effect)
    found = means(ledger, *["lost on the way"] * ATTEMPTS_WITHOUT_ANSWER)
    for number in range(1, ATTEMPTS_WITHOUT_ANSWER):
        with pytest.raises(TryAgain, match="gave no answer"):
            await attempt(found, number)

    assert (await attempt(found, ATTEMPTS_WITHOUT_ANSWER)).state is state


async def test_a_call_that_may_be_repeated_is_done_when_a_repeat_is_answered(ledger):
    await begin(ledger, Effect.WRITE)
    found = means(ledger, "lost on the way back", FINE)
    with pytest.raises(TryAgain):
        await attempt(found)

    assert (await attempt(found, 2)).state is CallState.DONE
    assert found.hands.keys == [f"{RUN}/c1"] * 2


@pytest.mark.parametrize(
    ("effect", "state"), [(Effect.READ, CallState.REFUSED), (Effect.WRITE, CallState.UNKNOWN)]
)
async def test_a2_a_repeat_that_never_left_says_nothing_of_the_attempt_before_it(
    ledger, effect, state
):
    await begin(ledger, effect)
    found = means(ledger, "lost on the way back", "unreachable")
    with pytest.raises(TryAgain):
        await attempt(found)

    assert (await attempt(found, 2)).state is state


async def test_a2_a_write_whose_worker_died_before_the_bytes_left_is_made(ledger):
    await begin(ledger)
    found = means(ledger, "killed before", FINE)
    with pytest.raises(Killed):
        await attempt(found)

    assert (await attempt(found, 2)).state is CallState.DONE
    assert found.hands.executed == 1


async def test_a2_a_write_that_was_sent_is_waited_for_and_then_unknown(ledger):
    await begin(ledger)
    found = means(ledger, "killed after", step=7.0)
    with pytest.raises(Killed):
        await attempt(found)
    deadline = (await row(ledger)).deadline_at

    assert (await attempt(found, 2)).state is CallState.UNKNOWN
    assert (await row(ledger)).done_at > deadline + MARGIN
    assert found.hands.executed == 1


async def test_a2_a_write_that_another_attempt_ends_meanwhile_is_told_as_it_ended(ledger):
    await begin(ledger)
    done = calls.Result(state=CallState.DONE, content=[], is_error=False)
    slow = means(ledger, "killed on the way")
    with pytest.raises(Killed):
        await attempt(slow)
    waiting = asyncio.create_task(attempt(means(ledger), 2))
    await asyncio.sleep(0)
    await ledger.write(calls.finish, RUN, "c1", done, AT)

    assert (await waiting).state is CallState.DONE


@pytest.mark.parametrize("effect", Effect)
async def test_a2_an_attempt_that_was_overtaken_sends_nothing_and_says_so(ledger, effect):
    await begin(ledger, effect)
    later = means(ledger, "killed before")

    async def overtaken():
        with pytest.raises(Killed):
            await attempt(later, 2)

    slow = means(ledger, FINE, meanwhile=overtaken)
    with pytest.raises(TryAgain, match="later attempt"):
        await attempt(slow)

    assert slow.hands.executed == 0
    assert (await row(ledger)).state is CallState.INTENDED


async def test_what_has_ended_is_told_again_without_asking_anybody(ledger):
    await begin(ledger)
    await attempt(means(ledger, FINE))
    found = means(ledger)

    for number in (1, 2, 9):
        assert (await attempt(found, number)).state is CallState.DONE
    assert found.hands.keys == []


async def test_a_proposal_sends_nothing(ledger):
    await begin(ledger)
    found = means(ledger)
    request = CallRequest(run_id=RUN, call_id="c1")

    assert (await once.propose(found, request)).state is CallState.PROPOSED
    assert not (await row(ledger)).is_error
    assert "nothing was changed" in await said(ledger)


@pytest.mark.parametrize(
    ("effect", "act", "state"),
    [
        (Effect.WRITE_ONCE, "killed before", CallState.REFUSED),
        (Effect.WRITE_ONCE, "killed on the way", CallState.UNKNOWN),
        (Effect.WRITE, "killed before", CallState.REFUSED),
        (Effect.WRITE, "killed after", CallState.UNKNOWN),
        (Effect.READ, "killed after", CallState.REFUSED),
    ],
)
async def test_a2_a_call_of_which_no_attempt_came_back_is_told_by_what_the_ledger_saw(
    ledger, effect, act, state
):
    await begin(ledger, effect)
    found = means(ledger, act)
    with pytest.raises(Killed):
        await attempt(found)

    settled = await once.settle_lost(found, Settle(run_id=RUN, call_id="c1"))
    assert settled.state is state
    text = "changed nothing" if state is CallState.REFUSED else "may have taken effect"
    assert text in await said(ledger)


@pytest.mark.parametrize(
    ("act", "state"), [("killed before", CallState.REFUSED), ("killed after", CallState.UNKNOWN)]
)
async def test_a2_a_call_that_a_person_cancelled_says_so_and_what_was_done_stays_done(
    ledger, act, state
):
    await begin(ledger)
    await begin(ledger, call_id="c2")
    found = means(ledger, act, FINE)
    with pytest.raises(Killed):
        await attempt(found)
    await attempt(found, call_id="c2")

    cancelled = [Settle(run_id=RUN, call_id=name, reason="a no") for name in ("c1", "c2", "c1")]
    settled = [(await once.settle_lost(found, one)).state for one in cancelled]
    assert settled == [state, CallState.DONE, state]
    assert "(a no)" in await said(ledger)


async def test_a2_an_attempt_that_left_is_not_forgotten_for_a_later_one_that_did_not(ledger):
    await begin(ledger, Effect.WRITE)
    found = means(ledger, "killed after", "killed before")
    for number in (1, 2):
        with pytest.raises(Killed):
            await attempt(found, number)
    assert (await row(ledger)).state is CallState.INTENDED

    settled = await once.settle_lost(found, Settle(run_id=RUN, call_id="c1"))
    assert settled.state is CallState.UNKNOWN


NUMBERS = iter(range(10**9))


@settings(max_examples=80, deadline=None)
@given(effect=st.sampled_from(Effect), acts=st.lists(st.sampled_from(ACTS), min_size=1, max_size=5))
def test_a2_whatever_happens_a_write_once_is_made_once_and_what_is_said_of_it_is_true(
    shared, effect, acts
):
    call_id = f"law{next(NUMBERS)}"

    async def story():
        await begin(shared, effect, call_id)
        found = means(shared, *acts, step=9.0)
        for number in range(1, len(acts) + 1):
            try:
                await attempt(found, number, call_id)
                break
            except (Killed, TryAgain):
                continue
        await once.settle_lost(found, Settle(run_id=RUN, call_id=call_id))
        return found.hands.executed, (await row(shared, call_id)).state

    executed, state = asyncio.run(story())
    assert state in {CallState.DONE, CallState.FAILED, CallState.UNKNOWN, CallState.REFUSED}
    if effect is Effect.WRITE_ONCE:
        assert executed <= 1
    if effect is not Effect.READ:
        assert executed == 0 or state in {CallState.DONE, CallState.UNKNOWN}
    assert executed > 0 or state is not CallState.DONE
