"""What `doorbell up` decides before it starts anything."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.cli.up import Ports, choose_ports, door_of, environment_of, settle, up
from orchestrator.doorbell.listener import port_of
from orchestrator.errors import OperatorError
from orchestrator.settings import Settings
from orchestrator.state import StateDirectory

LOOPBACK = "127.0.0.1"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def chosen(settings: Settings) -> Ports:
    with door_of(settings, {}, os.getpid()) as door:
        return choose_ports(settings, port_of(door))


def test_port_0_picks_ports_that_differ() -> None:
    ports = chosen(Settings(port=0))
    picked = {ports.door, ports.temporal, ports.temporal_ui, ports.metrics}
    assert len(picked) == 4
    assert 0 not in picked


def test_temporal_listens_beside_the_door() -> None:
    door = chosen(Settings(port=0)).door
    try:
        ports = chosen(Settings(port=door))
    except OperatorError:
        pytest.skip("a neighbour of the free port is in use")
    assert (ports.temporal, ports.temporal_ui) == (door + 1, door + 2)


def test_a_taken_port_is_named_with_whose_it_is_and_what_to_do(taken: int) -> None:
    with pytest.raises(
        OperatorError, match=rf"port {taken} on 127.0.0.1, for the door, .*--port 0"
    ):
        chosen(Settings(port=taken))
    with pytest.raises(
        OperatorError, match=f"port {taken} on 127.0.0.1, for the embedded Temporal server"
    ):
        chosen(Settings(port=taken - 1))


def test_with_a_taken_port_nothing_is_started(taken: int, alone: Path) -> None:
    result = CliRunner().invoke(up, ["--port", str(taken), "--state", "s"])
    assert isinstance(result.exception, OperatorError)
    assert f"port {taken}" in str(result.exception)
    assert not (alone / "s" / "temporal.db").exists()


def test_a_mistake_in_the_list_of_proxies_is_named_before_anything_is_started(alone: Path) -> None:
    result = CliRunner().invoke(up, ["--trusted-proxies", "10.0.0.1/8", "--state", "s"])
    assert isinstance(result.exception, OperatorError)
    assert "'10.0.0.1/8'" in str(result.exception)
    assert not (alone / "s").exists()


def test_a_second_up_on_the_same_state_directory_is_refused(alone: Path) -> None:
    with StateDirectory.open(alone / "s", role="up"):
        result = CliRunner().invoke(up, ["--port", "0", "--state", "s"])
    assert isinstance(result.exception, OperatorError)
    assert f"process {os.getpid()} runs `doorbell up`" in str(result.exception)


def test_up_beside_a_lone_service_is_refused_before_it_starts_a_second(alone: Path) -> None:
    with StateDirectory.open(alone / "s"):
        result = CliRunner().invoke(up, ["--port", "0", "--state", "s"])
    assert isinstance(result.exception, OperatorError)
    assert "doorbell serve" in str(result.exception)


def test_children_are_told_where_everything_is_and_nothing_is_left_open(alone: Path) -> None:
    settings = Settings(port=0, state=Path("s"), config=Path("c"))
    ports = chosen(settings)
    inherited = {"ANTHROPIC_API_KEY": "k", "HOME": "/h", "LISTEN_PID": "1", "LISTEN_FDS": "1"}
    with StateDirectory.open(settings.state, role="up") as state:
        told = environment_of(settle(settings, state, ports), inherited)
    assert not [name for name in told if name.startswith("LISTEN_")]
    assert told["DOORBELL_PORT"] == str(ports.door)
    assert told["DOORBELL_STATE"] == str(alone / "s")
    assert told["DOORBELL_CONFIG"] == str(alone / "c")
    assert told["DOORBELL_TEMPORAL"] == f"127.0.0.1:{ports.temporal}"
    assert told["DOORBELL_TEMPORAL_UI"] == f"http://127.0.0.1:{ports.temporal_ui}"
    assert told["ANTHROPIC_API_KEY"] == "k"
    assert "DOORBELL_DATABASE" not in told
    assert "DOORBELL_ANTHROPIC_API_KEY" not in told


def test_what_the_children_are_told_reads_back_as_the_same_settings(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        port=0,
        temporal="cluster:7233",
        database="sqlite:///x",
        scripted=True,
        trusted_proxies="10.0.0.0/8, ::1",
    )
    with StateDirectory.open(settings.state, role="up") as state:
        settled = settle(settings, state, chosen(settings))
    for name, value in environment_of(settled, {}).items():
        monkeypatch.setenv(name, value)
    assert Settings() == settled


def test_a_temporal_server_of_ones_own_is_left_as_it_is() -> None:
    settings = Settings(port=0, temporal="cluster:7233")
    ports = chosen(settings)
    assert ports.temporal == 0
    with StateDirectory.open(Path("s"), role="up") as state:
        assert settle(settings, state, ports).temporal == "cluster:7233"
