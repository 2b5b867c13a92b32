"""`doorbell rehearse`: a kept event once more, by the real doors of model and hands; nothing is written, money counts.

The Messages server is scripted and real HTTP; the MCP server counts what it executed, whatever anybody says.
"""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from orchestrator.demo.wire import Fault
from orchestrator.ledger import conversations, spending
from orchestrator.rules import days
from tests.support.rehearsals import EVENT, counting, rehearsals_at
from tests.support.scripts import results, says, use, uses, wait, words
from tests.support.zones import ZONE

pytestmark = pytest.mark.timeout(180)

LOOKS = uses(use("read_thing", name="issue"))
WRITES = uses(use("write_thing", body="It is a bug."))
ENDS = says("I wrote that it is a bug.")
RAN = ["read_thing issue", "write_thing It is a bug."]


@pytest.fixture(scope="module")
def server():
    with counting() as url:
        yield url


@pytest.fixture
def there(tmp_path, server):
    made = rehearsals_at(tmp_path, server)
    limited(made)
    return made


def limited(there, more=""):
    limits = there.path / "doorbell.d" / "limits.yaml"
    limits.write_text(f"zone: {ZONE}\n{more}", encoding="utf-8")


async def rehearsed(there, *flags, replies, code=0, playbook="triage"):
    result, script = await there.rehearse(playbook, "--event", EVENT, *flags, replies=replies)
    assert result.exit_code == code, result.output
    return (json.loads(result.stdout) if "--json" in flags else result), script


async def counted(there):
    """What the day of the whole installation cost, in attempts and nano-dollars."""

    async def act(stores):
        day = days.day_of(datetime.now(UTC).timestamp(), ZONE)
        return await stores.ledger.read(spending.whole, day, ZONE)

    return await asyncio.to_thread(there.there.use, act)


async def runs(there):
    async def act(stores):
        return await stores.ledger.read(conversations.newest, 10)

    return [one.run_id for one in await asyncio.to_thread(there.there.use, act)]


async def test_a_rehearsal_of_a_run_that_wrote_writes_nothing_and_comes_out_the_same(there):
    run_id = await there.ran(LOOKS, WRITES, ENDS)
    assert there.executed == RAN
    said, _ = await rehearsed(there, "--json", replies=[LOOKS, WRITES, ENDS])
    assert there.executed[2:] == ["read_thing issue"]
    assert (said["same"], said["against"]["run"]) == (True, run_id)
    assert [one["change"] for one in said["calls"]] == ["same", "same"]
    assert [one["state"] for one in said["rehearsed"]["calls"]] == ["done", "proposed"]
    assert said["rehearsed"]["said"] == "I wrote that it is a bug."
    assert await runs(there) == [run_id]


async def test_r5_what_a_rehearsal_costs_counts_for_the_day(there):
    said, _ = await rehearsed(there, "--json", replies=[LOOKS, WRITES, ENDS])
    day = await counted(there)
    assert (day.attempts, day.usd_reserved, day.tokens_reserved) == (3, 0, 0)
    assert day.usd_settled == pytest.approx(said["rehearsed"]["usd"] * 1e9, abs=3)
    assert day.tokens_settled == said["rehearsed"]["tokens"] > 0
    assert said["most_usd"] == 0.75


async def test_what_is_written_otherwise_is_told_field_by_field_with_exit_3(there):
    await there.ran(LOOKS, WRITES, ENDS)
    other = uses(use("write_thing", body="It is a feature."))
    result, _ = await rehearsed(there, replies=[other, ENDS], code=3)
    assert "body: It is a bug. -> It is a feature." in result.stdout
    assert "missing" in result.stdout
    assert result.stdout.splitlines()[-1] == "it differs: what is written"
    assert "may spend up to USD 0.75" in result.stderr
    assert there.executed == RAN


async def test_reads_can_be_replayed_and_what_was_never_read_is_said_to_the_model_and_to_us(there):
    run_id = await there.ran(LOOKS, WRITES, ENDS)
    strange = uses(use("read_thing", name="issue"), use("read_thing", name="wiki"))
    said, script = await rehearsed(
        there, run_id, "--reads", "replay", "--json", replies=[strange, WRITES, ENDS]
    )
    assert there.executed == RAN
    heard = list(results(script.asked[1]).values())
    assert heard[0].startswith("issue is fine.")
    assert "that run never called lab.read_thing with these arguments" in heard[1]
    assert said["unheard"] == [{"tool": "lab.read_thing", "arguments": {"name": "wiki"}}]
    assert said["reads"] == run_id
    assert [one["change"] for one in said["calls"]] == ["same", "added", "same"]
    assert said["same"]


