"""`doorbell up` as a process: real Temporal server, real signals, stand-ins for the service and the worker."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.settings import environment
from orchestrator.state import StateDirectory, alive

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from orchestrator.cli import up as module
module.PROGRAM = (sys.executable, "-m", "tests.support.house_program")
module.up()
"""

pytestmark = pytest.mark.temporal


@dataclass(frozen=True)
class Up:
    process: "subprocess.Popen[str]"
    facts: Mapping[str, Any]
    state: StateDirectory

    @property
    def pids(self) -> dict[str, int]:
        return self.state.pids()


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    line = [sys.executable, "-c", PROGRAM, "--port", "0", "--state", str(tmp_path / "s"), "--json"]
    surroundings = {**environment(), "PYTHONPATH": str(ROOT)}
    with (
        (tmp_path / "up.log").open("wb") as log,
        subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=log, text=True, cwd=tmp_path, env=surroundings
        ) as process,
    ):
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline() or "null")
        assert facts is not None, (tmp_path / "up.log").read_text()
        yield Up(process, facts, StateDirectory(tmp_path / "s"))
        process.kill()


def until(holds: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return alive(pid) and not (
        stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"
    )


def test_it_says_where_everything_is_and_records_who_runs(up: Up) -> None:
    assert up.facts["url"].startswith("http://127.0.0.1:")
    assert up.facts["temporal_ui"].startswith("http://127.0.0.1:")
    assert up.facts["pids"] == up.pids
    assert set(up.pids) == {"up", "temporal", "service", "worker"}
    assert up.pids["up"] == up.process.pid


def test_sigterm_stops_all_of_it_and_ends_well(up: Up) -> None:
    children = up.pids
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(timeout=30) == 0
    assert not any(runs(pid) for pid in children.values())
    assert up.pids == {}


def test_s1_sigkill_leaves_no_orphan(up: Up) -> None:
    children = up.pids
    up.process.kill()
    up.process.wait()
    until(lambda: not any(runs(pid) for pid in children.values()))


@pytest.mark.parametrize("name", ["temporal", "service", "worker"])
def test_a1_whoever_is_killed_comes_back_alone(up: Up, name: str) -> None:
    before = up.pids
    os.kill(before[name], signal.SIGKILL)
    until(lambda: up.pids.get(name, before[name]) != before[name])
    after = up.pids
    assert {other for other in after if after[other] == before[other]} == set(before) - {name}


def test_ctrl_c_reaches_only_up(up: Up) -> None:
    leaders = {os.getsid(pid) for pid in up.pids.values()}
    assert len(leaders) == 4
