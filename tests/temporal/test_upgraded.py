"""A5: an upgrade with runs parked: those an earlier program put to sleep wake in today's, over copied databases."""

import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.bench.upgraded import bench, git, unpacked

EARLIER: Final = "e90f52bbb565dbc5d564a042b087db64436e08f8"
"""A commit of 2026-11-21, whose ledger lacks a migration; the newest tag, once there is one."""


def earlier(where: Path) -> Path:
    """What stood in the repository then; where this clone doesn't know, the summary says what to do."""
    try:
        git("cat-file", "-e", f"{EARLIER}^{{commit}}")
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip(f"no upgrade was tested: expected commit {EARLIER[:7]}; git fetch --unshallow")
    return unpacked(EARLIER, where)


@pytest.mark.temporal
@pytest.mark.timeout(900)
async def test_a5_runs_that_an_earlier_program_parked_wake_in_todays(tmp_path: Path) -> None:
    before, installed = tmp_path / "before", tmp_path / "installed"
    installed.mkdir()
    found, copies = await bench(installed, earlier(before), 2)
    assert found == {"completed": 2}
    assert copies
