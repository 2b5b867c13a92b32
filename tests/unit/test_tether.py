"""The tether's promises: a command dies with its parent, and finds a descriptor as systemd would hand it over."""

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from orchestrator import tether
from tests.support.stage import remains, until_true


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the tether watches a pipe")
async def test_a_child_dies_with_its_parent_even_by_sigkill(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    orphan = (
        f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    )
    parent = (
        "import os, subprocess, sys\n"
        f"subprocess.run([sys.executable, '-I', {tether.__file__!r}, str(os.getpid()), '--',"
        f" sys.executable, '-c', {orphan!r}], stdin=subprocess.PIPE)"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", parent)
    await until_true(lambda: pid_file.exists() and pid_file.read_text() != "")
    process.kill()
    await process.wait()
    assert not await remains(int(pid_file.read_text()))


async def test_where_the_kernel_does_not_help_the_end_of_the_pipe_ends_the_command(
    tmp_path: Path,
) -> None:
    watching = (
        "import sys\nfrom orchestrator import tether\n"
        "sys.exit(tether.watch([sys.executable, '-c',"
        " 'import time; print(\"here\", flush=True); time.sleep(600)']))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        watching,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert await process.stdout.readline() == b"here\n"
    process.stdin.close()
    assert await process.wait() != 0


async def test_a_command_whose_parent_is_gone_already_is_not_run() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", tether.__file__, "1", "--", sys.executable, "-c", "print('ran')"
    )
    assert await process.wait() == 3


ASK = """
import os, socket
door = socket.socket(fileno=3)
print(os.environ["LISTEN_PID"] == str(os.getpid()), door.getsockname()[1], flush=True)
"""


async def test_a_descriptor_is_number_3_of_the_command_and_its_environment_says_for_whom() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        line = [str(os.getpid()), str(number), "--", sys.executable, "-c", ASK]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            tether.__file__,
            *line,
            pass_fds=[number],
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await process.communicate()
        assert told.decode() == f"True {listener.getsockname()[1]}\n"


async def test_where_the_kernel_does_not_help_the_command_finds_its_descriptor_too() -> None:
    watching = (
        "import sys\nfrom orchestrator import tether\n"
        "tether.hand_over(int(sys.argv[1]))\n"
        "sys.exit(tether.watch([sys.executable, '-c', sys.argv[2]], [tether.FIRST]))"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            watching,
            str(number),
            ASK,
            pass_fds=[number],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        told = await process.stdout.readline()
        assert told.decode() == f"True {listener.getsockname()[1]}\n"
        assert await process.wait() == 0


@pytest.mark.parametrize(
    "words", [[], ["1"], ["1", "--"], ["--", "true"], ["1", "2", "3", "--", "true"]]
)
async def test_another_command_line_is_refused_with_the_right_one(words: list[str]) -> None:
    with pytest.raises(SystemExit, match=r"usage: .* PARENT_PID"):
        tether.main(words)
