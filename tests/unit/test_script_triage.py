"""The triage script: whole conversations, played against answers of tools, as pure functions."""

import copy

import pytest

from tests.support.triage_play import (
    ISSUE,
    OTHER,
    PAYLOAD,
    TEXT,
    TOOLS,
    Failed,
    Play,
    answers,
    event,
    uses,
)


def test_the_story_is_read_search_act_wait_tell():
    play = Play()
    text = play.end()

    assert [sorted(u.name for u in uses(turn)) for turn in play.turns] == [
        ["github__issue_read", "github__list_label", "time__get_current_time"],
        ["github__search_issues"],
        ["github__add_issue_comment", "github__issue_write"],
        ["doorbell__wait"],
        [],
    ]
    assert play.called("issue_read") == [{"method": "get"}]
    assert play.called("get_current_time") == [{"timezone": "UTC"}]
    assert "#41 (“Spelling of the parser's options in the README”)" in text
    assert "`documentation` added" in text
    assert "probably #7 (“README: spelling of options”)" in text
    assert "@mona (who opened the issue) replied: “In line 12, next to `--fast`.”" in text


def test_the_query_is_made_of_the_titles_significant_words():
    play = Play()
    play.end()

    assert play.called("search_issues") == [{"query": "Spelling parser's options README"}]


def test_a_label_is_added_to_those_the_issue_has():
    play = Play()
    play.end()

    assert play.called("issue_write") == [{"labels": ["bug", "documentation"]}]


def test_the_comment_thanks_names_the_duplicate_and_asks():
    play = Play()
    play.end()

    (comment,) = play.called("add_issue_comment")
    assert comment["body"].startswith("Thank you for the report, @mona.")
    assert "#7 (“README: spelling of options”, which is closed)" in comment["body"]
    assert comment["body"].endswith("how it should read?")


def test_it_waits_a_week_for_a_comment_from_the_source_that_rang():
    play = Play(opening=f"Triage.\n{event(PAYLOAD)}\nIt came as code_host/issues.opened.")
    play.end()

    (wait,) = play.called("wait")
    assert wait["events"] == ["code_host/issue_comment.created"]
    assert wait["timeout"] == "7d"
    assert "mona" in wait["reason"]


def test_a_timeout_in_seconds_is_given_in_seconds():
    tools = copy.deepcopy(TOOLS)
    tools["doorbell__wait"]["properties"]["timeout"] = {"type": "integer"}
    play = Play(tools=tools)
    play.end()

    assert play.called("wait")[0]["timeout"] == 604_800


def test_arguments_that_are_not_bound_come_from_the_event():
    tools = copy.deepcopy(TOOLS)
    for name in ("issue_read", "list_label", "issue_write", "add_issue_comment", "search_issues"):
        properties = {"owner": TEXT, "repo": TEXT, "issue_number": {"type": "integer"}}
        if name in ("list_label", "search_issues"):
            del properties["issue_number"]
        properties |= {"method": TEXT} if name == "issue_write" else {}
        tools[f"github__{name}"]["properties"] |= properties
        tools[f"github__{name}"]["required"] += list(properties)
    play = Play(tools=tools)
    play.end()

    place = {"owner": "acme", "repo": "api"}
    assert play.called("issue_read") == [{**place, "method": "get", "issue_number": 41}]
    assert play.called("list_label") == [place]
    assert play.called("issue_write")[0] | place == play.called("issue_write")[0]
    assert play.called("issue_write")[0]["method"] == "update"
    assert play.called("issue_write")[0]["issue_number"] == 41


LABELS = [
    ("Crash at start", "", ["bug"], ["bug"], None),
    ("Crash at start", "", ["bug", "needs-info"], ["bug"], "needs-info"),
    ("Crash at start", "", ["type: bug"], [], "type: bug"),
    ("Typo", "in the docs", ["kind/docs", "bug"], [], "kind/docs"),
    ("Add a dark theme", "", ["Enhancement"], [], "Enhancement"),
    ("How do I start it?", "", ["question"], [], "question"),
    ("Something odd", "", ["question", "bug"], [], "question"),
    ("Something odd", "", ["bug"], [], "bug"),
    ("Something odd", "", ["status: needs reproduction", "bug"], [], "status: needs reproduction"),
    ("Something odd", "", ["wontfix", "duplicate"], [], None),
    ("Something odd", "", [], [], None),
    ("Typo", "", ["Documentation"], ["documentation"], None),
]


