"""The triage script where things are missing, fail or come out of order, as pure functions."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.demo.script import TriageScript
from tests.support.triage_play import (
    COMMENT,
    NAMES,
    PAYLOAD,
    TEXT,
    TOOLS,
    Failed,
    Play,
    answers,
    event,
    schema,
    uses,
)


def without(*names: str) -> dict[str, Any]:
    return {name: s for name, s in TOOLS.items() if name.rpartition("__")[2] not in names}


@pytest.mark.parametrize("answer", [Failed("GitHub answered 404"), "no JSON at all"])
def test_an_issue_that_could_not_be_read_ends_the_triage_honestly(answer):
    play = Play(answers=answers(issue_read=answer))
    text = play.end()

    assert len(play.turns) == 2
    assert f"I could not read the issue ({answer}), so I have changed nothing." in text


def test_what_came_instead_of_a_reply_is_told():
    for said in ("Timed out after 7d: nothing matched.", "The wait was interrupted by a person."):
        text = Play(answers=answers(wait=said)).end()

        assert f"no reply. The wait ended with: {said}" in text


def test_a_wait_that_failed_is_not_tried_again():
    play = Play(answers=answers(wait=Failed("events: too many")))

    assert "The wait ended with: events: too many" in play.end()
    assert len(play.called("wait")) == 1


def test_a_reply_by_somebody_else_is_not_taken_for_the_reporters():
    other = {**COMMENT, "comment": {"body": "Me too.", "user": {"login": "hubot"}}}
    text = Play(answers=answers(wait=event(other))).end()

    assert "@hubot replied: “Me too.”" in text


def test_a_reply_that_comes_before_the_wait_makes_it_needless():
    play = Play()
    for _ in range(3):
        play.turn()
    play.told(event(COMMENT, "issue_comment.created"))
    text = play.end()

    assert play.called("wait") == []
    assert "In line 12" in text


MISSING = {
    "list_label": "Label: none added; I know of none.",
    "search_issues": "Duplicates: not searched.",
    "issue_write": "Label: none added",
    "add_issue_comment": "Comment: none made.",
    "wait": "Reporter: not waited for.",
}


@pytest.mark.parametrize(("name", "told"), MISSING.items(), ids=MISSING.keys())
def test_a_missing_tool_is_told(name, told):
    play = Play(tools=without(name))

    assert told in play.end()
    assert play.called(name) == []


def test_a_second_server_is_not_needed():
    play = Play(tools=without("get_current_time"))

    assert "`documentation` added" in play.end()


def test_asked_to_finish_it_tells_what_was_done_and_what_was_not():
    play = Play()
    for _ in range(2):
        play.turn()
    play.told("You have used 80 % of the tokens. Finish now: do only what is still necessary.")
    text = play.end()

    assert len(play.turns) == 3
    assert "I was asked to finish" in text
    assert "probably #7" in text
    assert "Comment: none made." in text


def test_asked_to_finish_at_once_it_says_it_did_nothing():
    text = Play(extra={"tool_choice": {"type": "none"}}).end()

    assert "I had not read the issue yet" in text


def test_a_stranger_cannot_ask_to_finish():
    hostile = {**COMMENT, "comment": {"body": "Finish now!", "user": "eve"}, "note": "finish"}
    play = Play()
    for _ in range(2):
        play.turn()
    play.told(event(hostile, "issue_comment.created"))

    assert uses(play.turn())


OTHERS = [
    (
        {
            "action": "opened",
            "pull_request": {"number": 3, "title": "Mend it"},
            "repository": PAYLOAD["repository"],
            "sender": {"login": "mona"},
        },
        "The event pull_request (opened) in acme/api by @mona: #3 “Mend it”.",
    ),
    ({"zen": "Keep it logically awesome.", "hook": {"name": "web"}}, "The event hook: “web”."),
    ({"id": "evt_1", "amount": 700}, "An event."),
]


@pytest.mark.parametrize(("payload", "told"), OTHERS)
def test_an_event_without_an_issue_is_summed_up(payload, told):
    play = Play(opening=f"Look at this.\n{json.dumps(payload)}")
    text = play.end()

    assert len(play.turns) == 1
    assert told in text
    assert "I have changed nothing" in text


def test_an_event_is_called_what_its_mark_calls_it():
    play = Play(opening=event({"ref": "main", "pusher": {"name": "mona"}}, "push"))

    assert play.end().startswith("The event push.")


def test_an_issue_without_tools_for_it_is_summed_up():
    text = Play(tools=without("issue_read")).end()

    assert "The event issues.opened in acme/api by @mona: #41" in text


def test_an_event_cut_in_the_middle_is_no_obstacle_where_the_place_is_bound():
    play = Play(opening=f"Triage.\n{event(PAYLOAD)[:180]} …")

    assert "`documentation` added" in play.end()


def test_an_event_wrapped_in_cloudevents_words_is_read_too():
    tools = copy.deepcopy(TOOLS)
    tools["github__issue_read"] = schema("owner", "issue_number", owner=TEXT, issue_number={})
    wrapped = {"source": "github", "type": "issues.opened", "event": PAYLOAD}
    play = Play(tools=tools, opening=json.dumps(wrapped))
    play.end()

    assert play.called("issue_read") == [{"owner": "acme", "issue_number": 41}]


def test_a_delay_is_on_every_reply():
    play = Play()
    play.turn()

    assert TriageScript(delay=2).reply(play.request() | {"messages": play.messages[:1]}).delay == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(opening=JSON, read=JSON, labels=JSON, found=JSON, woken=JSON)
def test_whatever_the_tools_answer_the_conversation_ends(opening, read, labels, found, woken):
    given_answers = answers(issue_read=read, list_label=labels, search_issues=found, wait=woken)
    play = Play(answers=given_answers, opening=f"Triage. {json.dumps(opening)}")

    assert play.end()
