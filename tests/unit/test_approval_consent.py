"""A6: which calls are asked about, and what exactly is consented to; and the verdicts that follow."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agent.tools import consent, questions
from orchestrator.configuration.people import ANYBODY, Speaker
from orchestrator.ledger.calls import Call
from orchestrator.servers import HttpServer, StdioServer
from tests.support.builders import RUN, tool, tool_call
from tests.support.looping import COMMENT, LABEL, READ, acted, loop, says
from workflows.loop import Act, AskModel, End, awaits
from workflows.messages import CallOutcome, CallState, Kind, Outcome
from workflows.own_tools import ASK
from workflows.playbook import Approve, Effect, Playbook, Stage, WriteLimit
from workflows.policy import AskPerson, Propose, Refuse, using

ALWAYS = Approve(by=("operator",), ttl=60.0)
NEVER = replace(ALWAYS, when="false")
BIG = replace(ALWAYS, when="args.amount > 100.0")
URL = HttpServer(name="github", url="https://hands.example/mcp")
ARGUMENTS = {"body": "Hello", "n": 1}
CALL = Call(
    run_id=RUN,
    call_id="1.0",
    turn=1,
    position=0,
    alias="github__comment",
    server="github",
    tool="comment",
    effect=Effect.WRITE_ONCE,
    arguments=ARGUMENTS,
    state=CallState.INTENDED,
    attempt=0,
    sent_at=None,
    deadline_at=None,
    content=None,
    is_error=False,
    artifact=None,
    size=0,
    done_at=None,
)


def playbook(**changes):
    values = {
        "name": "triage",
        "digest": "",
        "model": "m",
        "max_tokens": 1,
        "inputs": {},
        "tools": {"github": ("comment",)},
    }
    return Playbook(**values | changes)


def limited(approve):
    return playbook(writes={"github.comment": WriteLimit(approve=approve)})


def digest(server=URL, call=CALL, arguments=ARGUMENTS, found=None):
    return consent.digest(found or tool(), server, call, arguments)


@pytest.mark.parametrize(
    ("pinned", "live", "wanted"),
    [
        (None, None, None),
        (ALWAYS, None, ALWAYS),
        (ALWAYS, playbook(), ALWAYS),
        (ALWAYS, limited(NEVER), ALWAYS),
        (None, limited(ALWAYS), ALWAYS),
        (NEVER, limited(NEVER), None),
        (BIG, limited(ALWAYS), ALWAYS),
        (None, playbook(approve=ALWAYS), ALWAYS),
        (
            None,
            playbook(approve=ALWAYS, writes={"github.comment": WriteLimit(approve=NEVER)}),
            None,
        ),
    ],
)
def test_a6_the_stricter_of_the_pinned_policy_and_the_one_in_force_asks(pinned, live, wanted):
    assert consent.wanted(tool(approve=pinned), live, {"body": "x"}) == wanted


BY = st.lists(st.sampled_from(("ada", "bob", "role:ops", ANYBODY)), min_size=1, unique=True)


@given(BY, BY)
def test_a6_of_two_policies_the_narrower_says_who_and_the_one_in_force_how(pinned, live):
    later = replace(ALWAYS, by=tuple(live), ttl=7.0)
    found = consent.wanted(
        tool(approve=replace(ALWAYS, by=tuple(pinned))), limited(later), {"body": "x"}
    )

    is_narrower = ANYBODY not in pinned and (ANYBODY in live or {*pinned} < {*live})
    assert found == replace(later, by=tuple(pinned if is_narrower else live))


@pytest.mark.parametrize(
    ("arguments", "asks"),
    [({"amount": 99}, False), ({"amount": 101}, True), ({}, True), ({"amount": "a lot"}, True)],
)
def test_a6_a_condition_that_cannot_be_answered_asks(arguments, asks):
    assert consent.asks(BIG, "pay.refund", Effect.WRITE_ONCE, arguments) is asks


@pytest.mark.parametrize(("effect", "asks"), [(Effect.WRITE, False), (Effect.WRITE_ONCE, True)])
def test_a6_a_condition_knows_the_effect(effect, asks):
    once = replace(ALWAYS, when="effect == 'write-once'")

    assert consent.asks(once, "pay.refund", effect, {}) is asks


@pytest.mark.parametrize(
    "other",
    [
        digest(server=replace(URL, url="https://elsewhere.example")),
        digest(server=StdioServer(name="github", command=("x",))),
        digest(server=None),
        digest(call=replace(CALL, run_id="ffffffffffff.1")),
        digest(call=replace(CALL, call_id="2.0")),
        digest(call=replace(CALL, tool="close")),
        digest(found=tool(definition={"name": "github__comment"})),
        digest(found=tool(bound={"owner": "acme"})),
    ],
)
def test_a6_consent_is_to_one_call_of_one_tool_of_one_server(other):
    assert other != digest()


def test_a6_a_rotated_secret_is_the_same_server():
    assert digest(server=replace(URL, headers={"x-key": "new"})) == digest()


ARGS = st.dictionaries(
    st.text(max_size=3), st.integers() | st.text(max_size=3) | st.none(), max_size=4
)


@given(ARGS, ARGS)
def test_a6_consent_is_to_exactly_those_arguments_in_any_order(one, other):
    same = dict(reversed(list(one.items())))

    assert digest(arguments=one) == digest(arguments=same)
    assert (digest(arguments=one) == digest(arguments=other)) is (one == other)


@pytest.mark.parametrize(
    ("names", "by", "may"),
    [
        ({"ann", "role:maintainer", "anybody"}, ["role:maintainer"], True),
        ({"ann", "anybody"}, ["role:maintainer"], False),
        ({"ann", "anybody"}, ["ann"], True),
        ({"operator", "anybody"}, ["anybody"], True),
        ({"operator", "anybody"}, ["ann"], False),
    ],
)
def test_a6_who_may_answer_is_among_those_who_are_named(names, by, may):
    assert consent.may_answer(Speaker(said="x", names=frozenset(names)), by) is may


# The form of an answer -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "given_", "value"),
    [
        (None, "any text", "any text"),
        (None, "7", "7"),
        ({"type": "integer"}, "7", 7),
        ({"type": "integer"}, 7, 7),
        ({"type": "boolean"}, "true", True),
        ({"enum": ["bug", "question"]}, "bug", "bug"),
        ({"type": "object", "required": ["n"]}, '{"n": 1}', {"n": 1}),
    ],
)
def test_a6_an_answer_is_read_in_the_form_of_its_question(form, given_, value):
    asked = {"question": "?"} | ({} if form is None else {"answer": form})

    assert questions.fitted(asked, given_) == (value, None)


@pytest.mark.parametrize(
    ("form", "given_"),
    [(None, ""), (None, None), ({"type": "integer"}, "seven"), ({"enum": ["a"]}, "b")],
)
def test_a6_an_answer_that_does_not_fit_is_refused_in_words(form, given_):
    asked = {"question": "?"} | ({} if form is None else {"answer": form})
    value, why = questions.fitted(asked, given_)

    assert value is None
    assert str(why).startswith("the answer doesn't fit: arguments")


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"type": "string", "pattern": "(a+)+$"}, "'pattern' isn't known here"),
        ({"$ref": "https://evil.example"}, "'$ref' isn't known here"),
        ({"type": "strnig"}, "is no JSON Schema"),
        ({"properties": {"a": 5}}, "expected an object, got int"),
        ({"items": {"items": {"items": {"items": {"items": {"items": {}}}}}}}, "at most 5 levels"),
        ({"additionalProperties": {"type": "string"}}, "expected true or false"),
    ],
)
def test_a6_a_form_that_nobody_could_fill_in_is_refused(form, why):
    assert why in str(questions.unsound({"question": "?", "answer": form}))


# Verdicts --------------------------------------------------------------------------------------


def turn(subject, *calls):
    began = subject.next()
    assert isinstance(began, AskModel)
    subject.receive(replace(says(began.turn, *(one.alias for one in calls)), calls=calls))
    step = subject.next()
    assert isinstance(step, Act)
    return step


def asking(card, call_id="c1"):
    return tool_call(card.alias, call_id, approve=True)


def ended(subject, *states):
    verdicts = subject.next().verdicts
    outcomes = [
        CallOutcome(call_id=verdict.call.call_id, state=state)
        for verdict, state in zip(verdicts, states, strict=True)
    ]
    subject.answered(tuple(outcomes))


@pytest.mark.parametrize("card", [READ, LABEL, COMMENT], ids=lambda card: card.effect)
def test_a6_a_call_that_asks_is_not_sent(card):
    (verdict,) = turn(loop(), asking(card)).verdicts

    assert verdict == AskPerson(asking(card), card)
    assert using(verdict) == card


def test_a6_in_a_preview_a_write_is_a_proposal_first():
    (verdict,) = turn(loop(stage=Stage.PREVIEW), asking(COMMENT)).verdicts

    assert isinstance(verdict, Propose)


def test_a6_what_waits_for_consent_counts_against_its_limit():
    first, second = turn(loop(), asking(COMMENT, "a"), asking(COMMENT, "b")).verdicts

    assert isinstance(first, AskPerson)
    assert isinstance(second, Refuse)


def test_a6_a_no_uses_nothing_up_and_makes_the_outcome_say_so():
    subject = loop()
    turn(subject, asking(COMMENT))
    ended(subject, CallState.DENIED)

    assert (subject.state.tool_calls, subject.state.tally.denied) == (0, 1)
    subject.receive(says(2))
    assert subject.next() == End(Outcome.COMPLETED_WITH_DENIALS, "")


def test_a6_a_no_does_not_make_good_what_failed_before():
    subject = loop()
    acted(subject, LABEL.alias, state=CallState.FAILED)
    turn(subject, asking(LABEL))
    ended(subject, CallState.DENIED)
    subject.receive(says(3))

    assert subject.next() == End(Outcome.NEEDS_ATTENTION, "")


def test_a6_a_question_uses_no_tool():
    subject = loop()
    (verdict,) = turn(subject, tool_call(ASK)).verdicts
    ended(subject, CallState.DONE)

    assert verdict == AskPerson(tool_call(ASK), None)
    assert subject.state.tool_calls == 0


def test_a6_a_run_that_nobody_answered_may_fail():
    subject = loop()
    turn(subject, asking(COMMENT))
    subject.failed("nobody answered in time")
    assert isinstance(subject.next(), Act)
    ended(subject, CallState.DENIED)

    assert subject.next() == End(Outcome.FAILED, "nobody answered in time")


@pytest.mark.parametrize(
    ("kind", "left"), [(Kind.ANSWER, True), (Kind.WOKEN, False), (Kind.EVENT, False)]
)
def test_a6_an_answer_is_left_to_the_call_that_waits_for_it(kind, left):
    assert awaits(turn(loop(), asking(COMMENT)), kind) is left
