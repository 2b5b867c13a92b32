"""A pause whose rule was renamed holds nothing of it: that is told when the files come into force."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.database import Database, sqlite_url
from orchestrator.inbox.inbox import Action
from orchestrator.inbox.memory import MemoryInbox
from orchestrator.inbox.orders import Hold, Pausable
from orchestrator.ledger.migrations import MIGRATIONS
from orchestrator.tending.unheld import Unheld
from tests.conformance.inboxes import NOW, decision, one
from tests.support.reloads import SOURCES, Files, Told, process


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(sqlite_url(tmp_path / "ledger.db"), MIGRATIONS)
    yield database
    database.close()


async def held(inbox: MemoryInbox, word: str, what: Pausable, name: str) -> None:
    await one(inbox, word, source="operator")
    said = decision(word, word, None, action=Action.CONTROL)
    await inbox.decide(word, [said], NOW, Hold(what=what, name=name, by="ann"))


async def test_o3_a_pause_that_names_no_rule_any_more_is_told_when_the_new_files_are_in_force(
    tmp_path: Path, ledger: Database
) -> None:
    files, inbox, log = Files(at=tmp_path / "doorbell.d"), MemoryInbox(), Told()
    files.write({"sources.yaml": SOURCES})
    files.rules("one", "two")
    running = process(files.at, ledger)
    await running.reloading.start()
    await held(inbox, "w1", Pausable.RULE, "one")
    await held(inbox, "w2", Pausable.SOURCE, "nowhere")
    unheld = Unheld(reloading=running.reloading, inbox=inbox, log=log)
    assert await unheld.step() == 0

    rests = asyncio.create_task(unheld._rest(0))
    files.rules("renamed", "two")
    await running.passes()
    await rests
    assert await unheld.step() == 1

    ends_with = "doorbell rules unpause one"
    assert log.named("pause.of_no_rule") == [{"rule": "one", "by": "ann", "ends_with": ends_with}]
