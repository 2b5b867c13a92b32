"""What an event means for every rule and every wait: R1, R2, R4 and the rendezvous, as a pure function."""

import re
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.configuration.shaping import NAME
from orchestrator.dispatch.asking import UNREADABLE
from orchestrator.dispatch.awaited import wants
from orchestrator.dispatch.decide import (
    OTHERS,
    OURSELVES,
    PERSON,
    decide,
    decision_id,
    workflow_id_of,
)
from orchestrator.dispatch.ours import ours_because
from orchestrator.events import Actor
from orchestrator.inbox.inbox import Action, DecisionState
from orchestrator.rules.load import condition_of
from orchestrator.rules.match import on_matches
from orchestrator.rules.rule import Trust
from orchestrator.rules.rulebook import Rulebook
from orchestrator.sources.source import OPERATOR
from tests.support.builders import KEY, MARK, NOW, RUN, WORKFLOW, event, known, rule, wanted
from workflows.flow import Mode
from workflows.playbook import Stage

POSITION = 5


def decided(happened, *rules, **changes):
    return decide(happened, POSITION, known(*rules, **changes))


def only(happened, *rules, **changes):
    (decision,) = decided(happened, *rules, **changes)
    return decision


def when(**asked):
    condition, flaws = condition_of(asked, ("r", "when"))
    assert flaws == []
    return condition


def said(text, **thing):
    return event(data={"action": "created", "comment": {"body": text, **thing}})


def test_r2_a_match_starts_its_playbook():
    found = only(event(data={"n": 7}), rule(with_={"number": "{{ event.n }}"}, stage=Stage.LIVE))

    assert found.action is Action.START
    assert (found.state, found.reason) == (DecisionState.READY, "matched")
    assert (found.cause, found.rule, found.playbook) == ("triage", "triage", "triage")
    assert (found.with_, found.key, found.stage) == ({"number": 7}, KEY, "live")
    assert found.workflow_id == found.lane == workflow_id_of("triage", KEY)
    assert found.configuration == "sha"
    assert [line.path for line in found.trace] == ["on"]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"on": ("stripe/*",)}, "on"),
        ({"when": when(action="deleted")}, "when.action"),
        ({"trust": Trust()}, "trust.bots"),
    ],
)
def test_r1_a_rule_that_did_not_match_says_which_line_failed(changes, path):
    happened = event(actor=Actor(id="2", login="renovate[bot]", bot=path == "trust.bots"))
    found = only(happened, rule(**changes))

    assert (found.action, found.state) == (Action.IGNORE, DecisionState.SETTLED)
    assert found.reason == f"no match: {path}"
    assert found.trace[-1].path == path
    assert not found.trace[-1].held


RULES = st.lists(
    st.builds(
        lambda name, on, key, mode: rule(f"r{name}", on=(on,), key=key, mode=mode),
        st.integers(0, 10**6),
        st.sampled_from(["github/*", "stripe/*", "*"]),
        st.sampled_from([KEY, None, "{{ event.missing }}", "no-kind"]),
        st.sampled_from(Mode),
    ),
    max_size=6,
    unique_by=lambda made: made.id,
)
EVENTS = st.builds(
    lambda source, text, actor: event(source=source, actor=actor, data={"comment": {"body": text}}),
    st.sampled_from(["github", "stripe"]),
    st.sampled_from(["hello", f"hello\n\n{MARK}"]),
    st.sampled_from([None, Actor(id="1", login="ann"), Actor(login="our-bot", bot=True)]),
)


