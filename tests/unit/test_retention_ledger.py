"""Mechanics 22: of conversations long ended it stays what they were and cost; artifacts go when nobody needs them."""

import asyncio
from datetime import timedelta

import pytest

from orchestrator import views
from orchestrator.ledger import (
    artifacts,
    audit,
    calls,
    claims,
    configurations,
    conversations,
    pruning,
    turns,
    waits,
)
from orchestrator.rules.rulebook import PAGES
from orchestrator.tending import retention
from tests.support.builders import (
    AT,
    NOW,
    RUN,
    charge,
    comment,
    intent,
    ledger_at,
    opening,
    rule,
    wait,
)
from tests.support.installed import Installed
from workflows.messages import CallState, Outcome, RunState

MONTH = timedelta(days=30)
LATER = NOW + MONTH + timedelta(seconds=1)
DAY = timedelta(days=1, seconds=1)


def month(_source):
    return MONTH


@pytest.fixture
def ledger(tmp_path):
    with ledger_at(tmp_path) as database:
        yield database


async def lived(ledger, *, ended=True, state=CallState.DONE, turn=1):
    """A conversation with a turn and a call, whose result and prompt are artifacts."""
    await ledger.write(conversations.begin, opening(), AT)
    prompt = await ledger.write(artifacts.put, b"prompt", "application/json", AT)
    await ledger.write(conversations.freeze, RUN, prompt, "a model")
    await ledger.write(turns.reply, RUN, 1, '[{"type": "text"}]', "tool_use", None, AT)
    await ledger.write(calls.intend, RUN, turn, intent(), AT)
    kept = await ledger.write(artifacts.put, b"result", "text/plain", AT)
    result = calls.Result(state=state, content=[], is_error=False, artifact=kept, size=6)
    if state is not CallState.INTENDED:
        await ledger.write(calls.finish, RUN, "c1", result, AT)
    await ledger.write(waits.begin, wait())
    if ended:
        await ledger.write(conversations.record, RUN, RunState.ENDED, "", Outcome.COMPLETED, AT)
    return prompt, kept


async def pruned(ledger, now=LATER, keep=month):
    return await retention.prune_ledger(ledger, keep, now)


async def there(ledger, *digests):
    return [await ledger.read(artifacts.get, digest) is not None for digest in digests]


async def test_what_was_said_goes_and_what_it_was_and_did_stays(ledger):
    await lived(ledger)
    assert (await pruned(ledger)).conversations == 1
    assert (await pruned(ledger)).conversations == 0

    shown = await ledger.read(views.run, RUN, None, "default")
    [call] = await ledger.read(calls.of_run, RUN)
    [turn] = await ledger.read(turns.replied, RUN)
    assert (shown["outcome"], shown["turns"]) == ("completed", 1)
    assert shown["pruned_at"] == "2026-12-21T12:00:01.000Z"
    assert (call.state, call.size, call.arguments, call.content) == (CallState.DONE, 6, {}, None)
    assert turn.content == "[]"
    assert await ledger.read(waits.of_run, RUN) == []


async def test_its_artifacts_go_a_day_after_nothing_needs_them(ledger):
    both = await lived(ledger)
    assert (await pruned(ledger)).artifacts == 0
    assert await there(ledger, *both) == [True, True]
    assert (await pruned(ledger, LATER + DAY)).artifacts == 2
    assert await there(ledger, *both) == [False, False]


async def test_an_artifact_that_is_put_again_is_needed_again(ledger):
    prompt, kept = await lived(ledger)
    await pruned(ledger)
    await ledger.write(artifacts.put, b"prompt", "application/json", AT)

    assert (await pruned(ledger, LATER + DAY)).artifacts == 1
    assert await there(ledger, prompt, kept) == [True, False]


async def test_an_artifact_that_was_marked_and_is_referred_to_again_stays(ledger):
    digest = await ledger.write(artifacts.put, b"once more", "application/json", AT)
    await pruned(ledger)
    await ledger.write(conversations.begin, opening(), AT)
    await ledger.write(conversations.freeze, RUN, digest, "a model")

    await pruned(ledger, LATER + DAY)
    assert await there(ledger, digest) == [True]


@pytest.mark.parametrize(
    ("now", "keep", "told"),
    [
        (LATER, month, {"ended": False}),
        (NOW + timedelta(days=29), month, {}),
        (LATER, lambda _source: None, {}),
        (LATER, month, {"state": CallState.INTENDED, "turn": 0}),
    ],
    ids=["open", "young", "kept for ever", "still being applied"],
)
async def test_what_is_needed_stays_with_all_it_needs(ledger, now, keep, told):
    both = await lived(ledger, **told)
    assert await pruned(ledger, now, keep) == retention.Forgotten(conversations=0, artifacts=0)
    await pruned(ledger, now + DAY if now is LATER else now, keep)

    [call] = await ledger.read(calls.of_run, RUN)
    assert call.arguments == {"body": "Hello"}
    assert (await there(ledger, both[0])) == [True]


