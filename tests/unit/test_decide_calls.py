"""A rule that calls: one start with its steps rendered, as visible in `why` as any other."""

from orchestrator.dispatch.decide import decide
from orchestrator.inbox.inbox import Action, DecisionState
from orchestrator.rules.steps import Step
from tests.support.builders import KEY, event, known, rule, wanted
from workflows.flow import Flow, Mode
from workflows.playbook import Stage

LABEL = Step(tool="github.issue_write", args={"issue_number": "{{ event.issue.number }}"})


def calling(**changes):
    given = {"playbook": None, "call": (LABEL,), "mode": Mode.QUEUE} | changes
    return rule("label", **given)


def only(happened, *rules, **changes):
    (decision,) = decide(happened, 5, known(*rules, **changes))
    return decision


def test_r2_a_match_starts_its_calls_with_every_argument_filled_in():
    found = only(event(), calling(stage=Stage.LIVE))

    assert (found.action, found.state) == (Action.START, DecisionState.READY)
    assert (found.playbook, found.stage, found.key) == ("call: github.issue_write", "live", KEY)
    assert found.with_ == {
        "calls": [{"tool": "github.issue_write", "args": {"issue_number": 7}, "on_error": "end"}]
    }
    assert "OnError" not in repr(found.with_)
    assert found.flow == Flow(mode=Mode.QUEUE)


def test_r3_without_a_key_it_waits_for_nobody():
    one, other = (
        only(event(id="e1"), calling(key=None)),
        only(event(id="e2"), calling(key=None)),
    )

    assert one.workflow_id != other.workflow_id
    assert one.flow == Flow(mode=Mode.PARALLEL)


def test_r1_an_argument_that_can_not_be_made_starts_nothing_and_says_so():
    step = Step(tool="github.issue_write", args={"n": "{{ event.pull_request.number }}"})
    found = only(event(), calling(call=(step,)))

    assert found.action is Action.IGNORE
    assert found.reason.startswith("the rule is broken for this event: {{ event.pull_request")


def test_what_wakes_a_run_of_its_own_by_a_wait_is_still_called_for():
    happened = event()
    woken, called = decide(happened, 5, known(calling(), waits=[wanted()]))

    assert (woken.action, called.action) == (Action.RESUME, Action.START)
    assert called.state is DecisionState.READY
