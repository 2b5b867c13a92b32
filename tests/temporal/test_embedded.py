"""The embedded Temporal server's promises, on the real server from the wheel."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from orchestrator import embedded
from orchestrator.errors import OperatorError
from tests.support.ports import free_port

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Server:
    process: "subprocess.Popen[bytes]"
    address: str
    metrics: str
    ui: str


def start(directory: Path, *, port: int | None = None, namespace: str = "default") -> Server:
    port, ui, metrics = port or free_port(), free_port(), free_port()
    line = embedded.command(
        embedded.binary(),
        ip=LOOPBACK,
        port=port,
        ui_port=ui,
        metrics_port=metrics,
        database=directory / "temporal.db",
        namespace=namespace,
    )
    with (directory / "temporal.log").open("ab") as log:
        process = subprocess.Popen(line, stdout=log, stderr=log)
    return Server(process, f"{LOOPBACK}:{port}", f"{LOOPBACK}:{metrics}", f"http://{LOOPBACK}:{ui}")


def end(server: Server) -> None:
    server.process.kill()
    server.process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = start(tmp_path, namespace="elsewhere")
    yield running
    end(running)


@pytest.mark.temporal
async def test_search_attributes_and_retention_are_set_however_often_it_is_asked(
    server: Server,
) -> None:
    await embedded.ready(server.address, metrics=server.metrics)
    await embedded.prepare(server.address, "default")
    await embedded.prepare(server.address, "default")
    client = await Client.connect(server.address)
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace="default")
    )
    described = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace="default")
    )
    assert set(known.custom_attributes) >= set(embedded.SEARCH_ATTRIBUTES)
    retention = described.config.workflow_execution_retention_ttl
    assert retention.seconds == timedelta(days=30).total_seconds()


@pytest.mark.temporal
async def test_a_namespace_of_ones_own_is_created_and_prepared(server: Server) -> None:
    await embedded.ready(server.address, namespace="elsewhere", metrics=server.metrics)
    await embedded.prepare(server.address, "elsewhere")
    assert await embedded.identity(server.address, "elsewhere") != await embedded.identity(
        server.address, "default"
    )


@pytest.mark.temporal
async def test_the_file_keeps_its_identity_over_a_kill(tmp_path: Path) -> None:
    first = start(tmp_path)
    await embedded.ready(first.address, metrics=first.metrics)
    before = await embedded.identity(first.address, "default")
    end(first)
    second = start(tmp_path)
    await embedded.ready(second.address, metrics=second.metrics)
    after = await embedded.identity(second.address, "default")
    end(second)
    assert before == after


@pytest.mark.temporal
async def test_another_server_on_our_port_is_not_taken_for_ours(
    server: Server, tmp_path: Path
) -> None:
    await embedded.ready(server.address, metrics=server.metrics)
    (tmp_path / "second").mkdir()
    second = start(tmp_path / "second", port=int(server.address.rpartition(":")[2]))
    with pytest.raises(OperatorError, match="does not answer"):
        await embedded.ready(server.address, metrics=second.metrics, within=timedelta(seconds=1))
    assert second.process.wait() == 1


async def test_a_server_that_is_not_there_is_told_in_words() -> None:
    nowhere = f"{LOOPBACK}:{free_port()}"
    with pytest.raises(OperatorError, match=f"Temporal at '{nowhere}' does not answer"):
        await embedded.ready(nowhere, within=timedelta(seconds=0.2))


def test_the_command_line_is_the_tuned_one(tmp_path: Path) -> None:
    line = embedded.command(
        Path("/bin/temporal"),
        ip=LOOPBACK,
        port=1,
        ui_port=2,
        metrics_port=3,
        database=tmp_path / "temporal.db",
    )
    text = " ".join(line)
    assert line[:3] == ["/bin/temporal", "server", "start-dev"]
    assert f"--db-filename {tmp_path / 'temporal.db'}" in text
    assert "--sqlite-pragma journal_mode=wal --sqlite-pragma synchronous=2" in text
    assert '--dynamic-config-value history.workflowIdReuseMinimalInterval="0s"' in text
    assert text.count("--dynamic-config-value") == 8
    assert "--headless" not in line
    assert "--namespace" not in line


def test_which_version_worked_on_the_file_last_is_known_as_long_as_there_is_one(
    tmp_path: Path,
) -> None:
    embedded.record_version(tmp_path, "1.9.1")
    assert embedded.made_by(tmp_path) is None
    (tmp_path / "temporal.db").touch()
    assert embedded.made_by(tmp_path) == "1.9.1"
    embedded.record_version(tmp_path, "2.0.0")
    assert embedded.made_by(tmp_path) == "2.0.0"


def test_the_binary_is_the_one_the_wheel_brought() -> None:
    assert embedded.binary().is_file()
    assert embedded.version()[0].isdigit()
