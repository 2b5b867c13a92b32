"""Doorbell forwards to Doorbell: what one sends, the door of the other verifies, keeps once, and can match on."""

import json
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import structlog

from orchestrator import tell, views
from orchestrator.dispatch.decide import decide
from orchestrator.dispatch.forwards import Finished
from orchestrator.doorbell.app import build
from orchestrator.doorbell.health import Readiness
from orchestrator.doorbell.receive import door
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.inbox.inbox import Action, event_of
from orchestrator.secrets import Secret
from orchestrator.sources.presets import PRESETS
from orchestrator.sources.source import Source
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores
from tests.support.asgi import serving
from tests.support.builders import NOW, comment, inbox_at, known, rule
from tests.support.receiving import (
    NEWER,
    WHSEC,
    decision,
    destination,
    entry,
    receiving,
    sending,
)
from tests.support.told import told

UPSTREAM = PRESETS["standard-webhooks"]
SOURCE = Source(
    name="upstream",
    scheme=UPSTREAM.scheme,
    secrets=(Secret("env:X", WHSEC),),
    dialect=UPSTREAM.dialect,
    max_body=UPSTREAM.max_body,
    dedupe_body=UPSTREAM.dedupe_body,
)


async def _status():
    return {}


@asynccontextmanager
async def another(directory):
    """Another doorbell, with a source `upstream`; yields its inbox and where events go to."""
    ids = iter(range(1, 100))
    log = structlog.wrap_logger(structlog.ReturnLogger())
    with inbox_at(directory) as inbox:
        async with GroupCommit(inbox) as commit, RefusalLog(inbox) as refused:
            sources = {"upstream": SOURCE}
            knock = door(
                lambda: sources,
                commit,
                refused.refuse,
                lambda: NOW,
                lambda: f"evt_b{next(ids)}",
                told(log),
            )
            app = build(knock, Readiness(inbox.pulse, lambda: NOW), _status, log)
            async with serving(app) as url:
                yield inbox, f"{url}/hooks/upstream"


async def test_the_other_door_keeps_it_and_its_rules_see_the_event(tmp_path):
    async with another(tmp_path) as (inbox, url):
        await sending(destination(url)).to.forward(decision(), entry())
        (kept,) = await inbox.undecided(2)

    assert (kept.source, kept.type) == ("upstream", "github/issues.opened")
    assert kept.delivery_id == "dec_1"
    assert kept.headers["x-doorbell-hops"] == "1"
    happened = event_of(kept, json.loads(kept.body))
    (onward,) = decide(happened, 1, known(rule(on=("upstream/github/issues.*",), key=None)))
    assert onward.action is Action.START


async def test_d3_what_is_sent_again_after_a_kill_is_a_duplicate_there(tmp_path):
    """We died between the destination's 2xx and our own settling."""
    async with another(tmp_path) as (inbox, url):
        for _ in range(3):
            await sending(destination(url)).to.forward(decision(), entry())
        (kept,) = await inbox.undecided(2)

    assert kept.duplicates == 2


async def test_d3_a_kill_before_our_settling_sends_it_again_under_the_same_id(tmp_path):
    """The claim is all that is left of the first time: its lease ends, and the lane's head is claimed again."""
    async with receiving() as receiver:
        out = sending(destination(receiver.url()))
        with inbox_at(tmp_path) as inbox:
            await inbox.keep([comment("e1")])
            (kept,) = await inbox.undecided(1)
            happened = event_of(kept, json.loads(kept.body))
            await inbox.decide("e1", decide(happened, 1, known(*out.rules)), NOW)
            for minutes in range(2):
                now = NOW + timedelta(minutes=minutes)
                (lease,) = await inbox.claim(now, timedelta(seconds=30), 16)
                await out.to.forward(lease.decision, kept)
            assert await inbox.settle(lease.decision.id, lease.fence, now)

    first, again = receiver.came
    assert first.headers["webhook-id"] == again.headers["webhook-id"] == lease.decision.id
    assert first.body == again.body


async def test_while_secrets_rotate_either_one_is_enough(tmp_path):
    both = (Secret("env:NEW", NEWER), Secret("env:OLD", WHSEC))
    async with another(tmp_path) as (inbox, url):
        await sending(destination(url, secrets=both)).to.forward(decision(), entry())

        assert await inbox.head() == 1


async def test_d1_a_wrong_secret_is_finished_with_the_other_doors_words(tmp_path):
    wrong = (Secret("env:NEW", NEWER),)
    async with another(tmp_path) as (inbox, url):
        with pytest.raises(Finished, match=r"answered 401: .*bad_signature"):
            await sending(destination(url, secrets=wrong)).to.forward(decision(), entry())

        assert await inbox.head() == 0


async def test_r1_why_shows_where_an_event_went(tmp_path):
    stores = Stores.open(StateDirectory(tmp_path / "state"), None)
    await stores.inbox.keep([comment("e1")])
    (kept,) = await stores.inbox.undecided(1)
    there = destination("https://hooks.example.com/events")
    onward = rule("onward", playbook=None, forward=there)
    await stores.inbox.decide(
        "e1", decide(event_of(kept, json.loads(kept.body)), 1, known(onward)), NOW
    )
    (shown,) = await views.events(stores, [kept])
    stores.close()

    assert shown["decisions"][0]["to"] == "https://hooks.example.com"
    (branch,) = tell.tree(shown).children
    assert str(branch.label) == "onward: forward → https://hooks.example.com (ready): matched"
