"""A rule that forwards: one decision with its trace, a lane for each key, and nothing secret in it."""

from datetime import timedelta

from orchestrator.dispatch.decide import decide, decision_id
from orchestrator.events import Actor
from orchestrator.inbox.inbox import Action, DecisionState
from orchestrator.rules.limits import Dedupe
from orchestrator.rules.rule import Trust
from tests.support.builders import KEY, MARK, event, known, rule, wanted
from tests.support.receiving import WHSEC, destination

TO = destination("https://hooks.example.com/events?token=t0ken")


def forwarding(**changes):
    return rule("onward", **{"playbook": None, "forward": TO} | changes)


def only(happened, *rules, **changes):
    (decision,) = decide(happened, 5, known(*rules, **changes))
    return decision


def test_r2_a_match_is_forwarded():
    found = only(event(), forwarding())

    assert (found.action, found.state) == (Action.FORWARD, DecisionState.READY)
    assert (found.cause, found.rule, found.reason) == ("onward", "onward", "matched")
    assert found.id == decision_id("evt_1", "onward")
    assert (found.key, found.configuration) == (KEY, "sha")
    assert (found.workflow_id, found.playbook, found.stage) == (None, None, None)
    assert [line.path for line in found.trace] == ["on"]


def test_a7_the_decision_shows_where_to_and_nothing_secret():
    found = only(event(), forwarding())

    assert found.with_ == {"to": "https://hooks.example.com"}
    assert "t0ken" not in repr(found)
    assert WHSEC not in repr(found)


def test_r3_events_of_one_key_go_one_after_the_other_and_those_of_others_beside_them():
    one, again = only(event(), forwarding()), only(event(id="evt_2"), forwarding())
    other = only(event(), forwarding(key="issue:acme/api#8"))
    elsewhere = only(event(), forwarding(id="elsewhere"))

    assert one.lane == again.lane
    assert len({one.lane, other.lane, elsewhere.lane}) == 3


def test_r3_without_a_key_nothing_waits_for_anything():
    one, other = only(event(), forwarding(key=None)), only(event(id="evt_2"), forwarding(key=None))

    assert one.lane != other.lane
    assert one.key is None


def test_r3_what_has_a_key_that_cannot_be_read_goes_alone_and_says_why():
    gone = forwarding(key="{{ event.missing }}")
    one, other = only(event(), gone), only(event(id="evt_2"), gone)

    assert (one.action, one.key) == (Action.FORWARD, None)
    assert one.lane != other.lane
    assert one.reason.startswith("matched; its key could not be read, so it runs alone: ")


def test_a_strangers_key_makes_no_long_lane():
    found = only(event(data={"k": "x" * 900}), forwarding(key="k:{{ event.k }}"))

    assert len(found.lane) < 120


def test_r1_a_forward_that_did_not_match_or_is_broken_says_why():
    assert only(event(), forwarding(on=("stripe/*",))).reason == "no match: on"
    bot = event(actor=Actor(id="2", login="renovate[bot]", bot=True))
    assert only(bot, forwarding()).reason == "no match: trust.bots"
    assert only(bot, forwarding(trust=Trust(bots=frozenset({"renovate[bot]"})))).reason == "matched"
    unread = Dedupe(key="{{ event.missing }}", window=timedelta(hours=1), said="1h")
    broken = only(event(), forwarding(dedupe=unread))
    assert broken.action is Action.IGNORE
    assert broken.reason.startswith("the rule is broken for this event: ")


def test_r4_our_own_doings_are_not_forwarded():
    happened = event(data={"action": "created", "comment": {"body": MARK}})
    decisions = decide(happened, 5, known(forwarding()))

    assert {decision.action for decision in decisions} == {Action.IGNORE}


def test_an_event_that_wakes_a_run_is_forwarded_all_the_same():
    woken, onward = decide(event(), 5, known(forwarding(), waits=[wanted()]))

    assert (woken.action, onward.action) == (Action.RESUME, Action.FORWARD)
    assert onward.state is DecisionState.READY
