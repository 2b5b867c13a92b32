"""One write after another, each by a process that dies at another await; then it is counted what the server did."""

import asyncio
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.agent.calling import once
from orchestrator.agent.hands.pool import Hands
from orchestrator.database import Database
from orchestrator.ledger import calls
from orchestrator.ledger.calls import Call
from tests.support import asking
from tests.support.awaits import LATER, ROOT, Graveyard, attempt, graveyard, lab, means
from tests.support.builders import AT, frozen, intent, ledger_at, tool
from tests.support.ports import free_port
from workflows.messages import Settle
from workflows.playbook import Effect

CALL = "1.0"
WRITE = tool("write_thing", server="lab", max=1)
PIN = frozen(WRITE, tool("read_thing", Effect.READ, server="lab"))
ATTEMPTS = 5


@dataclass(kw_only=True)
class Write:
    """One write: where its process died and how far the write was then, what was told of it, what the server did.

    `had` is how often it had happened when the process was dead, `happened` how often in the end.
    """

    run_id: str
    number: int
    place: str
    state: str
    had: int
    told: str
    words: str
    happened: int = 0


@dataclass(kw_only=True)
class Killing:
    """A ledger, a server that counts, and processes that die between them."""

    ledger: Database
    hands: Hands
    count: Path
    dying: Graveyard
    writes: list[Write] = field(default_factory=list)
    begun: int = 0

    async def steps(self) -> list[str]:
        """The awaits of a write whose process lives to its end."""
        run_id = await self._intended()
        status, seen = await self.dying.write(run_id, CALL, None)
        assert status == 0, f"a write without a kill ended with {status}"
        assert self._happened(run_id) == 1
        return seen

    async def kill(self, number: int, again: int | None = None) -> Write:
        """Let a process die before that step, a second one too, and then others go on as Temporal would."""
        run_id = await self._intended()
        _, seen = await self.dying.write(run_id, CALL, number)
        row, had = await self._row(run_id), await self._settled(run_id)
        if again is not None:
            await self.dying.write(run_id, CALL, again, attempt=2)
        told = await self._later(run_id)
        words = " ".join(
            str(block.get("text")) for block in (await self._row(run_id)).content or ()
        )
        made = Write(
            run_id=run_id,
            number=number,
            place=seen[-1] if len(seen) == number else "it was over before",
            state=str(row.state),
            had=had,
            told=told,
            words=words,
        )
        self.writes.append(made)
        return made

    async def counted(self) -> Sequence[Write]:
        """All of them, with how often the server did each; asked when nothing is on its way any more."""
        for write in self.writes:
            write.happened = await self._settled(write.run_id)
        return self.writes

    async def _intended(self) -> str:
        self.begun += 1
        # So many writes on one subject would be taken for a quarrel of two programs.
        pin = replace(PIN, subject=f"thing-{self.begun}")
        run_id = await asking.begin(self.ledger, pin, self.begun)
        asked = intent(
            CALL,
            alias=WRITE.alias,
            server="lab",
            tool="write_thing",
            effect=Effect.WRITE_ONCE,
            arguments={"body": run_id},
        )
        await self.ledger.write(calls.intend, run_id, 1, asked, AT)
        return run_id

    async def _later(self, run_id: str) -> str:
        at = means(self.ledger, self.hands, LATER * ATTEMPTS)
        for number in range(3, ATTEMPTS + 1):
            told = await attempt(at, run_id, CALL, number)
            if told != "again":
                return told
        return str((await once.settle_lost(at, Settle(run_id=run_id, call_id=CALL))).state)

    async def _row(self, run_id: str) -> Call:
        return await self.ledger.read(calls.one, run_id, CALL)

    async def _settled(self, run_id: str) -> int:
        """How often it has happened, once the server has answered what came to it later."""
        for again in range(2):
            await self.hands.call("lab", "read_thing", {}, deadline=20, key=f"{run_id}/{again}")
        return self._happened(run_id)

    def _happened(self, run_id: str) -> int:
        lines = self.count.read_text("utf-8").splitlines() if self.count.exists() else []
        return lines.count(f"write_thing {run_id}")


@asynccontextmanager
async def killing(directory: Path) -> AsyncIterator[Killing]:
    """Everything that is needed, gone afterwards."""
    count = directory / "counted"
    with ledger_at(directory) as ledger, _serving() as port:
        url = f"http://127.0.0.1:{port}/mcp"
        await _listening(port)
        hands = Hands({"lab": lab(url, count)}, environment={})
        file = Path(str(ledger.engine.url.database))
        try:
            with graveyard(directory, file, url, count) as dying:
                yield Killing(ledger=ledger, hands=hands, count=count, dying=dying)
        finally:
            await hands.close()


def wrong(write: Write) -> str:
    """What is wrong with what was said of a write; empty when it is true."""
    match write.told, write.happened:
        case _, happened if happened > 1:
            return "it happened twice"
        case "done", 1:
            return ""
        case "unknown", _:
            return "" if "may have taken effect" in write.words else "nobody was told"
        case told, happened:
            return f"it is said to be {told}, and happened {happened} times"


def table(writes: Sequence[Write]) -> Iterator[str]:
    """By await and by how far the write was: kills, how often it had and hadn't happened, and what was told of it."""
    places: dict[tuple[str, str], list[Write]] = defaultdict(list)
    for write in sorted(writes, key=lambda write: write.number):
        places[write.place, write.state].append(write)
    yield f"{'await':<62} {'state':>8} {'kills':>5} {'had':>4} {'not':>4} {'done':>5} {'unknown':>7}"
    for (place, state), there in [*places.items(), (("all of them", ""), list(writes))]:
        had = sum(write.had for write in there)
        done, unknown = (sum(one.told == told for one in there) for told in ("done", "unknown"))
        yield (
            f"{place[-62:]:<62} {state:>8} {len(there):>5} {had:>4} {len(there) - had:>4}"
            f" {done:>5} {unknown:>7}"
        )


class _serving:  # noqa: N801 - reads as a verb
    """The counting server as a process."""

    def __enter__(self) -> int:
        port = free_port()
        command = [sys.executable, str(ROOT / "tests/support/counting_server.py"), str(port)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return port

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait()


async def _listening(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)
