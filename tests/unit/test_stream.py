"""A3: a reply is the same however its stream is cut; what is broken in it is told from what can be kept."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agent.stream import DEEPEST, Stream, clean

USAGE = {"input_tokens": 7, "output_tokens": 1, "service_tier": "standard"}
START = {"type": "message_start", "message": {"usage": USAGE}}
END = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
    "usage": {"output_tokens": 9, "input_tokens": None},
}
USE = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}


def opened(block, index=0):
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index=0, **parts):
    return {"type": "content_block_delta", "index": index, "delta": parts}


def spelled(*pieces, block=USE):
    told = [delta(type="input_json_delta", partial_json=piece) for piece in pieces]
    return heard(opened(block), *told).content[0]["input"]


def spoken(*pieces):
    told = [delta(type="text_delta", text=piece) for piece in pieces]
    return heard(opened({"type": "text", "text": ""}), *told).content[0]["text"]


def heard(*events):
    stream = Stream()
    for event in (START, *events, END):
        stream.hear(event)
    return stream


def pieces_of(text, places):
    cuts = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[one:other] for one, other in itertools.pairwise(cuts)]


JSON = st.recursive(
    st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner)),
    max_leaves=8,
).filter(lambda value: "inf" not in repr(value) and "\\x00" not in repr(value))


@given(st.text(), st.lists(st.integers(0, 500), max_size=6))
def test_the_same_words_come_of_any_pieces(text, places):
    assert spoken(*pieces_of(text, places)) == text.replace("\0", "\ufffd")


@given(st.dictionaries(st.text(), JSON), st.lists(st.integers(0, 500), max_size=6))
def test_the_same_arguments_come_of_any_pieces(value, places):
    kept = json.loads(json.dumps(value).replace("\\u0000", "\\ufffd"))

    assert spelled(*pieces_of(json.dumps(value), places)) == kept


def test_a_reply_is_its_blocks_in_their_order_and_its_last_counts():
    stream = heard(
        opened({"type": "text", "text": "I "}, 2),
        opened({"type": "thinking", "thinking": "", "signature": ""}, 0),
        delta(2, type="text_delta", text="look."),
        delta(2, type="citations_delta", citation={"cited_text": "x"}),
        delta(0, type="thinking_delta", thinking="Hm"),
        delta(0, type="signature_delta", signature="c2ln"),
    )

    assert stream.content == [
        {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
        {"type": "text", "text": "I look.", "citations": [{"cited_text": "x"}]},
    ]
    assert (stream.stop, stream.details) == ("end_turn", None)
    assert stream.usage == {**USAGE, "output_tokens": 9}


def test_a_block_of_a_kind_that_nobody_knows_stays_as_it_came():
    block = {"type": "hologram", "depth": 3, "text": None}
    stream = heard(opened(block), delta(type="hologram_delta", depth=4), {"type": "weather"})

    assert stream.content == [block]


@pytest.mark.parametrize("whole", [{"n": 1}, {}, [], "x", None])
def test_arguments_that_come_at_once_are_kept(whole):
    assert spelled("", block={**USE, "input": whole}) == whole


@pytest.mark.parametrize(
    "said",
    [
        '{"body": "Hel',
        '{"body": "Hello"',
        '{"n": NaN}',
        '{"n": 1e999}',
        '{"n": ' + "9" * 5_000 + "}",
        "[" * 100_000,
        "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1),
        "look!",
        " ",
    ],
    ids=["cut", "unclosed", "no number", "endless", "long", "open", "deep", "words", "blank"],
)
def test_arguments_that_are_no_json_stay_the_text_they_are(said):
    """A call with half its arguments is not the call that was meant."""
    assert spelled(said) == said


@pytest.mark.parametrize(
    ("pieces", "kept"),
    [
        (("\ud83d", "\ude00"), "\U0001f600"),
        (("a\ud83d", "b"), "a\ufffdb"),
        (("\ude00\ud83d",), "\ufffd\ufffd"),
    ],
)
def test_what_no_ledger_keeps_is_replaced_and_two_halves_are_one(pieces, kept):
    assert spoken(*pieces) == kept
    assert spelled('{"', *pieces, '": ["', *pieces, '"]}') == {kept: [kept]}


def test_a_nul_and_what_is_spelled_in_escapes_is_replaced_too():
    assert spoken("a\0b") == "a\ufffdb"
    assert spelled(r'{"a": "\ud83d", "b": "\u0000"}') == {"a": "\ufffd", "b": "\ufffd"}


@given(st.text(st.characters(exclude_categories=())))
def test_whatever_was_said_can_be_kept(text):
    kept = clean({text: [text]})

    assert "\0" not in json.dumps(kept, ensure_ascii=False).encode().decode()


def test_what_is_nested_too_deep_is_not_kept():
    deep = []
    for _ in range(DEEPEST):
        deep = [deep]

    with pytest.raises(ValueError, match="nested 100 deep"):
        heard(opened({"type": "hologram", "in": deep})).content  # noqa: B018 - reading it is the act


@pytest.mark.parametrize(
    "events",
    [
        [delta(3, type="text_delta", text="x")],
        [opened({"type": "text", "text": ""}), delta(type="text_delta")],
        [opened({"type": "text", "text": ""}), delta(type="text_delta", text=7)],
        [opened({"type": "text", "text": None})],
        [opened({"type": "tool_use", "name": "look", "input": {}})],
        [opened({"text": "x"})],
        [opened(7)],
        [{"type": "content_block_delta", "index": 0}],
        [{"type": "message_delta"}],
        [{"type": "message_start", "message": 7}],
        [{"type": "message_start", "message": {"usage": 7}}],
    ],
)
def test_what_is_no_reply_is_none(events):
    with pytest.raises((LookupError, TypeError, ValueError, AttributeError)):
        heard(*events).content  # noqa: B018 - reading it is the act


def test_a_reply_that_used_nothing_is_none():
    stream = Stream()
    stream.hear({"type": "message_start", "message": {}})

    with pytest.raises(ValueError, match="expected a usage"):
        stream.usage  # noqa: B018 - reading it is the act
