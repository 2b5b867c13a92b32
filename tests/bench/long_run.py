"""A run of 500 turns with results of 20 KB, on real Temporal: `python -m tests.bench.long_run [TURNS]`; promise A4.

It prints how long a turn took, what the model was shown at most, and what history and state came to.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.support import house as houses
from tests.support.house import Files, House, house, opened
from tests.support.long_talk import MARKERS, ReadsOn, left_by, playbook
from tests.support.town import Town, town

MODEL = "claude-sonnet-5-5"


async def run_of(directory: Path, shared: Town, turns: int) -> None:
    """One run, and what it came to."""
    script, began = ReadsOn(turns, []), time.perf_counter()
    async with house(
        directory, shared, script, Files(playbook=playbook(turns), model=MODEL)
    ) as home:
        await home.ring(opened(note="MARK-OF-PAYLOAD"))
        run = await home.ended()
        took = time.perf_counter() - began
        await _told(home, run, script, took)
    assert (run["outcome"], run["turns"]) == ("completed", turns), run


async def _told(home: House, run: dict[str, object], script: ReadsOn, took: float) -> None:
    left, turns = await left_by(home.client, str(run["workflow_id"])), int(str(run["turns"]))
    size = sum(path.stat().st_size for path in (home.directory / "state").rglob("*.db*"))
    lines = {
        "outcome": f"{run['outcome']} after {turns} turns ({run['reason']})",
        "a turn": f"{took / turns * 1000:.0f} ms",
        "shown at most": f"{max(script.asked):,} characters, of {turns * 20_000:,}",
        "cleared": f"{sum(b < a for a, b in zip(script.asked, script.asked[1:], strict=False))} times",
        "history": f"{len(left.history) / turns:,.0f} bytes a turn, in {left.parts} parts",
        "state carried": f"{max(left.carried, default=0):,} bytes at most",
        "ledger and inbox": f"{size / 1e6:.1f} MB",
        "markers in history": str([one for one in MARKERS if one.encode() in left.history]),
    }
    sys.stdout.write("".join(f"{name:<20} {text}\n" for name, text in lines.items()))


def main() -> None:
    """Bring a town up and have the run."""
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    houses.PATIENCE = 1800.0
    with town() as shared, tempfile.TemporaryDirectory() as directory:
        asyncio.run(run_of(Path(directory), shared, turns))


if __name__ == "__main__":
    main()
