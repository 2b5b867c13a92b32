"""The hands of a rehearsal: no write leaves, and what an earlier run read can be read again without its server."""

import pytest

from orchestrator.agent.calling.recorded import OnlyReads, Replayed
from orchestrator.agent.hands.definitions import Answered, Discovered, HandsUnreachable, NotSent
from orchestrator.ledger import calls, conversations
from tests.support.builders import AT, RUN, intent, ledger_at, opening
from workflows.messages import CallState
from workflows.playbook import Effect

OFFER = Discovered(server="lab", protocol="", identity="it", tools=())


class Reached:
    """Hands that note what reaches them."""

    def __init__(self, *, there=True):
        self.made, self.learnt, self.closed, self.there = [], [], False, there

    def learn(self, servers):
        self.learnt.append(servers)

    async def discover(self, server):
        if not self.there:
            raise HandsUnreachable(f"server {server!r} is away")
        return OFFER

    async def call(self, server, tool, arguments, **_options):
        self.made.append((server, tool, dict(arguments)))
        return Answered(content=(), is_error=False, full=b"", full_media_type="text/plain")

    async def close(self):
        self.closed = True


async def yes():
    return True


async def no():
    return False


async def ask(hands, tool, before_send=None, **arguments):
    return await hands.call(
        "lab", tool, arguments, deadline=1.0, key="r/1", before_send=before_send
    )


def said(outcome):
    return [block["text"] for block in outcome.content]


@pytest.fixture
async def made(tmp_path):
    """What an earlier run called, out of a real ledger."""
    with ledger_at(tmp_path) as ledger:
        await ledger.write(conversations.begin, opening(), AT)
        rows = [
            ("1.0", Effect.READ, {"name": "a", "size": 1}, CallState.DONE, "first"),
            ("1.1", Effect.READ, {"size": 1, "name": "a"}, CallState.FAILED, "second"),
            ("1.2", Effect.READ, {"name": "gone"}, CallState.REFUSED, "unreachable"),
            ("1.3", Effect.WRITE_ONCE, {"body": "x"}, CallState.DONE, "written"),
        ]
        for call_id, effect, arguments, state, text in rows:
            told = intent(call_id, server="lab", tool="look", effect=effect, arguments=arguments)
            content = [{"type": "text", "text": text}]
            is_error = state is not CallState.DONE
            result = calls.Result(state=state, content=content, is_error=is_error)
            await ledger.write(calls.intend, RUN, 1, told, AT)
            await ledger.write(calls.finish, RUN, call_id, result, AT)
        yield await ledger.read(calls.of_run, RUN)


async def test_only_what_reads_is_let_through_whatever_was_decided_before():
    reached = Reached()
    hands = OnlyReads(reached, {("lab", "look")})
    assert isinstance(await ask(hands, "look", name="a"), Answered)
    refused = await ask(hands, "write", body="x")
    assert isinstance(refused, NotSent)
    assert "lab.write may change something, and is not sent" in refused.reason
    assert reached.made == [("lab", "look", {"name": "a"})]


async def test_everything_else_is_the_hands_own():
    reached = Reached()
    for hands in (OnlyReads(reached, ()), Replayed(reached, (), {})):
        hands.learn({})
        assert await hands.discover("lab") == OFFER
        await hands.close()
    assert (len(reached.learnt), reached.closed) == (2, True)


async def test_equal_calls_are_answered_in_their_order_and_the_last_answer_stays(made):
    hands = Replayed(reached := Reached(), made, {})
    answers = [await ask(hands, "look", yes, name="a", size=1) for _ in range(3)]
    assert [(said(one), one.is_error) for one in answers] == [
        (["first"], False),
        (["second"], True),
        (["second"], True),
    ]
    assert (hands.unheard, reached.made) == ([], [])


@pytest.mark.parametrize("arguments", [{"name": "b"}, {"name": "gone"}, {"body": "x"}, {}])
async def test_what_was_never_answered_is_said_in_words_and_noted(made, arguments):
    hands = Replayed(reached := Reached(), made, {})
    outcome = await ask(hands, "look", **arguments)
    assert outcome.is_error
    assert "that run never called lab.look with these arguments" in said(outcome)[0]
    assert [(one.tool, one.arguments) for one in hands.unheard] == [("lab.look", arguments)]
    assert reached.made == []


async def test_a_call_that_may_not_leave_takes_no_answer(made):
    hands = Replayed(Reached(), made, {})
    assert isinstance(await ask(hands, "look", no, name="a", size=1), NotSent)
    assert said(await ask(hands, "look", yes, name="a", size=1)) == ["first"]


async def test_of_a_server_that_is_away_what_was_locked_is_offered():
    hands = Replayed(Reached(there=False), (), {"lab": OFFER})
    assert await hands.discover("lab") is OFFER
    with pytest.raises(HandsUnreachable, match="'other' is away"):
        await hands.discover("other")
