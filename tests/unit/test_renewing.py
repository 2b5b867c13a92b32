"""Recoveries come and go with the sources that are configured; one that did not change is left alone."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Never

from orchestrator.recovery.renewing import Recoveries
from orchestrator.sources.source import Source
from tests.support.builders import source


@dataclass
class Recovering:
    """Stands where GitHub would be asked."""

    source: Source
    story: list[str] = field(default_factory=list)

    async def work(self) -> Never:
        self.story.append(f"{self.source.name} begins")
        try:
            while True:
                await asyncio.Event().wait()
        finally:
            self.story.append(f"{self.source.name} ends")

    def standing(self) -> str:
        return self.source.name


@dataclass
class Loaded:
    number: int
    sources: Mapping[str, Source]


def named(*sources: Source) -> dict[str, Source]:
    return {one.name: one for one in sources}


async def test_what_is_new_begins_what_is_gone_ends_and_what_changed_begins_anew() -> None:
    story: list[str] = []
    found: Any = lambda sources: [Recovering(one, story) for one in sources.values()]  # noqa: E731
    recoveries = Recoveries(found)
    one, two, three = (replace(source(), name=name) for name in ("one", "two", "three"))
    coming: asyncio.Queue[Loaded] = asyncio.Queue()

    async def newer(number: int) -> Any:
        loaded = await coming.get()
        assert loaded.number > number
        return loaded

    async def told(number: int, *sources: Source) -> list[str]:
        story.clear()
        coming.put_nowait(Loaded(number, named(*sources)))
        for _ in range(10):
            await asyncio.sleep(0)
        return sorted(story)

    working = asyncio.create_task(recoveries.work(newer))
    assert await told(1, one, two) == ["one begins", "two begins"]
    assert await told(2, one, two) == []
    assert await told(3, replace(one, backlog=7), three) == [
        "one begins",
        "one ends",
        "three begins",
        "two ends",
    ]
    assert recoveries.standing() == ["one", "three"]

    story.clear()
    working.cancel()
    await asyncio.wait([working])
    assert sorted(story) == ["one ends", "three ends"]
