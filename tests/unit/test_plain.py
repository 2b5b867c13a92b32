"""O1, A7: what strangers wrote reaches the Temporal UI as letters; as Markdown it is code, whatever stands in it."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.support.builders import opened
from workflows.hops import named
from workflows.messages import RunState, Title
from workflows.plain import plain, plain_lines
from workflows.story import Story

MARKDOWN = MarkdownIt("commonmark")
HARMLESS = re.compile(r"</?(?:p|strong|code|br)(?: /)?>")
CODE = re.compile(r"<code>.*?</code>", re.DOTALL)
LINKED = re.compile(r"://|www\.|@")
HOSTILE = [
    "x:[a](https://e)",
    "x:`[a](https://e)`",
    "x:\\`[a](https://e)",
    "x\n# a heading\n\n---\n- a list",
    "<img src=https://e onerror=1>",
    "<https://e.example> https://e.example www.e.example a@e.example",
    "**ended**: _completed_ ~~not~~",
    "[a]: https://e\n[a]",
    "\u202ednuor yaw rehto eht\u2028# x",
]


def shown(text: str) -> str:
    """What a reader of the page sees; fails where a text became anything but letters."""
    page = MARKDOWN.render(f"**parked**: {text}")
    letters = HARMLESS.sub("", page)
    assert "<" not in letters
    # GitHub's Markdown makes links of bare addresses, but not in code.
    assert not LINKED.search(CODE.sub("", page))
    return html.unescape(letters).strip()


@pytest.mark.parametrize("text", HOSTILE)
def test_o1_a_strangers_markup_stays_letters_in_one_line(text: str) -> None:
    told = plain(text)
    assert told.startswith("`")
    assert told.endswith("`")
    assert told.count("`") == 2
    assert "\n" not in told
    assert shown(told) == f"parked: {told[1:-1]}"


@given(st.text())
def test_o1_whatever_is_written_it_is_shown_letter_by_letter(text: str) -> None:
    told = plain(text)
    seen = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    assert shown(told) == f"parked: {seen.replace('`', chr(39))}".strip()


@given(st.text(), st.integers(1, 40))
def test_a_summary_has_room_and_what_is_cut_off_is_still_code(text: str, room: int) -> None:
    told = plain(text, room)
    assert len(told.strip("`").encode()) <= room
    assert told.count("`") in {0, 2}


def test_our_own_words_stay_words() -> None:
    assert plain("thinking, turn 3") == "thinking, turn 3"


@pytest.mark.parametrize("text", HOSTILE)
def test_o1_neither_a_title_nor_a_reason_becomes_a_link(text: str) -> None:
    title = Title(rule="work", playbook="work", source="github", key=text, stage="live")
    story = Story()
    story.opened(opened())
    for told in (named(title), story.told(RunState.PARKED, text, None), plain_lines(text)):
        shown(told)


def test_o1_the_difference_of_a_tool_that_drifted_is_told_line_by_line() -> None:
    words = "lab.write isn't as it was\n- It writes.\n\n+ See [here](https://e) <img src=x>"
    told = Story().told(RunState.PARKED, words, None)
    assert told == (
        "**parked**: `lab.write isn't as it was`  \n`- It writes.`  \n`+ See [here](https://e) <img src=x>`"
    )
