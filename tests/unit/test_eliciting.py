"""H4, A5: what a task asks is asked people once under each key, and its server is told once what they said."""

from dataclasses import replace

import pytest

from orchestrator.agent.calling import eliciting
from orchestrator.agent.text.redacting import Redaction
from orchestrator.agent.waiting import handles
from orchestrator.configuration.people import Person
from orchestrator.ledger import approvals, calls, conversations, inputs, pruning, transcript
from tests.support.builders import AT, RUN, configuration, source
from tests.support.consent import office_at
from tests.support.elicited import DAY, asking
from tests.support.following import PAPER, SAMPLING
from tests.support.mortal import KilledError, Life, Mortal
from workflows.approvals import Standing
from workflows.messages import CallState, Outcome, RunState
from workflows.playbook import Approve, Playbook, WriteLimit

SHOWN = {"called", "asks", "settled"}
GLOSSY = {"paper": "glossy"}
ACCEPTED = {"action": "accept", "content": GLOSSY}
FREE = {
    "message": "Which paper?",
    "requestedSchema": {"type": "object", "properties": {"paper": {"type": "string"}}},
}
PASSWORD = {
    "method": "elicitation/create",
    "params": {
        "message": "Log in.",
        "requestedSchema": {"type": "object", "properties": {"password": {"type": "string"}}},
    },
}


async def test_h4_a_question_is_asked_once_however_often_it_is_seen(tmp_path):
    async with asking(tmp_path) as there:
        await there.made()
        there.server.asks("paper")
        first, again = await there.looked(), await there.looked()
        (request,) = await there.requests()
        question = await there.there.ledger.read(calls.one, RUN, request.call_id)
    assert first == again
    assert (first.outcome, first.seconds) == (None, handles.ASKING)
    assert [one.approval_id for one in first.asks] == [request.approval_id]
    assert (request.by, request.standing) == (("anybody",), Standing.OPEN)
    assert request.expires_at - request.asked_at == 7 * DAY
    assert (question.turn, question.state, question.alias) == (
        0,
        CallState.PENDING,
        "doorbell__ask",
    )
    assert "Which paper?" in question.arguments["question"]
    assert there.server.responded == []


async def test_h4_its_server_is_told_once_what_a_person_said(tmp_path):
    async with asking(tmp_path) as there:
        await there.made()
        there.server.asks("paper")
        await there.looked()
        await there.says("paper", Standing.ANSWERED, GLOSSY)
        opened = await there.there.opened()
        looked = await there.looked()
        # A server may show for a while yet what it has been told.
        there.server.asks("paper")
        again = await there.looked()
        there.server.tells("completed", "printed")
        await there.looked()
        texts = await there.there.texts()
    assert (opened.seconds, opened.asks) == (0.0, ())
    assert there.server.responded == [{"paper": ACCEPTED}]
    assert (looked.said, again.said) == ("working", "input_required")
    assert again.asks == ()
    assert texts == ["ann answered what its server asked in the middle of the call.", "printed"]


@pytest.mark.parametrize(
    ("standing", "action", "told"),
    [
        (Standing.DENIED, "decline", 'ann refused to answer. They say: "no"'),
        (Standing.EXPIRED, "cancel", "Nobody answered in time"),
    ],
)
async def test_h4_a_no_and_a_silence_have_words_of_their_own(tmp_path, standing, action, told):
    async with asking(tmp_path) as there:
        await there.made()
        there.server.asks("paper")
        await there.looked()
        await there.says("paper", standing, why="no")
        await there.looked()
        there.server.tells("completed", "not printed")
        await there.looked()
        texts = await there.there.texts()
    assert there.server.responded == [{"paper": {"action": action}}]
    assert told in texts[0]


async def test_h4_each_of_several_questions_is_told_as_soon_as_it_is_answered(tmp_path):
    async with asking(tmp_path) as there:
        await there.made()
        there.server.asks("paper", "ink")
        assert len((await there.looked()).asks) == 2
        await there.says("ink", Standing.ANSWERED, GLOSSY)
        left = await there.looked()
        there.server.asks("paper", "size")
        more = await there.looked()
    assert there.server.responded == [{"ink": ACCEPTED}]
    assert (len(left.asks), len(more.asks)) == (1, 2)


@pytest.mark.parametrize("how", ["completed", "working", "cancelled"])
async def test_h4_what_is_no_longer_asked_is_closed(tmp_path, how):
    async with asking(tmp_path) as there:
        await there.made()
        there.server.asks("paper")
        await there.looked()
        there.server.tells(how, "on what was there")
        looked = await there.looked()
        (request,) = await there.requests()
        wanted = (await there.wanted())["paper"]
    assert (looked.asks, request.standing) == ((), Standing.CLOSED)
    assert wanted.closed_at is not None
    assert there.server.responded == []


