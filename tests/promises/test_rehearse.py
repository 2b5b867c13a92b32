"""`doorbell rehearse`: a kept event once more, with the real model's door and real hands, and nothing is written."""

import json

import pytest

from orchestrator.ledger import conversations
from tests.support.rehearsals import EVENT, Rehearsals, kept, rehearsals_at
from tests.support.scripts import results, says, use, uses, wait

pytestmark = pytest.mark.timeout(120)

LOOKS = uses(use("read_thing", name="issue"))
WRITES = uses(use("write_thing", body="It is a bug."))
ENDS = says("I wrote that it is a bug.")


@pytest.fixture
async def there(tmp_path) -> Rehearsals:
    made = rehearsals_at(tmp_path)
    await kept(made)
    return made


async def rehearsed(there, *words, replies, code=0):
    result, _ = await there.rehearse(
        "triage", "--event", EVENT, *words, "--json", replies=replies
    )
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


async def test_a_rehearsal_writes_nothing_and_says_that_it_came_out_the_same(there):
    run_id = await there.ran(LOOKS, WRITES, ENDS)
    assert there.executed == ["read_thing issue", "write_thing It is a bug."]
    said = await rehearsed(there, replies=[LOOKS, WRITES, ENDS])
    assert there.executed[2:] == ["read_thing issue"]
    assert said["same"]
    assert said["against"]["run"] == run_id
