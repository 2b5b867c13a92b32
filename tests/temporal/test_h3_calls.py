"""H3 in a run: what a server says while it works is seen, its limits hold, and the audit has every call."""

import json
import sys
from pathlib import Path

import pytest

from orchestrator import temporal
from orchestrator.cli.asking_temporal import HERE
from orchestrator.ledger import audit
from orchestrator.settings import Settings
from orchestrator.state import StateDirectory
from tests.support.house import PLAYBOOK, STDIO, Files, House, house, opened
from tests.support.lab import SUPPORT
from tests.support.scripts import Turns, results, says, use, uses
from tests.support.town import Town

pytestmark = pytest.mark.temporal

SLOW = f"""\
lab:
  command: [{sys.executable}, {SUPPORT / "lab_server.py"}, COUNTED]
"""
LIMITED = STDIO + "  limits: {rate: 1/h, wait: 1s}\n"


async def said_at_heart(home: House) -> list[str]:
    """What the pending activities of the only run said with their last heartbeat."""
    runs = await home.runs()
    if not runs:
        return []
    handle = home.client.get_workflow_handle(runs[0]["workflow_id"])
    found = (await handle.describe()).raw_description.pending_activities
    return [json.loads(payload.data) for one in found for payload in one.heartbeat_details.payloads]


async def test_h3_o1_what_a_server_says_while_it_works_stands_under_its_activity(
    tmp_path: Path, town: Town
) -> None:
    playbook = PLAYBOOK.replace("[read_thing, slow_read, write_thing, slow_write]", "[slow]")
    playbook = playbook.replace("{lab.write_thing: {max: 5}, lab.slow_write: {max: 5}}", "{}")
    script = Turns([uses(use("slow"))])
    files = Files(servers=SLOW, playbook=playbook)
    async with house(tmp_path, town, script, files) as home:
        await home.ring(opened())
        await home.until(lambda: _is_working(home), "a heartbeat that says how far the server is")
        run = (await home.runs())[0]
        (call,) = run["tool_calls"]
        said = await temporal.progress(home.client, run["workflow_id"])
        asked = Settings(temporal=home.client.service_client.config.target_host)
        by_command = await HERE.progress(asked, StateDirectory(tmp_path), run["workflow_id"])
        nowhere = Settings(temporal="127.0.0.1:1")
        unheard = await HERE.progress(nowhere, StateDirectory(tmp_path), run["workflow_id"])
        await home.say("cancel", run["id"])
        await home.ended()
    assert said[call["id"]].startswith("working (")
    assert by_command.keys() == said.keys()
    assert unheard == {}
    # The cancel reached the server too.
    assert "slow cancelled" in home.counted.read_text()


async def _is_working(home: House) -> bool:
    return any(said.startswith("working (") for said in await said_at_heart(home))


async def test_h3_every_call_is_in_the_audit_and_one_beyond_the_limits_was_not_sent(
    tmp_path: Path, town: Town
) -> None:
    script = Turns(
        [uses(use("read_thing", name="one")), uses(use("read_thing", name="two")), says()]
    )
    async with house(tmp_path, town, script, Files(servers=LIMITED)) as home:
        await home.ring(opened())
        run = await home.ended()
        chain = await home.stores.ledger.read(audit.lines)

    assert home.executed() == ["read_thing one"]
    told = str(results(script.asked[-1]))
    assert "Nothing was sent: a limit held it: server 'lab' may get 1/h (`limits:`" in told
    assert "1/h are used up: try again in 3" in told
    assert list(audit.broken(chain)) == []
    lines = [one.line for one in chain]
    assert [(one["outcome"], one["sent"]) for one in lines] == [("done", True), ("refused", False)]
    assert {(one["run_id"], one["rule"], one["playbook"]) for one in lines} == {
        (run["id"], "work", "work")
    }
    assert all("ada" in one["who"] for one in lines)
