"""`events list --follow`: each event once, when there is something to say of it, whatever order it was kept in."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass

import pytest

from orchestrator.cli.following import OVERLAP, PATIENCE, Following, follow, newest
from orchestrator.cli.moments import moment
from orchestrator.console.questions import Events
from orchestrator.inbox.inbox import Action
from orchestrator.inbox.memory import MemoryInbox
from orchestrator.inbox.sought import Sought, Stand
from tests.conformance.inboxes import decided, decision, one
from tests.support.builders import NOW, comment
from tests.support.installed import Installed

EVERYTHING = Events()


@dataclass(frozen=True)
class Asked:
    """A console that answers of this inbox; it has no ledger, and says and does nothing."""

    inbox: MemoryInbox

    async def ask(self, question):
        after = await self.inbox.entry(question.after) if question.after else None
        sought = Sought(state=question.stand, after=after.position if after else 0)
        found = await self.inbox.entries(question.limit, sought)
        return {"events": [{"id": entry.id, "state": str(entry.state)} for entry in found]}


async def following(inbox, sought=EVERYTHING):
    asked = Asked(inbox)
    return Following(asked=asked, sought=sought, begin=await newest(asked))


async def ignored(inbox, name):
    quiet = decision(f"c-{name}", name, None, action=Action.IGNORE)
    await decided(inbox, quiet, event_id=name)


async def looked(follower):
    return [one["id"] for one in await follower.look()]


async def test_each_event_that_comes_is_told_once_and_none_from_before():
    inbox = MemoryInbox()
    await ignored(inbox, "before")
    follower = await following(inbox)
    await ignored(inbox, "e1")
    await ignored(inbox, "e2")

    assert await looked(follower) == ["e1", "e2"]
    await ignored(inbox, "e3")
    assert [await looked(follower), await looked(follower)] == [["e3"], []]


async def test_an_event_is_told_when_it_has_been_decided_about_or_nobody_does():
    inbox = MemoryInbox()
    follower = await following(inbox)
    await one(inbox, "e1")
    await one(inbox, "e2")
    assert await looked(follower) == []
    await inbox.decide("e2", [], NOW)

    assert await looked(follower) == ["e2"]
    assert [await looked(follower) for _ in range(PATIENCE - 2)] == [[], ["e1"]]


async def test_who_asks_for_what_is_undecided_sees_it_at_once():
    inbox = MemoryInbox()
    follower = await following(inbox, Events(stand=Stand.RECEIVED))
    await one(inbox, "e1")

    assert await looked(follower) == ["e1"]


async def test_what_becomes_visible_late_is_told_all_the_same():
    """On Postgres of two deliveries kept at once the one with the higher position may be seen first."""
    inbox = MemoryInbox()
    follower = await following(inbox)
    await ignored(inbox, "e1")
    await ignored(inbox, "e2")
    row = inbox._entries.pop("e1")
    assert await looked(follower) == ["e2"]
    inbox._entries = {"e1": row, **inbox._entries}

    assert await looked(follower) == ["e1"]


async def test_a_long_time_is_followed_without_asking_for_all_of_it_again():
    inbox = MemoryInbox()
    follower = await following(inbox)
    told = []
    for number in range(OVERLAP + 40):
        await ignored(inbox, f"e{number}")
        told += await looked(follower)

    assert told == [f"e{number}" for number in range(OVERLAP + 40)]
    assert follower.begin == "e39"
    assert len(follower.told) == OVERLAP


async def test_it_goes_on_until_it_is_stopped():
    inbox, heard, looks = MemoryInbox(), [], []

    async def tell(found):
        heard.extend(one["id"] for one in found)

    async def sleep(_seconds):
        looks.append(1)
        if len(looks) == 3:
            raise asyncio.CancelledError
        await ignored(inbox, f"e{len(looks)}")

    with pytest.raises(asyncio.CancelledError):
        await follow(Asked(inbox), EVERYTHING, tell, sleep)
    assert heard == ["e1", "e2"]


HEARING = """\
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("orchestrator", run_name="__main__", alter_sys=True)
"""
"""A shell's background job is deaf to Ctrl-C, and so is all that it starts: this one hears it wherever it runs."""


def test_ctrl_c_ends_it_with_zero_and_json_is_one_object_for_each_line(tmp_path):
    there = Installed(tmp_path / "state")
    there.only_kept()
    words = ["events", "list", "--follow", "--is", "received", "--json"]
    line = [sys.executable, "-c", HEARING, *words, "--state", str(there.path)]
    heard = threading.Event()
    ringing = threading.Thread(target=ring, args=(there, heard))
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        ringing.start()
        try:
            said = json.loads(process.stdout.readline())
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            heard.set()
            process.kill()
            ringing.join()
    assert said["state"] == "received"


def ring(there, heard):
    """Again and again: only what is kept after it began to follow is told."""
    number = 0
    while not heard.wait(0.2):
        number += 1
        there.only_kept(comment(f"evt_{number}"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", "2026-11-21T10:00:00+00:00"),
        ("3d", "2026-11-18T12:00:00+00:00"),
        ("2026-11-20", "2026-11-20T00:00:00+00:00"),
        ("2026-11-20T10:00:00+02:00", "2026-11-20T10:00:00+02:00"),
    ],
)
def test_moments_are_so_long_ago_or_a_date(text, expected):
    assert moment(text, NOW).isoformat() == expected


@pytest.mark.parametrize("text", ["yesterday", "", "2", "999999999d", "2026-13-01"])
def test_what_is_no_moment_is_told_with_what_is_expected(text):
    with pytest.raises(ValueError, match="expected"):
        moment(text, NOW)
