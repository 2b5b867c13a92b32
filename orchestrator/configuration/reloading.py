"""The configuration in force: read at the start, read again when it changed, taken only if that breaks nothing.

Whoever uses it asks each time for what is in force and gets one whole configuration, never halves of two. A start
runs what is sound. A reload that brings a mistake which wasn't there, or loses a rule by one that was, is rejected as
a whole, and told.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Never

from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.former import former_of
from orchestrator.configuration.reading import Reading
from orchestrator.configuration.watching import Stamps, Watch, watched
from orchestrator.configuration.worsening import worsened
from orchestrator.database import Database
from orchestrator.errors import Mistake
from orchestrator.ledger import configurations
from orchestrator.loops import forever
from orchestrator.sources.source import Source
from orchestrator.telemetry.words import Reloaded

LOOK_EVERY: Final = 0.5
REMEMBERED: Final = 20
"""Configurations that are looked through for sources that are gone."""

Read = Callable[[], Reading]
Stamp = Callable[[frozenset[Path]], Stamps]
Vet = Callable[[Configuration], Sequence[Mistake]]
Count = Callable[[Reloaded], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration that came into force, the first is number 1.

    `sources` may ring; `readable` are those and all others whose deliveries can be read.
    """

    number: int
    reading: Reading = field(repr=False)
    configuration: Configuration
    sources: Mapping[str, Source]
    readable: dict[str, Source]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """What stands in the files and isn't in force, because of these mistakes."""

    digest: str
    mistakes: Sequence[Mistake]
    texts: Mapping[str, str] = field(repr=False)
    at: datetime


def uncounted(_outcome: Reloaded) -> None:
    """Nobody counts."""


def fault_found_by_nobody(_configuration: Configuration) -> Sequence[Mistake]:
    """Nothing is wrong that the reading doesn't say."""
    return ()


