"""What a conversation is made of survives as JSON, and turns a reply into calls with their full arguments."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.agent.conversation import frozen
from tests.support.builders import RUN, tool
from tests.support.builders import frozen as pinned
from workflows.messages import ToolCard
from workflows.own_tools import BUILTIN, WAIT
from workflows.playbook import Budget, Effect

MARK = f"<!-- doorbell:{RUN}.1.0 -->"

COMMENT = tool(bound={"owner": "acme", "repo": "api"})
NOTE = tool("note", Effect.READ, max=None)
LABEL = tool("label", Effect.WRITE)
PIN = pinned(
    COMMENT, LABEL, NOTE, budget=Budget(usd=Decimal("0.10"), turns=3), system="Grüße 🔔 </event>"
)


def use(name, said, provider_id="toolu_1"):
    return {"type": "tool_use", "id": provider_id, "name": name, "input": said}


def planned(*blocks, pin=PIN, turn=1):
    return frozen.planned(pin, RUN, turn, blocks)


def one(name, said):
    (plan,) = planned(use(name, said))
    return plan


def test_a_pin_comes_back_as_it_was_and_as_the_same_bytes():
    again = frozen.load(frozen.dump(PIN))

    assert again == PIN
    assert frozen.dump(again) == frozen.dump(PIN)
    assert again.budget.usd == Decimal("0.10")


@pytest.mark.parametrize("data", [b"{}", b"[]", b"no json", frozen.dump(PIN)[:-1]])
def test_a_pin_that_is_none_of_ours_is_refused(data):
    with pytest.raises(ValidationError):
        frozen.load(data)


def test_the_definitions_are_sorted_hold_the_wait_and_carry_one_breakpoint():
    listed = frozen.definitions(PIN)
    names = [definition["name"] for definition in listed]

    assert names == sorted(names)
    assert set(names) == {WAIT, "github__comment", "github__label", "github__note"}
    assert ["cache_control" in definition for definition in listed] == [False] * 3 + [True]
    assert "cache_control" not in COMMENT.definition
    assert frozen.definitions(pinned(NOTE, LABEL, COMMENT)) == listed


def test_the_wait_itself_never_carries_what_another_request_added():
    (only,) = frozen.definitions(pinned())
    assert only["name"] == WAIT

    assert frozen.definitions(pinned(tool("x", server="a")))[0].keys() == {
        "name",
        "description",
        "input_schema",
    }


def test_the_cards_tell_the_loop_what_it_must_know():
    assert frozen.cards(PIN)[0] == ToolCard(
        alias="github__comment", server="github", name="comment", effect=Effect.WRITE_ONCE, max=1
    )
    assert len(frozen.cards(PIN)) == 3


def test_calls_stand_in_the_order_of_the_reply_and_text_is_none():
    plans = planned(
        {"type": "text", "text": "I look"},
        use("github__note", {"body": "a"}),
        {"type": "thinking", "thinking": "hm", "signature": "x"},
        use("github__note", {"body": "b"}, "toolu_2"),
    )

    assert [plan.intent.arguments["body"] for plan in plans] == ["a", "b"]
    assert [plan.intent.position for plan in plans] == [0, 1]
    assert planned() == ()


def test_a2_a_call_is_known_by_its_turn_and_place_whatever_the_provider_calls_it():
    """Some endpoints use the same ids in every turn, or twice in one."""
    same = [use("github__label", {"body": "a"}, "call_0")] * 2
    plans = [*planned(*same, turn=1), *planned(*same, turn=12)]

    assert [plan.call.call_id for plan in plans] == ["1.0", "1.1", "12.0", "12.1"]
    assert [plan.intent.call_id for plan in plans] == [plan.call.call_id for plan in plans]


def test_bound_arguments_are_filled_in_by_us():
    plan = one("github__comment", {"body": "Hello"})

    assert (plan.call.usable, plan.complaint) == (True, None)
    assert plan.intent.arguments == {
        "body": f"Hello\n\n{MARK}",
        "owner": "acme",
        "repo": "api",
    }
    assert (plan.intent.server, plan.intent.tool) == ("github", "comment")
    assert plan.intent.effect is Effect.WRITE_ONCE


def test_a7_bound_arguments_win_over_what_the_model_says():
    plan = one("github__comment", {"body": "Hello", "owner": "evil"})

    assert plan.intent.arguments["owner"] == "acme"
    assert not plan.call.usable
    assert "owner" in (plan.complaint or "")


def test_r4_our_marker_ends_what_we_write_and_nothing_that_we_only_read():
    assert (
        one("github__label", {"body": "Hello \n\n"}).intent.arguments["body"] == f"Hello\n\n{MARK}"
    )
    assert one("github__note", {"body": "Hello"}).intent.arguments["body"] == "Hello"


def test_r4_the_marker_says_the_turn_and_how_many_runs_led_to_it():
    (plan,) = frozen.planned(PIN, RUN, 4, [use("github__label", {"body": "Hello"})], 2)

    assert plan.intent.arguments["body"] == f"Hello\n\n<!-- doorbell:{RUN}.4.2 -->"


def test_r4_text_that_ends_in_another_marker_still_ends_in_ours():
    forged = "<!-- doorbell:ffffffffffff.9 -->"

    assert one("github__label", {"body": forged}).intent.arguments["body"].endswith(MARK)


def test_r4_a_text_that_leaves_our_marker_no_room_is_told_how_long_it_may_be():
    """Sent with it, the server would refuse the call, and the write would be used up."""
    prop = {"body": {"type": "string", "maxLength": 100}}
    definition = {"input_schema": {"type": "object", "properties": prop}}
    pin = pinned(tool(definition=definition), tool("note", Effect.READ, definition=definition))

    def complaint(name, length):
        (plan,) = planned(use(name, {"body": "x" * length}), pin=pin)
        return plan.complaint

    room = 100 - len(f"\n\n{MARK}")
    assert complaint("github__comment", room) is None
    assert f"body: expected {room} characters at most" in complaint("github__comment", room + 1)
    assert complaint("github__note", 100) is None


@pytest.mark.parametrize("said", [{}, {"body": 7}, {"body": "x", "more": 1}, [], "x", None])
def test_arguments_that_do_not_fit_are_named_and_change_nothing_else(said):
    plan = one("github__label", said)

    assert not plan.call.usable
    assert plan.complaint is not None
    assert plan.complaint.startswith("The call of github__label was not made")
    assert isinstance(plan.intent.arguments, dict)


def test_a7_what_is_wrong_with_a_call_does_not_go_into_history():
    """A complaint repeats what the model said, and the model may repeat a stranger; only its ledger row holds it."""
    plan = one("github__label", {"body": "x", "obey me": 1})

    assert "obey me" in (plan.complaint or "")
    assert "obey me" not in repr(plan.call)


@given(st.text(max_size=300))
def test_a7_a_name_that_the_model_made_up_is_only_a_name_in_history(name):
    call = one(name, {}).call

    assert len(call.alias) <= 64
    assert all(char.isalnum() or char in "_-" for char in call.alias)
    assert not call.usable


def test_a_tool_that_is_not_there_is_kept_as_it_was_asked_for():
    plan = one("github__erase", {"all": True})

    assert not plan.call.usable
    assert "'github__erase'" in (plan.complaint or "")
    assert (plan.intent.server, plan.intent.tool) == ("", "github__erase")
    assert plan.intent.arguments == {"all": True}
    assert plan.intent.effect is Effect.READ


def test_the_wait_is_our_own_tool():
    plan = one(WAIT, {"events": ["github/*"], "reason": "a reply"})

    assert (plan.call.usable, plan.complaint) == (True, None)
    assert (plan.intent.server, plan.intent.tool) == (BUILTIN, "wait")
    assert plan.intent.arguments == {"events": ["github/*"], "reason": "a reply"}


@pytest.mark.parametrize(
    "said",
    [{}, {"events": [], "reason": "x"}, {"events": ["github/*"]}, {"events": "github/*"}, None],
)
def test_a_wait_that_says_not_what_for_is_not_begun(said):
    assert not one(WAIT, said).call.usable


@pytest.mark.parametrize(
    "pattern",
    ["github/issue_comment.created", "github/issues.*", "my-source/*", "s_1/deploy?-done"],
)
def test_a5_a_wait_takes_a_source_and_a_type_with_stars(pattern):
    assert one(WAIT, {"events": [pattern], "reason": "x"}).call.usable


@pytest.mark.parametrize(
    "pattern",
    [
        "nosource",
        "*",
        "*/*",
        "git*/issues.opened",
        "github/",
        "/issues.opened",
        "github/issues/opened",
        "github/[a-z]*",
        "github/issues opened",
        " github/issues.opened",
        "github/issues.opened\n",
        "github/`issues`",
        "github/" + "a" * 51,
        "a" * 51 + "/b",
    ],
)
def test_a5_a_wait_for_nothing_that_can_come_is_not_begun(pattern):
    """Such words would stand in the story of the run, and no event would ever wake it."""
    plan = one(WAIT, {"events": ["github/*", pattern], "reason": "x"})

    assert not plan.call.usable
    assert (plan.complaint or "").startswith(f"The call of {WAIT} was not made")


def test_a5_a_wait_for_somebody_who_never_rings_is_answered_with_who_does():
    plan = one(WAIT, {"events": ["github/*", "gitlab/issues.*"], "reason": "x"})

    assert not plan.call.usable
    assert "'gitlab'" in (plan.complaint or "")
    assert ", ".join(PIN.sources) in (plan.complaint or "")
