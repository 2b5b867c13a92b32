"""O3: what happens to requests to people is counted, each once however often its activity runs."""

from collections import Counter
from dataclasses import replace

import pytest

from orchestrator.telemetry.instruments import RunInstruments, uncounted_runs
from tests.support.consent import HOUR, office_at


class Counting:
    """Instruments of which only those of approvals are heard."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()
        self._silent: RunInstruments = uncounted_runs()

    def approval(self, outcome):
        self.found[str(outcome)] += 1

    def __getattr__(self, name):
        return getattr(self._silent, name)


@pytest.fixture
def office(tmp_path):
    with office_at(tmp_path) as office:
        office.means = replace(office.means, counts=Counting())
        yield office


def counted(office):
    return dict(office.means.counts.found)


async def test_a_request_is_counted_when_it_is_put_and_not_when_it_is_asked_for_again(office):
    await office.ask()
    office.pass_by(1)
    await office.ask()

    assert counted(office) == {"asked": 1}


@pytest.mark.parametrize(("word", "outcome"), [("approve", "approved"), ("deny", "denied")])
async def test_a_word_that_counts_is_counted_once(office, word, outcome):
    asked = await office.ask()
    (decision,) = await office.decided(await office.hand(word, asked.code))
    await office.take(decision)
    await office.take(decision)

    assert counted(office) == {"asked": 1, outcome: 1}


async def test_a_word_that_does_not_count_is_counted_as_refused(office):
    asked = await office.ask()
    await office.heard(await office.hand("approve", asked.code, args={"body": 7}))
    yes, no = await office.hand("approve", asked.code), await office.hand("deny", asked.code)
    (approve,), (deny,) = await office.decided(yes), await office.decided(no)
    await office.take(approve)
    await office.take(deny)

    assert counted(office) == {"asked": 1, "refused": 2, "approved": 1}


async def test_a_time_that_is_up_is_counted_once(office):
    await office.ask()
    office.pass_by(HOUR + 1)
    await office.expire()
    await office.expire()

    assert counted(office) == {"asked": 1, "expired": 1}
