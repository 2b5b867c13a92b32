"""R4: a worker asks its servers as whom they write, and goes on asking the ones that don't answer."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from orchestrator.agent.hands.definitions import Answered, NotSent
from orchestrator.agent.means import Means
from orchestrator.agent.tools.ourselves import FIRST_PAUSE, LONGEST_PAUSE, learn_ourselves, names_in
from orchestrator.ledger import own_actors
from orchestrator.servers import HttpServer, OwnActor
from tests.support.builders import AT, Log, configuration, ledger_at

HOW = OwnActor(tool="get_me", sources=("github", "forge"))
DOWN = NotSent(reason="connection refused")


def answered(said, *, is_error=False, full=True):
    text = said if isinstance(said, str) else json.dumps(said)
    return Answered(
        content=({"type": "text", "text": text},),
        is_error=is_error,
        full=text.encode() if full else b"",
        full_media_type="application/json",
    )


@dataclass
class Hands:
    """Gives these outcomes one after the other, and remembers what it was asked."""

    outcomes: list[Any]
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    async def call(self, server, tool, arguments, **_how):
        self.asked.append((server, tool, arguments))
        return self.outcomes.pop(0)


async def learned(tmp_path, *outcomes, how=HOW, log=None):
    """What is known of each source in the end, which pauses were made, and the hands."""
    hands, pauses = Hands(list(outcomes)), []

    async def pause(seconds):
        pauses.append(seconds)

    servers = {
        "hands": HttpServer(name="hands", url="http://127.0.0.1:9/mcp", own_actor=how),
        "mute": HttpServer(name="mute", url="http://127.0.0.1:9/mcp"),
    }
    files = replace(configuration(), servers=servers)
    with ledger_at(tmp_path) as ledger:
        means = Means(
            inbox=None,
            ledger=ledger,
            model=None,
            hands=hands,
            configuration=lambda: files,
            now=lambda: AT,
            scripted=True,
            pause=pause,
        )
        await learn_ourselves(means, log or Log())
        known = {
            source: await ledger.read(own_actors.of_source, source)
            for source in ("github", "forge", "other")
        }
    return known, pauses, hands


async def test_r4_what_a_server_says_of_itself_is_kept_for_the_sources_that_name_it_so(tmp_path):
    known, pauses, hands = await learned(tmp_path, answered({"id": 41, "login": "our-bot"}))

    assert known == {
        "github": {"41", "our-bot"},
        "forge": {"41", "our-bot"},
        "other": frozenset(),
    }
    assert (hands.asked, pauses) == ([("hands", "get_me", {})], [])


async def test_r4_a_server_that_answers_with_an_error_is_logged_with_how_to_see_it(tmp_path):
    refused, us = answered("Bad credentials", is_error=True), answered({"login": "us"})
    with capture_logs() as lines:
        await learned(tmp_path, refused, us, log=structlog.get_logger())

    said = lines[0]["reason"]
    assert said == "it answered with an error: `doorbell hands call hands.get_me` shows it"


@pytest.mark.parametrize(
    "trouble",
    [
        DOWN,
        answered("no", is_error=True),
        answered("I am a bot"),
        answered({"id": True}),
        answered([]),
    ],
)
async def test_r4_a_server_that_does_not_say_is_asked_again(tmp_path, trouble):
    known, pauses, hands = await learned(tmp_path, trouble, trouble, answered({"login": "us"}))

    assert known["github"] == {"us"}
    assert pauses == [FIRST_PAUSE, 2 * FIRST_PAUSE]
    assert len(hands.asked) == 3


async def test_r4_it_is_asked_ever_more_seldom(tmp_path):
    _, pauses, _ = await learned(tmp_path, *[DOWN] * 12, answered({"login": "us"}))

    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE


@pytest.mark.parametrize(
    ("how", "said", "names"),
    [
        (HOW, {"id": 41, "login": "us"}, ["41", "us"]),
        (OwnActor(tool="me", id="user.key", login=None), {"user": {"key": "U1"}}, ["U1"]),
        (OwnActor(tool="me", id="user.key"), {"user": "U1", "login": "us"}, ["us"]),
        (HOW, {"id": "", "login": None}, []),
        (HOW, {"id": {"x": 1}}, []),
    ],
)
@pytest.mark.parametrize("full", [True, False])
def test_id_and_login_stand_where_the_file_says(how, said, names, full):
    assert names_in(answered(said, full=full), how) == names
