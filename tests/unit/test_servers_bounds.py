"""`timeout:` and `result:` of servers: how long a call may take, and how much of what it returns is shown."""

import sys
from types import SimpleNamespace

import pytest

from orchestrator.agent.hands.tasks import Detailed, looking
from orchestrator.servers import Bounds, StdioServer, bounds_of
from tests.support.configurations import SERVERS, configuration, mistakes
from tests.support.lab import SUPPORT, ask, reaching
from workflows.calls import TOOL

BOUND = """\
  timeout: 90s
  result: 120k
  tools:
    issue_write: {timeout: 5m}
    issue_read: {result: 1000}
    search: {effect: read}
"""


def test_h3_what_is_not_said_of_a_tool_is_said_of_its_server():
    server = configuration(servers_yaml=SERVERS + BOUND).servers["github"]

    assert bounds_of(server, "search") == Bounds(timeout=90.0, result=120_000)
    assert bounds_of(server, "issue_write") == Bounds(timeout=300.0, result=120_000)
    assert bounds_of(server, "issue_read") == Bounds(timeout=90.0, result=1_000)


def test_h3_who_says_nothing_has_the_usual_ones():
    server = configuration().servers["github"]

    assert bounds_of(server, "issue_write") == bounds_of(None, "issue_write") == Bounds()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("timeout: 0s", "between 1s and 5m"),
        ("timeout: 6m", "between 1s and 5m"),
        ("timeout: 60", "expected a duration such as 30s"),
        ("tools: {a: {timeout: 1h}}", "between 1s and 5m"),
        ("result: 999", "between 1k and 400k characters, got 999"),
        ("result: 1M", "between 1k and 400k characters, got 1000000"),
        ("tools: {a: {result: 0}}", "between 1k and 400k characters, got 0"),
        ("result: all", "expected a count such as 25 or 300k"),
        ("results: 80k", "did you mean 'result'"),
    ],
)
def test_h3_what_no_call_may_take_is_a_mistake(text, said):
    assert any(said in one for one in mistakes(servers_yaml=f"{SERVERS}  {text}\n"))


def test_a2_the_longest_turn_connection_and_call_fit_into_one_attempt():
    longest = f"{SERVERS}  timeout: 5m\n  limits: {{concurrent: 1, wait: 60s}}\n"
    server = configuration(servers_yaml=longest).servers["github"]

    connecting, margin = 20.0, 5.0
    taken = server.limits.wait + connecting + bounds_of(server, "any").timeout + margin
    assert taken < TOOL.attempt.total_seconds()


@pytest.mark.parametrize(
    ("bounds", "tool_bounds", "shown"),
    [
        ({}, {}, 80_000),
        ({"result": 120_000}, {}, 120_000),
        ({"result": 120_000}, {"big": Bounds(result=2_000)}, 2_000),
        ({}, {"big": Bounds(timeout=9.0), "other": Bounds(result=2_000)}, 80_000),
    ],
)
async def test_h3_so_much_of_a_result_is_shown_as_its_server_or_tool_says_and_all_of_it_kept(
    tmp_path, bounds, tool_bounds, shown
):
    program = (sys.executable, str(SUPPORT / "lab_server.py"), str(tmp_path / "lab.log"))
    lab = StdioServer(name="lab", command=program, bounds=Bounds(**bounds), tool_bounds=tool_bounds)
    async with reaching(lab) as hands:
        outcome = await ask(hands, "lab", "big", megabytes=1)
    assert outcome.truncated
    assert len(outcome.full) > 1_000_000
    assert shown * 0.9 < sum(len(block["text"]) for block in outcome.content) <= shown * 1.1


async def test_h4_so_much_of_a_tasks_result_is_shown_as_its_server_says():
    detailed = Detailed.model_validate(
        {
            "taskId": "t",
            "status": "completed",
            "result": {"content": [{"type": "text", "text": "x" * 300_000}]},
        },
        by_name=False,
    )
    session = SimpleNamespace(send_request=answering(detailed))
    client = SimpleNamespace(session=session, protocol_version="2026-07-28")
    for limit in (2_000, 120_000):
        sight = await looking("t", limit)(client, 1.0, lambda value: value)
        assert limit * 0.9 < len(sight.answer.content[0]["text"]) <= limit * 1.1


def answering(detailed):
    """A session that answers every request with this."""

    async def send_request(*_asked):
        return detailed

    return send_request
