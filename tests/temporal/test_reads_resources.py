"""On a real worker: a run begins with a server's prompt, reads a resource, and calls an API that has no MCP server."""

from pathlib import Path

import pytest

from orchestrator.demo.wire import ToolUse
from tests.support.crm import DESCRIPTION, crm
from tests.support.house import HTTP, PLAYBOOK, Files, house, opened
from tests.support.scripts import Turns, results, says, uses, words
from tests.support.town import SUPPORT, Town
from workflows.own_tools import RESOURCE

pytestmark = pytest.mark.temporal

SERVERS = f"""\
{HTTP}
library: {{command: [python, {SUPPORT / "library_server.py"}]}}
crm:
  openapi: crm.openapi.yaml
  base_url: CRM
  operations: [searchContacts, createContact]
"""
READS = """\
tools: {lab: [read_thing], crm: [searchContacts, createContact]}
read: [library:docs://handbook/welcome]
prompt: {name: library:greet, with: {who: "issue {{ with.number }}"}}
"""


def described(url: str) -> Files:
    """A house whose playbook reads, and calls the API at this address."""
    old = PLAYBOOK[PLAYBOOK.index("tools:") : PLAYBOOK.index("budget:")]
    return Files(servers=SERVERS.replace("CRM", url), playbook=PLAYBOOK.replace(old, READS))


async def test_h3_a_run_reads_a_resource_and_calls_a_described_api(
    tmp_path: Path, town: Town
) -> None:
    script = Turns(
        [
            uses(
                ToolUse(RESOURCE, {"resource": "library:docs://handbook/welcome"}),
                ToolUse(RESOURCE, {"resource": "library:docs://blob"}),
                ToolUse("crm__searchContacts", {"limit": 3}),
            ),
            uses(ToolUse("crm__createContact", {"name": "Ada"})),
            says(),
        ]
    )
    async with crm() as api:
        (tmp_path / "doorbell.d").mkdir()
        (tmp_path / "doorbell.d" / "crm.openapi.yaml").write_text(DESCRIPTION)
        async with house(tmp_path, town, script, described(api.url)) as home:
            await home.ring(opened())
            run = await home.ended()

    read, refused, found = results(script.asked[1]).values()
    assert "Be kind.[U+200B]" in read
    assert "This can't be read" in refused
    assert found == '{"found":[]}'
    assert "Greet issue 7 warmly." in words(script.asked[0]).partition("<event>")[0]
    calls = [(call["server"], call["tool"], call["state"]) for call in run["tool_calls"]]
    assert calls == [
        ("library", "resources/read", "done"),
        ("doorbell", "read_resource", "refused"),
        ("crm", "searchContacts", "done"),
        ("crm", "createContact", "done"),
    ]
    assert [asked[0] for asked in api.asked] == ["GET", "POST"]
    assert run["outcome"] == "completed"
