"""A process' configuration: sound parts run from the start, a reload is taken whole or not at all."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from orchestrator import service
from orchestrator.database import Database, DatabaseError, sqlite_url
from orchestrator.errors import Mistake
from orchestrator.ledger import configurations
from orchestrator.ledger.migrations import MIGRATIONS
from orchestrator.sources.source import OPERATOR
from tests.support.builders import OPERATOR_SOURCE
from tests.support.reloads import SOURCES, Files, Process, process, removed


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(sqlite_url(tmp_path / "ledger.db"), MIGRATIONS)
    yield database
    database.close()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    written = Files(at=tmp_path / "doorbell.d")
    written.write({"sources.yaml": SOURCES})
    written.rules("one", "two")
    return written


@pytest.fixture
async def running(files: Files, ledger: Database) -> Process:
    made = process(files.at, ledger)
    await made.reloading.start()
    return made


async def test_a_change_is_in_force_when_it_is_quiet_and_unchanged_files_are_not_read_again(
    running: Process, files: Files
) -> None:
    assert await running.passes() == 0
    files.rules("one", "three")

    assert await running.reloading.step() == 0
    assert running.rules() == ["one", "two"]
    assert await running.passes() == 1
    assert running.rules() == ["one", "three"]
    assert running.reloading.loaded.number == 2
    assert await running.passes() == 0


async def test_a_start_with_mistakes_runs_the_sound_rules_and_names_the_broken(
    files: Files, ledger: Database
) -> None:
    files.spoil("two")
    running = process(files.at, ledger)
    await running.reloading.start()

    assert running.rules() == ["one"]
    (mistake,) = running.log.named("configuration.mistake")
    assert "'eqq'" in mistake["mistake"]
    assert running.reloading.rejected is None


async def test_a_reload_with_one_mistake_is_rejected_whole_and_the_next_sound_one_taken(
    running: Process, files: Files
) -> None:
    before = running.reloading.loaded
    files.rules("one", "two", "three")
    files.spoil("two")
    assert await running.passes() == 1

    assert running.reloading.loaded is before
    assert running.rules() == ["one", "two"]
    rejected = running.reloading.rejected
    assert rejected is not None
    (mistake,) = rejected.mistakes
    assert "'eqq'" in mistake.message
    (line,) = running.log.named("configuration.rejected")
    assert line["in_force"] == before.configuration.digest != line["digest"]
    # It is told once, not every second.
    assert await running.passes() == 0

    files.rules("one", "two", "three")
    assert await running.passes() == 1
    assert running.rules() == ["one", "three", "two"]
    assert running.reloading.rejected is None


async def test_of_two_rules_broken_at_the_start_one_can_be_mended_alone_but_no_third_broken(
    files: Files, ledger: Database
) -> None:
    files.rules("one", "two", "three")
    files.spoil("two")
    files.spoil("three")
    running = process(files.at, ledger)
    await running.reloading.start()
    assert running.rules() == ["one"]

    files.rules("one", "two")
    files.spoil("three")
    await running.passes()
    assert running.rules() == ["one", "two"]

    files.spoil("one")
    await running.passes()
    assert running.rules() == ["one", "two"]
    assert running.reloading.rejected is not None


async def test_a_rule_in_force_that_moves_into_a_file_broken_since_the_start_is_told_and_stays(
    files: Files, ledger: Database
) -> None:
    files.write({"rules/two.yaml": "two: [\n"})
    running = process(files.at, ledger)
    await running.reloading.start()
    (files.at / "rules" / "one.yaml").unlink()
    files.write({"rules/two.yaml": "one: {on: github/push}\ntwo: [\n"})
    await running.passes()

    assert running.rules() == ["one"]
    assert running.log.named("configuration.rejected")
    told = [line["mistake"] for line in running.log.named("configuration.mistake")]
    assert "rule 'one' can't be used" in told[-1]


async def test_a_directory_that_goes_changes_nothing_and_one_that_comes_is_read(
    running: Process, files: Files, ledger: Database, tmp_path: Path
) -> None:
    removed(files.at)
    await running.passes()
    assert running.rules() == ["one", "two"]
    assert running.reloading.rejected is not None

    late = process(tmp_path / "later.d", ledger)
    await late.reloading.start()
    assert late.rules() == []
    coming = Files(at=tmp_path / "later.d")
    coming.write({"sources.yaml": SOURCES})
    coming.rules("one")
    await late.passes()
    assert late.rules() == ["one"]


async def test_sighup_reads_at_once_even_what_looks_the_same(
    running: Process, files: Files
) -> None:
    files.rules("three")
    running.reloading.ask()
    assert await running.reloading.step() == 1
    assert running.rules() == ["three"]

    running.reloading.ask()
    assert await running.reloading.step() == 1
    assert running.reloading.loaded.number == 3


async def test_a_rotated_secret_file_is_noticed_and_so_is_a_changed_environment_when_asked(
    files: Files, ledger: Database, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("old")
    text = SOURCES.replace("env:GITHUB_WEBHOOK_SECRET", f"file:{secret}")
    files.write({"sources.yaml": text + SOURCES.replace("github:", "other:")})
    told = {"GITHUB_WEBHOOK_SECRET": "old"}
    running = process(files.at, ledger, told)
    await running.reloading.start()
    # Which files hold secrets is known after the first reading, and that costs no second one.
    assert await running.passes() == 0

    def secrets() -> list[str]:
        loaded = running.reloading.loaded.sources
        return [loaded[name].secrets[0].reveal() for name in ("github", "other")]

    secret.write_text("new")
    await running.passes()
    assert secrets() == ["new", "old"]
    told["GITHUB_WEBHOOK_SECRET"] = "new"
    running.reloading.ask()
    await running.passes()
    assert secrets() == ["new", "new"]


async def test_a_source_that_is_removed_rings_no_more_and_is_read_also_after_a_restart(
    running: Process, files: Files, ledger: Database
) -> None:
    files.write({"sources.yaml": SOURCES.replace("github:", "hub:")})
    files.rules()
    await running.passes()
    restarted = process(files.at, ledger, built_in={OPERATOR: OPERATOR_SOURCE})
    await restarted.reloading.start()

    for one in (running, restarted):
        loaded = one.reloading.loaded
        assert set(loaded.sources) - {OPERATOR} == {"hub"}
        assert set(loaded.readable) - {OPERATOR} == {"github", "hub"}
        assert loaded.readable == loaded.configuration.readable()
    assert OPERATOR in restarted.reloading.loaded.sources


async def test_what_is_in_force_is_on_disk_before_and_its_history_is_kept(
    running: Process, files: Files, ledger: Database
) -> None:
    first = running.reloading.configuration().digest
    files.rules("three")
    await running.passes()
    second = running.reloading.configuration().digest

    newest = await ledger.read(configurations.newest, 10)
    assert [kept.digest for kept in newest] == [second, first]
    found = await ledger.read(configurations.find, first)
    assert found is not None
    assert b"rules/two.yaml" in found.content
    assert await ledger.read(configurations.find, "0" * 64) is None


async def test_what_cannot_be_kept_is_not_in_force_and_is_tried_again(
    running: Process, files: Files, ledger: Database
) -> None:
    class Full:
        async def write(self, *_: object) -> None:
            raise DatabaseError("the disk is full")

    running.reloading.ledger = Full()  # type: ignore[assignment] # what the disk says
    files.rules("three")
    await running.reloading.step()
    running.monotonic[0] += 5
    with pytest.raises(DatabaseError):
        await running.reloading.step()
    assert running.rules() == ["one", "two"]

    running.reloading.ledger = ledger
    assert await running.reloading.step() == 1
    assert running.rules() == ["three"]


async def test_whoever_follows_gets_the_newest_once_and_never_misses_one(
    running: Process, files: Files
) -> None:
    assert (await running.reloading.newer(0)).number == 1
    following = asyncio.create_task(running.reloading.newer(1))
    await asyncio.sleep(0)
    assert not following.done()
    files.rules("three")
    await running.passes()
    assert (await following).number == 2


async def test_a_worker_catches_up_with_the_decision_it_works_for_and_with_nothing_else(
    files: Files, ledger: Database
) -> None:
    service, worker = process(files.at, ledger), process(files.at, ledger, keeps=False)
    for one in (service, worker):
        await one.reloading.start()
    files.rules("three")
    await service.passes()
    decided_by = service.reloading.configuration().digest

    await worker.reloading.abreast(decided_by)
    assert worker.rules() == ["three"]

    # Half of the next change is written; whoever decided did so by the one before.
    files.rules("four")
    await worker.reloading.abreast("an older digest")
    assert worker.rules() == ["three"]


async def test_a_mistake_that_only_this_process_finds_rejects_too(
    running: Process, files: Files
) -> None:
    running.reloading.vet = lambda _: [Mistake(file="f", line=1, column=1, message="not here")]
    files.rules("three")
    await running.passes()

    assert running.rules() == ["one", "two"]


async def test_d1_an_unsigned_source_that_comes_while_strangers_are_listened_to_is_rejected(
    running: Process, files: Files
) -> None:
    running.reloading.vet = partial(service._unlistenable, "0.0.0.0")
    files.write({"sources.yaml": SOURCES + "desk: {scheme: unsigned, type: knock}\n"})
    await running.passes()

    assert set(running.reloading.loaded.sources) == {"github"}
    assert running.reloading.rejected is not None
    (mistake,) = running.reloading.rejected.mistakes
    assert "the source 'desk' is unsigned, and '0.0.0.0' is not loopback" in mistake.message
    running.reloading.vet = partial(service._unlistenable, "127.0.0.1")
    running.reloading.ask()
    await running.passes()
    assert set(running.reloading.loaded.sources) == {"github", "desk"}


async def test_before_the_start_nothing_is_in_force(files: Files, ledger: Database) -> None:
    with pytest.raises(RuntimeError, match="`start` comes first"):
        process(files.at, ledger).reloading.configuration()


async def test_it_works_until_it_is_cancelled_and_wakes_when_it_is_asked(
    running: Process, files: Files
) -> None:
    running.reloading.look_every = 3_600.0
    working = asyncio.create_task(running.reloading.work())
    files.rules("three")
    running.reloading.ask()
    assert (await running.reloading.newer(1)).configuration.rules[0].name == "three"
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_o3_every_reload_is_counted_as_taken_or_rejected(
    running: Process, files: Files
) -> None:
    counted: list[str] = []
    running.reloading.count = counted.append
    files.rules("one", "two", "three")
    files.spoil("two")
    assert await running.passes() == 1
    files.rules("one", "two", "three")
    assert await running.passes() == 1
    assert await running.passes() == 0

    assert counted == ["rejected", "taken"]
