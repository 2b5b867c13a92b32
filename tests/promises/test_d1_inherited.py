"""An inherited socket decides where the door listens, whatever the settings say (promise D1)."""

import asyncio
import os
import sys
from pathlib import Path

from orchestrator import tether
from orchestrator.doorbell.listener import HANDED_OVER, bound
from orchestrator.settings import environment

ROOT = Path(__file__).parents[2]


async def test_d1_with_an_unsigned_source_a_socket_that_is_open_to_all_is_refused(
    tmp_path: Path,
) -> None:
    (tmp_path / "doorbell.d").mkdir()
    (tmp_path / "doorbell.d" / "sources.yaml").write_text("lab:\n  scheme: unsigned\n  type: x\n")
    line = ["--", sys.executable, "-m", "orchestrator", "serve", "--temporal", "127.0.0.1:9"]
    with bound("0.0.0.0", 0) as listener:
        descriptor = listener.fileno()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            tether.__file__,
            str(os.getpid()),
            str(descriptor),
            *line,
            "--host",
            "127.0.0.1",
            pass_fds=[descriptor],
            cwd=tmp_path,
            env={**environment(), **HANDED_OVER, "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await process.communicate()
    assert "'lab' is unsigned, and '0.0.0.0' is not loopback" in told.decode()
    assert process.returncode == 2