async def test_h4_a_call_that_is_over_asks_nobody_any_more(tmp_path):
    async with asking(tmp_path) as there:
        await there.made()
        there.server.asks("paper")
        await there.looked()
        ended = await there.looked(last="the time of this conversation is up")
        (request,) = await there.requests()
    assert (ended.outcome.state, request.standing) == (CallState.UNKNOWN, Standing.CLOSED)
    assert there.server.called_off == ["task-0"]


async def test_a7_a_form_for_a_password_is_declined_and_nobody_sees_it(tmp_path):
    async with asking(tmp_path) as there:
        await there.made()
        there.server.asks(login=PASSWORD)
        looked = await there.looked()
        there.server.tells("completed", "without you, then")
        await there.looked()
        texts = await there.there.texts()
        assert await there.requests() == []
    assert looked.asks == ()
    assert there.server.responded == [{"login": {"action": "decline"}}]
    assert "looks like a password or a key" in texts[0]


@pytest.mark.parametrize(
    "requests",
    [
        {"thought": SAMPLING},
        {"paper": PAPER, "thought": SAMPLING},
        {f"paper-{number}": PAPER for number in range(11)},
        {"x" * 201: PAPER},
    ],
)
async def test_h4_what_people_cannot_give_ends_the_call_in_words(tmp_path, requests):
    async with asking(tmp_path) as there:
        await there.made()
        there.server.asks(**requests)
        looked = await there.looked()
        assert await there.requests() == []
        texts = await there.there.texts()
    assert looked.outcome.state is CallState.FAILED
    assert "that it can't have" in texts[0]
    assert there.server.called_off == ["task-0"]


async def test_a6_whoever_consents_to_a_tool_answers_for_it(tmp_path):
    by = Approve(by=("role:printer",), ttl=60.0)
    people = {"pia": Person(name="pia", accounts={"github": "8"}, roles=frozenset({"printer"}))}
    async with asking(tmp_path) as there:
        await there.made()
        there.server.asks("paper")
        there.there.means = replace(
            there.there.means,
            configuration=lambda: replace(
                configuration(), sources={"github": source()}, people=people
            ),
        )
        await there.there.pin(approve=by)
        await there.looked()
        (request,) = await there.requests()
    assert (request.by, request.expires_at - request.asked_at) == (("role:printer",), 60.0)


async def test_a6_where_nobody_may_answer_nobody_is_asked(tmp_path):
    async with asking(tmp_path) as there:
        await there.made()
        there.server.asks("paper")
        await there.there.pin(approve=Approve(by=("role:printer",), ttl=60.0))
        await there.looked()
        assert await there.requests() == []
        wanted = (await there.wanted())["paper"]
    assert there.server.responded == [{"paper": {"action": "decline"}}]
    assert "nobody in people.yaml has the role 'printer'" in wanted.refused


async def test_a7_an_answer_that_turns_out_to_be_a_secret_goes_to_nobody(tmp_path):
    known = Redaction.of({"hunter2-hunter2": "env:TOKEN"})
    async with asking(tmp_path) as there:
        await there.made()
        there.server.asks("paper")
        await there.looked()
        await there.says("paper", Standing.ANSWERED, {"paper": "hunter2-hunter2"})
        there.there.means = replace(there.there.means, redact=lambda: known)
        await there.looked()
    assert there.server.responded == [{"paper": {"action": "decline"}}]


async def test_a7_an_answer_that_carries_a_secret_changes_nothing_and_can_be_given_otherwise(
    tmp_path,
):
    known = Redaction.of({"hunter2-hunter2": "env:TOKEN"})
    with office_at(tmp_path) as office:
        office.means = replace(office.means, redact=lambda: known)
        call = await office.call()
        form = {"method": PAPER["method"], "params": FREE}
        found = await eliciting.read(office.means, call, {"paper": form})
        by = (Approve(by=("anybody",), ttl=DAY), None)
        await office.ledger.write(eliciting.ask, call, 0, found, by, office.means.now())
        (request,) = await office.ledger.read(approvals.of_run, RUN)
        bad = await office.heard(await office.comment(f"/answer {request.code} hunter2-hunter2"))
        good = await office.heard(await office.comment(f"/answer {request.code} glossy"))
        words = await office.ledger.read(approvals.words_of, request.approval_id)
        (wanted,) = await office.ledger.read(inputs.of_call, RUN, call.call_id)
    assert (bad.standing, good.standing) == (Standing.OPEN, Standing.ANSWERED)
    assert "answer without it" in words[0].became
    assert "hunter2" not in words[0].became
    assert wanted.answer == {"paper": "glossy"}