@given(EVENTS, RULES, st.booleans())
def test_r1_r2_every_rule_is_answered_once_and_deciding_again_gives_the_same_ids(
    happened, rules, waits
):
    changes = {"own_actors": frozenset({"our-bot"}), "waits": [wanted()] if waits else []}
    first, again = decided(happened, *rules, **changes), decided(happened, *rules, **changes)

    assert first == again
    assert len({found.id for found in first}) == len(first)
    causes = [found.cause for found in first]
    for made in rules:
        assert causes.count(made.id) == on_matches(made, happened)
    others = [found.with_ for found in first if found.cause == OTHERS]
    count = sum(not on_matches(made, happened) for made in rules)
    assert others == ([{"pages": Rulebook(rules).digest, "rules": count}] if count else [])
    assert all(found.reason for found in first)
    assert all(found.event_id == happened.id for found in first)
    for found in first:
        assert (found.workflow_id is None) is (found.action is Action.IGNORE)


def test_r1_rules_whose_on_does_not_fit_share_one_line_however_many_they_are():
    strangers = [rule(f"r{number}", on=("stripe/*",)) for number in range(1000)]
    others, mine = decided(event(), *strangers, rule())

    assert (mine.cause, mine.action) == ("triage", Action.START)
    assert (others.cause, others.action, others.state) == (
        OTHERS,
        Action.IGNORE,
        DecisionState.SETTLED,
    )
    assert (others.reason, others.configuration) == ("no match: on (1000 rules)", "sha")
    assert len(str(others)) < 1_000


def test_r2_an_event_nobody_asked_for_has_no_decision():
    assert decided(event()) == []


def test_a_rule_that_is_broken_for_an_event_is_ignored_with_the_reason():
    found = only(event(), rule(with_={"number": "{{ event.missing.at }}"}))

    assert found.action is Action.IGNORE
    assert found.reason.startswith("the rule is broken for this event: ")
    assert found.configuration == "sha"


@pytest.mark.parametrize("key", ["{{ event.missing.at }}", "{{ event }}", "no-kind"])
@pytest.mark.parametrize("mode", Mode)
def test_r3_an_event_whose_key_cannot_be_read_runs_alone_as_without_a_key_and_says_why(key, mode):
    read, without = rule(key=key, mode=mode), rule(key=None, mode=mode)
    found, plain = only(event(), read), only(event(), without)

    assert found.reason.startswith("matched; its key could not be read, so it runs alone: ")
    assert plain.reason == "matched"
    assert msgspec.structs.replace(found, reason="matched") == plain
    assert only(event(id="evt_2"), read).workflow_id != found.workflow_id


def test_a_wait_gets_the_event_it_is_open_for():
    found = only(event(), waits=[wanted()])

    assert (found.action, found.cause) == (Action.RESUME, "wait:wait_1")
    assert (found.workflow_id, found.lane, found.wait_id) == (WORKFLOW, WORKFLOW, "wait_1")
    assert (found.rule, found.with_, found.key) == ("triage", {"run": RUN}, KEY)


def test_a_wait_outranks_the_rule_of_the_same_run():
    own = workflow_id_of("triage", KEY)
    woken, folded, other = decided(event(), rule(), rule("digest"), waits=[wanted(workflow_id=own)])

    assert (woken.action, woken.workflow_id) == (Action.RESUME, own)
    assert (folded.action, folded.cause) == (Action.START, "triage")
    assert (folded.state, folded.workflow_id, folded.lane) == (DecisionState.FOLDED, own, own)
    assert folded.reason.startswith("folded")
    assert (other.action, other.cause, other.state) == (
        Action.START,
        "digest",
        DecisionState.READY,
    )


def test_every_wait_for_it_is_woken():
    waits = [wanted(), wanted(wait_id="wait_2", workflow_id="w2", run_id="r2")]

    assert [found.wait_id for found in decided(event(), waits=waits)] == ["wait_1", "wait_2"]


@pytest.mark.parametrize(
    ("changes", "position"),
    [
        ({"source": "stripe"}, POSITION),
        ({"source": "stripe", "type": "github/issue_comment.created"}, POSITION),
        ({"type": "issues.closed"}, POSITION),
        ({"keys": ("issue:acme/api#8",)}, POSITION),
        ({"keys": ()}, POSITION),
        ({"received_at": NOW + timedelta(seconds=61)}, POSITION),
        ({}, 4),
        ({}, 3),
    ],
)
def test_a5_no_other_source_type_key_order_or_time_wakes_it(changes, position):
    assert wants(wanted(), event(), POSITION)
    assert not wants(wanted(), event(**changes), position)