async def test_a_rehearsal_ends_where_a_run_would_wait(there):
    await there.ran(LOOKS, WRITES, ENDS)
    waits = uses(wait("github/issue_comment.*"))
    said, script = await rehearsed(there, "--json", replies=[LOOKS, waits, ENDS], code=3)
    assert (said["ending"], len(script.asked)) == ("waits", 2)
    assert said["rehearsed"]["came"] == "waiting"
    assert said["rehearsed"]["reason"] == "would wait for github/issue_comment.* for issue:7"


async def test_a_run_that_heard_more_events_is_said_to_have_done_so(there):
    run_id = await there.ran(LOOKS, WRITES, ENDS)
    heard = (conversations.hear, run_id, "evt_2", 2, "handed in", 0.0)
    await asyncio.to_thread(there.there.write, *heard)
    result, _ = await rehearsed(there, replies=[LOOKS, WRITES, ENDS])
    assert "that run heard 1 more event later; a rehearsal hears the first alone" in result.stdout


async def test_r5_the_budget_of_the_playbook_holds(there):
    there.playbook("turns: 6", "turns: 1")
    said, script = await rehearsed(there, "--json", replies=[LOOKS, ENDS])
    assert (said["ending"], len(script.asked)) == ("parks", 2)
    assert script.asked[1]["tool_choice"] == {"type": "none"}
    assert said["rehearsed"]["reason"] == "turns budget: 1 of 1 used"


async def test_r5_a_cap_of_the_day_that_is_spent_keeps_the_model_from_being_asked(there):
    await rehearsed(there, replies=[ENDS])
    spent = (await counted(there)).tokens_settled
    limited(there, f"tokens_per_day: {spent + 10}\n")
    said, script = await rehearsed(there, "--json", replies=[ENDS])
    assert (said["ending"], script.asked) == ("parks", [])
    assert "the whole installation" in said["rehearsed"]["reason"]
    assert (await counted(there)).tokens_settled == spent


async def test_another_playbook_is_rehearsed_against_a_run_of_this_one(there):
    run_id = await there.ran(LOOKS, WRITES, ENDS)
    there.playbook("You look after issue", "Briefly look after issue", name="brief")
    flags = ("--with", "number=7", "--against", run_id)
    result, script = await rehearsed(there, *flags, replies=[LOOKS, WRITES, ENDS], playbook="brief")
    assert f"run {run_id} of playbook triage: completed" in result.stdout
    assert "Briefly look after issue 7" in str(script.asked[0]["system"])
    assert "It fails." in words(script.asked[0])


async def test_without_an_earlier_run_it_is_shown_alone(there):
    result, _ = await rehearsed(there, replies=[LOOKS, WRITES, ENDS])
    assert "no earlier run of this event to compare with" in result.stdout
    assert "proposed" in result.stdout


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["triag", "--event", EVENT], "there is no sound playbook 'triag'"),
        (["triage", "--event", EVENT, "--with", "number=x"], "expected a whole number, got 'x'"),
        (["triage", "--event", EVENT, "--with", "numer=1"], "not declared ['numer']"),
        (["triage", "--event", EVENT, "--with", "number"], "expected --with NAME=VALUE"),
        (["triage", "--event", EVENT, "--reads", "replay"], "name one (--reads replay RUN)"),
        (["triage", "run", "--event", EVENT], "--reads replay RUN"),
        (["triage", "--event", "evt_2"], "there is no event whose id is or begins with 'evt_2'"),
        (["triage", "--event", EVENT, "--against", "r"], "there is no run whose id is"),
        (["triage", "--event", EVENT, "--config", "nowhere"], "no configuration in 'nowhere'"),
    ],
)
async def test_a_mistake_costs_nothing_and_ends_with_2(there, flags, said):
    result, script = await there.rehearse(*flags, replies=[ENDS])
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert script.asked == []


async def test_a_provider_that_refuses_breaks_it_off_with_2_and_says_what_was_done(there):
    refused = Fault(status=401, type="authentication_error")
    said, _ = await rehearsed(there, "--json", replies=[LOOKS, refused], code=2)
    assert said["ending"] == "broken"
    assert "the API key is not accepted" in said["rehearsed"]["reason"]
    assert (said["rehearsed"]["turns"], there.executed) == (1, ["read_thing issue"])
