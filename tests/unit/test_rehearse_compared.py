"""Two runs held against each other: what is the same, what differs, and that nothing of either is left out."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rehearsal.compared import AFTER, BEFORE, Change, compare, steps
from orchestrator.rehearsal.runs import OURS, Account, Made, unmarked, until_it_waits
from workflows.messages import CallState, RunState

MARK = "<!-- doorbell:0123456789ab.1.2.0 -->"

MADES = st.lists(
    st.builds(
        Made,
        turn=st.integers(1, 5),
        tool=st.sampled_from(["lab.look", "lab.write", "doorbell.wait"]),
        writes=st.booleans(),
        arguments=st.dictionaries(st.sampled_from("ab"), st.sampled_from([1, 1.5, "x", None])),
        state=st.sampled_from(CallState),
    ),
    max_size=8,
)


def made(tool="lab.look", turn=1, state=CallState.DONE, *, writes=False, **arguments):
    return Made(turn=turn, tool=tool, writes=writes, arguments=arguments, state=state)


def wrote(state=CallState.DONE, turn=1, **arguments):
    return made("lab.write", turn, state, writes=True, **arguments)


def account(*calls, **changes):
    values = {
        "run_id": "r.1",
        "event_id": "evt_1",
        "playbook": "triage",
        "model": "m",
        "stage": "live",
        "state": RunState.ENDED,
        "outcome": "completed",
        "reason": "",
        "turns": 2,
        "tokens": 10,
        "usd": Decimal("0.1"),
    }
    return Account(calls=calls, **values | changes)


def changes(before, after):
    return [step.change for step in steps(before, after)]


@given(MADES)
def test_a_run_is_the_same_as_itself(calls):
    compared = compare(account(*calls), account(*calls))
    assert compared.same
    assert all(step.change is Change.SAME and not step.fields for step in compared.calls)


@given(MADES, MADES)
def test_every_call_of_both_sides_stands_in_exactly_one_step_in_its_order(before, after):
    found = list(steps(before, after))
    assert [step.before for step in found if step.before is not None] == before
    assert [step.after for step in found if step.after is not None] == after
    for step in found:
        alone = (step.before is None, step.after is None)
        assert (alone != (False, False)) == (step.change in {Change.ADDED, Change.MISSING})
        assert (step.change is Change.OTHERWISE) == bool(step.fields)


def test_a_call_with_other_arguments_says_which():
    (step,) = steps([made(a=1, b="x", c=None)], [made(a=1, b="y", d=2)])
    assert step.change is Change.OTHERWISE
    assert [(one.name, one.before, one.after, one.lacks) for one in step.fields] == [
        ("b", "x", "y", ""),
        ("c", None, None, AFTER),
        ("d", None, 2, BEFORE),
    ]


def test_true_is_not_one_and_the_order_of_names_is_no_difference():
    assert changes([made(a=1)], [made(a=True)]) == [Change.OTHERWISE]
    assert changes([made(a=1, b=2)], [made(b=2, a=1)]) == [Change.SAME]


def test_a_call_more_in_the_middle_moves_none_of_the_others():
    before = [made(name="a"), wrote(body="x")]
    after = [made(name="a"), made(name="b"), wrote(body="x")]
    assert changes(before, after) == [Change.SAME, Change.ADDED, Change.SAME]
    assert changes(after, before) == [Change.SAME, Change.MISSING, Change.SAME]


@pytest.mark.parametrize("state", [CallState.DONE, CallState.UNKNOWN, CallState.FAILED])
def test_a_write_that_happened_is_the_same_as_its_proposal(state):
    live, preview = account(wrote(state, body="x")), account(wrote(CallState.PROPOSED, body="x"))
    assert compare(live, preview).same


@pytest.mark.parametrize("state", [CallState.DENIED, CallState.REFUSED])
def test_a_write_that_was_forbidden_was_not_to_happen(state):
    compared = compare(
        account(wrote(state, body="x")), account(wrote(CallState.PROPOSED, body="x"))
    )
    assert [step.change for step in compared.writes] == [Change.ADDED]
    assert not compared.same


def test_reads_may_differ_and_it_is_the_same_all_the_same():
    compared = compare(account(made(name="a")), account(made(name="b"), made(name="c")))
    assert compared.same
    assert {step.change for step in compared.calls} == {Change.OTHERWISE, Change.ADDED}


def test_another_outcome_is_a_difference():
    other = account(outcome="needs_attention")
    assert not compare(account(), other).same
    parked = account(state=RunState.PARKED, outcome=None)
    assert (parked.came, compare(account(), parked).same_outcome) == ("parked", False)


def test_what_would_wait_is_held_against_what_came_before_the_wait():
    before = account(made(turn=1), made("doorbell.wait", turn=2), wrote(turn=3), waited=2)
    after = account(
        made(turn=1), made("doorbell.wait", turn=2), state=RunState.WAITING, outcome=None
    )
    compared = compare(before, after)
    assert compared.same
    assert len(compared.calls) == 2
    assert compared.before.came == "waiting"


def test_what_would_wait_and_never_did_differs_and_nothing_of_the_earlier_run_is_left_out():
    before = account(made(turn=1), wrote(turn=3))
    after = account(made(turn=1), state=RunState.WAITING, outcome=None)
    compared = compare(before, after)
    assert (compared.same_outcome, compared.same_writes) == (False, False)
    assert until_it_waits(before) is before


def test_what_is_ours_alone_is_no_difference():
    given = {"body": f"Hello\n\n{MARK}", "key": "r.1/1.0", "number": 7, "tags": ["a"]}
    expected = {"body": "Hello", "key": OURS, "number": 7, "tags": ["a"]}
    assert unmarked(given, {"r.1/1.0"}) == expected
