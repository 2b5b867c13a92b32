"""A1: whoever dies at whatever line: no more runs are open than may be, no slot stays taken, each event acts once."""

import random
from contextlib import ExitStack

import pytest

from orchestrator.database import Database, sqlite_url
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.inbox import schema as inbox_schema
from orchestrator.inbox.inbox import DecisionState
from orchestrator.inbox.sql import SqlInbox
from orchestrator.ledger import conversations, slots
from orchestrator.ledger import migrations as ledger_migrations
from orchestrator.rules.limits import Limits
from orchestrator.sources.source import OPERATOR
from tests.support.builders import OPERATOR_SOURCE, Log, comment, configuration, rule, source
from tests.support.mortal import KilledError, Life, Mortal, Town
from tests.support.roads import Clock
from workflows.messages import RunState

MOST = 2
EVENTS = 16
RULE = rule(key="issue:{{ event.issue.number }}", limits=Limits(concurrent=MOST))


class House:
    """Three dispatchers and a worker over one inbox and one ledger; each dies now and then, and another takes over."""

    def __init__(self, inbox, ledger, draw):
        self.inbox, self.ledger, self.draw = inbox, ledger, draw
        self.clock = Clock()
        self.town = Town(ledger, self.clock.now().timestamp())
        self.sources = {"github": source(), OPERATOR: OPERATOR_SOURCE}
        self.lives = [self.born() for _ in range(3)]

    def born(self):
        life = Life(self.draw.randint(1, 60))
        dispatcher = Dispatcher(
            inbox=Mortal(life, self.inbox),
            ledger=Mortal(life, self.ledger),
            runs=Mortal(life, self.town),
            configuration=lambda: configuration(RULE),
            sources=lambda: self.sources,
            now=self.clock.now,
            log=Log(),
            jitter=lambda: 0.5,
        )
        return life, dispatcher

    async def dispatch(self):
        number = self.draw.randrange(3)
        life, dispatcher = self.lives[number]
        rounds = (dispatcher.decide_some, dispatcher.deliver_some, dispatcher.deliver_some)
        try:
            await self.draw.choice((*rounds, dispatcher.reconcile))()
        except KilledError:
            life.left = 0
            self.lives[number] = self.born()

    async def work(self):
        busy = self.town.busy()
        if busy:
            try:
                await self.town.work(
                    Mortal(Life(self.draw.randint(1, 8)), self.ledger), self.draw.choice(busy)
                )
            except KilledError:
                return

    async def step(self):
        await self.draw.choice((self.dispatch, self.dispatch, self.work))()
        self.clock.pass_by(self.draw.choice((0, 0, 1, 12)))

    async def done(self):
        return not await self.inbox.waiting() and not self.town.busy()


async def running(ledger):
    """How many conversations are open, as the ledger has it: what died after its last word is over."""
    found = await ledger.read(conversations.newest, 100)
    return sum(one.state is RunState.RUNNING for one in found)


async def lived_through(inbox, ledger, seed):
    draw = random.Random(seed)
    house = House(inbox, ledger, draw)
    await inbox.keep([comment(f"e{n}", number=n % 7) for n in range(EVENTS)])
    steps = 0
    while not await house.done():
        await house.step()
        assert await running(ledger) <= MOST
        steps += 1
        assert steps < 5_000
    house.clock.pass_by(60)
    life, dispatcher = house.born()
    life.left = 10_000
    await dispatcher.reconcile()
    return house


async def judged(house):
    assert await house.ledger.read(slots.holders) == []
    ids = [f"e{n}" for n in range(EVENTS)]
    decisions = [one for found in (await house.inbox.decisions(ids)).values() for one in found]
    assert len(decisions) == EVENTS
    assert {one.id for one in decisions} == house.town.taken
    assert {one.state for one in decisions} == {DecisionState.SETTLED}


def opened(stack, *urls):
    """An inbox and a ledger."""
    parts = (inbox_schema.MIGRATIONS, ledger_migrations.MIGRATIONS)
    found = [Database.open(url, part) for url, part in zip(urls, parts, strict=True)]
    for database in found:
        stack.callback(database.close)
    return SqlInbox(found[0]), found[1]


@pytest.mark.parametrize("seed", range(5))
async def test_a1_kills_at_any_line_on_sqlite_let_no_more_runs_be_open_and_leak_no_slot(
    tmp_path, seed
):
    with ExitStack() as stack:
        urls = [sqlite_url(tmp_path / name) for name in ("inbox.db", "ledger.db")]
        await judged(await lived_through(*opened(stack, *urls), seed))


@pytest.mark.parametrize("seed", range(100, 102))
async def test_a1_kills_at_any_line_on_postgres_let_no_more_runs_be_open_and_leak_no_slot(
    postgres, seed
):
    with postgres.database() as url, ExitStack() as stack:
        await judged(await lived_through(*opened(stack, url, url), seed))
