"""Before another version touches the databases, they are copied: whole, the ledger last, a bounded number of times."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from orchestrator import backups
from orchestrator.backups import KEPT
from orchestrator.errors import OperatorError
from orchestrator.state import StateDirectory
from tests.support.builders import NOW

MARK = "doorbell 1, m001"


@pytest.fixture
def state(tmp_path):
    with StateDirectory.open(tmp_path / "state", role="up") as held:
        yield held


def filled(path, *words):
    """A database that somebody was killed over: part of it stands only in its log."""
    open_one = sqlite3.connect(path)
    open_one.execute("PRAGMA journal_mode=WAL")
    open_one.execute("CREATE TABLE IF NOT EXISTS t (word TEXT)")
    open_one.executemany("INSERT INTO t VALUES (?)", [(word,) for word in words])
    open_one.commit()
    return open_one


def words(path):
    with closing(sqlite3.connect(path)) as plain:
        return [word for (word,) in plain.execute("SELECT word FROM t")]


def test_what_stands_only_in_the_log_is_in_the_copy_too(state):
    with closing(filled(state.inbox, "kept")), closing(filled(state.ledger, "done")):
        made = backups.back_up(state, NOW)

    assert made == state.path / "backups" / "20261121T120000Z"
    assert words(made / "inbox.db") == ["kept"]
    assert words(made / "ledger.db") == ["done"]
    assert not (made / "temporal.db").exists()
    assert (made / "ledger.db").stat().st_mode & 0o077 == 0


def test_the_ledger_is_copied_last(state, monkeypatch):
    copied, copy = [], backups.copy
    for path in (state.ledger, state.temporal, state.inbox):
        filled(path, "x").close()

    def told(of, to):
        copied.append(of.name)
        copy(of, to)

    monkeypatch.setattr(backups, "copy", told)
    backups.back_up(state, NOW)

    assert copied == ["inbox.db", "temporal.db", "ledger.db"]


def test_only_the_last_few_are_kept_and_what_was_broken_off_goes(state):
    filled(state.inbox, "kept").close()
    (state.path / "backups" / "20260101T000000Z.partial").mkdir(parents=True)
    for day in range(KEPT + 2):
        backups.back_up(state, NOW + timedelta(days=day))

    assert sorted(path.name for path in (state.path / "backups").iterdir()) == [
        f"202611{21 + day}T120000Z" for day in range(2, KEPT + 2)
    ]


def test_it_is_needed_where_another_version_or_nobody_known_wrote_last(state):
    assert not backups.outdated(state, MARK)
    filled(state.inbox, "kept").close()
    assert backups.outdated(state, MARK)
    backups.remember(state, MARK)
    assert not backups.outdated(state, MARK)
    assert backups.outdated(state, "doorbell 2, m002")
    assert backups.last_mark(state) == MARK


def test_a_file_that_is_no_database_is_refused_by_its_name_with_what_to_do(state):
    state.inbox.write_bytes(b"no database at all, but long enough to be read as one" * 99)

    with pytest.raises(OperatorError, match=r"inbox\.db' can't be copied .* --no-backup"):
        backups.back_up(state, NOW)

    assert [path.name for path in (state.path / "backups").iterdir()] == [
        "20261121T120000Z.partial"
    ]


def test_without_room_it_is_refused_with_how_much_is_wanted(state, monkeypatch):
    filled(state.inbox, "x" * 3_000_000).close()
    usage = backups.shutil.disk_usage(state.path)._replace(free=2**20)
    monkeypatch.setattr(backups.shutil, "disk_usage", lambda _path: usage)

    with pytest.raises(OperatorError, match=r"takes 2 MiB, and 1 MiB are free"):
        backups.back_up(state, NOW)
