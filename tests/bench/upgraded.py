"""An upgrade with runs parked: `python -m tests.bench.upgraded [COMMIT] [RUNS]`; without a commit, from the last tag.

What stood in the repository then runs `up` in a directory, and some runs park. It is stopped, and what stands here
goes on with the same directory: the databases are backed up, and every run wakes. It ends with 1 if one did not.
"""

import asyncio
import io
import subprocess
import sys
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orchestrator.demo.messages import messages_app
from tests.bench.parked import ROOT, SCRIPT, configure, up
from tests.support.asgi import serving

PACKAGES: Final = ("orchestrator", "workflows", "mcp_servers", "pyproject.toml")


def git(*words: str) -> bytes:
    """What git says; it only reads."""
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True).stdout


def unpacked(commit: str, where: Path) -> Path:
    """What stood in the repository then."""
    with tarfile.open(fileobj=io.BytesIO(git("archive", commit, *PACKAGES))) as packed:
        packed.extractall(where, filter="data")
    return where


async def bench(directory: Path, before: Path, runs: int) -> tuple[dict[str, int], list[str]]:
    """The outcomes of all runs, and what was backed up."""
    configure(directory)
    numbers = range(1, runs + 1)
    app = messages_app(SCRIPT, now=lambda: datetime.now(UTC))
    async with serving(app) as model:
        async with up(directory, model, before) as one:
            await one.several(one.open, numbers)
            await one.until("waiting", runs)
        async with up(directory, model) as one:
            await one.several(one.reply, numbers)
            await one.until("ended", runs)
            found = await one.outcomes()
            copies = [
                str(path.relative_to(one.state.path)) for path in one.state.path.glob("backups/*/*")
            ]
    return found, sorted(copies)


def main(commit: str = "", runs: str = "20") -> int:
    """Say what came of it."""
    commit = commit or git("describe", "--tags", "--abbrev=0").decode().strip()
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory() as older:
        before = unpacked(commit, Path(older))
        found, copies = asyncio.run(bench(Path(directory), before, int(runs)))
    sys.stdout.write(
        f"{'from':<28} {commit}\n{'outcomes':<28} {found}\n{'backed up':<28} {copies}\n"
    )
    return 0 if found == {"completed": int(runs)} and copies else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
