"""O3: why events are left alone is counted under words of a closed set."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.dispatch.decide import decide
from orchestrator.dispatch.skips import FAILED, skipped
from orchestrator.events import Actor
from orchestrator.inbox.inbox import Action
from orchestrator.inbox.tallies import Tallied
from orchestrator.rules.limits import Limits, Rate
from orchestrator.rules.rule import Leaf, Operator
from orchestrator.rules.rulebook import Page
from orchestrator.telemetry.words import Skipped
from tests.support.builders import comment, event, known, rule
from tests.support.roads import delivered, road_at, the

NEVER = Leaf("action", Operator.EQ, "never")
LAST = rule("last", on=("*/*",), backstop=True)


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ([rule()], None),
        ([rule(when=NEVER)], Skipped.NO_MATCH),
        ([rule(on=("stripe/*",))], Skipped.NO_MATCH),
        ([rule(key="{{ event.gone }}")], None),
        ([rule(with_={"number": "{{ event.gone }}"})], Skipped.BROKEN),
        ([rule(), LAST], Skipped.BACKSTOP),
    ],
)
def test_every_decision_says_why_it_left_the_event_alone(rules, reason):
    assert skipped(decide(event(), 5, known(*rules))[-1]) is reason


def test_a_backstop_that_a_broken_rule_holds_back_is_skipped_for_what_is_broken():
    broken = [Page(name="a", on=("*/*",))]

    (left,) = decide(event(), 5, known(LAST, unsound=broken))
    assert skipped(left) is Skipped.BROKEN


def test_what_we_wrote_ourselves_and_bots_are_skipped_for_trust():
    ours = decide(event(), 5, known(rule(), own_actors=frozenset({"ann"})))
    bot = decide(event(actor=Actor(id="9", login="x[bot]", bot=True)), 5, known(rule()))

    assert {skipped(decision) for decision in (*ours, *bot)} == {Skipped.TRUST}


def test_r4_a_chain_of_runs_that_grew_too_long_is_skipped_as_a_loop():
    around = replace(known(rule()), hops=4, chain="run a -> event e1")
    (decision,) = decide(event(), 5, around)

    assert decision.reason.startswith("loop: ")
    assert skipped(decision) is Skipped.LOOP


def test_every_limit_has_its_word():
    assert set(Tallied) <= FAILED.keys()


async def test_what_is_over_a_limit_is_counted_under_it(tmp_path):
    rate = Rate(most=1, window=timedelta(hours=1), said="1/h")
    keyed = rule(key="issue:{{ event.issue.number }}", limits=Limits(per_actor=rate))
    with road_at(tmp_path, keyed) as road:
        await delivered(road, comment("e1"), comment("e2"))

        found = await the(road, "e2")
        assert found.action is Action.IGNORE
        assert skipped(found) is Skipped.PER_ACTOR
