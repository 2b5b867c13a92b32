"""The intake of a run without its run: in every mode, whatever comes when, each entry is claimed once, with a word."""

import asyncio
from collections import Counter
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.carried import Kept
from workflows.flow import Coalesce, Flow, Mode
from workflows.intake import Intake
from workflows.messages import Claim, Entry, Kind

SHORT = Coalesce(quiet=2.0, within=5.0)
OURS = {
    Mode.SIGNAL: {Claim.CONSUMED},
    Mode.PARALLEL: {Claim.CONSUMED},
    Mode.QUEUE: {Claim.CONSUMED},
    Mode.SUPERSEDE: {Claim.CONSUMED, Claim.SUPERSEDED},
    Mode.SINGLE: {Claim.CONSUMED, Claim.IGNORED},
}


class Claiming(Intake):
    """An intake whose ledger is a dictionary, and whose clock a test turns."""

    def __init__(self, kept, ledger, clock, tokens):
        super().__init__(kept, now=lambda: clock["now"], draw=lambda: f"token {next(tokens)}")
        self.ledger = ledger

    async def claim(self, entry, how):
        token, _ = self.ledger.setdefault(entry.decision_id, (entry.token, how))
        return token == entry.token


class Driver:
    """What a run does with its intake: begin, hear, end, and continue as new at any point."""

    def __init__(self):
        self.ledger, self.clock, self.tokens = {}, {"now": 100.0}, count()
        self.intake = Claiming(Kept(), self.ledger, self.clock, self.tokens)
        self.open = None
        self.begun, self.heard = [], []

    def crash(self):
        kept = self.intake.kept()
        self.intake = Claiming(kept, self.ledger, self.clock, self.tokens)

    async def step(self):
        """One look at the mailbox; whether anything was to be done."""
        if self.open is None:
            return await self._begin()
        if await self.intake.outdone():
            self.open = None
            return True
        await self.intake.turn_away()
        entry = self.intake.heard()
        if entry is None:
            return False
        taken = await self.intake.take(entry)
        if taken is not None:
            self.heard.append(taken.decision_id)
        return True

    async def _begin(self):
        if not self.intake.mailbox or self.intake.is_gathering():
            return False
        taken = await self.intake.take(self.intake.mailbox.first())
        if taken is not None:
            self.open = taken
            self.begun.append(taken.decision_id)
        return True

    async def drain(self):
        """To the very end: time passes, and every conversation ends by itself."""
        while self.intake.mailbox:
            if not await self.step():
                self.open = None
                self.clock["now"] += 10.0


def event(number, flow, place=None):
    return Entry(
        decision_id=f"dec_{number}",
        kind=Kind.EVENT,
        event_id=f"evt_{number}",
        flow=flow,
        place=number if place is None else place,
    )


def driven(*steps):
    """A driver after these steps: an entry is put, a number lets time pass, a word is a verb of the driver."""

    async def run():
        driver = Driver()
        for step in steps:
            match step:
                case Entry():
                    driver.intake.put(step)
                case float():
                    driver.clock["now"] += step
                case "end":
                    driver.open = None
                case "crash":
                    driver.crash()
                case _:
                    await driver.step()
        await driver.drain()
        return driver

    return asyncio.run(run())


FLOWS = st.builds(
    lambda mode, coalesce: Flow(mode=mode, coalesce=coalesce),
    st.sampled_from(Mode),
    st.sampled_from([None, SHORT]),
)
STEPS = st.lists(
    st.one_of(
        st.integers(1, 8),
        st.sampled_from(["end", "crash", "step", "step"]),
        st.sampled_from([0.5, 1.5, 4.0]),
    ),
    max_size=40,
)


@settings(max_examples=200)
@given(FLOWS, STEPS)
def test_r3_whatever_comes_when_every_decision_is_claimed_once_and_acts_at_most_once(flow, steps):
    """A number is a delivery of that decision; drawn again, it is a repeat that changes nothing."""
    given_ = [event(step, flow) if isinstance(step, int) else step for step in steps]
    driver = driven(*given_)

    delivered = {step.decision_id for step in given_ if isinstance(step, Entry)}
    words = {decision: how for decision, (_, how) in driver.ledger.items()}
    acted = Counter(driver.begun + driver.heard)
    consumed = {decision for decision, how in words.items() if how is Claim.CONSUMED}
    allowed = OURS[flow.mode] | ({Claim.COALESCED} if flow.coalesce else set())
    assert set(words) == delivered
    assert set(words.values()) <= allowed
    assert set(acted) == consumed
    assert set(acted.values()) <= {1}
    folded = {f"dec_{one.removeprefix('evt_')}" for one in driver.intake.folded}
    assert folded == {decision for decision, how in words.items() if how is Claim.COALESCED}


@given(st.permutations(range(1, 7)), st.data())
def test_r3_by_supersede_no_older_event_ever_begins_after_a_newer_one(order, data):
    flow, steps = Flow(mode=Mode.SUPERSEDE), []
    for number in order:
        steps += [event(number, flow), *["step"] * data.draw(st.integers(0, 2))]
    begun = [int(one.removeprefix("dec_")) for one in driven(*steps).begun]

    assert begun == sorted(begun)
    assert begun[-1] == 6


def words_of(driver):
    return [
        driver.ledger[f"dec_{number}"][1].value
        for number in sorted(int(one.removeprefix("dec_")) for one in driver.ledger)
    ]


@pytest.mark.parametrize(
    ("mode", "words", "begun"),
    [
        (Mode.SIGNAL, ["consumed", "consumed", "consumed"], ["dec_1"]),
        (Mode.QUEUE, ["consumed", "consumed", "consumed"], ["dec_1", "dec_2", "dec_3"]),
        (Mode.SUPERSEDE, ["consumed", "superseded", "consumed"], ["dec_1", "dec_3"]),
        (Mode.SINGLE, ["consumed", "ignored", "ignored"], ["dec_1"]),
    ],
)
def test_r3_what_comes_while_a_conversation_is_open_meets_it_by_its_mode(mode, words, begun):
    one, two, three = (event(number, Flow(mode=mode)) for number in (1, 2, 3))
    driver = driven(one, "step", two, three)

    assert (words_of(driver), driver.begun) == (words, begun)


def test_r3_a_batch_is_ripe_when_it_was_quiet_and_at_the_latest_after_its_longest_time():
    flow = Flow(coalesce=SHORT)
    quiet = driven(event(1, flow), 1.5, "step", event(2, flow), 1.5, "step", "end")
    assert (words_of(quiet), quiet.begun) == (["coalesced", "consumed"], ["dec_2"])

    busy = [step for number in range(1, 6) for step in (event(number, flow), 1.5, "step")]
    longest = driven(*busy)
    assert longest.begun[0] == "dec_4"
    assert words_of(longest) == ["coalesced"] * 3 + ["consumed"] * 2


def test_r3_what_was_claimed_before_a_crash_is_what_is_taken_after_it():
    flow = Flow(mode=Mode.SUPERSEDE)
    driver = driven(event(1, flow), "step", event(2, flow), "step", "crash", event(3, flow))

    assert words_of(driver) == ["consumed"] * 3
    assert driver.begun == ["dec_1", "dec_2", "dec_3"]