@pytest.mark.parametrize(
    ("live", "counts"),
    [(("role:maintainer", "zoe-q"), True), (("zoe-q",), False), (None, True)],
)
async def test_a6_whoever_answers_a_server_is_allowed_by_the_pinned_policy_and_the_one_in_force(
    tmp_path, live, counts
):
    with office_at(tmp_path) as office:
        call = await office.call()
        form = {"method": PAPER["method"], "params": FREE}
        found = await eliciting.read(office.means, call, {"paper": form})
        by = await eliciting.policy(office.means, call)
        await office.ledger.write(eliciting.ask, call, 0, found, by, office.means.now())
        (request,) = await office.ledger.read(approvals.of_run, RUN)
        asks = None if live is None else Approve(by=live, ttl=DAY)
        office.configure(playbooks={"triage": book(asks)})
        heeded = await office.heard(await office.comment(f"/answer {request.code} glossy"))
        (said,) = await office.ledger.read(approvals.words_of, request.approval_id)
    assert (heeded.standing is Standing.ANSWERED) is counts
    assert said.became == ("answered" if counts else "refused: ann may not: expected zoe-q")


def book(asks):
    """The playbook of the run, as it is in force now."""
    return Playbook(
        name="triage",
        digest="",
        model="m",
        max_tokens=1,
        inputs={},
        tools={"github": ("comment",)},
        writes={"github.comment": WriteLimit(approve=asks)},
    )


async def test_a8_what_a_server_asks_is_no_proposal_that_somebody_could_apply(tmp_path):
    async with asking(tmp_path) as there:
        await there.made()
        there.server.asks("paper")
        await there.looked()
        assert await there.there.ledger.write(calls.apply, RUN, AT) == []


async def test_h4_a_server_that_is_away_is_told_later(tmp_path):
    async with asking(tmp_path) as there:
        await there.made()
        there.server.asks("paper")
        await there.looked()
        await there.says("paper", Standing.ANSWERED, GLOSSY)
        there.server.away = "nobody there"
        assert (await there.looked()).outcome is None
        assert (await there.wanted())["paper"].told_at is None
        there.server.away = ""
        await there.looked()
    assert there.server.responded == [{"paper": ACCEPTED}]


@pytest.mark.parametrize("deaths", range(1, 14))
async def test_a2_a_process_that_dies_at_any_await_asks_once_and_tells_once(tmp_path, deaths):
    async with asking(tmp_path) as there:
        await there.made()
        there.server.asks("paper")
        await _dies(there, deaths)
        await there.looked()
        (request,) = await there.requests()
        await there.says("paper", Standing.ANSWERED, GLOSSY)
        await _dies(there, deaths)
        await there.looked()
        there.server.tells("completed", "printed")
        await _dies(there, deaths)
        ended = await there.looked()
        assert len(await there.requests()) == 1
        row = await there.call()
    assert request.standing is Standing.OPEN
    assert there.server.responded == [{"paper": ACCEPTED}]
    assert (ended.outcome.state, row.state) == (CallState.DONE, CallState.DONE)


async def _dies(there, deaths):
    """One look of a process that does so many things and then no more."""
    means, life = there.there.means, Life(deaths)
    there.there.means = replace(
        means, ledger=Mortal(life, means.ledger), tasks=Mortal(life, means.tasks)
    )
    try:
        await there.looked()
    except KilledError:
        pass
    finally:
        there.there.means = means


async def test_o2_the_log_shows_the_question_in_the_turn_whose_call_asks_it(tmp_path):
    async with asking(tmp_path) as there:
        await there.made()
        there.server.asks("paper")
        await there.looked()
        await there.says("paper", Standing.ANSWERED, GLOSSY)
        lines = await there.there.ledger.read(transcript.shown, RUN)
    told = {(line["voice"], line["turn"]) for line in lines if line["voice"] in SHOWN}
    assert told == {("called", 1), ("asks", 1), ("settled", 1)}
    asks = next(line for line in lines if line["voice"] == "asks")
    assert "Which paper?" in asks["arguments"]["question"]


async def test_h4_what_was_asked_is_forgotten_with_its_run(tmp_path):
    async with asking(tmp_path) as there:
        await there.made()
        there.server.asks("paper")
        await there.looked()
        ledger = there.there.ledger
        ended = (RUN, RunState.ENDED, "", Outcome.CANCELLED)
        await ledger.write(conversations.record, *ended, AT)
        (request,) = await there.requests()
        assert await ledger.write(pruning.prune, [RUN], AT + 3600, AT) == 1
        assert await there.wanted() == {}
    assert request.standing is Standing.CLOSED
