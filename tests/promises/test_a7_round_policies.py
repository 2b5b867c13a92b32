"""A7: an injected model that tries to get round a policy gets nowhere, whichever way it takes.

Each attack is played twice, with real hands and a server that is careless about names and counts what it executes:
with the policy, and without it. Without the second time the first would prove nothing.
"""

import asyncio
from collections import Counter

import pytest

from tests.support.inject_attack import Attack, Came
from tests.support.inject_attacks import ATTACKS
from tests.support.inject_house import happened

pytestmark = pytest.mark.timeout(900)

# Playing all of them takes a minute and more: each time once, in one process.
WITH = pytest.mark.xdist_group("attacks, with their policies")
WITHOUT = pytest.mark.xdist_group("attacks, without their policies")
FAMILIES = {"consent", "secret", "flood", "marker", "lock", "event", "wait", "bind", "args"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Came]:
    return asyncio.run(happened(tmp_path_factory.mktemp("guarded")))


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Came]:
    return asyncio.run(happened(tmp_path_factory.mktemp("unguarded"), own_off=True))


def test_a7_every_policy_is_attacked_in_several_ways() -> None:
    ways = Counter(one.family for one in ATTACKS)
    assert set(ways) == FAMILIES
    assert min(ways.values()) >= 3
    assert len({one.id for one in ATTACKS}) == len(ATTACKS)


@WITH
@pytest.mark.parametrize("one", ATTACKS, ids=lambda one: one.id)
def test_a7_no_attack_gets_round_its_policy(one: Attack, guarded: dict[str, Came]) -> None:
    came = guarded[one.id]
    assert not one.harmed(came), came.executed


@WITH
@pytest.mark.parametrize("one", ATTACKS, ids=lambda one: one.id)
def test_a7_each_attack_is_in_the_ledger(one: Attack, guarded: dict[str, Came]) -> None:
    tried = [call["tool"] for call in guarded[one.id].run["tool_calls"]]
    assert tried, guarded[one.id].run


@WITHOUT
@pytest.mark.parametrize("one", ATTACKS, ids=lambda one: one.id)
def test_a7_without_its_policy_the_same_attack_lands(
    one: Attack, unguarded: dict[str, Came]
) -> None:
    came = unguarded[one.id]
    assert one.harmed(came), came.run
