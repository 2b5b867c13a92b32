"""Mechanics 23: a lost run that begins again is told every event that it had heard, in order, and as data."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from orchestrator.agent.conversation import opening, retold
from orchestrator.agent.means import Means
from orchestrator.inbox.inbox import Action, Decision
from orchestrator.inbox.sql import SqlInbox
from orchestrator.ledger import conversations, losses, turns
from tests.support.builders import (
    AT,
    KEY,
    NOW,
    WORKFLOW,
    comment,
    configuration,
    inbox_at,
    ledger_at,
    source,
)
from workflows.messages import Entry, Kind, OpenRequest
from workflows.playbook import Playbook

PLAYBOOK = Playbook(
    name="triage", digest="p1", model="m", max_tokens=4_000, inputs={}, tools={}, prose="Triage."
)


class NoHands:
    """Nobody's hands: the playbook has no tools."""

    def learn(self, servers):
        pass


@dataclass
class House:
    means: Means
    inbox: SqlInbox

    async def begins(self, number=0):
        """The conversation of the nth start for the first event, opened and pinned."""
        decision = Decision(
            id=f"dec_{number}",
            event_id="e1",
            cause="triage",
            rule="triage",
            action=Action.START,
            reason="matched",
            playbook="triage",
            key=KEY,
            stage="live",
            workflow_id=WORKFLOW,
            lane=WORKFLOW,
            again=number or None,
        )
        if number:
            await self.inbox.add([decision], NOW)
        else:
            await self.inbox.keep([comment("e1", text="first")])
            await self.inbox.decide("e1", [decision], NOW)
        entry = Entry(decision_id=decision.id, kind=Kind.EVENT, event_id="e1", token=f"t{number}")
        begun = await opening.begin(self.means, OpenRequest(workflow_id=WORKFLOW, entry=entry))
        await opening.prepare(self.means, begun.run_id)
        return begun.run_id

    async def hears(self, run_id, *events):
        """These comments come and the run consumes them; they are written down in no order."""
        await self.inbox.keep([comment(name, text=f"text of {name}") for name in events])
        for name in reversed(events):
            entry = await self.inbox.entry(name)
            given = (run_id, name, entry.position, "noted", AT)
            await self.means.ledger.write(conversations.hear, *given)

    async def loses(self, run_id):
        assert (await self.means.ledger.write(losses.lose, run_id, "gone", AT)) is not None

    async def told(self, run_id):
        return (await self.means.ledger.read(turns.noted, run_id))[1]


@pytest.fixture
def house(tmp_path) -> Iterator[House]:
    files = replace(configuration(), sources={"github": source()}, playbooks={"triage": PLAYBOOK})
    with inbox_at(tmp_path) as inbox, ledger_at(tmp_path) as ledger:
        means = Means(
            inbox=inbox,
            ledger=ledger,
            model=None,
            hands=NoHands(),
            configuration=lambda: files,
            now=lambda: AT,
            scripted=True,
        )
        yield House(means, inbox)


async def test_what_a_lost_run_had_heard_is_told_in_order_and_as_data(house):
    lost = await house.begins()
    await house.hears(lost, "e2", "e3")
    await house.loses(lost)

    again = await house.begins(7)

    (told,) = await house.told(again)
    first, second, third = told.split("<event>")[1:]
    assert ("first" in first, "text of e2" in second, "text of e3" in third) == (True,) * 3
    assert told.count(retold.WORDS) == 2
    assert told.count("UNTRUSTED") == 3
    assert await house.means.ledger.read(conversations.heard, again) == ["e2", "e3", "e1"]


async def test_lost_a_second_time_nothing_of_it_is_forgotten(house):
    lost = await house.begins()
    await house.hears(lost, "e2")
    await house.loses(lost)
    second = await house.begins(7)
    await house.hears(second, "e3")
    await house.loses(second)

    third = await house.begins(8)

    assert await house.means.ledger.read(conversations.heard, third) == ["e2", "e3", "e1"]


async def test_a_run_that_ended_by_itself_hands_nothing_on(house):
    ended = await house.begins()
    await house.hears(ended, "e2")
    given = (ended, "ended", "", "completed", AT)
    await house.means.ledger.write(conversations.record, *given)

    again = await house.begins(7)

    assert await house.means.ledger.read(conversations.heard, again) == ["e1"]
    assert retold.WORDS not in (await house.told(again))[0]


async def test_of_very_many_the_newest_are_shown_and_the_others_are_named(house, monkeypatch):
    monkeypatch.setattr(retold, "MOST", 1_500)
    monkeypatch.setattr(retold, "NAMED", 2)
    lost = await house.begins()
    await house.hears(lost, *(f"e{n}" for n in range(2, 10)))
    await house.loses(lost)

    again = await house.begins(7)

    (told,) = await house.told(again)
    assert "text of e9" in told
    assert "text of e2" not in told
    assert "before them" in told
    heard = await house.means.ledger.read(conversations.heard, again)
    assert set(heard) == {f"e{n}" for n in range(1, 10)}


async def test_an_event_that_is_gone_is_named_and_keeps_nobody_from_beginning(house):
    lost = await house.begins()
    given = (lost, "e_pruned", 9, "noted", AT)
    await house.means.ledger.write(conversations.hear, *given)
    await house.loses(lost)

    again = await house.begins(7)

    assert "e_pruned can no longer be read" in (await house.told(again))[0]
