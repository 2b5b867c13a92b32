"""R4: two installations that answer each other's comments stop, and say why. Comments are counted at the stand-in."""

import pytest

from orchestrator.demo import github_objects
from orchestrator.demo.github_state import GitHubState
from orchestrator.rules.rule import Trust
from tests.support.builders import NOW
from tests.support.github import delivery
from tests.support.talkers import World, talk, talkers

PEOPLE = ("lefty", "righty")
BOTS = ("lefty[bot]", "righty[bot]")
ANN = github_objects.user("ann", 7)
BUDGET = 5


async def talked(tmp_path, logins, *, strips, knows_itself, **trust):
    """Ann asks something; how many comments followed hers, and what the two said about it."""
    state = GitHubState.from_delivery(delivery("issues.opened"), now=lambda: NOW)
    world = World(state=state, now=NOW, strips=strips)
    trusts = [Trust(max_writes_per_subject=BUDGET, **trust)] * len(logins)
    with talkers(tmp_path, world, logins, *trusts, knows_itself=knows_itself) as both:
        world.say(ANN, "It fails.")
        await talk(world, both)
    assert not world.rung
    skipped = [reason for one in both for reason in one.skipped]
    refused = [words for one in both for words in one.refusals]
    return len(world.comments) - 1, skipped, refused


async def test_r4_markers_alone_stop_accounts_that_look_like_people(tmp_path):
    """Each hop is carried on by the other's marker: after the first answers, at most three more of each chain."""
    count, skipped, refused = await talked(tmp_path, PEOPLE, strips=False, knows_itself=False)

    assert 0 < count <= 2 * 4
    assert refused == []
    chains = [reason for reason in skipped if reason.startswith("loop: 4 hops, at most 3: ")]
    assert chains
    assert all(chain.count("-> event evt_") >= 1 for chain in chains)


async def test_r4_bots_that_no_rule_names_never_answer_each_other(tmp_path):
    count, skipped, _ = await talked(tmp_path, BOTS, strips=True, knows_itself=True)

    assert count == 2
    assert "no match: trust.bots" in skipped


async def test_r4_bots_that_rules_name_are_stopped_by_the_chain_of_their_quick_answers(tmp_path):
    count, skipped, refused = await talked(
        tmp_path, BOTS, strips=True, knows_itself=True, bots=frozenset(BOTS)
    )

    assert 2 < count <= 2 * BUDGET
    loops = [reason for reason in skipped if reason.startswith("loop: ")]
    assert loops
    assert max(reason.count(" -> run ") for reason in loops) == 3
    assert refused == []


@pytest.mark.parametrize("knows_itself", [True, False])
async def test_r4_with_nothing_to_know_each_other_by_the_budget_of_the_issue_stops_them(
    tmp_path, knows_itself
):
    """No marker, no bot, and in one case not even their own names: each hears itself and answers that, too."""
    count, _, refused = await talked(tmp_path, PEOPLE, strips=True, knows_itself=knows_itself)

    assert count == 2 * BUDGET
    assert refused
    assert all("Doorbell has written 5 times on " in words for words in refused)
    assert all(words.count(" run ") == BUDGET for words in refused)


async def test_r4_a_rule_that_answers_itself_stops_after_its_hops(tmp_path):
    count, skipped, refused = await talked(
        tmp_path, ("lefty",), strips=False, knows_itself=True, ignore_self=False
    )

    assert count == 1 + 3
    assert [reason for reason in skipped if reason.startswith("loop: 4 hops, at most 3: ")]
    assert refused == []


async def test_r4_a_rule_that_answers_itself_stops_also_where_its_marker_is_not_shown(tmp_path):
    count, skipped, refused = await talked(
        tmp_path, ("lefty",), strips=True, knows_itself=True, ignore_self=False
    )

    assert count == 1 + 3
    assert [reason for reason in skipped if reason.startswith("loop: 4 hops, at most 3: ")]
    assert refused == []
