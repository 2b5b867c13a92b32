"""What an event counts under is decided with it; a backstop acts where no other rule did."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.dispatch.decide import decide
from orchestrator.dispatch.limits import actor_named
from orchestrator.events import Actor
from orchestrator.inbox.inbox import Action
from orchestrator.inbox.tallies import Tallied
from orchestrator.rules.limits import Cooldown, Dedupe, Limits, Rate
from orchestrator.rules.rule import Leaf, Operator
from orchestrator.rules.rulebook import Page
from orchestrator.sources.source import DOORBELL, OPERATOR
from tests.support.builders import KEY, comment, event, known, order, rule, wanted
from tests.support.roads import decided, delivered, road_at, taken, the, waiting
from workflows.flow import Mode

HOUR = timedelta(hours=1)
RATE = Rate(most=2, window=HOUR, said="2/h")
ALL = Limits(per_actor=RATE, per_key=RATE, cooldown=Cooldown(window=HOUR, said="1h"))
DEDUPE = Dedupe(key="{{ event.issue.number }}", window=HOUR, said="1h")
NEVER = Leaf("action", Operator.EQ, "never")


def one(*rules, **changes):
    (decision,) = decide(event(**changes), 5, known(*rules))
    return decision


def test_an_event_counts_under_every_limit_of_the_rule_in_the_order_they_are_judged():
    tallies = one(rule(limits=ALL, dedupe=DEDUPE)).tallies

    assert [tally.what for tally in tallies] == [
        Tallied.DEDUPE,
        Tallied.COOLDOWN,
        Tallied.KEY,
        Tallied.ACTOR,
    ]
    assert [tally.who for tally in tallies] == ["dedupe key 7", KEY, f"key {KEY}", "actor ann"]
    assert [tally.most for tally in tallies] == [1, 1, 2, 2]
    assert {tally.at for tally in tallies} == {event().received_at}
    assert len({tally.bucket for tally in tallies}) == 4


def test_rules_count_apart():
    first = one(rule("a", limits=ALL)).tallies
    second = one(rule("b", limits=ALL)).tallies

    assert not {tally.bucket for tally in first} & {tally.bucket for tally in second}


@pytest.mark.parametrize(
    ("actor", "named"),
    [
        (None, ("nobody", "nobody")),
        (Actor(), ("nobody", "nobody")),
        (Actor(id="7", login="ann"), ("id:7", "ann")),
        (Actor(id="7", login="renamed"), ("id:7", "renamed")),
        (Actor(login="Ann"), ("login:ann", "Ann")),
        (Actor(login="nobody"), ("login:nobody", "nobody")),
    ],
)
def test_an_actor_counts_under_an_id_and_unknown_ones_together(actor, named):
    assert actor_named(actor) == named


def test_what_names_no_actor_counts_together_and_is_called_so():
    limited = rule(limits=Limits(per_actor=RATE))
    first, second, ann = (
        one(limited, id=name, actor=actor).tallies[0]
        for name, actor in (("e1", None), ("e2", Actor()), ("e3", Actor(login="ann")))
    )

    assert first.bucket == second.bucket != ann.bucket
    assert first.who == second.who == "events that name no actor"


def test_what_ignores_the_event_or_wakes_a_run_counts_under_nothing():
    assert one(rule(limits=ALL, when=NEVER)).tallies == ()
    woken, folded = decide(event(), 5, known(rule(limits=ALL, key=KEY), waits=[its_wait()]))
    assert woken.tallies == ()
    assert len(folded.tallies) == 3, "should it act after all"


async def test_one_business_event_acts_once_though_it_came_too_late_for_the_run_that_waited(
    tmp_path,
):
    once = Dedupe(key="{{ event.comment.body }}", window=HOUR, said="1h")
    with road_at(tmp_path, rule(key=KEY, dedupe=once)) as road:
        await delivered(road, comment("e1", text="begin"))
        await waiting(road, workflow_id=(await the(road, "e1")).workflow_id)
        for event_id in ("e2", "e3"):
            await delivered(road, comment(event_id, text="paid"))
            woken, _ = await decided(road, event_id)
            await taken(road, woken, "late")
            road.clock.pass_by(31)
            await road.dispatcher.reconcile()
            await delivered(road)

        acted = [one.event_id for one in road.runs.decisions if one.action is Action.START]
        assert acted == ["e1", "e2"]
        _, start = await decided(road, "e3")
        assert start.reason == "same dedupe key paid as e2, within 1h"


def its_wait():
    (start,) = decide(event(), 5, known(rule(key=KEY)))
    return wanted(workflow_id=start.workflow_id)


def test_redelivered_by_a_person_it_is_held_against_nothing():
    (decision,) = decide(event(), 5, known(rule(limits=ALL, dedupe=DEDUPE), again=9))

    assert decision.tallies == ()
    assert decision.action is Action.START


def test_a_second_key_that_cannot_be_made_breaks_the_rule_for_this_event():
    gone = Dedupe(key="{{ event.gone }}", window=HOUR, said="1h")
    wide = Dedupe(key="{{ event.issue }}", window=HOUR, said="1h")

    for dedupe in (gone, wide):
        decision = one(rule(dedupe=dedupe))
        assert decision.action is Action.IGNORE
        assert decision.reason.startswith("the rule is broken for this event: ")


def test_a_rule_without_a_key_counts_by_actor_alone():
    tallies = one(rule(limits=ALL, key=None, mode=Mode.PARALLEL)).tallies

    assert [tally.what for tally in tallies] == [Tallied.ACTOR]


def of(rule_name, decisions):
    (found,) = [decision for decision in decisions if decision.rule == rule_name]
    return found


BACKSTOP = rule("last", on=("*/*",), backstop=True)


def test_a_backstop_acts_on_what_no_other_rule_matched_and_says_so():
    found = of("last", decide(event(), 5, known(BACKSTOP, rule("a", when=NEVER))))

    assert (found.action, found.reason) == (Action.START, "matched")
    (finding,) = [one for one in found.trace if one.path == "backstop"]
    assert finding.held
    assert finding.actual == []


def test_a_backstop_leaves_alone_what_another_rule_matched():
    decisions = decide(event(), 5, known(BACKSTOP, rule("a"), rule("b", when=NEVER)))

    found = of("last", decisions)
    assert (found.action, found.reason) == (Action.IGNORE, "no match: backstop")
    assert found.trace[-1].actual == ["a"]
    assert of("a", decisions).action is Action.START


def test_a_backstop_leaves_alone_what_a_broken_rule_wanted_or_a_run_waits_for():
    broken = rule("a", key="{{ event.gone }}")
    assert of("last", decide(event(), 5, known(broken, BACKSTOP))).action is Action.IGNORE

    waiting = decide(event(), 5, known(BACKSTOP, waits=[wanted()]))
    found = of("last", waiting)
    assert found.action is Action.IGNORE
    assert found.trace[-1].actual == ["a run that waits"]


def test_a_backstop_leaves_alone_what_a_rule_might_want_that_is_broken_in_its_file():
    broken = [Page(name="a", on=("github/*",)), Page(name="rules/x.yaml", on=("*/*",))]
    found = of("last", decide(event(), 5, known(BACKSTOP, unsound=broken)))

    assert found.action is Action.IGNORE
    assert found.reason == (
        "not acted: what is broken in the files might have wanted it: a, rules/x.yaml; mend that"
        " (`doorbell check`) and redeliver the event"
    )
    assert (found.trace[-1].path, found.trace[-1].actual) == ("backstop", ["a", "rules/x.yaml"])
    many = [Page(name=f"r{n}", on=("*/*",)) for n in range(9)]
    found = of("last", decide(event(), 5, known(BACKSTOP, unsound=many)))
    assert "r3, r4 and 4 more; mend" in found.reason


def test_a_backstop_acts_where_no_broken_rule_is_about_such_events():
    broken = [Page(name="a", on=("stripe/*",))]

    (decision,) = decide(event(), 5, known(BACKSTOP, unsound=broken))
    assert decision.action is Action.START
    decisions = decide(event(), 5, known(BACKSTOP, rule("b"), unsound=[Page(name="a", on=("*",))]))
    assert of("last", decisions).reason == "no match: backstop", "another matched"
    assert of("b", decisions).action is Action.START


async def test_a_backstop_stands_back_until_the_files_are_mended(tmp_path):
    with road_at(tmp_path, BACKSTOP) as road:
        sound = road.dispatcher.configuration()
        broken = replace(sound, unsound=(Page(name="triage", on=("github/*",)),))
        road.dispatcher.configuration = lambda: broken
        await delivered(road, comment("e1"))
        assert (await the(road, "e1")).reason.startswith("not acted: ")

        road.dispatcher.configuration = lambda: sound
        await delivered(road, order("w1", "event.redeliver", "e1"))
        assert [event_id for event_id, _ in road.runs.arrived] == ["e1"]


def test_a_backstop_has_conditions_of_its_own():
    choosy = rule("last", on=("stripe/*",), backstop=True)
    assert [one.rule for one in decide(event(), 5, known(choosy))] == [""]
    never = rule("last", on=("*/*",), backstop=True, when=NEVER)
    assert of("last", decide(event(), 5, known(never))).reason == "no match: when.action"
    broken = [Page(name="a", on=("github/*",))]
    found = of("last", decide(event(), 5, known(never, unsound=broken)))
    assert found.reason == "no match: when.action", "it would not have acted in any case"


@pytest.mark.parametrize(("on", "acts"), [("*/*", True), ("doorbell/*", False)])
def test_a_broken_rule_wants_our_own_notices_only_where_it_names_them(on, acts):
    tells = rule("last", on=("doorbell/run.*",), backstop=True)
    notice = event(source=DOORBELL, type="run.parked")
    broken = [Page(name="a", on=(on,))]

    found = of("last", decide(notice, 5, known(tells, unsound=broken)))

    assert (found.action is Action.START) is acts


def test_a_persons_word_reaches_no_backstop():
    said = event(source=OPERATOR, type="run.resume", data={"run": "x"})

    assert [one.rule for one in decide(said, 5, known(BACKSTOP))] == [""]


KEYED = {"key": "issue:{{ event.issue.number }}"}


async def test_the_third_event_of_an_actor_in_an_hour_is_over_the_limit(tmp_path):
    with road_at(tmp_path, rule(limits=Limits(per_actor=RATE), **KEYED)) as road:
        await delivered(road, *(comment(f"e{n}", number=n) for n in range(1, 4)))
        await delivered(road, comment("o1", login="someone else"))

        assert (await the(road, "e3")).reason == "over the limit: 2/h for actor ann (3rd)"
        assert sorted(event_id for event_id, _ in road.runs.arrived) == ["e1", "e2", "o1"]


async def test_what_cools_down_or_was_there_before_names_the_event_that_acted(tmp_path):
    rules = (
        rule("cool", limits=Limits(cooldown=Cooldown(window=HOUR, said="1h")), **KEYED),
        rule("once", dedupe=DEDUPE, **KEYED),
    )
    with road_at(tmp_path, *rules) as road:
        await delivered(road, comment("e1"), comment("e2"))

        assert [one.reason for one in await decided(road, "e2")] == [
            "cooling down: issue:7 acted in e1, less than 1h ago",
            "same dedupe key 7 as e1, within 1h",
        ]


async def test_a_matched_rule_over_its_limit_leaves_nothing_to_the_backstop(tmp_path):
    limited = rule(limits=Limits(per_actor=Rate(most=1, window=HOUR, said="1/h")), **KEYED)
    with road_at(tmp_path, limited, rule("last", backstop=True, **KEYED)) as road:
        await delivered(road, comment("e1"), comment("e2"))

        assert [event_id for event_id, _ in road.runs.arrived] == ["e1"]