@pytest.mark.parametrize(("title", "body", "listed", "has", "added"), LABELS)
def test_the_label_is_one_that_is_listed_and_new(title, body, listed, has, added):
    issue = {**ISSUE, "title": title, "body": body, "labels": has, "user": "mona"}
    listing = {"labels": [{"name": name} for name in listed], "totalCount": len(listed)}
    play = Play(answers=answers(issue_read=issue, list_label=listing))
    text = play.end()

    assert play.called("issue_write") == ([{"labels": [*has, added]}] if added else [])
    assert (f"`{added}` added" if added else "Label: none added") in text
    assert len(play.called("add_issue_comment")) == 1


def test_without_a_duplicate_it_searches_once_more_and_says_so():
    play = Play(answers=answers(search_issues={"items": [OTHER]}))
    text = play.end()

    queries = [call["query"] for call in play.called("search_issues")]
    assert queries == ["Spelling parser's options README", "Spelling parser's"]
    assert "found no duplicate" in play.called("add_issue_comment")[0]["body"]
    assert "Duplicates: none found." in text


def test_the_issue_itself_is_no_duplicate():
    play = Play(answers=answers(search_issues={"items": [ISSUE]}))

    assert "Duplicates: none found." in play.end()


@pytest.mark.parametrize(
    "proposed",
    [
        "Recorded as a proposal: github.issue_write with 2 fields. Nothing was written.",
        {"state": "proposed", "tool": "x"},
    ],
)
def test_in_preview_it_goes_on_and_says_proposed(proposed):
    play = Play(answers=answers(issue_write=proposed, add_issue_comment=proposed))
    text = play.end()

    assert "`documentation` proposed; a person has to apply it." in text
    assert "the comment proposed; a person has to apply it." in text
    assert len(play.called("wait")) == 1


def test_an_issue_about_a_proposal_is_still_written_to():
    written = {"number": 41, "title": "Proposal: this was proposed"}
    play = Play(answers=answers(issue_write=written, add_issue_comment=written))

    assert "proposed" not in play.end()


ENDINGS = [
    (Failed("GitHub answered 500: nothing was changed"), "the comment failed: GitHub answered 500"),
    (
        Failed("github.add_issue_comment may be used 0 time(s) in this run"),
        "the comment refused: github.add",
    ),
    (Failed("Denied by the maintainer."), "the comment refused: Denied by the maintainer."),
]


@pytest.mark.parametrize(("answer", "told"), ENDINGS)
def test_a_comment_that_was_not_posted_is_told_and_nobody_is_waited_for(answer, told):
    play = Play(answers=answers(add_issue_comment=answer))
    text = play.end()

    assert told in text
    assert "`documentation` added" in text
    assert "Reporter: not waited for." in text
    assert play.called("wait") == []


def test_a_comment_whose_fate_is_unknown_is_told_so_and_never_repeated():
    lost = Failed("Whether the write happened is unknown; read the issue before you repeat it.")
    play = Play(answers=answers(add_issue_comment=lost))
    text = play.end()

    assert "whether the comment arrived is unknown" in text
    assert len(play.called("add_issue_comment")) == 1


def test_a_label_that_failed_is_told():
    play = Play(answers=answers(issue_write=Failed("GitHub answered 403")))

    assert "Label: `documentation` failed: GitHub answered 403" in play.end()


def test_a_search_that_failed_is_told_in_the_comment_too():
    play = Play(answers=answers(search_issues=Failed("rate limit")))
    text = play.end()

    assert "I could not search for duplicates." in play.called("add_issue_comment")[0]["body"]
    assert "Duplicates: not searched (rate limit)." in text


def test_labels_that_could_not_be_listed_are_not_invented():
    play = Play(answers=answers(list_label=Failed("no such repository")))
    text = play.end()

    assert play.called("issue_write") == []
    assert "Label: none added; I know of none." in text
