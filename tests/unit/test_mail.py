"""The mailbox of a run: nothing is lost or overtaken in it, but words may be taken out of turn."""

from collections import deque
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import RUN
from workflows.mail import WORDS, Mailbox
from workflows.messages import Entry, Kind


def entry(number, kind=Kind.EVENT, run_id=None):
    return Entry(
        decision_id=f"dec_{number}", kind=kind, event_id=f"evt_{number}", run_id=run_id, token="t"
    )


ENTRIES = st.lists(st.sampled_from(Kind), max_size=12).map(
    lambda kinds: [entry(number, kind) for number, kind in enumerate(kinds)]
)


@given(ENTRIES, st.data())
def test_r3_all_that_is_put_comes_out_once_and_in_order_but_for_words(entries, data):
    box, model, words = Mailbox([]), deque(), deque()
    for one in entries:
        box.put(one)
        model.append(one)
        if data.draw(st.booleans()):
            first = box.first()
            assert first == model[0] == box.take() == model.popleft()
        words = [left for left in model if left.kind in WORDS]
        assert box.has_word() is bool(words)
        if words and data.draw(st.booleans()):
            assert box.take_word() == words[0]
            model.remove(words[0])
    assert (bool(box), box.carried()) == (bool(model), tuple(model))


@given(ENTRIES)
def test_all_that_is_carried_over_is_there_again(entries):
    assert Mailbox(Mailbox(entries).carried()).carried() == tuple(entries)


def test_a_word_that_is_taken_leaves_everything_else_in_its_place():
    box = Mailbox([entry(1), entry(2, Kind.WOKEN), entry(3, Kind.RESUME), entry(4, Kind.CANCEL)])

    assert box.take_word() == entry(3, Kind.RESUME)
    assert box.take_word() == entry(4, Kind.CANCEL)
    assert box.carried() == (entry(1), entry(2, Kind.WOKEN))


def test_the_same_word_twice_is_taken_twice():
    """The dispatcher may deliver one twice; the tokens tell them apart, and the claim drops the second."""
    word = entry(1, Kind.RESUME)
    box = Mailbox([word, replace(word, token="u")])

    assert [box.take_word().token, box.take_word().token] == ["t", "u"]
    assert not box


@pytest.mark.parametrize("kind", [Kind.EVENT, Kind.WOKEN, Kind.APPLY])
def test_a_parked_run_is_not_woken_by_what_is_no_word(kind):
    assert not Mailbox([entry(1, kind, RUN)]).has_word()


@pytest.mark.parametrize(
    ("kind", "run_id", "wants"),
    [
        (Kind.CANCEL, RUN, True),
        (Kind.CANCEL, "0123456789ab.2", False),
        (Kind.CANCEL, None, False),
        (Kind.RESUME, RUN, False),
        (Kind.EVENT, RUN, False),
    ],
)
def test_only_a_cancel_of_this_very_conversation_ends_it(kind, run_id, wants):
    box = Mailbox([entry(1), entry(2, kind, run_id)])

    assert box.wants_cancel(RUN) is wants
    assert len(box.carried()) == 2


def test_a_cancel_is_taken_out_of_turn_and_everything_else_keeps_its_place():
    others = [entry(1), entry(2, Kind.CANCEL, "0123456789ab.2"), entry(4, Kind.RESUME, RUN)]
    word = entry(3, Kind.CANCEL, RUN)
    box = Mailbox([*others[:2], word, others[2]])

    assert box.take_cancel(RUN) == word
    assert box.carried() == tuple(others)
    assert not box.wants_cancel(RUN)
