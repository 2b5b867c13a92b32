"""The command lines of deploy/ started as they stand, in an empty directory, with the installed program."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.settings import environment
from tests.support.ports import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
NOBODY = "127.0.0.1:9"

pytestmark = pytest.mark.temporal


def image_line() -> list[str]:
    text = (DEPLOY / "Dockerfile").read_text()
    words = [
        json.loads(re.search(rf"^{word} (\[.*\])$", text, re.MULTILINE)[1])
        for word in ("ENTRYPOINT", "CMD")
    ]  # type: ignore[index]
    return [*words[0], *words[1]]


def unit_line(name: str) -> list[str]:
    text = (DEPLOY / "systemd" / f"{name}.service").read_text()
    found = re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)
    assert found is not None
    return shlex.split(found[1])


@contextmanager
def running(
    line: list[str], directory: Path, settings: Mapping[str, str]
) -> Iterator["subprocess.Popen[str]"]:
    """The line as written, but the program of this environment and settings that fit an empty directory."""
    program = [str(Path(sys.executable).parent / "doorbell"), *line[1:]]
    surroundings = {
        **environment(),
        **settings,
        "DOORBELL_STATE": "state",
        "DOORBELL_CONFIG": "config",
    }
    with subprocess.Popen(
        program,
        cwd=directory,
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: "subprocess.Popen[str]", word: str) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if word in line:
            return line
    raise AssertionError("".join(lines))


def stopped(process: "subprocess.Popen[str]") -> int:
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=45)
    return process.returncode


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as answer:
            return answer.status == 200  # type: ignore[no-any-return]
    except OSError:
        return False


def anywhere(line: list[str]) -> list[str]:
    return [*line, "--port", "0"]


@pytest.mark.parametrize("line", [image_line(), unit_line("doorbell")], ids=["image", "unit"])
def test_the_whole_house_stands_up_in_an_empty_directory_and_stops_when_asked(
    line: list[str], tmp_path: Path
) -> None:
    with running(anywhere(line), tmp_path, {}) as process:
        port = re.search(r":(\d+)/hooks/", said(process, "Doorbell is up"))
        assert port is not None
        until(lambda: is_ready(int(port[1])))
        assert stopped(process) == 0


def test_a_door_of_many_opens_while_its_temporal_is_away(tmp_path: Path) -> None:
    port = free_port()
    far = {"DOORBELL_TEMPORAL": NOBODY, "DOORBELL_PORT": str(port)}
    with running(unit_line("doorbell-serve"), tmp_path, far) as process:
        until(lambda: is_ready(port))
        assert stopped(process) == 0


def test_a_worker_of_many_waits_for_its_temporal_and_stops_when_asked(tmp_path: Path) -> None:
    with running(unit_line("doorbell-work"), tmp_path, {"DOORBELL_TEMPORAL": NOBODY}) as process:
        said(process, "temporal.unreachable")
        assert stopped(process) == 0
