"""R4 over the whole road: two installations that answer each other's comments stop, and `why` shows the chain."""

import asyncio
from pathlib import Path

import pytest

from tests.support.duet import Duet, duet
from tests.support.installed import Installed
from tests.support.town import Town

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(180)]

HOPS = 2
PATIENCE = 120.0


async def at_rest(both: Duet) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await both.is_quiet():  # noqa: ASYNC110 - it is looked up in two installations
            await asyncio.sleep(0.2)


@pytest.mark.parametrize(
    "logins", [("lefty", "righty"), ("lefty[bot]", "righty[bot]")], ids=["people", "bots"]
)
async def test_r4_two_agents_that_answer_each_others_comments_stop_and_why_names_the_chain(
    tmp_path: Path, town: Town, logins: tuple[str, str]
) -> None:
    async with duet(tmp_path, town, logins, HOPS) as both:
        await both.says("It fails.")
        await at_rest(both)
        writers = [comment["user"]["login"] for comment in both.comments]
        newest = [await home.stores.inbox.entries(100) for home in both.homes]
        kept = {home.directory: entries for home, entries in zip(both.homes, newest, strict=True)}
    assert writers[0] == "ann"
    assert sorted(writers[1:]) == sorted([*logins] * (HOPS + 1))
    said = []
    for directory, entries in kept.items():
        there = Installed(directory / "state")
        said += [await asyncio.to_thread(there.doorbell, "why", entry.id) for entry in entries]
    loops = [
        result.output
        for result in said
        if f"loop: {HOPS + 1} hops, at most {HOPS}" in result.output
    ]
    assert len(loops) == 2
    # The marker says how far it has come; the runs before it stand in the other one's ledger.
    assert all("(another installation's) -> event evt_" in loop for loop in loops)
