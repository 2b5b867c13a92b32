"""A7, A2: what a call carries is looked at just before it leaves; a call that is stopped is denied, in words."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.agent.calling import once
from orchestrator.agent.hands.definitions import Answered, Lost
from orchestrator.agent.text.redacting import Redaction
from orchestrator.configuration.configuration import Configuration
from orchestrator.demo.wire import ToolUse
from orchestrator.ledger import calls, turns
from orchestrator.ledger.calls import Call
from tests.support.asking import Talk, talk
from tests.support.builders import AT, configuration, frozen, intent, tool
from tests.support.looping import COMMENT, acted, loop, says
from tests.support.scripts import says as ends
from tests.support.scripts import uses
from workflows.messages import CallRequest, CallState, Outcome, Settle
from workflows.playbook import Effect, Playbook, Screening, Tokens

SECRET = "hunter22-hunter22"
KNOWN = Redaction.of({SECRET: "env:TOKEN"})
RANDOM = "kX9vQ2mZp7LwR4tYb8Nc3HsJ6DfG1aVe"
READS = tool("look", Effect.READ)
PIN = frozen(tool(), READS, tool("list", Effect.READ))
FINE = Answered(content=(), is_error=False, full=b"", full_media_type="text/plain")


@dataclass
class Hands:
    """A server that takes everything; what it was given."""

    taken: list[Any] = field(default_factory=list)

    async def call(
        self, server: str, name: str, arguments: Any, *, before_send: Any, **_how: Any
    ) -> Answered:
        assert await before_send()
        self.taken.append((server, name, arguments))
        return FINE


def wants(body: str, name: str = "comment") -> Any:
    return uses(ToolUse(f"github__{name}", {"body": body}))


def talking(directory: Path, body: str, **changes: Any) -> Any:
    given = {"hands": Hands(), "redact": lambda: KNOWN, **changes}
    pin = given.pop("pin", PIN)
    reply = wants(body, given.pop("name", "comment"))
    return talk(directory, pin, reply, ends(), **given)


async def made(subject: Talk) -> Call:
    """The call of the first turn, made once."""
    await subject.ask()
    await once.call(subject.means, CallRequest(run_id=subject.run_id, call_id="1.0"), 1)
    return await subject.ledger.read(calls.one, subject.run_id, "1.0")


@pytest.mark.parametrize("name", ["comment", "look"])
async def test_a7_a_secret_that_a_model_says_is_neither_kept_nor_sent_not_even_to_a_read(
    tmp_path: Path, name: str
) -> None:
    async with talking(tmp_path, f"It is {SECRET}", name=name) as subject:
        call = await made(subject)
        said = await subject.ledger.read(turns.said, subject.run_id, 1)

    assert call.state is CallState.DENIED
    assert subject.means.hands.taken == []
    assert "env:TOKEN" in str(call.content)
    assert SECRET not in f"{call} {said}"


async def test_a_write_with_a_token_is_denied_and_does_not_show_it(tmp_path: Path) -> None:
    async with talking(tmp_path, f"Use {RANDOM} to log in.") as subject:
        call = await made(subject)

    assert call.state is CallState.DENIED
    assert call.is_error
    assert RANDOM not in str(call.content)
    assert subject.means.hands.taken == []


async def test_a_read_may_ask_for_what_looks_like_a_token(tmp_path: Path) -> None:
    async with talking(tmp_path, f"Look for {RANDOM} here.", name="look") as subject:
        assert (await made(subject)).state is CallState.DONE


async def test_what_a_playbook_allows_may_leave(tmp_path: Path) -> None:
    pin = replace(PIN, screening=Screening(tokens=Tokens.ALLOW))
    async with talking(tmp_path, f"Use {RANDOM} to log in.", pin=pin) as subject:
        assert (await made(subject)).state is CallState.DONE


def with_playbook(screening: Screening) -> Configuration:
    book = Playbook(
        name="triage",
        digest="",
        model="m",
        max_tokens=1,
        inputs={},
        tools={"github": ("comment",)},
        screening=screening,
    )
    return replace(configuration(), playbooks={"triage": book})


async def test_the_policy_of_now_counts_and_not_the_pinned_one(tmp_path: Path) -> None:
    now = with_playbook(Screening(mentions=0))
    async with talking(tmp_path, "Thanks, @ann!", configuration=lambda: now) as subject:
        call = await made(subject)

    assert call.state is CallState.DENIED
    assert "1 people or teams" in str(call.content)


async def test_what_is_bound_by_the_playbook_is_not_the_models_to_be_screened(
    tmp_path: Path,
) -> None:
    pin = frozen(tool(bound={"where": f"of {RANDOM}"}))
    async with talking(tmp_path, "Hello", pin=pin) as subject:
        assert (await made(subject)).state is CallState.DONE


async def test_a_preview_proposes_nothing_that_may_not_leave(tmp_path: Path) -> None:
    async with talking(tmp_path, f"Use {RANDOM} to log in.") as subject:
        await subject.ask()
        request = CallRequest(run_id=subject.run_id, call_id="1.0")
        assert (await once.propose(subject.means, request)).state is CallState.DENIED


async def test_a2_a_repeat_that_is_stopped_does_not_say_that_nothing_was_done(
    tmp_path: Path,
) -> None:
    """An earlier attempt may have been carried out before the policy was tightened."""
    async with talking(tmp_path, "Hello") as subject:
        run_id = subject.run_id
        secret = {"body": f"{SECRET} {SECRET}"}
        again = intent("1.9", effect=Effect.WRITE, arguments=secret)
        await subject.ledger.write(calls.intend, run_id, 1, again, AT)
        await subject.ledger.write(calls.take, run_id, "1.9", 1, again=True)
        await subject.ledger.write(calls.send, run_id, "1.9", 1, AT, AT)
        outcome = await once.call(subject.means, CallRequest(run_id=run_id, call_id="1.9"), 2)

    assert outcome.state is CallState.UNKNOWN
    assert subject.means.hands.taken == []


def test_a8_a_stopped_write_is_counted_as_denied_and_uses_nothing_up() -> None:
    subject = loop()
    acted(subject, COMMENT.alias, state=CallState.DENIED)
    subject.receive(says(2))

    assert (subject.state.tally.denied, dict(subject.state.writes)) == (1, {})
    assert subject.next().outcome is Outcome.COMPLETED_WITH_DENIALS


class Mute(Hands):
    """A server that acts and never answers."""

    async def call(self, *_what: Any, before_send: Any, **_how: Any) -> Any:
        assert await before_send()
        return Lost(reason="the connection broke")


async def test_a2_of_an_unknown_write_the_model_is_told_what_shows_whether_it_happened(
    tmp_path: Path,
) -> None:
    pin = frozen(tool(verify="github__list"), READS)
    async with talking(tmp_path, "Hello", pin=pin, hands=Mute()) as subject:
        call = await made(subject)
        again = await once.settle_lost(subject.means, Settle(run_id=subject.run_id, call_id="1.0"))

    words = [block["text"] for block in call.content or ()]
    assert (call.state, again.state) == (CallState.UNKNOWN, CallState.UNKNOWN)
    assert len(words) == 2
    assert "call github__list and look" in words[1]


async def test_a2_without_a_tool_that_shows_it_the_model_is_told_to_check(tmp_path: Path) -> None:
    async with talking(tmp_path, "Hello", hands=Mute()) as subject:
        (words,) = (await made(subject)).content or ()

    assert "Check before you repeat it" in words["text"]


LONG = "Zq8vT1mK9wLr2XyBn4Pd7Hs3"
IN_THREE = [LONG[at : at + 8] for at in (0, 8, 16)]


async def told(subject: Talk, call_id: str, body: str) -> CallState:
    """What becomes of a call with this body."""
    made_of = intent(call_id, effect=Effect.WRITE, arguments={"body": body})
    turn = int(call_id.partition(".")[0])
    await subject.ledger.write(calls.intend, subject.run_id, turn, made_of, AT)
    request = CallRequest(run_id=subject.run_id, call_id=call_id)
    return (await once.call(subject.means, request, 1)).state


async def test_a7_a_secret_that_is_told_in_several_calls_is_not_told_whole(tmp_path: Path) -> None:
    known = Redaction.of({LONG: "env:TOKEN"})
    async with talking(tmp_path, "Hello", redact=lambda: known) as subject:
        came = [
            await told(subject, f"{at}.0", f"part {at}: {piece}.")
            for at, piece in enumerate(IN_THREE, start=1)
        ]

    assert came == [CallState.DONE, CallState.DENIED, CallState.DENIED]


async def test_a_call_that_never_left_told_nothing(tmp_path: Path) -> None:
    known = Redaction.of({LONG: "env:TOKEN"})
    async with talking(tmp_path, "Hello", redact=lambda: known) as subject:
        first = await told(subject, "1.0", LONG[:16])
        second = await told(subject, "2.0", f"part: {LONG[16:]}")

    assert (first, second) == (CallState.DENIED, CallState.DONE)


@pytest.mark.parametrize(("between", "last"), [(1, CallState.DENIED), (5, CallState.DONE)])
async def test_a7_pieces_of_a_secret_are_seen_together_over_20_000_signs(
    tmp_path: Path, between: int, last: CallState
) -> None:
    """Calls of 4,500 signs stand between the two pieces."""
    known = Redaction.of({LONG: "env:TOKEN"})
    said = [IN_THREE[0], *("word " * 900 for _ in range(between)), IN_THREE[1]]
    async with talking(tmp_path, "Hello", redact=lambda: known) as subject:
        came = [await told(subject, f"{at}.0", body) for at, body in enumerate(said, start=1)]

    assert came == [*[CallState.DONE] * (between + 1), last]
