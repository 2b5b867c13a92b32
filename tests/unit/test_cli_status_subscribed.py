"""`doorbell status` says what we are subscribed to at MCP servers, until when, and what keeps us out."""

from dataclasses import replace
from datetime import timedelta

from orchestrator.cli.status import _text
from orchestrator.inbox.subscriptions import Subscription
from orchestrator.subscribing.standing import told
from tests.support.builders import NOW
from tests.unit.test_cli_status import WELL

ROW = Subscription(
    mark="m1",
    source="tickets",
    server="crm",
    address="there",
    event="ticket.updated",
    arguments="{}",
    url="https://doorbell.example/hooks/tickets",
    secret="s",
    wanted=True,
    id="sub_1",
    cursor=None,
    refreshed_at=NOW,
    active_until=NOW + timedelta(days=1),
    due_at=NOW + timedelta(hours=12),
    troubles=0,
    reason=None,
    error=None,
    gaps=0,
    gap_at=None,
    fence=1,
    leased_until=None,
)
NEVER = replace(ROW, id=None, refreshed_at=None, active_until=None)


def test_o3_each_subscription_has_a_line():
    rows = [
        ROW,
        replace(ROW, arguments='{"project":"api"}', gaps=2, gap_at=NOW),
        replace(NEVER, troubles=3, reason="forbidden", error="Forbidden (-32024)"),
        NEVER,
        replace(ROW, wanted=False),
    ]
    status = WELL | {
        "temporal": {"address": "a", "reachable": True, "ui": None},
        "service": "http://127.0.0.1:8787",
        "subscriptions": [told(row, NOW) for row in rows],
    }
    at, tomorrow = "2026-11-21T12:00:00+00:00", "2026-11-22T12:00:00+00:00"
    lines = [line for line in _text(status).splitlines() if line.startswith("mcp ")]
    head = "mcp       tickets: ticket.updated"
    assert lines == [
        f"{head} of crm active until {tomorrow}, refreshed {at}",
        f'{head} {{"project":"api"}} of crm active until {tomorrow}, refreshed {at}, 2 gaps, the last {at}',
        f"{head} of crm FAILING: forbidden: Forbidden (-32024)",
        f"{head} of crm ASKING",
        f"{head} of crm LEAVING until {tomorrow}, refreshed {at}",
    ]
