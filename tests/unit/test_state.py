"""The state directory's promises: one holder, one secret, and addresses that are true."""

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import OperatorError
from orchestrator.state import Addresses, StateDirectory, alive


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "state"


def test_opening_makes_a_private_directory(path: Path) -> None:
    with StateDirectory.open(path) as state:
        assert stat.S_IMODE(state.path.stat().st_mode) == 0o700
        assert state.path.is_absolute()


def test_a_second_service_is_refused_and_the_holder_is_named(path: Path) -> None:
    with (
        StateDirectory.open(path),
        pytest.raises(OperatorError, match=rf"process {os.getpid()} runs `doorbell serve`"),
    ):
        StateDirectory.open(path)


def test_up_and_its_own_service_hold_the_directory_side_by_side(path: Path) -> None:
    with StateDirectory.open(path, role="up") as up:
        up.refuse_if_held("service")
        with StateDirectory.open(path), pytest.raises(OperatorError, match="doorbell serve"):
            up.refuse_if_held("service")


def test_a_closed_directory_can_be_opened_again(path: Path) -> None:
    StateDirectory.open(path).close()
    StateDirectory.open(path).close()


def test_the_lock_of_a_killed_process_is_free_at_once(path: Path) -> None:
    hold = (
        "import sys; from pathlib import Path; from orchestrator.state import StateDirectory\n"
        f"held = StateDirectory.open(Path({str(path)!r})); print('held', flush=True); sys.stdin.read()"
    )
    line = [sys.executable, "-c", hold]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(OperatorError, match=f"process {holder.pid} "):
            StateDirectory.open(path)
        holder.kill()
        holder.wait()
        StateDirectory.open(path).close()


def test_the_operator_secret_is_made_once_and_only_its_owner_may_read_it(path: Path) -> None:
    state = StateDirectory(path)
    secret = state.operator_secret()
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert StateDirectory(path).operator_secret() == secret
    assert stat.S_IMODE((path / "operator.secret").stat().st_mode) == 0o600
    assert [file.name for file in path.iterdir()] == ["operator.secret"]


def test_addresses_are_found_until_they_are_withdrawn(path: Path) -> None:
    here = Addresses(
        url="http://127.0.0.1:1", pid=os.getpid(), temporal="127.0.0.1:2", temporal_ui=None
    )
    with StateDirectory.open(path) as state:
        assert state.addresses() is None
        state.announce(here)
        assert StateDirectory(path).addresses() == here
        state.withdraw()
        state.withdraw()
        assert state.addresses() is None


def test_the_address_of_a_service_that_died_is_not_given(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        assert not alive(process.pid)
    with StateDirectory.open(path) as state:
        state.announce(Addresses(url="http://127.0.0.1:1", pid=process.pid, temporal="127.0.0.1:2"))
        assert state.addresses() is None


def test_process_ids_are_what_was_recorded_last(path: Path) -> None:
    with StateDirectory.open(path, role="up") as state:
        assert state.pids() == {}
        state.record_pids({"up": 1, "worker": 2})
        state.record_pids({"up": 1, "worker": 3})
        assert StateDirectory(path).pids() == {"up": 1, "worker": 3}


def test_each_file_stands_below_the_directory(path: Path) -> None:
    state = StateDirectory(path)
    assert [state.inbox.name, state.ledger.name, state.temporal.name, state.logs.name] == [
        "inbox.db",
        "ledger.db",
        "temporal.db",
        "logs",
    ]
