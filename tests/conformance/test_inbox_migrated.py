"""An inbox of an earlier version still knows what it has heard (promise D3)."""

import pytest
from sqlalchemy import text

from orchestrator.database import Database, sqlite_url
from orchestrator.inbox.inbox import Duplicate
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from tests.conformance.inboxes import arrival, at

WHOLE_HASHES = MIGRATIONS[:5]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path, postgres):
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "inbox.db")
    else:
        with postgres.database() as made:
            yield made


def lengthen(connection):
    connection.execute(text("UPDATE entries SET seen_hash = body_hash"))


async def test_d3_bytes_that_were_compared_by_their_whole_hash_are_still_recognised(url):
    database = Database.open(url, WHOLE_HASHES)
    await SqlInbox(database).keep([arrival(body=b'{"a":1}')])
    await database.write(lengthen)
    database.close()

    with at(url) as inbox:
        [receipt] = await inbox.keep([arrival("e2", "d2", b'{"a":1}')])

    assert receipt == Duplicate("e1")
