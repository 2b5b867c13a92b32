"""What people and programs are shown of events and runs."""

import json
from datetime import UTC, datetime

import pytest

from orchestrator import views
from orchestrator.dispatch.decide import OURSELVES, decide, workflow_id_of
from orchestrator.errors import Reason
from orchestrator.inbox.inbox import Action, Refusal, event_of
from orchestrator.ledger import calls, conversations, turns, waits
from orchestrator.ledger.calls import Result
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores
from tests.support.builders import (
    AT,
    KEY,
    NOW,
    RUN,
    charge,
    comment,
    intent,
    known,
    opening,
    rule,
    wait,
    wanted,
)
from workflows.messages import CallState, Outcome, RunState

SHOWN_AT = "2026-11-21T12:00:00.000Z"


@pytest.fixture
def stores(tmp_path):
    opened = Stores.open(StateDirectory(tmp_path / "state"), None)
    yield opened
    opened.close()


async def decided(stores, *rules, **changes):
    await stores.inbox.keep([comment("e1")])
    (entry,) = await stores.inbox.undecided(1)
    found = decide(event_of(entry, json.loads(entry.body)), 9, known(*rules, **changes))
    await stores.inbox.decide("e1", found, NOW)
    return found


async def event(stores):
    (shown,) = await views.events(stores, [await stores.inbox.entry("e1")])
    return shown


async def run(stores, ui=None):
    return await stores.ledger.read(views.run, RUN, ui, "default")


async def begin(stores, decision_id="dec_1"):
    begun = opening(decision_id, event_id="e1")
    return await stores.ledger.write(conversations.begin, begun, AT)


async def record(stores, state, reason="", outcome=None):
    await stores.ledger.write(conversations.record, RUN, state, reason, outcome, AT + 60)


async def test_r1_an_event_is_shown_with_why_each_rule_did_what_it_did(stores):
    start, ignore = await decided(stores, rule(), rule("deploy", on=("github/deployment.*",)))
    conversation = opening(start.id, event_id="e1", workflow_id=start.workflow_id)
    begun = await stores.ledger.write(conversations.begin, conversation, AT)

    shown = await event(stores)
    matched, missed = shown.pop("decisions")
    assert shown == {
        "id": "e1",
        "source": "github",
        "type": "issue_comment.created",
        "subject": "acme/api#7",
        "actor": "ann",
        "delivery_id": "d-e1",
        "received_at": SHOWN_AT,
        "state": "decided",
        "duplicates": 0,
        "duplicate_of": None,
    }
    assert (matched["rule"], matched["action"], matched["run_id"]) == (
        "triage",
        "start",
        begun.run_id,
    )
    assert matched["id"] == start.id
    assert (missed["action"], missed["reason"], missed["run_id"]) == (
        "ignore",
        "no match: on",
        None,
    )
    assert missed["trace"] == [
        {
            "path": "on",
            "operator": "glob",
            "expected": ["github/deployment.*"],
            "actual": "github/issue_comment.created",
            "held": False,
        }
    ]
    assert ignore.id == missed["id"]


async def test_a_decision_that_wakes_a_run_names_it_before_the_run_has_heard(stores):
    await decided(stores, waits=[wanted()])

    (woken,) = (await event(stores))["decisions"]
    assert (woken["action"], woken["run_id"]) == (Action.RESUME, RUN)


async def test_r2_a_start_that_is_folded_into_the_run_it_wakes_says_so(stores):
    own = workflow_id_of("triage", KEY)
    await decided(stores, rule(), waits=[wanted(workflow_id=own)])

    woken, folded = (await event(stores))["decisions"]
    assert (woken["action"], woken["state"], woken["run_id"]) == ("resume", "ready", RUN)
    assert (folded["action"], folded["state"]) == ("start", "folded")
    assert folded["reason"].startswith("folded: ")


async def test_an_ignored_event_names_its_cause_and_no_run(stores):
    await decided(stores, own_actors=frozenset({"ann"}))

    (ignored,) = (await event(stores))["decisions"]
    assert (ignored["rule"], ignored["run_id"]) == (OURSELVES, None)


async def test_a_run_is_shown_with_everything_it_did(stores):
    await begin(stores)
    await stores.ledger.write(turns.reserve, RUN, 1, 1, charge("0.05"), AT)
    await stores.ledger.write(turns.settle, RUN, 1, 1, charge("0.0123"), "settled")
    await stores.ledger.write(turns.reply, RUN, 1, "[]", "tool_use", None, AT)
    await stores.ledger.write(calls.intend, RUN, 1, intent(), AT)
    done = Result(state=CallState.DONE, content=[], is_error=False)
    await stores.ledger.write(calls.finish, RUN, "c1", done, AT)
    await record(stores, RunState.ENDED, "", Outcome.COMPLETED)

    shown = await run(stores)
    assert (shown["state"], shown["outcome"], shown["events"]) == ("ended", "completed", ["e1"])
    assert (shown["opened_at"], shown["ended_at"]) == (SHOWN_AT, "2026-11-21T12:01:00.000Z")
    assert shown["turns"] == 1
    assert shown["tool_calls"] == [
        {
            "id": "c1",
            "turn": 1,
            "server": "github",
            "tool": "comment",
            "effect": "write-once",
            "state": "done",
            "attempts": 0,
            "arguments": {"body": "Hello"},
            "artifact": None,
        }
    ]
    assert shown["spent"] == {
        "usd": 0.0123,
        "input_tokens": 100,
        "output_tokens": 10,
        "cached_tokens": 5,
        "unpriced_turns": 0,
        "assumed_attempts": 0,
    }
    assert (shown["waiting_for"], shown["temporal_url"]) == (None, None)
    assert json.loads(json.dumps(shown)) == shown


async def test_a_run_that_waits_says_for_what_and_until_when(stores):
    await begin(stores)
    await stores.ledger.write(waits.begin, wait("old", opened_at=AT - 9, key="issue:old"))
    await stores.ledger.write(waits.end, "old", "expired", None)
    await stores.ledger.write(waits.begin, wait())
    await record(stores, RunState.WAITING, "a reply")

    assert (await run(stores))["waiting_for"] == {
        "kind": "event",
        "events": ["github/issue_comment.*"],
        "key": KEY,
        "until": "2026-11-21T13:00:00.000Z",
    }


async def test_a_parked_run_says_what_a_person_must_do(stores):
    await begin(stores)
    await record(stores, RunState.PARKED, "no model key")

    assert (await run(stores))["waiting_for"] == {"kind": "person", "reason": "no model key"}


async def test_a_run_nobody_knows_is_not_found(stores):
    with pytest.raises(LookupError, match="there is no run"):
        await run(stores)


def test_a_link_to_temporal_is_whole_whatever_stands_in_the_name():
    url = views.temporal_url("http://127.0.0.1:8233/", "a b", "triage:issue/7?x#y~0123456789ab")

    assert url == (
        "http://127.0.0.1:8233/namespaces/a%20b/workflows/triage%3Aissue%2F7%3Fx%23y~0123456789ab"
    )


def test_o3_a_refusal_shows_names_of_headers_only():
    refusal = Refusal(
        at=datetime(2026, 11, 21, 12, tzinfo=UTC),
        source="github",
        reason=Reason.BAD_SIGNATURE,
        detail="no secret fits",
        headers=("host", "x-hub-signature-256"),
    )

    assert views.refusals([refusal]) == [
        {
            "at": SHOWN_AT,
            "source": "github",
            "reason": "bad_signature",
            "detail": "no secret fits",
            "headers": ["host", "x-hub-signature-256"],
        }
    ]
