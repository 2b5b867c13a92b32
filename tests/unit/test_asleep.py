"""What wakes whom: a sleeper hears what the code that put it to sleep would have heard, were it awake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.consent import ASKED
from workflows.flow import Flow, Mode
from workflows.hops import EVERYTHING, GATHERING, PARKED, WAITING, later
from workflows.mail import Mailbox
from workflows.messages import Entry, Kind

RUN = "5a1f95b87d5d.1"
MODES, KINDS = st.sampled_from(Mode), st.sampled_from(Kind)


def entry(kind, mode=Mode.SIGNAL):
    return Entry(
        decision_id="d", kind=kind, event_id="e", run_id=RUN, token="t", flow=Flow(mode=mode)
    )


def heeds(hears, one):
    words = later("w", 0.0)
    kinds, modes = tuple(hears.kinds), tuple(hears.modes)
    return type(words)(until=None, kinds=kinds, modes=modes, most=9, details="", summary="").heeds(
        one
    )


@given(KINDS, MODES)
def test_a5_who_waits_is_woken_by_all_that_a_waiting_conversation_hears(kind, mode):
    one = entry(kind, mode)
    mailbox = Mailbox([one])
    hears = mailbox.heard(1.0) or mailbox.outdoing(0, 1.0) or mailbox.unwanted(0)

    assert heeds(WAITING, one) == bool(hears)


@given(KINDS, MODES)
def test_a8_who_is_parked_is_woken_by_all_that_a_parked_conversation_hears(kind, mode):
    one = entry(kind, mode)
    mailbox = Mailbox([one])
    hears = mailbox.has_word() or mailbox.outdoing(0, 1.0) or mailbox.unwanted(0)

    assert heeds(PARKED, one) == bool(hears)


@given(KINDS, MODES)
def test_a6_who_waits_for_consent_is_woken_by_words_and_by_what_outdoes_it(kind, mode):
    one = entry(kind, mode)
    mailbox = Mailbox([one])
    words = kind in {Kind.ANSWER, Kind.APPLY} or mailbox.wants_cancel(RUN)

    assert heeds(ASKED, one) == bool(words or mailbox.outdoing(0, 1.0) or mailbox.unwanted(0))


@given(KINDS, MODES)
def test_r3_who_gathers_sleeps_through_events(kind, mode):
    assert heeds(GATHERING, entry(kind, mode)) == (kind is not Kind.EVENT)


@given(KINDS, MODES)
def test_who_is_not_read_looks_again_at_everything(kind, mode):
    assert heeds(EVERYTHING, entry(kind, mode))
    assert later("words", 5.0).heeds(entry(kind, mode))


@pytest.mark.parametrize("now", [0.0, 1_000.0])
def test_who_is_not_read_looks_again_soon(now):
    found = later("words", now)

    assert found.until is not None
    assert 0 < found.until - now <= 3600
    assert "words" in found.details
