"""R3, A1: a worker killed at one exact instant of a conversation, while newer events of its key stand behind it."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.house import Files, House, house, opened
from tests.support.met import all_ended, arrivals, delivered, last_ends_of
from tests.support.scripts import Request, Turns, says, turn_of, use, uses, words
from tests.support.town import Town, kill

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(240)]

INSTANTS = ("opening", "replied", "intended", "sent", "answered")
NEWEST = "write_thing number 1;"


def writes_once(request: Request) -> object:
    """One write that says which event it is for."""
    if turn_of(request):
        return says()
    notes = [note for note in ("number 0;", "number 1;") if note in words(request)]
    return uses(use("write_thing", body=notes[0] if notes else "the first"))


async def killed_at(home: House, instant: str) -> list[str]:
    """The first conversation is held there; two more events come; then its worker is killed."""
    hold = home.directory / "hold"
    hold.touch()
    # Of a call that left, the end of its time is waited for.
    told = {"DEADLINE": "2"} if instant == "sent" else {}
    async with home.worker(HOLD=str(hold), HOLD_AT=instant, **told) as doomed:
        ids = [await home.ring(opened())]
        await home.until(hold.with_suffix(".held").exists, instant)
        ids += await home.keep(*arrivals(home, 2))
        await home.until(lambda: delivered(home, ids), "the newer events' deliveries")
        await kill(doomed)
    hold.unlink()
    return ids


async def gone_on(home: House, ids: list[str]) -> tuple[list[str], list[dict[str, Any]]]:
    """With another worker, to the end: how each event was taken, and the conversations."""
    async with home.worker():
        return await last_ends_of(home, ids), await all_ended(home)


@pytest.mark.parametrize("instant", INSTANTS)
async def test_r3_a1_a2_killed_at_any_instant_the_newest_supersedes_and_no_write_is_made_twice(
    tmp_path: Path, town: Town, instant: str
) -> None:
    files = Files(mode="supersede")
    async with house(tmp_path, town, Turns([writes_once]), files, working=False) as home:
        ids = await killed_at(home, instant)
        ends, runs = await gone_on(home, ids)
    assert (ends[0], ends[-1]) == ("consumed", "consumed")
    assert ends[1] in {"consumed", "superseded"}
    consumed = [[event] for event, end in zip(ids, ends, strict=True) if end == "consumed"]
    assert [run["events"] for run in runs] == consumed
    assert [run["outcome"] for run in runs] == ["superseded"] * (len(runs) - 1) + ["completed"]
    lines = Counter(home.executed("write_thing"))
    assert set(lines.values()) == {1}
    assert lines[NEWEST] == 1


@pytest.mark.parametrize("instant", INSTANTS)
async def test_r3_a1_a2_killed_at_any_instant_the_single_one_goes_on_and_the_others_are_ignored(
    tmp_path: Path, town: Town, instant: str
) -> None:
    files = Files(mode="single")
    async with house(tmp_path, town, Turns([writes_once]), files, working=False) as home:
        ids = await killed_at(home, instant)
        ends, (run,) = await gone_on(home, ids)
    assert ends == ["consumed", "ignored", "ignored"]
    assert run["events"] == ids[:1]
    # Of what may have left when its worker died nobody knows, and it is not sent again.
    unknown = instant == "sent"
    assert run["outcome"] == ("needs_attention" if unknown else "completed")
    assert home.executed("write_thing") == ([] if unknown else ["write_thing the first"])
