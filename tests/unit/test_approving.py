"""A6: a request is bound to one call, settled once, in time, by those who may; a repeat comes to the same."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from orchestrator.agent.calling.consented import unconsented
from orchestrator.agent.calling.once import CHECKS
from orchestrator.configuration.people import Person
from orchestrator.ledger import approvals, calls, conversations
from orchestrator.servers import HttpServer
from tests.support.builders import AT, RUN
from tests.support.consent import ANN, HOUR, POLICY, office_at
from workflows.approvals import Standing
from workflows.messages import CallState, Outcome, RunState
from workflows.own_tools import ASK
from workflows.playbook import Allowed, Approve, Effect, OnTimeout, Playbook, WriteLimit

MARKED = f"Hello\n\n<!-- doorbell:{RUN}.1.0 -->"
QUESTION = {"alias": ASK, "server": "doorbell", "tool": "ask", "effect": Effect.READ}


@pytest.fixture
def office(tmp_path):
    with office_at(tmp_path) as office:
        yield office


def in_force(office, asks):
    """Have the playbook in force ask so, whatever the pinned one does."""
    book = Playbook(
        name="triage",
        digest="",
        model="m",
        max_tokens=1,
        inputs={},
        tools={"github": ("comment",)},
        writes={"github.comment": WriteLimit(approve=asks)},
    )
    office.configure(playbooks={"triage": book})


async def test_a6_asking_twice_asks_once_and_the_call_waits(office):
    first, second = await office.ask(), await office.ask()

    assert first == second
    assert (
        first.wants
        == f"consent to github.comment by role:maintainer or operator, code {first.code}"
    )
    assert (await office.call()).state is CallState.PENDING


async def test_a6_a_request_lasts_no_longer_than_its_conversation_may(office):
    assert (await office.ask(seconds=60.0)).seconds == 60.0


async def test_a6_consent_lets_exactly_this_call_go_and_only_once(office):
    asked = await office.ask()
    (decision,) = await office.decided(await office.hand("approve", asked.code))

    first = await office.take(decision)
    again = await office.take(decision)

    assert first == again
    assert first.standing is Standing.APPROVED
    assert first.call is not None
    assert first.card is not None
    assert (first.card.server, first.card.name) == ("github", "comment")
    assert (await office.call()).state is CallState.INTENDED
    assert await unconsented(office.means, await office.call()) is None
    assert [said.became for said in await office.words()] == ["approved"]


async def test_a6_of_two_words_under_way_the_first_taken_counts_and_the_other_is_late(office):
    asked = await office.ask()
    yes, no = await office.hand("approve", asked.code), await office.comment(f"/deny {asked.code}")
    (approve,), (deny,) = await office.decided(yes), await office.decided(no)

    refused, late = await office.take(deny), await office.take(approve)

    assert (refused.standing, refused.late) == (Standing.DENIED, False)
    assert (late.standing, late.late, late.call) == (Standing.DENIED, True, None)
    assert {said.word: said.became for said in await office.words()} == {
        "deny": "denied",
        "approve": "too late: it is denied",
    }
    assert (await office.call()).state is CallState.DENIED


async def test_a6_a_role_that_is_taken_away_before_the_run_hears_counts_no_more(office):
    asked = await office.ask()
    (decision,) = await office.decided(await office.comment(f"/approve {asked.code}"))
    office.configure(people={"ann": replace(ANN, roles=frozenset())})

    heeded = await office.take(decision)

    assert (heeded.standing, heeded.call) == (Standing.OPEN, None)
    (said,) = await office.words()
    assert said.became == "refused: ann may not: expected role:maintainer or operator"


@pytest.mark.parametrize(
    ("live", "ann", "root"),
    [
        (("role:maintainer", "operator", "zoe-q"), True, True),
        (("role:maintainer",), True, False),
        (("ann", "zoe-q"), True, False),
        (("zoe-q",), False, False),
    ],
)
async def test_a6_whoever_consents_is_allowed_by_the_pinned_policy_and_by_the_one_in_force(
    office, live, ann, root
):
    asked = await office.ask()
    in_force(office, Approve(by=live, ttl=HOUR))

    by_root = await office.heard(await office.hand("approve", asked.code))
    by_ann = await office.heard(await office.comment(f"/approve {asked.code}"))

    assert (by_root.standing is Standing.APPROVED) is root
    if not root:
        assert (by_ann.standing is Standing.APPROVED) is ann


async def test_a6_an_edit_is_another_digest_and_keeps_what_is_bound_and_our_marker(office):
    asked = await office.ask()
    before = await office.request()

    await office.heard(await office.hand("approve", asked.code, args={"body": "Bye"}))

    after, call = await office.request(), await office.call()
    assert after.digest != before.digest
    assert after.before == {"body": "Hello", "owner": "acme"}
    assert call.arguments["owner"] == "acme"
    assert call.arguments["body"].startswith("Bye\n\n<!-- doorbell:")
    assert await unconsented(office.means, call) is None


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"owner": "evil"}, "these arguments are fixed by the playbook: ['owner']"),
        ({"body": 7}, "7 is not of type 'string'"),
        ({"label": "x"}, "'label' was unexpected"),
    ],
)
async def test_a6_an_edit_that_the_model_could_not_have_made_changes_nothing(office, args, why):
    asked = await office.ask()

    heeded = await office.heard(await office.hand("approve", asked.code, args=args))

    assert heeded.standing is Standing.OPEN
    (said,) = await office.words()
    assert why in (said.became or "")
    assert (await office.call()).state is CallState.PENDING
    fine = await office.heard(await office.hand("approve", asked.code))
    assert fine.standing is Standing.APPROVED


BYE = Approve(by=("zoe-q",), ttl=HOUR, when="args.body.startsWith('Bye')")


async def test_a6_an_edit_wants_the_consent_of_whoever_its_new_arguments_call_for(office):
    asked = await office.ask()
    in_force(office, BYE)

    heeded = await office.heard(await office.hand("approve", asked.code, args={"body": "Bye"}))

    assert (heeded.standing, heeded.call) == (Standing.OPEN, None)
    (said,) = await office.words()
    assert said.became == "refused: so changed, operator root may not: expected zoe-q"
    fine = await office.heard(await office.hand("approve", asked.code, args={"body": "Good day"}))
    assert fine.standing is Standing.APPROVED


@pytest.mark.parametrize(
    ("by", "made"),
    [(("zoe-q",), False), (("operator", "zoe-q"), True), (("anybody",), True)],
)
async def test_a6_consent_is_held_against_the_policy_that_came_after_it(office, by, made):
    asked = await office.ask()
    await office.heard(await office.hand("approve", asked.code))
    in_force(office, Approve(by=by, ttl=HOUR))

    refusal = await unconsented(office.means, await office.call())

    assert (refusal is None) is made
    assert made or "by now it wants zoe-q: nothing was done" in str(refusal)


TEXT_AND_NUMBER = {
    "input_schema": {
        "type": "object",
        "properties": {"body": {"type": "string", "maxLength": 60}, "n": {"type": "integer"}},
    }
}


async def test_a6_our_own_marker_keeps_nobody_from_changing_another_argument(tmp_path):
    policy = {"body": Allowed(pattern="[A-Z][a-z]+")}
    with office_at(tmp_path, definition=TEXT_AND_NUMBER, args=policy) as office:
        await office.intend("1.1", arguments={"body": MARKED, "n": 1})
        asked = await office.ask("1.1")
        said = await office.hand("approve", asked.code, args={"n": 2})

        assert (await office.heard(said)).standing is Standing.APPROVED
        assert (await office.call("1.1")).arguments == {"body": MARKED, "n": 2, "owner": "acme"}


async def test_a6_an_edited_text_must_leave_room_for_our_marker(tmp_path):
    with office_at(tmp_path, definition=TEXT_AND_NUMBER) as office:
        asked = await office.ask()
        long = await office.hand("approve", asked.code, args={"body": "x" * 60})

        assert (await office.heard(long)).standing is Standing.OPEN
        (said,) = await office.words()
        assert "body: expected 22 characters at most, for 38 of 60 are ours" in (said.became or "")


async def test_a6_time_belongs_to_the_word_not_to_whoever_reads_it(office):
    asked = await office.ask()
    office.pass_by(HOUR - 1)
    receipt = await office.hand("approve", asked.code)
    office.pass_by(60)

    assert (await office.expire()).standing is Standing.OPEN
    (decision,) = await office.decided(receipt)
    assert (await office.expire()).standing is Standing.OPEN
    assert (await office.take(decision)).standing is Standing.APPROVED


async def test_a6_a_word_after_the_time_is_late_although_nobody_has_looked_yet(office):
    asked = await office.ask()
    office.pass_by(HOUR + 1)

    heeded = await office.heard(await office.hand("approve", asked.code))

    assert heeded.late
    assert [said.became for said in await office.words()] == ["too late: its time was up"]
    assert (await office.expire()).standing is Standing.EXPIRED
    assert (await office.call()).state is CallState.DENIED


async def test_a6_a_word_that_was_refused_keeps_no_request_open(office):
    asked = await office.ask()
    await office.heard(await office.hand("approve", asked.code, args={"body": 7}))
    office.pass_by(HOUR + 1)

    assert (await office.expire()).standing is Standing.EXPIRED


async def test_a6_a_word_whose_delivery_is_dead_keeps_no_request_open(office):
    asked = await office.ask()
    await office.decided(await office.hand("approve", asked.code))
    (lease,) = await office.inbox.claim(office.clock.now(), timedelta(seconds=9), 1)
    await office.inbox.bury(lease.decision.id, lease.fence, "gone")
    office.pass_by(HOUR + 1)

    assert (await office.expire()).standing is Standing.EXPIRED


@pytest.mark.parametrize("end", OnTimeout)
async def test_a6_a_request_expires_once_and_says_so_unless_its_run_parks_for_it(tmp_path, end):
    with office_at(tmp_path, replace(POLICY, on_timeout=end)) as office:
        first = await office.ask()
        office.pass_by(HOUR + 1)
        assert [await office.expire(), await office.expire()] == [await office.expire()] * 2
        again = await office.ask()

    parks = end is OnTimeout.PARK
    assert again.standing is (Standing.OPEN if parks else Standing.EXPIRED)
    assert (again.code != first.code) is parks


async def test_a6_a_run_that_ends_closes_what_it_asked_in_the_same_transaction(office):
    asked = await office.ask()
    ended = (RUN, RunState.ENDED, "over", Outcome.CANCELLED, AT)
    await office.ledger.write(conversations.record, *ended)

    assert (await office.request()).standing is Standing.CLOSED
    assert (await office.call()).state is CallState.REFUSED
    (decision,) = await office.decided(await office.hand("approve", asked.code))
    assert decision.reason == f"approve {asked.code}: too late, it is closed"


async def test_a6_what_was_consented_to_is_not_done_by_another_server(office):
    asked = await office.ask()
    await office.heard(await office.hand("approve", asked.code))
    office.configure(servers={"github": HttpServer(name="github", url="https://elsewhere.example")})

    refusal = await unconsented(office.means, await office.call())

    assert refusal is not None
    assert "isn't what would be done now" in refusal


async def test_a6_no_call_that_asks_leaves_without_an_answer(office):
    assert unconsented in CHECKS.values()
    assert "nobody was asked about this one" in str(
        await unconsented(office.means, await office.call())
    )
    await office.ask()
    assert "it is open" in str(await unconsented(office.means, await office.call()))


@pytest.mark.parametrize(("word", "before"), [("approve", 1), ("deny", 0)])
async def test_a6_what_waits_for_consent_counts_where_a_max_is_looked_at_again(
    office, word, before
):
    asked = await office.ask()
    await office.intend("1.1", position=1)
    second = await office.call("1.1")
    assert await office.ledger.read(calls.before, second) == 1
    await office.heard(await office.hand(word, asked.code))

    assert await office.ledger.read(calls.before, second) == before


async def test_a6_a_question_is_answered_by_a_value_of_its_form(office):
    arguments = {"question": "How many?", "answer": {"type": "integer"}, "to": ["role:maintainer"]}
    await office.intend("1.1", arguments=arguments, **QUESTION)
    asked = await office.ask("1.1")

    wrong = await office.heard(await office.comment(f"/answer {asked.code} many"))
    yes = await office.heard(await office.comment(f"/approve {asked.code}"))
    answered = await office.heard(await office.comment(f"/answer {asked.code} 7"))

    assert (wrong.standing, yes.standing) == (Standing.OPEN, Standing.OPEN)
    assert answered.standing is Standing.ANSWERED
    call = await office.call("1.1")
    assert (call.state, call.content) == (
        CallState.DONE,
        [{"type": "text", "text": "ann answers: 7"}],
    )


async def test_a6_a_question_to_nobody_is_answered_at_once(office):
    await office.intend("1.1", arguments={"question": "?", "to": ["role:boss"]}, **QUESTION)

    first, again = await office.ask("1.1"), await office.ask("1.1")

    assert first == again
    assert (first.standing, first.approval_id) == (Standing.CLOSED, "")
    call = await office.call("1.1")
    assert call.state is CallState.REFUSED
    assert "nobody in people.yaml has the role 'boss'" in str(call.content)


async def test_a6_a_proposal_that_nobody_consented_to_in_time_may_be_put_again(office):
    await office.intend(f"1.0{calls.APPLIED}")
    first = await office.ask(f"1.0{calls.APPLIED}")
    office.pass_by(HOUR + 1)

    second = await office.ask(f"1.0{calls.APPLIED}")

    assert first.code != second.code
    assert second.standing is Standing.OPEN
    both = await office.ledger.read(approvals.of_run, RUN)
    assert [one.standing for one in both] == [Standing.EXPIRED, Standing.OPEN]


async def test_a6_a_word_for_a_run_that_is_gone_is_late(office):
    asked = await office.ask()
    (decision,) = await office.decided(await office.hand("approve", asked.code))
    strange = msgspec.structs.replace(decision, with_={**decision.with_, "run": "ffffffffffff.1"})

    assert (await office.take(strange)).late


async def test_a6_a_person_is_asked_by_name_too(tmp_path):
    bob = Person(name="bob", accounts={"operator": "bob"})
    with office_at(tmp_path, replace(POLICY, by=("bob",)), [bob]) as office:
        asked = await office.ask()
        (root,) = await office.decided(await office.hand("approve", asked.code))
        assert root.reason == f"approve {asked.code}: operator root may not: expected bob"
        mine = await office.heard(await office.hand("approve", asked.code, by="bob"))

    assert mine.standing is Standing.APPROVED
