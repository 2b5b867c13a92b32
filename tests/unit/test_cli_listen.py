"""`doorbell listen github` as a person runs it: a process before a door of its own, ended by every signal."""

import asyncio
import multiprocessing
import os
import re
import signal
import sys
from contextlib import asynccontextmanager

import pytest

from orchestrator.database import Database, sqlite_url
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from tests.support import door_server
from tests.support.github import ROOT
from tests.support.github_hooks import SECRET, TOKEN, github_hooks
from tests.support.installed import Installed
from tests.support.knocking import reachable
from tests.support.ports import free_port
from tests.support.recovery import issue

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.support.door_server"])
SOURCES = """\
github: {scheme: github, secrets: env:GITHUB_WEBHOOK_SECRET}
payments: {scheme: stripe, secrets: env:GITHUB_WEBHOOK_SECRET}
"""


class House:
    """A laptop behind NAT: a running door, a configuration, and GitHub out there."""

    def __init__(self, directory, peer):
        self.directory, self.peer = directory, peer
        self.installed = Installed(directory / "state")
        self.running = []

    @property
    def words(self):
        given = {
            "--repo": "acme/api",
            "--api": self.peer.url,
            "--every": "1s",
            "--state": str(self.installed.path),
            "--config": str(self.directory / "doorbell.d"),
        }
        return ["listen", "github", *(word for pair in given.items() for word in pair)]

    async def kept(self):
        database = Database.open(sqlite_url(self.directory / "inbox.db"), MIGRATIONS)
        entries = await SqlInbox(database).entries(100)
        database.close()
        return [entry.delivery_id for entry in reversed(entries)]

    async def doorbell(self, **environment):
        """The command, at work."""
        given = {"GITHUB_WEBHOOK_SECRET": SECRET, "GITHUB_TOKEN": TOKEN} | environment
        self.running.append(
            await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "orchestrator", *self.words),
                cwd=self.directory,
                env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)} | given,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        )
        return self.running[-1]


@asynccontextmanager
async def house(directory):
    port = free_port()
    url = sqlite_url(directory / "inbox.db")
    process = FORKS.Process(target=door_server.run, args=(url, port), daemon=True)
    process.start()
    try:
        await reachable(port)
        (directory / "state").mkdir()
        (directory / "doorbell.d").mkdir()
        (directory / "doorbell.d" / "sources.yaml").write_text(SOURCES)
        async with github_hooks() as peer:
            made = House(directory, peer)
            made.installed.announced(f"http://127.0.0.1:{port}")
            try:
                yield made
            finally:
                for left in (one for one in made.running if one.returncode is None):
                    left.kill()
                    await ended(left)
    finally:
        process.kill()
        await asyncio.to_thread(process.join, 15)


async def line(process):
    return (await asyncio.wait_for(process.stdout.readline(), 30)).decode()


async def ended(process):
    _, told = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, told.decode()


async def test_it_feeds_the_running_door_line_by_line_and_ctrl_c_removes_its_webhook(tmp_path):
    async with house(tmp_path) as there:
        process = await there.doorbell()
        assert "of acme/api feeds http://127.0.0.1:" in await line(process)
        (hook,) = there.peer.hooks
        assert hook.events == ["issues", "issue_comment", "pull_request"]
        assert hook.secret == SECRET

        guids = [await there.peer.happen("issues", issue(number)) for number in (1, 2)]
        lines = [await line(process) for _ in guids]
        for guid, said in zip(guids, lines, strict=True):
            shown = f"12:00:00  issues  {guid}  202 kept evt_[0-9a-f]+\n"
            assert re.fullmatch(shown, said), lines
        assert await there.kept() == guids

        process.send_signal(signal.SIGINT)
        assert await ended(process) == (0, "")
        assert there.peer.hooks == []


async def test_a1_one_that_was_killed_leaves_a_webhook_which_the_next_one_removes(tmp_path):
    async with house(tmp_path) as there:
        process = await there.doorbell()
        await line(process)
        process.kill()
        await ended(process)
        (left,) = there.peer.hooks

        process = await there.doorbell()
        await line(process)
        (hook,) = there.peer.hooks
        assert (hook.id != left.id, hook.url) == (True, left.url)
        process.terminate()

        assert await ended(process) == (0, "")
        assert there.peer.hooks == []


async def test_o2_a_wrong_token_ends_it_with_what_to_do_and_leaves_nothing(tmp_path):
    async with house(tmp_path) as there:
        code, told = await ended(await there.doorbell(GITHUB_TOKEN="ghp_Wrong"))

    assert code == 2
    assert told.startswith("doorbell: GitHub answered 401 (Bad credentials)")
    assert "env:GITHUB_TOKEN is wrong or has expired" in told
    assert "ghp_Wrong" not in told


MISUSED = {
    ("--source", "payments"): "source 'payments' speaks 'stripe', not 'github'",
    ("--source", "nobody"): "sources.yaml has no source 'nobody' without a mistake; known: ",
    ("--token", "ghp_Mine"): "--token expects a reference",
    ("--token", "env:UNSET"): "env:UNSET is unset",
    ("--every", "often"): "--every: expected a duration",
    ("--events", " , "): "--events expects names",
    ("--org", "acme"): "expected either a repo as OWNER/NAME or an org as NAME",
    ("--api", "ftp://x"): "expected the API's URL",
}


@pytest.mark.parametrize("words", MISUSED)
def test_o2_what_cannot_be_is_said_before_anything_is_asked_of_github(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    for name, value in (("GITHUB_WEBHOOK_SECRET", SECRET), ("GITHUB_TOKEN", TOKEN)):
        monkeypatch.setenv(name, value)
    (tmp_path / "doorbell.d").mkdir()
    (tmp_path / "doorbell.d" / "sources.yaml").write_text(SOURCES)
    installed = Installed(tmp_path / "state")
    installed.path.mkdir()
    installed.announced("http://127.0.0.1:9")

    told = installed.doorbell("listen", "github", "--repo", "acme/api", *words)

    assert told.exit_code == 2
    assert MISUSED[words] in told.stderr


def test_o2_without_a_running_service_it_says_how_to_start_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in (("GITHUB_WEBHOOK_SECRET", SECRET), ("GITHUB_TOKEN", TOKEN)):
        monkeypatch.setenv(name, value)
    (tmp_path / "doorbell.d").mkdir()
    (tmp_path / "doorbell.d" / "sources.yaml").write_text(SOURCES)

    told = Installed(tmp_path / "state").doorbell("listen", "github", "--repo", "acme/api")

    assert (told.exit_code, "no service is running here" in told.stderr) == (2, True)
