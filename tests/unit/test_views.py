"""What people and programs are shown of events and runs."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator import views
from orchestrator.dispatch.decide import OURSELVES, decide, workflow_id_of
from orchestrator.errors import Reason
from orchestrator.inbox.inbox import Action, Refusal, event_of
from orchestrator.inbox.orders import Hold, Pausable
from orchestrator.ledger import artifacts, calls, conversations, turns, waits
from orchestrator.ledger.calls import Result
from orchestrator.rules.rule import All, Any_, Leaf, Operator
from orchestrator.rules.rulebook import PAGES, Rulebook
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores
from orchestrator.tell import standing
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

LEASE = timedelta(seconds=30)
NEVER = Leaf("action", Operator.EQ, "deleted")
SHOWN_AT = "2026-11-21T12:00:00.000Z"


@pytest.fixture
def stores(tmp_path):
    opened = Stores.open(StateDirectory(tmp_path / "state"), None)
    yield opened
    opened.close()


async def decided(stores, *rules, rang=("github", "issue_comment.created"), **changes):
    source, type_ = rang
    await stores.inbox.keep([replace(comment("e1"), source=source, type=type_)])
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


async def test_r1_each_time_an_event_was_sent_is_shown_with_the_run_that_it_opened(stores):
    await stores.inbox.keep([comment("e1")])
    (entry,) = await stores.inbox.undecided(1)
    sent = event_of(entry, json.loads(entry.body))
    first, again = (decide(sent, 9, known(rule(), again=n))[0] for n in (None, 7))
    await stores.inbox.decide("e1", [first, again], NOW)
    for at, one in enumerate((first, again)):
        opened = opening(one.id, event_id="e1", workflow_id=one.workflow_id)
        begun = await stores.ledger.write(conversations.begin, opened, AT + at)

    runs = {one["id"]: one["run_id"] for one in (await event(stores))["decisions"]}
    assert runs == {first.id: begun.run_id.replace(".2", ".1"), again.id: begun.run_id}


async def test_r1_an_event_is_shown_with_why_each_rule_did_what_it_did(stores):
    start, ignore = await decided(stores, rule(), rule("deploy", when=NEVER))
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
        "no match: when.action",
        None,
    )
    assert missed["trace"][1:] == [
        {
            "path": "when.action",
            "operator": "eq",
            "expected": "deleted",
            "actual": "created",
            "held": False,
        }
    ]
    assert ignore.id == missed["id"]


async def why(stores, *rules, event_id="e1"):
    book = Rulebook(rules)
    await stores.ledger.write(artifacts.put, book.pages, PAGES, AT)
    return await views.why(stores, await stores.inbox.entry(event_id))


async def test_r1_rules_that_were_not_asked_are_told_one_by_one_though_they_share_a_row(stores):
    rules = [rule(), *(rule(f"r{number}", on=("stripe/*", "x")) for number in range(3))]
    assert len(await decided(stores, *rules)) == 2

    shown = await why(stores, *rules)
    assert [each["rule"] for each in shown["decisions"]] == ["triage", "r0", "r1", "r2"]
    last = shown["decisions"][-1]
    assert (last["action"], last["reason"], last["state"]) == ("ignore", "no match: on", "settled")
    (line,) = last["trace"]
    assert line == {
        "path": "on",
        "operator": "glob",
        "expected": ["stripe/*", "x"],
        "actual": "github/issue_comment.created",
        "held": False,
    }
    assert "pages" not in last
    assert json.loads(json.dumps(shown)) == shown


async def test_r1_rules_whose_pages_are_lost_are_told_as_a_number(stores):
    await decided(stores, rule("r1", on=("stripe/*",)), rule("r2", on=("stripe/*",)))

    shown = await views.why(stores, await stores.inbox.entry("e1"))
    (told,) = shown["decisions"]
    assert told["reason"] == "no match: on (2 rules)"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("schedule", "no match: on (the clock rings only the rule that names it)"),
        ("doorbell", "no match: on (our own notices ring only rules that name them)"),
    ],
)
async def test_r1_a_rule_that_is_wide_enough_for_what_we_ring_says_why_it_was_not_asked(
    stores, source, reason
):
    wide = rule("wide", on=("*/*", "stripe/*"))
    rules = [rule("named", on=(f"{source}/triage",)), wide, rule("far", on=("stripe/*",))]
    await decided(stores, *rules, rang=(source, "triage"))

    told = {one["rule"]: one for one in (await why(stores, *rules))["decisions"]}
    assert told["named"]["action"] == "start"
    assert (told["wide"]["action"], told["wide"]["reason"]) == ("ignore", reason)
    (line,) = told["wide"]["trace"]
    assert (line["expected"], line["held"]) == (["*/*", "stripe/*"], False)
    assert told["far"]["reason"] == "no match: on"


async def test_r1_a_rule_is_told_as_not_asked_though_its_run_is_woken_by_what_we_ring(stores):
    wide, other = rule("wide", on=("*/*",)), rule("far", on=("stripe/*",))
    waits = [wanted(rule="wide", patterns=("doorbell/*",))]
    await decided(stores, wide, other, rang=("doorbell", "run.parked"), waits=waits)

    shown = (await why(stores, wide, other))["decisions"]
    assert [(one["rule"], one["action"]) for one in shown] == [
        ("wide", "resume"),
        ("wide", "ignore"),
        ("far", "ignore"),
    ]


async def second(stores, *rules):
    """Another event of the same key, with what was decided about it."""
    await stores.inbox.keep([comment("e2")])
    (entry,) = await stores.inbox.undecided(1)
    found = decide(event_of(entry, json.loads(entry.body)), 10, known(*rules))
    await stores.inbox.decide("e2", found, NOW)
    return (await why(stores, *rules, event_id="e2"))["decisions"][0]


async def paused_source(stores, name):
    await stores.inbox.keep([replace(comment("w1"), source="operator")])
    pause = Hold(what=Pausable.SOURCE, name=name, by="ann")
    await stores.inbox.decide("w1", [], NOW, pause)


async def released(stores, note):
    (lease,) = await stores.inbox.claim(NOW, LEASE, 1)
    await stores.inbox.release(lease.decision.id, lease.fence, NOW, note, count=False)


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("held: 1 run of triage is open", ", which is held: 1 run of triage is open"),
        ("Temporal: UNAVAILABLE", ", which waits: Temporal: UNAVAILABLE"),
        (None, ""),
    ],
)
async def test_r1_what_is_behind_another_of_its_key_says_which_and_what_holds_that(
    stores, note, said
):
    await decided(stores, rule())
    if note is not None:
        await released(stores, note)

    told = await second(stores, rule())
    assert told["behind"] == f"e1 of its key{said}"
    assert standing(told) == f"behind e1 of its key{said}"
    (first,) = (await event(stores))["decisions"]
    assert first["behind"] is None


async def test_r1_what_is_behind_what_another_source_rang_says_that_this_is_paused(stores):
    both = rule(on=("*/*",))
    await decided(stores, both, rang=("billing", "invoice.paid"))
    await paused_source(stores, "billing")

    said = "e1 of its key, which is held: source paused by ann"
    assert (await second(stores, both))["behind"] == said


async def test_r1_what_is_delivered_is_behind_nobody(stores):
    await decided(stores, rule())
    (lease,) = await stores.inbox.claim(NOW, LEASE, 1)
    await stores.inbox.settle(lease.decision.id, lease.fence, NOW)

    assert (await second(stores, rule()))["behind"] is None


FITS = Leaf("action", Operator.EQ, "created")


@pytest.mark.parametrize(
    ("far", "near"),
    [
        (rule("far", on=("stripe/*",)), rule("near", when=NEVER)),
        (rule("far", when=All((NEVER, NEVER, FITS))), rule("near", when=NEVER)),
        (rule("far", when=All((NEVER, FITS))), rule("near", when=All((FITS, NEVER, FITS)))),
        (
            rule("far", when=All((Any_((NEVER, NEVER)), NEVER))),
            rule("near", when=All((Any_((NEVER, NEVER, NEVER)),))),
        ),
        (rule("far", on=("stripe/*",)), rule("near", on=("github/deployment.*",))),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
async def test_r1_an_event_that_nothing_answered_names_the_rule_that_came_nearest(
    stores, far, near, turned
):
    rules = [near, far] if turned else [far, near]
    await decided(stores, *rules)

    assert (await why(stores, *rules))["nearest"] == "near"


async def test_an_event_that_was_answered_has_no_nearest_rule(stores):
    await decided(stores, rule(), rule("deploy", when=NEVER))

    assert (await why(stores, rule(), rule("deploy", when=NEVER)))["nearest"] is None


async def test_why_says_what_a_run_has_cost(stores):
    (start,) = await decided(stores, rule())
    conversation = opening(start.id, event_id="e1", workflow_id=start.workflow_id)
    begun = await stores.ledger.write(conversations.begin, conversation, AT)
    await stores.ledger.write(turns.reserve, begun.run_id, 1, 1, charge("0.05"), AT)
    await stores.ledger.write(turns.settle, begun.run_id, 1, 1, charge("0.0123"), "settled")
    await stores.ledger.write(turns.reply, begun.run_id, 1, "[]", "tool_use", None, AT)

    (told,) = (await why(stores, rule()))["decisions"]
    assert told["run_id"] == begun.run_id
    assert told["run"] == {
        "state": "running",
        "outcome": None,
        "reason": "choosing tools",
        "writes": "",
        "turns": 1,
        "tokens": 110,
        "usd": 0.0123,
        "unpriced_turns": 0,
    }


async def test_why_says_for_what_reason_a_run_is_parked(stores):
    (start,) = await decided(stores, rule())
    conversation = opening(start.id, event_id="e1", workflow_id=start.workflow_id)
    begun = await stores.ledger.write(conversations.begin, conversation, AT)
    parked = (begun.run_id, RunState.PARKED, "no model key", None)
    await stores.ledger.write(conversations.record, *parked, AT)

    (told,) = (await why(stores, rule()))["decisions"]
    assert (told["run"]["state"], told["run"]["reason"]) == ("parked", "no model key")


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