def test_a5_an_event_of_the_very_last_moment_still_wakes_it():
    assert wants(wanted(), event(received_at=NOW + timedelta(seconds=60)), POSITION)


@pytest.mark.parametrize(
    "actor",
    [Actor(id="99", login="x"), Actor(id="1", login="Our-Bot"), Actor(login="our-bot", bot=True)],
)
def test_r4_what_we_did_ourselves_starts_and_wakes_nothing(actor):
    own = frozenset({"99", "our-bot"})
    found = decided(event(actor=actor), rule(), waits=[wanted()], own_actors=own)

    assert [(each.action, each.cause) for each in found] == [
        (Action.IGNORE, "triage"),
        (Action.IGNORE, OURSELVES),
    ]
    assert [line.path for line in found[0].trace].count("trust.ignore_self") == 1
    assert found[0].reason == "no match: trust.ignore_self"
    assert found[1].reason.startswith("our own write")


def test_r4_our_marker_at_the_end_of_the_newest_text_is_our_own_doing():
    happened = said(f"Could you add the steps?\n\n{MARK}\n")

    assert (
        ours_because(happened, frozenset()) == f"our own write: it ends in the marker of run {RUN}"
    )
    assert {found.action for found in decided(happened, rule(), waits=[wanted()])} == {
        Action.IGNORE
    }


@pytest.mark.parametrize(
    "data",
    [
        {"comment": {"body": f"> Could you?\n> {MARK}\n\nYes: run it twice."}},
        {"comment": {"body": f"{MARK} I say"}},
        {"comment": {"body": "<!-- doorbell:not-a-run -->"}},
        {"comment": {"body": None}},
        {"comment": {"body": "Yes"}, "issue": {"body": MARK}, "action": "created"},
        {"issue": {"body": f"Ours\n{MARK}"}, "action": "labeled"},
        {"issue": {"body": "Theirs"}, "pull_request": {"body": MARK}, "action": "opened"},
        {"text": MARK},
        [MARK],
        MARK,
        None,
    ],
)
def test_r4_a_marker_anywhere_else_is_not(data):
    assert ours_because(event(data=data), frozenset()) is None


FRESH = [
    ("comment", "created"),
    ("review", "submitted"),
    ("issue", "opened"),
    ("pull_request", "opened"),
    ("discussion", "created"),
]


@pytest.mark.parametrize(("thing", "action"), FRESH)
def test_r4_a_text_that_we_have_just_written_is_ours(thing, action):
    data = {thing: {"body": f"Found it.\n{MARK}"}, "action": action, "sender": {"login": "ann"}}

    assert ours_because(event(data=data), frozenset()) is not None


@pytest.mark.parametrize("action", ["edited", "deleted", "labeled", "closed", "dismissed", None, 7])
@pytest.mark.parametrize("thing", [thing for thing, _ in FRESH])
def test_r4_what_somebody_does_to_a_text_of_ours_is_theirs(thing, action):
    happened = event(data={thing: {"body": f"Found it.\n{MARK}"}, "action": action})
    woken, started = decided(happened, rule(), waits=[wanted()])

    assert ours_because(happened, frozenset()) is None
    assert (woken.action, started.action) == (Action.RESUME, Action.START)


def test_r4_a_rule_may_ask_for_our_own_doings():
    found = decided(said(MARK), rule(trust=Trust(ignore_self=False)), waits=[wanted()])

    assert [each.action for each in found] == [Action.START, Action.IGNORE]