async def applied(ledger, at, call_id=f"c1{calls.APPLIED}"):
    """Somebody applies a proposal long after its conversation has ended."""
    await ledger.write(calls.intend, RUN, 0, intent(call_id, position=1), at)
    done = calls.Result(state=CallState.DONE, content=[], is_error=False)
    await ledger.write(calls.finish, RUN, call_id, done, at)


async def test_a5_a_run_whose_applied_call_still_listens_is_kept_until_that_has_ended(ledger):
    await lived(ledger)
    await applied(ledger, AT)
    await ledger.write(waits.begin, wait("wait_2", call_id=f"c1{calls.APPLIED}", state="left"))
    assert (await pruned(ledger)).conversations == 0
    assert await ledger.write(pruning.prune, [RUN], LATER.timestamp(), LATER.timestamp()) == 0

    await ledger.write(waits.settle, "wait_2", "expired", None, AT)
    assert (await pruned(ledger)).conversations == 1
    assert await ledger.read(waits.of_run, RUN) == []


async def test_a_run_is_kept_for_as_long_after_a_call_that_somebody_applied_as_after_its_end(
    ledger,
):
    await lived(ledger)
    await applied(ledger, AT + DAY.total_seconds())
    assert (await pruned(ledger)).conversations == 0
    young = MONTH.total_seconds() + AT - 1
    assert await ledger.write(pruning.prune, [RUN], young - MONTH.total_seconds(), young) == 0
    assert (await pruned(ledger, LATER + DAY)).conversations == 1


async def test_a8_a_proposal_whose_arguments_are_gone_says_so_and_is_still_counted(ledger):
    await lived(ledger, state=CallState.PROPOSED)
    await pruned(ledger)

    [call] = await ledger.read(calls.of_run, RUN)
    assert call.state is CallState.PROPOSED
    assert "lapsed" in call.content[0]["text"]


async def test_what_decisions_and_configurations_name_is_never_garbage(ledger):
    pages = await ledger.write(artifacts.put, b"pages", PAGES, AT)
    files = await ledger.write(configurations.came, b"files", AT)
    await pruned(ledger)
    await pruned(ledger, LATER + DAY)

    assert await there(ledger, pages, files) == [True, True]


async def test_who_took_a_decision_is_known_for_400_days_and_longer_while_it_is_open(ledger):
    for decision in ("dec_1", "dec_2"):
        await ledger.write(claims.claim, decision, "token", "consumed", "w", AT)
    await ledger.write(conversations.begin, opening(), AT)

    async def known(days):
        await pruned(ledger, NOW + timedelta(days=days))
        return sorted(await ledger.read(claims.claimed, ["dec_1", "dec_2"]))

    assert await known(400) == ["dec_1", "dec_2"]
    assert await known(401) == ["dec_1"]


async def test_money_is_never_forgotten(ledger):
    await lived(ledger)
    await ledger.write(turns.reserve, RUN, 1, 1, charge(), AT)
    before = await ledger.read(turns.spent, RUN)
    await pruned(ledger)

    assert await ledger.read(turns.spent, RUN) == before


async def test_pruning_again_what_is_open_by_now_does_nothing(ledger):
    await lived(ledger, ended=False)

    assert await ledger.write(pruning.prune, [RUN], AT, AT) == 0


def test_a_pruned_run_is_still_shown_and_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = Installed(tmp_path / "state")
    there.kept(comment("evt_1"), rule())
    with ledger_at(tmp_path / "state") as ledger:
        asyncio.run(lived(ledger))
        assert asyncio.run(pruned(ledger)).conversations == 1

    for verb in ("show", "log"):
        result = there.doorbell("runs", verb, RUN)
        assert result.exit_code == 0, result.output
        assert "github.comment" in result.stdout


async def test_who_made_which_call_is_known_for_as_long_as_one_says(ledger):
    await lived(ledger)
    year = NOW + timedelta(days=399)
    kept = await retention.prune_ledger(ledger, month, year)
    for_ever = await retention.prune_ledger(ledger, month, year + timedelta(days=900), None)
    sooner = await retention.prune_ledger(ledger, month, year, timedelta(days=90))
    again = await retention.prune_ledger(ledger, month, year + timedelta(days=900))

    assert [one.audited for one in (kept, for_ever, sooner, again)] == [0, 0, 1, 0]
    proof = await ledger.read(audit.proof)
    assert (proof.lines, proof.broken, proof.head.number) == (0, (), 1)
