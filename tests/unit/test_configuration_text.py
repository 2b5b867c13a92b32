"""A playbook says under `text:` how its model is shown what others wrote."""

import pytest

from tests.support.configurations import configuration, mistakes
from workflows.playbook import TextPolicy, Unseen

PLAYBOOK = "---\nmodel: m\n{}---\nGo.\n"


def told(text):
    return configuration(playbooks__shy_md=PLAYBOOK.format(text)).playbooks["shy"].text


def test_everything_is_shown_unless_a_playbook_says_otherwise():
    assert told("") == TextPolicy(invisible=Unseen.SHOW, comments=Unseen.SHOW)


def test_either_may_be_taken_out():
    assert told("text: {comments: strip}\n") == TextPolicy(comments=Unseen.STRIP)
    assert told("text: {invisible: strip}\n") == TextPolicy(invisible=Unseen.STRIP)


@pytest.mark.parametrize("text", ["{comments: hide}", "{links: strip}", "strip"])
def test_any_other_word_is_a_mistake(text):
    (found,) = mistakes(playbooks__shy_md=PLAYBOOK.format(f"text: {text}\n"))
    assert "shy.md:3" in found