@dataclass(kw_only=True, slots=True)
class Reloading:
    """One for each process: `start` it, then let it `work`.

    `built_in` are sources that stand in no file; `vet` says what this process can't live with. The one that `keeps`
    writes every configuration into the ledger before it is in force.
    """

    read: Read
    stamp: Stamp
    ledger: Database
    now: Callable[[], datetime]
    log: Any
    built_in: Mapping[str, Source] = field(default_factory=dict)
    vet: Vet = fault_found_by_nobody
    keeps: bool = False
    count: Count = uncounted
    look_every: float = LOOK_EVERY
    clock: Callable[[], float] = time.monotonic
    rejected: Rejected | None = None
    _in_force: Loaded | None = None
    _watch: Watch = field(default_factory=lambda: Watch(read=None, seen=(), since=0.0))
    _made_of: Any = None
    _beside: frozenset[Path] = frozenset()
    _asked: asyncio.Event = field(default_factory=asyncio.Event)
    _newer: asyncio.Event = field(default_factory=asyncio.Event)
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def loaded(self) -> Loaded:
        """What is in force, whole. Only after `start`."""
        if self._in_force is None:
            raise RuntimeError("no configuration is in force yet: `start` comes first")
        return self._in_force

    def configuration(self) -> Configuration:
        """The configuration in force."""
        return self.loaded.configuration

    def ask(self) -> None:
        """Read again now, whether or not something seems to have changed."""
        self._asked.set()

    async def newer(self, number: int) -> Loaded:
        """What is in force as soon as it isn't that number any more, nor an older one."""
        while self.loaded.number <= number:
            await self._newer.wait()
        return self.loaded

    async def start(self) -> Loaded:
        """Read, and put in force what is sound."""
        stamps, began = self.stamp(self._beside), self.now()
        reading = await asyncio.to_thread(self.read)
        kept = await self.ledger.read(configurations.newest, REMEMBERED)
        known = [*reading.configuration.sources, *reading.configuration.shut]
        loaded = await self._take(reading, former_of((one.content for one in kept), known))
        await self._seen(reading, stamps, began)
        return loaded

    async def work(self) -> Never:
        """Look at the files until cancelled."""
        await forever("reload", self.step, self._rest, self.log)

    async def step(self) -> int:
        """Look once; says how many configurations were read."""
        asked = self._asked.is_set()
        self._asked.clear()
        stamps = await asyncio.to_thread(self.stamp, self._beside)
        async with self._one:
            self._watch = self._watch.looked(stamps, self.clock())
            if asked:
                # Should the reading fail, it is due all the same.
                self._watch = replace(self._watch, read=None)
            if not asked and not self._watch.due(self.clock()):
                return 0
            began = self.now()
            reading = await asyncio.to_thread(self.read)
            await self._judge(reading, asked=asked)
            # Only now: what could not be kept is due again.
            await self._seen(reading, stamps, began)
            return 1

    async def abreast(self, digest: str) -> None:
        """Be as new as whoever decided by the configuration of this digest, as far as the files are."""
        if self.configuration().digest == digest:
            return
        async with self._one:
            stamps = await asyncio.to_thread(self.stamp, self._beside)
            if stamps != self._watch.read and self.configuration().digest != digest:
                reading = await asyncio.to_thread(self.read)
                # Anything else may be half written: that is read when it is quiet.
                if reading.configuration.digest == digest:
                    await self._judge(reading, asked=False)

    async def _seen(self, reading: Reading, before: Stamps, began: datetime) -> None:
        self._beside = reading.beside
        after = await asyncio.to_thread(self.stamp, self._beside)
        # Which files hold secrets is known only afterwards.
        stamps = after if set(before) <= set(after) else before
        self._watch = watched(stamps, self.clock(), _ns(began), _ns(self.now()))

    async def _judge(self, reading: Reading, *, asked: bool) -> None:
        if reading.made_of == self._made_of and not asked:
            return
        before, after = self.loaded.configuration, reading.configuration
        mistakes = worsened(before, after, self.vet(after))
        if mistakes:
            self.count(Reloaded.REJECTED)
            self._reject(reading, mistakes)
        else:
            old = before.readable()
            self.count(Reloaded.TAKEN)
            names = {*after.sources, *after.shut, *self.built_in}
            await self._take(reading, {name: old[name] for name in old if name not in names})

    async def _take(self, reading: Reading, former: Mapping[str, Source]) -> Loaded:
        at = self.now()
        if self.keeps:
            # Before a decision names it, it is on disk.
            await self.ledger.write(configurations.came, reading.content, at.timestamp())
        configuration = replace(reading.configuration, others={**former, **self.built_in})
        number = 1 if self._in_force is None else self._in_force.number + 1
        self._in_force = Loaded(
            number=number,
            reading=reading,
            configuration=configuration,
            sources={**configuration.sources, **self.built_in},
            readable=configuration.readable(),
            at=at,
        )
        self._made_of, self.rejected = reading.made_of, None
        self._newer.set()
        self._newer = asyncio.Event()
        self._tell(self._in_force)
        return self._in_force

    def _tell(self, loaded: Loaded) -> None:
        configuration = loaded.configuration
        if self.keeps:
            self._say_each("configuration.mistake", configuration.mistakes)
            for warning in configuration.warnings:
                self.log.warning("configuration.warning", warning=str(warning))
        elif configuration.mistakes:
            self.log.warning("configuration.mistakes", count=len(configuration.mistakes))
        self.log.info(
            "configuration.loaded",
            digest=configuration.digest,
            number=loaded.number,
            rules=len(configuration.rules),
            sources=len(configuration.sources),
            playbooks=len(configuration.playbooks),
        )

    def _reject(self, reading: Reading, mistakes: Sequence[Mistake]) -> None:
        digest = reading.configuration.digest
        self._made_of = reading.made_of
        self.rejected = Rejected(
            digest=digest, mistakes=mistakes, texts=reading.texts, at=self.now()
        )
        if self.keeps:
            self._say_each("configuration.mistake", mistakes)
        in_force = self.loaded.configuration.digest
        self.log.error(
            "configuration.rejected", digest=digest, in_force=in_force, mistakes=len(mistakes)
        )

    def _say_each(self, event: str, mistakes: Sequence[Mistake]) -> None:
        for mistake in mistakes:
            self.log.error(event, mistake=str(mistake))

    async def _rest(self, _read: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.look_every):
                await self._asked.wait()


def _ns(moment: datetime) -> int:
    return int(moment.timestamp() * 1e9)
