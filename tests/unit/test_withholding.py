"""Which pictures are shown no more: the newest where a request was refused, and large ones where there are many."""

import pytest

from orchestrator.agent.conversation import withholding
from tests.support.drawn import attached, png
from tests.support.said import call

SMALL, LARGE = attached(png(9, 9)), attached(png(2001, 9))
PDF = attached(b"%PDF-1.7", "application/pdf")
TEXT = {"type": "text", "text": "Look:"}


def told(*content):
    result = {"type": "tool_result", "tool_use_id": "c1", "content": list(content)}
    return {"role": "user", "content": [result, TEXT]}


def shown(messages):
    return [block["type"] for block in messages[1]["content"][0]["content"]]


def many(*content):
    said = {"role": "assistant", "content": [TEXT]}
    return withholding.fitting([said, told(*content)])


@pytest.mark.parametrize("held", [SMALL, PDF])
def test_the_newest_turn_that_holds_an_attachment_is_found(held):
    calls = [call(turn=1, content=(held,)), call(turn=2, content=(TEXT, held)), call(turn=3)]

    assert withholding.newest(calls) == 2
    assert withholding.newest([call(), call(content=None)]) == 0
    assert withholding.newest([]) == 0


def test_words_stand_in_the_place_of_what_is_withheld():
    content = withholding.withheld(call(content=(TEXT, SMALL, PDF))).content

    why = "omitted: the model's provider refused the request that held it]"
    assert [block["text"] for block in content] == [
        "Look:",
        f"[image/png {why}",
        f"[application/pdf {why}",
    ]
    assert withholding.withheld(call(content=None)).content is None


def test_a_few_pictures_may_be_large():
    assert shown(many(*[LARGE] * 20, TEXT)) == ["image"] * 20 + ["text"]


def test_many_pictures_may_not():
    messages = many(LARGE, *[SMALL] * 20)

    assert shown(messages) == ["text"] + ["image"] * 20
    words = messages[1]["content"][0]["content"][0]["text"]
    assert "2001x9 pixels, more than 2000 a side" in words


def test_documents_are_no_pictures():
    assert shown(many(LARGE, *[PDF] * 30)) == ["image"] + ["document"] * 30


def test_one_that_can_not_be_read_is_no_better_among_many():
    broken = {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "x"}}

    assert shown(many(broken, *[SMALL] * 20))[0] == "text"
