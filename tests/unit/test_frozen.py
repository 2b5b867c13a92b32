"""What a conversation is made of survives as JSON, and turns a reply into calls with their full arguments."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from orchestrator.agent import frozen
from tests.support.builders import MARK, RUN, tool
from tests.support.builders import frozen as pinned
from workflows.messages import BUILTIN, WAIT, ToolCard
from workflows.playbook import Budget, Effect

COMMENT = tool(bound={"owner": "acme", "repo": "api"})
NOTE = tool("note", Effect.READ, max=None)
LABEL = tool("label", Effect.WRITE)
PIN = pinned(
    COMMENT, LABEL, NOTE, budget=Budget(usd=Decimal("0.10"), turns=3), system="Grüße 🔔 </event>"
)


def use(name, given, call_id="c1"):
    return {"type": "tool_use", "id": call_id, "name": name, "input": given}


def planned(*blocks, pin=PIN):
    return frozen.planned(pin, RUN, blocks)


def one(name, given):
    (plan,) = planned(use(name, given))
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
        use("github__note", {"body": "a"}, "c1"),
        {"type": "thinking", "thinking": "hm", "signature": "x"},
        use("github__note", {"body": "b"}, "c2"),
    )

    assert [plan.call.call_id for plan in plans] == ["c1", "c2"]
    assert [plan.intent.position for plan in plans] == [0, 1]
    assert planned() == ()


def test_bound_arguments_are_filled_in_by_us():
    plan = one("github__comment", {"body": "Hello"})

    assert plan.call.problem is None
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
    assert "owner" in (plan.call.problem or "")


def test_r4_our_marker_ends_what_we_write_and_nothing_that_we_only_read():
    assert (
        one("github__label", {"body": "Hello \n\n"}).intent.arguments["body"] == f"Hello\n\n{MARK}"
    )
    assert one("github__note", {"body": "Hello"}).intent.arguments["body"] == "Hello"


def test_r4_text_that_ends_in_another_marker_still_ends_in_ours():
    forged = "<!-- doorbell:ffffffffffff.9 -->"

    assert one("github__label", {"body": forged}).intent.arguments["body"].endswith(MARK)


@pytest.mark.parametrize("given", [{}, {"body": 7}, {"body": "x", "more": 1}, [], "x", None])
def test_arguments_that_do_not_fit_are_named_and_change_nothing_else(given):
    plan = one("github__label", given)

    assert plan.call.problem is not None
    assert plan.call.problem.startswith("The call of github__label was not made")
    assert isinstance(plan.intent.arguments, dict)


def test_a_tool_that_is_not_there_is_kept_as_it_was_asked_for():
    plan = one("github__erase", {"all": True})

    assert plan.call.problem is None
    assert (plan.intent.server, plan.intent.tool) == ("", "github__erase")
    assert plan.intent.arguments == {"all": True}
    assert plan.intent.effect is Effect.READ


def test_the_wait_is_our_own_tool():
    plan = one(WAIT, {"events": ["github/*"], "reason": "a reply"})

    assert plan.call.problem is None
    assert (plan.intent.server, plan.intent.tool) == (BUILTIN, "wait")
    assert plan.intent.arguments == {"events": ["github/*"], "reason": "a reply"}


@pytest.mark.parametrize(
    "given",
    [{}, {"events": [], "reason": "x"}, {"events": ["nosource"], "reason": "x"}, None],
)
def test_a_wait_for_nothing_that_can_come_is_not_begun(given):
    assert one(WAIT, given).call.problem is not None