@pytest.mark.parametrize("kind", ["resume", "apply", "cancel"])
def test_a_persons_word_reaches_the_run_it_names(kind):
    data = {"type": f"run.{kind}", "run": RUN, "by": "ann"}
    word = event(source=OPERATOR, type=f"run.{kind}", data=data, keys=(f"run:{RUN}",))
    found = only(word, rule(on=("*",)), runs={RUN: WORKFLOW}, waits=[wanted(key=f"run:{RUN}")])

    assert (found.action, found.cause) == (Action.CONTROL, PERSON)
    assert found.workflow_id == WORKFLOW
    assert found.with_ == {"run": RUN, "kind": kind}
    assert found.reason == f"run.{kind} by ann"


def test_r3_words_about_a_run_have_a_lane_of_their_own_and_keep_their_order():
    def lane(kind):
        data = {"type": f"run.{kind}", "run": RUN, "by": "ann"}
        word = event(id=f"evt_{kind}", source=OPERATOR, type=f"run.{kind}", data=data)
        return only(word, runs=runs).lane

    runs = {RUN: WORKFLOW}
    events_of_the_run = only(event(), waits=[wanted()]).lane
    assert lane("resume") == lane("cancel") == lane("apply") != events_of_the_run


@pytest.mark.parametrize("cause", [OTHERS, OURSELVES, PERSON, UNREADABLE])
def test_r1_no_rule_can_have_the_name_of_a_cause_of_our_own(cause):
    assert NAME.fullmatch(cause) is None


@pytest.mark.parametrize(("type_", "runs"), [("run.resume", {}), ("run.erase", {RUN: WORKFLOW})])
def test_a_word_about_an_unknown_run_or_of_an_unknown_kind_is_ignored(type_, runs):
    data = {"type": type_, "run": RUN, "by": "ann"}
    found = only(event(source=OPERATOR, type=type_, data=data), rule(on=("*",)), runs=runs)

    assert found.action is Action.IGNORE
    assert RUN in found.reason


@given(st.text(), st.text(max_size=500), st.text(max_size=500))
def test_r3_a_run_is_named_so_that_people_can_read_it_and_keys_stay_apart(name, one, other):
    first, second = workflow_id_of("triage", f"k:{one}"), workflow_id_of("triage", f"k:{other}")

    assert (first == second) is (one == other)
    assert first.startswith("triage:k:")
    assert re.fullmatch(r"[A-Za-z0-9._:@-]{1,160}~[0-9a-f]{12}", first)
    assert len(workflow_id_of(name, one)) <= 200


def test_r3_a_long_key_is_cut_and_still_told_apart():
    one, other = (
        workflow_id_of("triage", "k:" + "a" * 500),
        workflow_id_of("triage", "k:" + "a" * 499),
    )

    assert len(one) == len(other) == 173
    assert one != other


def test_r3_a_name_is_readable():
    assert workflow_id_of("triage", KEY).startswith("triage:issue:acme-api-7~")


@pytest.mark.parametrize("changes", [{"mode": Mode.PARALLEL}, {"key": None}])
def test_r3_parallel_and_without_a_key_every_event_has_a_run_of_its_own(changes):
    one, other = only(event(), rule(**changes)), only(event(id="evt_2"), rule(**changes))

    assert one.workflow_id != other.workflow_id
    assert one.lane != other.lane
    assert one.key == (KEY if "mode" in changes else "evt_1")


def test_r3_by_signal_events_of_one_key_meet_in_one_run():
    one, other = only(event(), rule()), only(event(id="evt_2"), rule())

    assert one.workflow_id == other.workflow_id
    assert one.id != other.id


def test_what_matched_and_what_did_not_are_named_by_the_same_derivation():
    wanted = only(event(), rule())
    unwanted = only(event(), rule(when=condition_of({"issue.number": 8}, ("r", "when"))[0]))

    assert {wanted.id, unwanted.id} == {decision_id("evt_1", "triage")}


def test_a_deliberate_redelivery_is_a_decision_of_its_own():
    assert decision_id("evt_1", "triage") == decision_id("evt_1", "triage", 0)
    assert decision_id("evt_1", "triage") != decision_id("evt_1", "triage", 1)
