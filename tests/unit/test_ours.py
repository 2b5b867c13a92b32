"""R4: our marker is read back from where GitLab and Slack keep the words that have just been written."""

import pytest

from orchestrator.dispatch.ours import Echo, echoes, newest_text, ours_because
from tests.support.builders import MARK, RUN, event

NOBODY = frozenset()
OURS = f"Done.\n\n{MARK}"
ESCAPED = OURS.replace("<", "&lt;").replace(">", "&gt;")


def gitlab(**attributes):
    """As GitLab tells a comment: what it stands under is beside it, with its own text."""
    return {"object_kind": "note", "object_attributes": attributes, "issue": {"description": OURS}}


def slack(**message):
    return {"type": "event_callback", "event": {"type": "message", **message}}


WRITTEN = [
    gitlab(note=OURS, action="create"),
    gitlab(note=OURS),
    gitlab(description=OURS, action="open"),
    slack(text=OURS),
    slack(text=ESCAPED),
    slack(text=ESCAPED, subtype="bot_message"),
]


@pytest.mark.parametrize("data", WRITTEN)
def test_r4_what_we_have_just_written_there_is_ours(data):
    said = ours_because(event(source="elsewhere", data=data), NOBODY)

    assert said == f"our own write: it ends in the marker of run {RUN}"
    assert echoes(data) == (Echo(run_id=RUN, hops=0),)


@pytest.mark.parametrize(
    "data",
    [
        gitlab(note="Theirs", action="create", description=OURS),
        gitlab(note=OURS, action="update"),
        gitlab(description=OURS, action="update"),
        gitlab(description=OURS, action="close"),
        gitlab(description=OURS),
        gitlab(description=OURS, action=["open"]),
        gitlab(description={"text": OURS}, action="open"),
        {"object_attributes": [OURS]},
        slack(subtype="message_changed", message={"text": OURS}, previous_message={"text": OURS}),
        slack(subtype="message_deleted", previous_message={"text": OURS}),
        slack(text=[OURS]),
        {"event": OURS},
        {"text": OURS},
        [OURS],
        None,
    ],
)
def test_r4_what_somebody_does_to_it_and_any_other_shape_is_theirs(data):
    assert ours_because(event(source="elsewhere", data=data), NOBODY) is None
    assert echoes(data) == ()


@pytest.mark.parametrize(
    "data", [gitlab(note=f"{MARK} you said", action="create"), slack(text=f"{ESCAPED}\nreally?")]
)
def test_r4_what_repeats_our_marker_there_is_somebody_elses_and_carries_the_chain_on(data):
    assert ours_because(event(source="elsewhere", data=data), NOBODY) is None
    assert echoes(data) == (Echo(run_id=RUN, hops=0),)


@pytest.mark.parametrize("data", WRITTEN)
def test_a6_words_of_consent_are_read_from_githubs_comments_alone(data):
    assert newest_text(data) == ""
