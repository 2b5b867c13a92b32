"""A newer Temporal is tried on a copy of the file: what it can work on, it says; what it can't, it refuses unharmed."""

import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator import embedded, probe, temporal
from orchestrator.errors import OperatorError
from orchestrator.probe import Tried
from tests.support.ports import free_port
from tests.support.town import Temporal

pytestmark = pytest.mark.temporal


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """A file with two open runs, whose server was killed."""
    server = Temporal(directory=tmp_path, port=free_port())
    try:
        await server.start()
        client = await temporal.connect(server.address, "default")
        for number in range(2):
            await client.start_workflow("Run", id=f"run-{number}", task_queue="nobody")
    finally:
        server.kill()
    return tmp_path / "temporal.db"


def tried(file: Path, binary: Path | None = None) -> Tried:
    return Tried(
        database=file,
        binary=binary or embedded.binary(),
        log=file.parent / "temporal-probe.log",
        environment={"PATH": os.defpath, "HOME": str(file.parent)},
    )


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


async def test_every_open_run_is_read_on_the_copy_and_nothing_of_it_is_left(file: Path) -> None:
    (file.parent / "probe-broken-off").mkdir()

    assert await probe.probe(tried(file)) == 2

    assert not list(file.parent.glob("probe-*"))
    before = digest(file)
    await probe.probe(tried(file))
    assert digest(file) == before


async def test_a_file_of_another_shape_is_refused_and_stays_as_it_is(file: Path) -> None:
    with closing(sqlite3.connect(file)) as plain:
        plain.execute("ALTER TABLE executions RENAME COLUMN state TO condition")
        plain.commit()
    before = digest(file)

    with pytest.raises(OperatorError, match=r"fails on it|does not answer|ends at once"):
        await probe.probe(tried(file))

    assert digest(file) == before
    assert not list(file.parent.glob("probe-*"))


async def test_a_program_that_ends_at_once_is_told_by_its_exit_code(file: Path) -> None:
    with pytest.raises(OperatorError, match="it ends at once, with exit code 1"):
        await probe.probe(tried(file, Path("/bin/false")))
