"""`waits:` of a playbook and its times: what may stand there, and what `check` doubts."""

import pytest

from orchestrator.rehearsal.doubts import doubts
from tests.support.configurations import PLAYBOOK, configuration, mistakes
from workflows.playbook import Callback

WAITS = """\
waits:
  github.issue_write: {{for: {events}, key: "{key}"{more}}}
"""
DESIGN = "event.deployment_status.state in ['success', 'failure', 'error']"


def playbook(
    events='"github/deployment_status.*"', key="deployment:{{ result.id }}", more="", budget=""
):
    waits = WAITS.format(events=events, key=key, more=more)
    given = PLAYBOOK.replace("budget:", f"{waits}budget:")
    return given.replace("tool_calls: 8", f"tool_calls: 8{budget}")


def of(**changes):
    found = configuration(playbooks__triage_md=playbook(**changes))
    assert not found.mistakes
    return found


def test_the_example_of_the_design_is_read_as_it_stands():
    found = of(more=f', until: "{DESIGN}", timeout: 2h', budget=", open: 1d, active: 30m")
    playbook_ = found.playbooks["triage"]
    assert playbook_.waits == {
        "github.issue_write": Callback(
            events=("github/deployment_status.*",),
            key="deployment:{{ result.id }}",
            until=DESIGN,
            timeout=7200.0,
        )
    }
    assert (playbook_.budget.open, playbook_.budget.active) == (86_400.0, 1_800.0)
    assert doubts(found, []).warnings == ()


def test_without_a_time_a_callback_lasts_a_week_and_a_run_as_long_as_it_likes():
    playbook_ = of(events="[github/push, 'github/deployment*']").playbooks["triage"]
    (callback,) = playbook_.waits.values()
    assert (callback.timeout, callback.until, len(callback.events)) == (7 * 86_400.0, "", 2)
    assert (playbook_.budget.open, playbook_.budget.active) == (None, None)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"events": "deployment_status"}, "expected source/type"),
        ({"events": "[]"}, "at least 1"),
        ({"key": "deployment:{{ result.id"}, "playbooks/triage.md"),
        ({"key": "deployment:{{ event.id }}"}, "a key knows the call's {{ result }}"),
        ({"key": "deployment:{{ with.numbr }}"}, "did you mean 'number'?"),
        ({"more": ', until: "event.a =="'}, "CEL: 1:11: it ends too early"),
        ({"more": ", timeout: 0s"}, "got none at all"),
        ({"more": ", timeout: soon"}, "playbooks/triage.md"),
        ({"more": ", unti: x"}, "did you mean 'until'?"),
        ({"budget": ", open: 0s"}, "got none at all"),
        ({"budget": ", opn: 1d"}, "did you mean 'open'?"),
    ],
)
def test_a_callback_that_can_never_answer_is_a_mistake_at_its_place(changes, said):
    (found,) = mistakes(playbooks__triage_md=playbook(**changes))
    assert said in found
    assert "playbooks/triage.md:" in found


def test_only_a_tool_of_the_playbook_can_be_answered_later():
    given = playbook().replace("  github.issue_write: {for", "  github.issue_wrte: {for")
    (found,) = mistakes(playbooks__triage_md=given)
    assert "did you mean 'issue_write'?" in found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"events": '"gitlab/push"'}, "nobody rings as 'gitlab'"),
        ({"events": '"github/deploymnt_status.*"'}, "did you mean 'deployment_status'?"),
        ({"events": '"github/issues.closd"'}, "did you mean 'closed'?"),
        ({"key": "deploy:{{ result.id }}"}, "publishes no keys of kind 'deploy'"),
        ({"more": ", timeout: 2d", "budget": ", open: 1d"}, "less than that (budget.open)"),
    ],
)
def test_r6_what_no_event_will_answer_is_doubted(changes, said):
    (warning,) = doubts(of(**changes), []).warnings
    assert said in str(warning)
