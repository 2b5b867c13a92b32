"""What people are still to be told of words and of calls, on both databases, and since when rules hear of it."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from orchestrator.database import Database, sqlite_url
from orchestrator.ledger import approvals, calls, conversations, installation, migrations, notices
from orchestrator.ledger.approvals import Approval, Said
from orchestrator.ledger.calls import Result
from orchestrator.ledger.notices import UNTAKEN, Notice
from orchestrator.sources.notices import ANSWERED
from orchestrator.sources.source import DOORBELL
from tests.support.builders import AT, RUN, WORKFLOW, intent, opening
from workflows.approvals import Standing
from workflows.messages import CallState
from workflows.playbook import OnTimeout

ASKED = Approval(
    approval_id="apr_1",
    code="ABCDEFGHIJ",
    run_id=RUN,
    workflow_id=WORKFLOW,
    call_id="1.0",
    number=1,
    tool="github.comment",
    digest="d",
    by=("operator",),
    on_timeout=OnTimeout.DENY,
    standing=Standing.OPEN,
    asked_at=AT,
    expires_at=AT + 3600,
)
YES = Said(
    decision_id="dec_2",
    approval_id="apr_1",
    event_id="evt_2",
    word="approve",
    person="ann",
    at=AT + 1,
)


@contextmanager
def asking(url):
    database = Database.open(url, migrations.MIGRATIONS)
    try:
        with database.engine.connect() as connection:
            conversations.begin(connection, opening(), AT)
            calls.intend(connection, RUN, 1, intent("1.0"), AT)
            approvals.open_request(connection, ASKED)
            yield connection
    finally:
        database.close()


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request, tmp_path, postgres):
    """A transaction of a ledger whose run asks people about its call."""
    if request.param == "sqlite":
        with asking(sqlite_url(tmp_path / "ledger.db")) as connection:
            yield connection
    else:
        with postgres.database() as url, asking(url) as connection:
            yield connection


def untold(ledger, at=AT + 2, since=AT):
    found = notices.answered(ledger, DOORBELL, since, at, 9)
    return [(one.identity, one.became, one.counts) for one in found]


def tell(ledger, identity):
    notice = Notice(
        identity=identity, run_id=RUN, about="apr_1", type=ANSWERED, event_id="evt_3", at=AT
    )
    notices.told(ledger, notice)


def approved(ledger):
    approvals.heard(ledger, YES)
    approvals.settle(ledger, ASKED, Standing.APPROVED, AT + 2, YES)
    approvals.release(ledger, ASKED)
    approvals.became(ledger, "dec_2", "approved")


def test_a_word_is_untold_until_its_notice_is_written_down(ledger):
    approved(ledger)
    identity = "answered-apr_1-evt_2"
    assert untold(ledger) == [(identity, "approved", True)]
    assert untold(ledger, since=AT + 1) == []

    tell(ledger, identity)
    assert untold(ledger) == []


def test_a_word_on_its_way_is_told_when_it_takes_long_and_again_where_it_came_to_nothing(ledger):
    approvals.heard(ledger, YES)
    assert untold(ledger) == []
    assert untold(ledger, at=AT + UNTAKEN + 2) == [("answered-apr_1-evt_2", None, True)]

    tell(ledger, "answered-apr_1-evt_2")
    approvals.became(ledger, "dec_2", "refused: no")
    nothing = "answered-apr_1-evt_2-nothing"
    assert untold(ledger) == [(nothing, "refused: no", False)]
    tell(ledger, nothing)
    assert untold(ledger) == []


def test_what_a_word_came_to_may_be_known_with_it_and_the_first_says_it(ledger):
    approvals.heard(ledger, replace(YES, became="refused: too late, it is denied"))
    approvals.heard(ledger, replace(YES, became="refused: no"))

    assert [one.became for one in approvals.words_of(ledger, "apr_1")] == [
        "refused: too late, it is denied"
    ]


def test_a_call_is_untold_from_its_end_on(ledger):
    approved(ledger)
    assert notices.executed(ledger, DOORBELL, AT, 9) == []
    result = Result(state=CallState.DONE, content=[], is_error=False)
    calls.finish(ledger, RUN, "1.0", result, AT + 5)

    assert [one.code for one in notices.executed(ledger, DOORBELL, AT, 9)] == ["ABCDEFGHIJ"]
    assert notices.executed(ledger, DOORBELL, AT + 5, 9) == []
    tell(ledger, "executed-apr_1")
    assert notices.executed(ledger, DOORBELL, AT, 9) == []


def test_rules_hear_of_something_since_the_first_did_and_until_none_does(ledger):
    assert installation.heard_since(ledger, ANSWERED) is None
    installation.hear(ledger, ANSWERED, AT)
    installation.hear(ledger, ANSWERED, AT + 1)
    assert installation.heard_since(ledger, ANSWERED) == AT

    installation.hear_no_more(ledger, ANSWERED)
    assert installation.heard_since(ledger, ANSWERED) is None
    assert installation.namespace(ledger) is None
