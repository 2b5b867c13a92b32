"""`doorbell up` as it is, its configuration edited under it: nobody refused, nothing lost, never half of a change."""

import asyncio
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.reloads import RULE, SOURCES, Files
from tests.support.whole import Whole, under_load, up

MANY = 500
ROUNDS = 4


@pytest.fixture
def files(tmp_path: Path) -> Files:
    written = Files(at=tmp_path / "doorbell.d")
    written.write({"sources.yaml": SOURCES})
    (tmp_path / ".env").write_text("FORWARD=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
    write(written, "one", "two")
    return written


def write(files: Files, *names: str) -> None:
    """These rules, each in a file of its own."""
    files.rules(*names)
    for path in (files.at / "rules").glob("*.yaml"):
        path.write_text(path.read_text().replace("GITHUB_WEBHOOK_SECRET", "FORWARD"))


def runs(*names: str) -> Any:
    return lambda told: told["rules"] == sorted(names)


async def loaded_after(installation: Whole, number: int) -> dict[str, Any]:
    return await installation.until(lambda told: told["number"] > number)


@pytest.mark.timeout(120)
async def test_d2_reloads_under_load_refuse_nobody_and_what_is_acknowledged_is_kept_once(
    tmp_path: Path, files: Files
) -> None:
    """By the change itself and by SIGHUP to `up`, with rules and sources that come and go."""
    async with up(tmp_path) as installation:
        assert (await installation.configuration())["rules"] == ["one", "two"]
        async with under_load(installation.port) as senders:
            for round_ in range(ROUNDS):
                name = f"round{round_}"
                write(files, "one", name)
                files.write({"sources.yaml": SOURCES + SOURCES.replace("github:", f"{name}:")})
                if round_ % 2:
                    installation.process.send_signal(signal.SIGHUP)
                told = await installation.until(runs("one", name))
                assert told["sources"] == ["github", name]
                assert await installation.knock(name) == 401
                await senders.more(50)
            assert await installation.knock("round0") == 404
            heard = senders.heard
        print(f"{ROUNDS} reloads: {heard}")  # noqa: T201 - the figures are the point

        assert (heard.refused, heard.cut) == (0, 0)
        assert not heard.statuses
        assert await installation.kept() == Counter(heard.acknowledged)


@pytest.mark.timeout(120)
async def test_a_half_written_file_changes_nothing_until_it_is_whole(
    tmp_path: Path, files: Files
) -> None:
    async with up(tmp_path) as installation:
        before = await installation.configuration()
        whole = (files.at / "rules" / "two.yaml").read_text()
        files.write({"rules/two.yaml": whole[: len(whole) // 2]})

        told = await installation.until(lambda told: told["rejected"])

        assert (told["digest"], told["rules"]) == (before["digest"], ["one", "two"])
        (shown,) = {one["text"] for one in told["rejected"]["broken"]}
        assert shown.startswith("two:\n  on: [github/issues.*]")
        files.write({"rules/two.yaml": whole.replace("two:", "three:")})
        told = await installation.until(runs("one", "three"))
        assert told["rejected"] is None
        assert told["digest"] != before["digest"]


@pytest.mark.timeout(120)
async def test_d6_a_broken_rule_keeps_no_door_shut_it_is_named_and_runs_when_it_is_mended(
    tmp_path: Path, files: Files
) -> None:
    broken = RULE.replace("NAME", "two").replace("on:", "onn:")
    files.write({"rules/two.yaml": broken})
    async with up(tmp_path) as installation:
        told = await installation.configuration()

        assert told["rules"] == ["one"]
        assert {one["name"] for one in told["broken"]} == {"two"}
        assert {one["text"] for one in told["broken"]} == {broken.rstrip()}
        said = (tmp_path / "said").read_text()
        assert "unknown key 'onn'" in said
        assert "what is broken does NOT run" in said
        write(files, "one", "two")
        told = await installation.until(runs("one", "two"))
        assert not told["broken"]


@pytest.mark.timeout(120)
async def test_a_secret_in_a_file_or_in_dotenv_is_rotated_without_a_restart(
    tmp_path: Path, files: Files
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("one")
    other = SOURCES.replace("github:", "other:").replace(
        "env:GITHUB_WEBHOOK_SECRET", f"file:{secret}"
    )
    later = SOURCES.replace("github:", "later:").replace("GITHUB_WEBHOOK_SECRET", "LATER")
    files.write({"sources.yaml": SOURCES + other + later})
    async with up(tmp_path) as installation:
        told = await installation.configuration()
        assert told["sources"] == ["github", "other"]

        secret.write_text("two")
        told = await loaded_after(installation, told["number"])
        with (tmp_path / ".env").open("a") as dotenv:
            dotenv.write("LATER=now it is set\n")
        told = await loaded_after(installation, told["number"])

        assert told["sources"] == ["github", "later", "other"]


@pytest.mark.timeout(180)
async def test_five_hundred_rules_are_reloaded_while_the_door_answers(
    tmp_path: Path, files: Files
) -> None:
    async with up(tmp_path) as installation, under_load(installation.port) as senders:
        await senders.more(200)
        before = senders.heard.longest
        senders.heard.longest = 0.0
        write(files, *[f"r{number:03}" for number in range(MANY)])
        began = time.perf_counter()
        installation.process.send_signal(signal.SIGHUP)
        told = await installation.until(lambda told: len(told["rules"]) == MANY)
        took = time.perf_counter() - began
        await asyncio.sleep(0)
        print(  # noqa: T201 - the figures are the point
            f"{MANY} rules in force {took:.2f} s after SIGHUP; longest answer {senders.heard.longest:.3f} s "
            f"meanwhile, {before:.3f} s before"
        )

        assert not told["rejected"]
        assert (senders.heard.refused, senders.heard.cut, dict(senders.heard.statuses)) == (
            0,
            0,
            {},
        )
